//! What one operation on many files, such as a whole snapshot, remembers of a repo so that it does not look again for each.
//!
//! It lives as long as that operation and speaks of one repo. Nothing in it is trusted with content: it saves looks at how
//! names are told apart and at what else the repo holds. A twin or leftover that appears meanwhile is not used, which costs
//! bytes and nothing else. What this operation itself places or gives up is remembered.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::Etag,
};

use crate::{
    cache::{Cache, target::Target},
    disk::{cancel::Cancel, failure::FsError},
    observe::twin_index::{Alike, TwinIndex},
};

/// The memory of one operation on many files of a repo.
pub(crate) struct Memo {
    layout: RepoLayout,
    /// Whether names that differ in case are one; `None` until the repo shows it.
    folds: Mutex<Option<bool>>,
    /// Names that are spelled as they were asked for, by folder.
    spelled: Mutex<HashMap<CachePath, HashSet<String>>>,
    twins: Mutex<Option<TwinIndex>>,
    leftovers: Mutex<Option<HashMap<Etag, Vec<CachePath>>>>,
    /// Whether anything was proved or written that no record speaks of.
    news: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memo {
    /// A memory that holds nothing yet.
    pub(crate) fn of(layout: &RepoLayout) -> Self {
        Self {
            layout: layout.clone(),
            folds: Mutex::default(),
            spelled: Mutex::default(),
            twins: Mutex::default(),
            leftovers: Mutex::default(),
            news: AtomicBool::new(false),
        }
    }

    /// Tells whether it speaks of this repo.
    pub(crate) fn is_of(&self, layout: &RepoLayout) -> bool {
        self.layout == *layout
    }

    pub(crate) fn proved_anew(&self) {
        self.news.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_news(&self) -> bool {
        self.news.load(Ordering::Relaxed)
    }

    /// Returns regular files of the repo's snapshots that may hold a target's content; the first call looks for all files.
    pub(crate) fn alike(
        &self,
        cache: &Cache,
        target: &Target,
        size: u64,
        cancel: &Cancel,
    ) -> Alike {
        let mut twins = locked(&self.twins);
        if twins.is_none() {
            // A search that was cut short is not remembered.
            *twins = TwinIndex::of(cache, &self.layout, cancel).ok();
        }
        twins.as_ref().map_or_else(Alike::default, |twins| twins.alike(target, size))
    }

    /// Remembers a regular file that this operation has placed.
    pub(crate) fn placed(&self, target: &Target, size: u64) {
        if let Some(twins) = &mut *locked(&self.twins) {
            twins.insert(size, &target.commit, &target.file);
        }
    }

    /// Returns where the leftovers of this content are; the first call lists those of all contents.
    pub(crate) fn leftovers(&self, cache: &Cache, etag: &Etag) -> Vec<CachePath> {
        let mut leftovers = locked(&self.leftovers);
        let all = leftovers.get_or_insert_with(|| {
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

    /// Remembers a staged file that this operation has left.
    pub(crate) fn left(&self, etag: &Etag, at: &CachePath) {
        let ours = at.parent() == self.layout.blobs();
        if let Some(leftovers) = locked(&self.leftovers).as_mut().filter(|_| ours) {
            leftovers.entry(etag.clone()).or_default().push(at.clone());
        }
    }

    /// Tells whether a folder holds this very name; it is listed where that is not known.
    ///
    /// # Errors
    /// Whatever listing it says.
    pub(crate) fn is_spelled(
        &self,
        folder: &CachePath,
        part: &str,
        listed: impl FnOnce() -> Result<Vec<String>, FsError>,
    ) -> Result<bool, FsError> {
        let mut spelled = locked(&self.spelled);
        let names = spelled.entry(folder.clone()).or_default();
        if !names.contains(part) {
            names.extend(listed()?);
        }
        Ok(names.contains(part))
    }

    /// Tells whether names that differ in case are one name in the repo.
    pub(crate) fn folds_case(&self, cache: &Cache) -> bool {
        let mut known = locked(&self.folds);
        if let Some(folds) = *known {
            return folds;
        }
        let (layout, folds) = (&self.layout, cache.folds_case(&self.layout));
        // That nothing answers says something only once there is what could answer.
        if matches!(cache.disk.entry(&layout.unfolded_snapshots()), Ok(Some(_))) {
            *known = Some(folds);
        }
        folds
    }
}
