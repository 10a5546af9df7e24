//! What all sources read files with: the digests, the rules of what is LFS, and the listings of recent commits.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use hubstow_core::name::{Commit, Repo};

use crate::{
    hash::{Hashes, Opened, Stamp},
    left_out::{LeftOut, Teller},
    lfs_rules::LfsRules,
    listing::{Entry, Listing},
    walk::{Confines, Found},
};

/// How many commits are remembered: a few repos in use at the same time.
const KNOWN_LIMIT: usize = 64;

/// What all sources read files with.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) hashes: Hashes,
    pub(crate) rules: LfsRules,
    /// Who hears of what is left out.
    teller: Teller,
    /// The listings of recent commits, oldest first.
    known: Mutex<VecDeque<Known>>,
}

/// A listing that was read once, and where from.
#[derive(Debug)]
struct Known {
    repo: Repo,
    folder: PathBuf,
    listing: Arc<Listing>,
}

impl Reader {
    pub(crate) fn new(hashes: Hashes, rules: LfsRules, teller: Teller) -> Self {
        Self { hashes, rules, teller, known: Mutex::default() }
    }

    /// Tells of what is not served.
    pub(crate) fn leave_out(&self, left_out: &[LeftOut]) {
        left_out.iter().for_each(|left_out| self.teller.tell(left_out));
    }

    /// Leaves out a folder that can't be read, where others can be.
    pub(crate) fn readable<T>(&self, folder: &Path, read: io::Result<T>) -> Option<T> {
        let unreadable = |error: &io::Error| {
            let (path, shown) = (folder.to_owned(), folder.display().to_string());
            let why = format!("`{}` can't be read: {error}", shown.escape_debug());
            self.leave_out(&[LeftOut { path, why }]);
        };
        read.inspect_err(unreadable).ok()
    }

    /// Makes the entry of a file that was found; its etag is there where it is known already.
    pub(crate) fn entry(&self, Found { name, path, root, stat, .. }: Found) -> Entry {
        let (stamp, len_bytes) = (Stamp::of(&stat), stat.len());
        let storage = self.rules.storage(&name, len_bytes);
        let etag = self.hashes.known(&path, &stamp, storage);
        Entry { name, path, root, storage, len_bytes, stamp, etag }
    }

    /// Completes an entry by its etag, and takes over what the file is by now; `None` where it has gone.
    ///
    /// # Errors
    /// The file can't be read, or changes all the time.
    pub(crate) fn hashed(&self, entry: Entry) -> io::Result<Option<Entry>> {
        self.hashed_telling(entry, &|_| ())
    }

    /// As [`Reader::hashed`], and tells of each piece that is read how many bytes it has.
    ///
    /// # Errors
    /// As [`Reader::hashed`].
    pub(crate) fn hashed_telling(
        &self,
        mut entry: Entry,
        tell: &dyn Fn(u64),
    ) -> io::Result<Option<Entry>> {
        if entry.etag.is_some() {
            return Ok(Some(entry));
        }
        match self.hashes.open_telling(&entry.path, entry.storage, tell) {
            Ok(Opened { len_bytes, stamp, etag, .. }) => {
                entry.etag = Some(etag);
                (entry.len_bytes, entry.stamp) = (len_bytes, stamp);
                Ok(Some(entry))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the file that was listed; `None` where it is another one by now.
    ///
    /// # Errors
    /// The file can't be read, or changes all the time.
    pub(crate) fn open(&self, entry: &Entry) -> io::Result<Option<Opened>> {
        let is_same = |opened: &Opened| match &entry.etag {
            Some(etag) => opened.etag == *etag,
            None => opened.stamp == entry.stamp,
        };
        if !Confines::of(&entry.root)?.hold(&entry.path) {
            return Ok(None);
        }
        match self.hashes.open(&entry.path, entry.storage) {
            Ok(opened) => Ok(Some(opened).filter(is_same)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers a listing for files that are asked for by its commit.
    pub(crate) fn remember(&self, repo: &Repo, folder: &Path, listing: &Arc<Listing>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|old| old.repo != *repo || old.listing.commit() != listing.commit());
        let (repo, listing) = (repo.clone(), Arc::clone(listing));
        known.push_back(Known { repo, folder: folder.to_owned(), listing });
        if known.len() > KNOWN_LIMIT {
            known.pop_front();
        }
    }

    /// Returns the listing of a commit that was read a while ago.
    pub(crate) fn of_commit(&self, repo: &Repo, commit: &Commit) -> Option<Arc<Listing>> {
        self.find(|known| known.repo == *repo && known.listing.commit() == commit)
    }

    /// Returns the listing of a folder that was read a while ago.
    pub(crate) fn of_folder(&self, folder: &Path) -> Option<Arc<Listing>> {
        self.find(|known| known.folder == folder)
    }

    fn find(&self, which: impl Fn(&Known) -> bool) -> Option<Arc<Listing>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| which(known)).map(|known| Arc::clone(&known.listing))
    }
}
