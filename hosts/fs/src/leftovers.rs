//! Removing what a killed run of ours has left under private names (invariant I6).
//!
//! Private files are locked by their writer, so one that can be locked is dead. Links can't be locked, but they live for
//! microseconds; should one be removed under its maker all the same, that maker sees a race and looks again.

use std::{collections::HashSet, sync::Mutex, sync::PoisonError};

use hubstow_core::layout::{CachePath, RepoLayout};

use crate::{cache::Cache, disk::Kind, lock::second_is_kept_out};

/// How deep links are tried below a repo folder, as deep as file names are in practice.
const DEPTH_LIMIT: usize = 64;

/// The repos whose leftovers this process has removed; once is enough.
#[derive(Default)]
pub(crate) struct Swept(Mutex<HashSet<CachePath>>);

impl Cache {
    /// Removes dead private files of a repo, once in the life of a process.
    pub(crate) fn remove_leftovers(&self, layout: &RepoLayout) {
        let first = {
            let mut swept = self.swept.0.lock().unwrap_or_else(PoisonError::into_inner);
            swept.insert(layout.repo())
        };
        if !first {
            return;
        }
        let mut folder = layout.private();
        self.remove_dead_in(&folder);
        folder = layout.links();
        for _ in 0..DEPTH_LIMIT {
            if !matches!(self.disk.entry(&folder), Ok(Some(entry)) if entry.kind == Kind::Directory)
            {
                break;
            }
            self.remove_dead_in(&folder);
            folder = RepoLayout::deeper_links(&folder);
        }
    }

    fn remove_dead_in(&self, folder: &CachePath) {
        for name in self.disk.names(folder).unwrap_or_default() {
            let Some(at) = RepoLayout::parse_scratch(folder, &name) else { continue };
            let dead = match self.disk.entry(&at) {
                Ok(Some(entry)) if entry.kind == Kind::Symlink => true,
                Ok(Some(entry)) if entry.kind == Kind::File => self.is_dead(&at),
                Ok(_) | Err(_) => false,
            };
            if dead {
                tracing::debug!(path = %at, "removing what a dead run has left");
                self.discard(&at);
            }
        }
    }

    /// Tells whether nobody writes a private file any more: its lock is free, and locks exclude here.
    pub(crate) fn is_dead(&self, at: &CachePath) -> bool {
        self.disk
            .open_private(at)
            .is_ok_and(|mut file| file.try_lock().is_ok() && second_is_kept_out(&*self.disk, at))
    }
}
