//! One cache directory as work on it sees it: the directory, what is known of its files, what is remembered of it, whether
//! anything may be written down, and what ends the work.

use std::sync::Arc;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    policy::{Methods, Policy, Support},
};

use crate::{
    cache::{
        Cache, Durability, Shape,
        clock::LastAsked,
        folders::KnownFolders,
        lease::{Leased, Share},
        leftovers::Swept,
        lock::Locked,
        private::Naming,
        proofs::Proofs,
        target::Target,
    },
    disk::{Disk, cancel::Cancel, failure::FsError},
    observe::memo::Memo,
};

/// Whether what is found out about files may be written down for later runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// It may.
    Allowed,
    /// It may, but not in the cache directory.
    Apart,
    /// Nothing may be written at all.
    LookingOnly,
}

/// A cache directory, and what has been learned about it. Many files share one; clones share what they learn.
#[derive(Clone)]
pub struct View {
    pub(crate) cache: Cache,
    pub(crate) proofs: Arc<Proofs>,
    /// A place for records of this user's own.
    pub(crate) own_records: Option<Cache>,
    pub(crate) recording: Recording,
    pub(crate) folders: KnownFolders,
    /// What the operation on many files that this is used for remembers.
    memo: Option<Arc<Memo>>,
    swept: Arc<Swept>,
    pub(crate) last_asked: Arc<LastAsked>,
    pub(crate) cancel: Cancel,
}

impl View {
    /// Makes the shared state of a cache directory. Nothing is looked at yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, policy: Policy, durability: Durability) -> Self {
        Self::of(Cache::new(disk, policy, durability, Shape::Shared))
    }

    /// Makes the shared state of a local folder: regular files only, whatever the disk could do.
    #[must_use]
    pub fn local(disk: Arc<dyn Disk>, durability: Durability) -> Self {
        Self::of(Cache::new(disk, Policy::Portable, durability, Shape::Local))
    }

    fn of(cache: Cache) -> Self {
        Self {
            cache,
            proofs: Arc::default(),
            own_records: None,
            recording: Recording::Allowed,
            folders: KnownFolders::default(),
            memo: None,
            swept: Arc::default(),
            last_asked: Arc::default(),
            cancel: Cancel::default(),
        }
    }

    /// Returns the same cache for looking only: not even a proof is written down.
    #[must_use]
    pub fn looking_only(&self) -> Self {
        Self { recording: Recording::LookingOnly, ..self.clone() }
    }

    /// Asks, without waiting, to rely on what a repo holds: nothing of it is removed by cleaning as long as this lives.
    #[must_use]
    pub fn try_lease(&self, layout: &RepoLayout) -> Leased {
        self.cache.try_lease(&layout.lease(), Share::Common)
    }

    /// Returns the same cache for work after which it holds what was told to the byte: records are kept in the user's own
    /// folder, if there is one.
    #[cfg(feature = "care")]
    #[must_use]
    pub(crate) fn recording_apart(&self) -> Self {
        let recording = match self.recording {
            Recording::Allowed | Recording::Apart => Recording::Apart,
            Recording::LookingOnly => Recording::LookingOnly,
        };
        Self { recording, ..self.clone() }
    }

    /// Tells whether nothing may be written.
    #[must_use]
    pub fn is_looking_only(&self) -> bool {
        self.recording == Recording::LookingOnly
    }

    /// Returns the same cache for one operation on many files of a repo: it remembers which folders were checked and made,
    /// and what the repo holds, instead of looking again for each file. It is to be dropped when the operation is over; see
    /// the module `memo` for what may have changed unnoticed until then.
    #[must_use]
    pub fn remembering(&self, layout: &RepoLayout) -> Self {
        let memo = Some(Arc::new(Memo::of(layout)));
        Self { memo, folders: KnownFolders::remembering(), ..self.clone() }
    }

    /// Returns the same cache whose copying, hashing and looking at many files ends soon after this is cancelled, with an
    /// error that holds [`Cancelled`](crate::disk::cancel::Cancelled).
    #[must_use]
    pub fn stopped_by(&self, cancel: Cancel) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// Returns the disk.
    #[must_use]
    pub fn disk(&self) -> &dyn Disk {
        &*self.cache.disk
    }

    /// Returns the ladder in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.cache.policy
    }

    /// Returns what is known of the methods here.
    #[must_use]
    pub fn methods(&self) -> Methods {
        self.cache.methods()
    }

    /// Publishes what has become known of the methods here, on top of what others have learned meanwhile.
    pub fn learned(&self, learn: impl FnOnce(Methods) -> Methods) {
        self.cache.learned(learn);
    }

    /// Makes a folder and those above it. The repo folder itself may be a link to another disk; nothing below it may be
    /// one (row A43 of the attack table).
    ///
    /// # Errors
    /// Whatever the system says, or a link where a folder should be.
    pub fn make_folders(&self, folder: &CachePath) -> Result<(), FsError> {
        self.cache.make_folders(folder, &self.folders)
    }

    /// Checks that nothing between the repo folder and this one is a link.
    pub(crate) fn check_folders(&self, folder: &CachePath) -> Result<(), FsError> {
        self.cache.check_folders(folder, &self.folders)
    }

    /// Acts in a folder, which is made first; once more where it is gone although it was remembered.
    pub(crate) fn in_folder<T>(
        &self,
        folder: &CachePath,
        act: impl FnMut() -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        self.cache.in_folder(folder, &self.folders, act)
    }

    /// Makes what becomes `at` under private names, see [`Cache::beside`].
    pub(crate) fn beside<T>(
        &self,
        at: &CachePath,
        private: &Naming<'_>,
        act: &mut dyn FnMut(&Naming<'_>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        self.cache.beside(at, private, &self.folders, act)
    }

    /// Forgets everything about folders, because something about one was not as remembered.
    pub(crate) fn forget_folders(&self) {
        self.folders.forget();
    }

    /// Reads a small file of the cache, through links; `None` where it can't be read or is longer than the limit.
    #[must_use]
    pub fn read(&self, at: &CachePath, limit_bytes: u64) -> Option<Vec<u8>> {
        self.cache.read(at, limit_bytes)
    }

    /// Writes a small file whole: beside, synced, renamed over.
    ///
    /// # Errors
    /// Whatever the system says; what was there before is still there then.
    pub fn write_whole(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        content: &[u8],
    ) -> Result<(), FsError> {
        // A run that only writes such files places nothing, and would leave what a killed one has begun.
        self.remove_leftovers(layout);
        self.cache.write_whole(layout, at, content, &self.folders)
    }

    /// Tries to take the lock of a target's content, without waiting.
    #[must_use]
    pub fn try_lock(&self, target: &Target) -> Locked {
        self.cache.try_lock(target, &self.folders)
    }

    /// Finds out whether a lock excludes a second holder here, with a private file.
    ///
    /// # Errors
    /// A cache directory in which no file can be made.
    pub fn probe_locks(&self) -> Result<Support, FsError> {
        self.cache.probe_locks()
    }

    /// Removes dead private files of a repo, once in the life of a process.
    pub(crate) fn remove_leftovers(&self, layout: &RepoLayout) {
        if self.swept.is_first(layout) {
            self.cache.remove_leftovers(layout);
        }
    }

    /// Returns what the operation on many files that this is used for remembers.
    pub(crate) fn memo(&self) -> Option<&Memo> {
        self.memo.as_deref()
    }

    /// Returns what the operation on many files of this repo remembers, if this is used for one.
    pub(crate) fn memo_of(&self, layout: &RepoLayout) -> Option<&Memo> {
        self.memo().filter(|memo| memo.is_of(layout))
    }

    /// Tells whether names that differ in case are one name in this repo.
    pub(crate) fn folds_case(&self, layout: &RepoLayout) -> bool {
        match self.memo_of(layout) {
            Some(memo) => memo.folds_case(&self.cache),
            None => self.cache.folds_case(layout),
        }
    }

    /// Ends what is done for a target where that is not wanted any more.
    pub(crate) fn check_wanted(&self, target: &Target) -> Result<(), FsError> {
        self.cancel.check().map_err(|error| FsError::io("look at", &target.pointer(), error))
    }
}
