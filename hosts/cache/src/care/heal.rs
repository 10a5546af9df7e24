//! The small cures: what is not a matter of placing content. Each looks again first.

use std::io::{self, SeekFrom};

use hubstow_core::{
    care::{Id, Stamp},
    layout::{CachePath, RepoLayout},
    name::{Commit, Revision},
};

use crate::{
    cache::folders::KnownFolders,
    care::{
        again::{Skip, look_again},
        inventory::{HeldRepo, Inventory},
        locks::PeerLock,
    },
    disk::{DiskFile, Kind, cancel::Cancel, content::BUFFER_BYTES, failure::FsError},
    observe::{REF_LIMIT_BYTES, view::View},
};

/// A copy of what is about to be overwritten, under a private name; it is gone when [`View::forget`] is told so.
pub struct Aside {
    /// Where it is.
    pub at: CachePath,
    /// Nobody takes it for a dead run's as long as this is there.
    _file: Box<dyn DiskFile>,
}

impl View {
    /// Keeps a copy of an entry's content aside, in a repo, before that is overwritten.
    ///
    /// # Errors
    /// Content that can't be read, or a repo that can't be written.
    pub fn keep_aside(&self, layout: &RepoLayout, from: &CachePath) -> Result<Aside, FsError> {
        self.make_folders(&layout.private())?;
        let mut private = self.cache.create_private(|nonce| layout.scratch(nonce))?;
        let copied = copy(self, from, &mut *private.file, &self.cancel);
        if let Err(error) = copied {
            self.cache.discard(&private.at);
            return Err(FsError::io("copy", from, error));
        }
        Ok(Aside { at: private.at, _file: private.file })
    }

    /// Removes what was kept aside.
    pub fn forget(&self, aside: Aside) {
        self.cache.discard(&aside.at);
    }

    /// Removes an empty folder that stands where a file belongs. One that holds something stays, and is in the way.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear_empty_folder(&self, at: &CachePath) -> Result<(), FsError> {
        self.check_folders(&at.parent())?;
        match self.cache.disk.entry(at) {
            Ok(Some(entry)) if entry.kind == Kind::Directory => {}
            Ok(_) | Err(_) => return Ok(()),
        }
        match self.cache.disk.remove_folder(at) {
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Err(FsError::io("remove the folder", at, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes a ref anew by the commit that it says, and by that alone; `Some` says why it was left alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn tidy_ref(
        &self,
        inventory: &Inventory,
        id: Id,
        over: Stamp,
    ) -> Result<Option<Skip>, FsError> {
        let Some(item) = inventory.get(id) else { return Ok(Some(Skip::Gone)) };
        let repo = inventory.repo_of(id).and_then(HeldRepo::repo);
        let Some(layout) = repo.map(|repo| RepoLayout::new(&repo)) else {
            return Ok(Some(Skip::Changed));
        };
        let name = item.at.as_str().strip_prefix(layout.refs().as_str());
        let revision = name.and_then(|name| Revision::parse(name.strip_prefix('/')?).ok());
        let commit = self.cache.read(&item.at, REF_LIMIT_BYTES);
        let commit = commit.and_then(|content| Commit::from_ref_file(&content));
        let still = look_again(self, item, over, &KnownFolders::default());
        match (revision, commit, still) {
            (_, _, Err(skip)) => Ok(Some(skip)),
            (Some(revision), Some(commit), Ok(_)) => {
                self.point(&layout, &revision, &commit).map(|()| None)
            }
            (_, _, Ok(_)) => Ok(Some(Skip::Changed)),
        }
    }

    /// Adds users to the list of a shared content, under the lock that other tools heed; `Some` says why it was left alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn enlist(
        &self,
        inventory: &Inventory,
        list: Id,
        users: &[Id],
    ) -> Result<Option<Skip>, FsError> {
        let Some(item) = inventory.get(list) else { return Ok(Some(Skip::Gone)) };
        let named = |at: &CachePath| {
            let name = at.base().strip_suffix(".refs")?;
            at.parent().listed(&format!("{name}.lock"))
        };
        let Some(lock) = named(&item.at) else { return Ok(Some(Skip::Changed)) };
        let locked = self.cache.lock_of_peers(&lock);
        if matches!(locked, PeerLock::Busy) {
            return Ok(Some(Skip::InUse));
        }
        let lines: String = users
            .iter()
            .filter_map(|id| inventory.get(*id))
            .map(|user| format!("{}\n", user.at))
            .collect();
        let written = self.cache.disk.open_private(&item.at).and_then(|mut file| {
            let end = file.seek(SeekFrom::End(0))?;
            // The last line may have been cut off.
            let is_cut = end > 0 && {
                let mut last = [0];
                let read = file.read_at(end - 1, &mut last)?;
                read == 1 && last != *b"\n"
            };
            let lines = if is_cut { format!("\n{lines}") } else { lines };
            file.write_at(end, lines.as_bytes())?;
            file.sync()
        });
        drop(locked);
        written.map(|()| None).map_err(|error| FsError::io("write", &item.at, error))
    }
}

fn copy(view: &View, from: &CachePath, to: &mut dyn DiskFile, cancel: &Cancel) -> io::Result<()> {
    let mut file = view.cache.disk.open(from)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        cancel.check()?;
        match file.read(&mut buffer)? {
            0 => return to.flush(),
            count => to.write_all(buffer.get(..count).unwrap_or_default())?,
        }
    }
}
