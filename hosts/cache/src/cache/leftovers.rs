//! Removing what a killed run of ours has left under private names (invariant I6).
//!
//! Private files are locked by their writer, so one that can be locked is dead. Where locks tell nothing, one that nobody
//! has written to for a day counts as dead. Links can't be locked, but they live for microseconds. Should a file or link be
//! removed under its maker all the same, that maker sees a race and looks again.

use std::{collections::HashSet, io, sync::Mutex, sync::PoisonError, time::Duration};

use hubstow_core::layout::{CachePath, RepoLayout};

use crate::{
    cache::Cache,
    disk::{DiskFile, Kind, exclusion::second_is_kept_out},
};

/// How deep links are tried below a repo folder, as deep as file names are in practice.
const DEPTH_LIMIT: usize = 64;

/// How long a private file must have been left alone to count as dead where locks tell nothing: no transfer pauses that
/// long, and clocks of two hosts differ by less.
const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What is known of whoever writes a private file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// It lives, or may.
    Alive,
    /// It is gone: its lock is free, and locks exclude here.
    Gone,
    /// Locks tell nothing here, but nobody has written for a day. It counts as gone, but what it has left is not
    /// continued in place: should it write again, its bytes must not get into ours.
    Silent,
}

/// The repos whose leftovers this process has removed; once is enough.
#[derive(Default)]
pub(crate) struct Swept(Mutex<HashSet<CachePath>>);

impl Swept {
    /// Tells whether this is the first time that a repo is asked about.
    pub(crate) fn is_first(&self, layout: &RepoLayout) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(layout.repo())
    }
}

impl Cache {
    /// Removes dead private files of a repo.
    pub(crate) fn remove_leftovers(&self, layout: &RepoLayout) {
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

    /// Tells whether nobody writes a private file any more.
    pub(crate) fn is_dead(&self, at: &CachePath) -> bool {
        let opened = self.disk.open_private(at);
        opened.is_ok_and(|mut file| self.writer_of(at, &mut *file) != Writer::Alive)
    }

    /// Says what is known of the writer of a private file that was just opened; where it is gone, `file` has its lock.
    pub(crate) fn writer_of(&self, at: &CachePath, file: &mut dyn DiskFile) -> Writer {
        match file.try_lock() {
            Ok(()) if second_is_kept_out(&*self.disk, at) => Writer::Gone,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Writer::Alive,
            Ok(()) | Err(_) if self.is_untouched_for(at, SILENCE) => Writer::Silent,
            Ok(()) | Err(_) => Writer::Alive,
        }
    }

    /// Tells whether nobody has written to a file for so long.
    pub(crate) fn is_untouched_for(&self, at: &CachePath, time: Duration) -> bool {
        let changed = self.disk.modified(at).ok();
        changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= time)
    }
}
