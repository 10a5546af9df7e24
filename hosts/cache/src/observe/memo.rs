//! What one bulk operation, such as a whole snapshot, remembers of the disk so that it does not look again for each file.
//!
//! It lives as long as that operation and speaks of one repo. Nothing in it is trusted with content: it saves looks at
//! folders, at how names are told apart, and at what else the repo holds. What is remembered may have become wrong:
//!
//! - A folder that is gone makes an operation fail as raced, and everything about folders is forgotten then.
//! - A folder that somebody swaps for a link is noticed at the next bulk operation only. Whoever can do that has write
//!   access to the cache and could as well do it between the look and the act of a single file.
//! - A twin or part that appears meanwhile is not used, which costs bytes and nothing else. What this operation itself
//!   places or gives up is remembered.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::Etag,
};

use crate::{
    cache::{Cache, target::Target},
    disk::failure::{ErrorGroup, FsError},
    observe::twin::TwinIndex,
};

/// The memory of one bulk operation.
pub(crate) struct Bulk {
    layout: RepoLayout,
    folders: Mutex<Folders>,
    /// Whether names that differ in case are one; `None` until the repo shows it.
    folds: Mutex<Option<bool>>,
    twins: Mutex<Option<TwinIndex>>,
    parts: Mutex<Option<HashMap<Etag, Vec<CachePath>>>>,
    /// Whether anything was proved or written that no record speaks of.
    news: AtomicBool,
}

#[derive(Default)]
struct Folders {
    checked: HashSet<CachePath>,
    made: HashSet<CachePath>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bulk {
    pub(crate) fn is_checked(&self, folder: &CachePath) -> bool {
        locked(&self.folders).checked.contains(folder)
    }

    pub(crate) fn checked(&self, folders: impl IntoIterator<Item = CachePath>) {
        locked(&self.folders).checked.extend(folders);
    }

    pub(crate) fn is_made(&self, folder: &CachePath) -> bool {
        locked(&self.folders).made.contains(folder)
    }

    pub(crate) fn made(&self, folder: &CachePath) {
        locked(&self.folders).made.insert(folder.clone());
    }

    pub(crate) fn proved_anew(&self) {
        self.news.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_news(&self) -> bool {
        self.news.load(Ordering::Relaxed)
    }

    /// Returns regular files of the repo's snapshots that may hold a target's content, those of its name and those of any;
    /// the first call looks for all files.
    pub(crate) fn like(&self, cache: &Cache, target: &Target, size: u64) -> [Vec<CachePath>; 2] {
        let mut twins = locked(&self.twins);
        twins.get_or_insert_with(|| TwinIndex::of(cache, &self.layout)).like(target, size)
    }

    /// Remembers a regular file that this operation has placed.
    pub(crate) fn placed(&self, target: &Target, size: u64) {
        if let Some(twins) = &mut *locked(&self.twins) {
            twins.insert(size, &target.commit, &target.file);
        }
    }

    /// Returns where the parts of this content are; the first call lists those of all contents.
    pub(crate) fn parts(&self, cache: &Cache, etag: &Etag) -> Vec<CachePath> {
        let mut parts = locked(&self.parts);
        let all = parts.get_or_insert_with(|| {
            let mut all = HashMap::<Etag, Vec<CachePath>>::new();
            for name in cache.disk.names(&self.layout.blobs()).unwrap_or_default() {
                if let Some((etag, nonce)) = RepoLayout::parse_staged(&name) {
                    let at = self.layout.staged(&etag, &nonce);
                    all.entry(etag).or_default().push(at);
                }
            }
            all
        });
        all.get(etag).cloned().unwrap_or_default()
    }

    /// Remembers a part that this operation has left.
    pub(crate) fn left_part(&self, etag: &Etag, at: &CachePath) {
        let ours = at.parent() == self.layout.blobs();
        if let Some(parts) = locked(&self.parts).as_mut().filter(|_| ours) {
            parts.entry(etag.clone()).or_default().push(at.clone());
        }
    }
}

impl Cache {
    /// Returns the same cache for one bulk operation on a repo: it remembers which folders were checked and made, and what
    /// the repo holds, instead of looking again for each file. It is to be dropped when the operation is over; see the
    /// module for what may have changed unnoticed until then.
    #[must_use]
    pub fn for_bulk(&self, layout: &RepoLayout) -> Self {
        let bulk = Bulk {
            layout: layout.clone(),
            folders: Mutex::default(),
            folds: Mutex::default(),
            twins: Mutex::default(),
            parts: Mutex::default(),
            news: AtomicBool::new(false),
        };
        let mut cache = self.clone();
        cache.bulk = Some(Arc::new(bulk));
        cache
    }

    /// Returns the memory of the bulk operation on this repo, if there is one.
    pub(crate) fn bulk_of(&self, layout: &RepoLayout) -> Option<&Bulk> {
        self.bulk.as_deref().filter(|bulk| bulk.layout == *layout)
    }

    /// Forgets everything about folders, because something about one was not as remembered; tells whether anything was.
    pub(crate) fn forget_folders(&self) -> bool {
        self.bulk.as_ref().is_some_and(|bulk| {
            let known = std::mem::take(&mut *locked(&bulk.folders));
            !known.made.is_empty() || !known.checked.is_empty()
        })
    }

    /// Acts in a folder, which is made first; once more where it is gone although it was remembered.
    pub(crate) fn in_folder<T>(
        &self,
        folder: &CachePath,
        act: impl Fn() -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        self.make_folders(folder)?;
        match act() {
            Err(error) if error.group() == Some(ErrorGroup::Raced) && self.forget_folders() => {
                self.make_folders(folder)?;
                act()
            }
            result => result,
        }
    }

    /// Tells whether names that differ in case are one name in this repo.
    pub(crate) fn folds_case(&self, layout: &RepoLayout) -> bool {
        let looked = || matches!(self.disk.entry(&layout.folded_snapshots()), Ok(Some(_)));
        let Some(bulk) = self.bulk_of(layout) else { return looked() };
        let mut known = locked(&bulk.folds);
        if let Some(folds) = *known {
            return folds;
        }
        let folds = looked();
        // That nothing answers says something only once there is what could answer.
        let plain = if layout.is_local() { layout.repo().parent() } else { layout.snapshots() };
        if folds || matches!(self.disk.entry(&plain), Ok(Some(_))) {
            *known = Some(folds);
        }
        folds
    }
}
