//! Removing what a killed run of ours has left under private names (invariant I6).
//!
//! Private files are locked by their writer before anything is written to them or reserved for them, so one that takes
//! space and can be locked is dead. Where locks tell nothing, one that nobody has written to for a day counts as dead.
//!
//! What is not protected yet, or can't be, is spared while it is young, by the disk's own clock: an empty file, which its
//! maker may be about to lock, and whatever is among the links, which live for microseconds. Neither takes more than
//! a block, so runs that are killed again and again leave little more than names, and those for a minute. Should a file or link be removed
//! under its maker all the same, that maker sees a race and looks again.

use std::{collections::HashSet, io, sync::Mutex, sync::PoisonError, time::Duration};

use hubstow_core::layout::{CachePath, RepoLayout};

use crate::{
    cache::{Cache, clock::DiskClock},
    disk::{DiskFile, Entry, Kind, exclusion::second_is_kept_out, failure::FsError},
    fresh_nonce,
};

/// How deep links are tried below a repo folder, as deep as file names are in practice.
const DEPTH_LIMIT: usize = 64;

/// How long a private file must have been left alone to count as dead where locks tell nothing: no transfer pauses that
/// long, and clocks of two hosts differ by less.
const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long what nothing protects is spared: far longer than it takes to lock a file or to rename a link, however busy the
/// machine.
const INFANCY: Duration = Duration::from_secs(60);

/// From how many missing bytes on space is reserved: for fewer it costs more than it tells.
pub(crate) const RESERVE_FROM_BYTES: u64 = 1 << 20;

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

/// What a folder of private names is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// Files that are locked and then written.
    Files,
    /// Links of all kinds, which are never locked: a lock on a hard link would be one on the file itself.
    Links,
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
    pub(crate) fn remove_leftovers(&self, layout: &RepoLayout) -> Result<(), FsError> {
        let clock = DiskClock::new(self, layout.scratch(&fresh_nonce()?));
        self.remove_dead_in(&layout.private(), For::Files, &clock);
        let mut folder = layout.links();
        for _ in 0..DEPTH_LIMIT {
            if !matches!(self.disk.entry(&folder), Ok(Some(entry)) if entry.kind == Kind::Directory)
            {
                break;
            }
            self.remove_dead_in(&folder, For::Links, &clock);
            folder = RepoLayout::deeper_links(&folder);
        }
        Ok(())
    }

    fn remove_dead_in(&self, folder: &CachePath, is_for: For, clock: &DiskClock<'_>) {
        for name in self.disk.names(folder).unwrap_or_default() {
            let Some(at) = RepoLayout::parse_scratch(folder, &name) else { continue };
            let Ok(Some(entry)) = self.disk.entry(&at) else { continue };
            let spared = is_for == For::Links && clock.is_younger(&entry, INFANCY);
            let dead = match entry.kind {
                Kind::File | Kind::Symlink if spared => false,
                Kind::File => self.is_dead(&at, &entry, clock),
                Kind::Symlink => !clock.is_younger(&entry, INFANCY),
                Kind::Directory | Kind::Other => false,
            };
            if dead {
                tracing::debug!(path = %at, "removing what a dead run has left");
                self.discard(&at);
            }
        }
    }

    /// Tells whether nobody writes a private file any more.
    fn is_dead(&self, at: &CachePath, entry: &Entry, clock: &DiskClock<'_>) -> bool {
        let opened = self.disk.open_private(at);
        opened.is_ok_and(|mut file| self.writer_of(at, entry, clock, &mut *file) != Writer::Alive)
    }

    /// Says what is known of the writer of a private file that was just opened; where it is gone, `file` has its lock. The
    /// entry was seen before that.
    pub(crate) fn writer_of(
        &self,
        at: &CachePath,
        entry: &Entry,
        clock: &DiskClock<'_>,
        file: &mut dyn DiskFile,
    ) -> Writer {
        // It is not even locked for a moment: its maker might fail to lock it just then.
        let untouched = entry.len_bytes == 0 && entry.allocated_bytes < RESERVE_FROM_BYTES;
        if untouched && clock.is_younger(entry, INFANCY) {
            return Writer::Alive;
        }
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
