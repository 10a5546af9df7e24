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

    /// Forgets all, because something was not as remembered; tells whether anything may have been. What another thread has
    /// forgotten meanwhile counts: it was remembered when this one began.
    pub(crate) fn forget(&self) -> bool {
        if let Some(mut known) = self.folders() {
            *known = Folders::default();
        }
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs, io, thread,
        time::{Duration, Instant},
    };

    use hubstow_core::{
        layout::RepoLayout,
        name::{Repo, RepoId, RepoKind},
        policy::Policy,
    };

    use super::*;
    use crate::{
        cache::{Cache, Durability, Shape},
        disk::{failure::FsError, std_disk::StdDisk},
    };

    #[test]
    fn folders_that_somebody_takes_away_are_made_again_by_all_who_need_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("hub");
        let disk = Arc::new(StdDisk::new(root.clone()));
        let cache = Cache::new(disk, Policy::Compat, Durability::Fast, Shape::Shared);
        let layout = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("a/b").unwrap()));
        let (blobs, known) = (layout.blobs(), KnownFolders::remembering());
        let look = || match fs::metadata(root.join(blobs.as_str())) {
            Ok(_) => Ok(()),
            Err(error) => Err(FsError::io("look at", &blobs, error)),
        };
        let until = Instant::now() + Duration::from_millis(300);
        let made = thread::scope(|scope| {
            let makers = [(); 4].map(|()| {
                let make = || cache.in_folder(&blobs, &known, look);
                scope.spawn(move || -> Result<(), FsError> {
                    while Instant::now() < until {
                        make()?;
                    }
                    Ok(())
                })
            });
            for round in 0.. {
                let _ = fs::rename(root.join("models--a--b"), dir.path().join(format!("{round}")));
                thread::sleep(Duration::from_millis(30));
                if Instant::now() >= until {
                    break;
                }
            }
            makers.map(|maker| maker.join().unwrap().map_err(io::Error::other))
        });
        made.into_iter().for_each(Result::unwrap);
    }
}
