//! Whether anybody still writes what looks unfinished.

use std::{io, time::Duration};

use hubstow_core::layout::CachePath;

use crate::{
    cache::{
        Cache,
        leftovers::{SILENCE, Writer},
    },
    disk::{DiskFile, Kind, exclusion::second_is_kept_out},
};

/// How long nobody may have written to what another tool has staged before a free lock counts: longer than any pause within
/// a transfer.
const QUIET: Duration = Duration::from_secs(60);
/// How long a link under a private name may live: it is made and renamed within moments.
const MOMENT: Duration = Duration::from_secs(60);

/// Whether a lock tells that its holder is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Held,
    /// It is free, and excludes here; or there is none, and whoever stages holds one.
    Free,
    TellsNothing,
}

/// Whether anybody still writes an unfinished file.
pub(crate) enum Life {
    /// Somebody does, or may.
    Lives,
    /// Nobody does; as long as this is held, nobody takes it over.
    Dead(Option<Box<dyn DiskFile>>),
}

impl Cache {
    /// Says whether an unfinished file is somebody's who lives. Nothing is written.
    pub(crate) fn life_of(&self, at: &CachePath, kind: Kind, is_ours: bool) -> Life {
        match kind {
            Kind::File if is_ours => {
                let Ok(mut file) = self.disk.open_private(at) else { return Life::Lives };
                match self.writer_of(at, &mut *file) {
                    Writer::Alive => Life::Lives,
                    Writer::Gone | Writer::Silent => Life::Dead(Some(file)),
                }
            }
            Kind::File => {
                let (lock, held) = self.lock_of_peer(at);
                let dead = match lock {
                    Lock::Held => false,
                    Lock::Free => self.is_still_for(at, QUIET),
                    Lock::TellsNothing => self.is_still_for(at, SILENCE),
                };
                if dead { Life::Dead(held) } else { Life::Lives }
            }
            Kind::Symlink if self.is_still_for(at, MOMENT) => Life::Dead(None),
            Kind::Symlink | Kind::Directory | Kind::Other => Life::Lives,
        }
    }

    /// Tells whether an entry was made or changed so long ago.
    fn is_still_for(&self, at: &CachePath, time: Duration) -> bool {
        let Ok(Some(entry)) = self.disk.entry(at) else { return false };
        let modified = u64::try_from(entry.identity.modified_ns).map(Duration::from_nanos);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        modified.is_ok_and(|modified| now.is_ok_and(|now| modified + time <= now))
    }

    /// Looks at the lock of the etag that another tool's staged file is named after. Without one it tells nothing: not
    /// every tool takes one.
    fn lock_of_peer(&self, at: &CachePath) -> (Lock, Option<Box<dyn DiskFile>>) {
        let lock = staged_by_peer(at).and_then(|(folder, etag)| peer_lock(&folder, etag));
        let opened = lock.and_then(|lock| Some((self.disk.open_private(&lock).ok()?, lock)));
        let Some((mut file, lock)) = opened else { return (Lock::TellsNothing, None) };
        match file.try_lock() {
            Ok(()) if second_is_kept_out(&*self.disk, &lock) => (Lock::Free, Some(file)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (Lock::Held, None),
            Ok(()) | Err(_) => (Lock::TellsNothing, None),
        }
    }
}

/// Returns the repo folder and the etag of what a peer stages at `<repo>/blobs/<etag>[.<8 hex>].incomplete`.
fn staged_by_peer(at: &CachePath) -> Option<(CachePath, &str)> {
    let folder = at.parent().parent();
    let stem = at.base().strip_suffix(".incomplete")?;
    match stem.rsplit_once('.') {
        Some((etag, nonce)) if nonce.len() == 8 => Some((folder, etag)),
        Some(_) | None => Some((folder, stem)),
    }
}

/// Returns the lock of an etag, whatever the names of the repo folder and the etag are.
pub(crate) fn peer_lock(repo: &CachePath, etag: &str) -> Option<CachePath> {
    let locks = CachePath::root().listed(".locks")?.listed(repo.as_str())?;
    locks.listed(&format!("{etag}.lock"))
}
