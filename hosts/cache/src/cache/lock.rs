//! Locks: the very files that the Python client locks, so that one of us fetches and the others wait.
//!
//! INVARIANT (I9): correctness never depends on a lock. Where locks are absent, refused or granted to everybody,
//! nothing changes but bandwidth.

use std::{io, sync::Arc};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    policy::Support,
};

use crate::{
    cache::{Cache, folders::KnownFolders, private::LINK_TRIES, target::Target},
    disk::{
        Disk, DiskFile, LockFile, Origin,
        exclusion::excludes,
        failure::{ErrorGroup, FsError, with_causes},
    },
    fresh_nonce,
};

/// A held lock; it is released when this is dropped. The file stays, as the Python client leaves it.
pub struct HeldLock {
    _file: Box<dyn DiskFile>,
}

/// What came of trying to lock.
pub enum Locked {
    /// Held by us.
    Held(HeldLock),
    /// Somebody else holds it.
    Busy,
    /// Not to be had here; go on without.
    Unavailable,
}

impl Cache {
    /// Tries to take the lock of a target's content, without waiting.
    pub(crate) fn try_lock(&self, target: &Target, known: &KnownFolders) -> Locked {
        let at = target.layout.lock(&target.etag);
        if let Err(error) = self.make_folders(&at.parent(), known) {
            tracing::debug!(error = %with_causes(&error), "no folder for locks");
            return Locked::Unavailable;
        }
        lock_at(&self.disk, &at)
    }

    /// Finds out whether a lock excludes a second holder here, with a private file.
    ///
    /// # Errors
    /// A cache directory in which no file can be made.
    pub(crate) fn probe_locks(&self) -> Result<Support, FsError> {
        self.in_probe_folder(|| {
            let at = RepoLayout::probe_file(&fresh_nonce()?);
            let first = self.disk.create(&at).map_err(|error| FsError::io("write", &at, error))?;
            let support = excludes(&*self.disk, &at, first);
            self.discard(&at);
            Ok(if support { Support::Works } else { Support::Refused })
        })
    }

    /// Probes in the folder for that at the cache root, and removes it again, with the one above it where a probe was the
    /// first to need it. Another process that probes may remove it under us; then it is made once more.
    pub(crate) fn in_probe_folder<T>(
        &self,
        probe: impl Fn() -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let folder = RepoLayout::probe_folder();
        let mut tries_left = LINK_TRIES;
        loop {
            let made = self.make_folders(&folder, &KnownFolders::default());
            let probed = made.and_then(|()| probe());
            let _ = self.disk.remove_folder(&folder);
            let _ = self.disk.remove_folder(&folder.parent());
            tries_left -= 1;
            match probed {
                Err(error) if error.group() == Some(ErrorGroup::Raced) && tries_left > 0 => {}
                probed => return probed,
            }
        }
    }
}

fn lock_at(disk: &Arc<dyn Disk>, at: &CachePath) -> Locked {
    let LockFile { mut file, origin } = match disk.open_lock(at) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!(path = %at, %error, "no lock file");
            return Locked::Unavailable;
        }
    };
    match file.try_lock() {
        Ok(()) => Locked::Held(HeldLock { _file: file }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Locked::Busy,
        Err(error) => {
            tracing::debug!(path = %at, %error, "locks are not to be had here");
            // Where locks are not to be had, the Python client takes the mere presence of this file for a lock and
            // waits for ever.
            drop(file);
            if origin == Origin::Made {
                let _ = disk.remove(at);
            }
            Locked::Unavailable
        }
    }
}
