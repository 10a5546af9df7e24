//! Which folders are known to be there, and to be no links, so that they are not looked at for each file.
//!
//! A folder that is gone makes an operation fail as raced, and everything about folders is forgotten then. One that
//! somebody swaps for a link is noticed by whoever remembers nothing of it: who can do that has write access to the cache
//! and could as well do it between the look and the act of a single file.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hubstow_core::layout::CachePath;

/// The folders that were checked or made. By default nothing is remembered; clones remember together.
#[derive(Clone, Default)]
pub(crate) struct KnownFolders(Option<Arc<Mutex<Folders>>>);

#[derive(Default)]
struct Folders {
    checked: HashSet<CachePath>,
    made: HashSet<CachePath>,
}

impl KnownFolders {
    /// A memory that knows of none yet.
    pub(crate) fn remembering() -> Self {
        Self(Some(Arc::default()))
    }

    fn folders(&self) -> Option<MutexGuard<'_, Folders>> {
        self.0.as_ref().map(|folders| folders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_checked(&self, folder: &CachePath) -> bool {
        self.folders().is_some_and(|known| known.checked.contains(folder))
    }

    pub(crate) fn checked(&self, folders: impl IntoIterator<Item = CachePath>) {
        if let Some(mut known) = self.folders() {
            known.checked.extend(folders);
        }
    }

    pub(crate) fn is_made(&self, folder: &CachePath) -> bool {
        self.folders().is_some_and(|known| known.made.contains(folder))
    }

    pub(crate) fn made(&self, folder: &CachePath) {
        if let Some(mut known) = self.folders() {
            known.made.insert(folder.clone());
        }
    }

    /// Forgets all, because something was not as remembered; tells whether anything was.
    pub(crate) fn forget(&self) -> bool {
        self.folders().is_some_and(|mut known| {
            let forgotten = std::mem::take(&mut *known);
            !forgotten.made.is_empty() || !forgotten.checked.is_empty()
        })
    }
}
