//! Removing what a killed run of ours has left under private names (invariant I6).
//!
//! Private files are locked by their writer (see [`private`](super::private)), so one that can be locked is dead; it stays
//! locked until it is removed. Where locks tell nothing, one that nobody has written to for a day counts as dead.
//!
//! Links are never locked: they live for microseconds, and whoever has one removed under it sees a race and makes another.

use std::{
    collections::HashSet,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::Nonce,
};

use crate::{
    cache::Cache,
    disk::{DiskFile, Kind, exclusion::second_is_kept_out},
};

/// How deep links are tried below a repo folder, as deep as file names are in practice.
const DEPTH_LIMIT: usize = 64;

/// How long a private file must have been left alone to count as dead where locks tell nothing: no transfer pauses that
/// long, and clocks of two hosts differ by less.
pub(crate) const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

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
        let private = layout.private();
        let names = self.disk.names(&private).unwrap_or_default();
        self.remove_dead_among(&private, &names);
        self.remove_dead_maps(layout, &names);
        self.remove_dead_beside(&layout.refs());
        let mut folder = layout.links();
        for _ in 0..DEPTH_LIMIT {
            if !matches!(self.disk.entry(&folder), Ok(Some(entry)) if entry.kind == Kind::Directory)
            {
                break;
            }
            let names = self.disk.names(&folder).unwrap_or_default();
            self.remove_dead_among(&folder, &names);
            folder = RepoLayout::deeper_links(&folder);
        }
    }

    /// Removes dead private files that were made beside the names in a folder.
    pub(crate) fn remove_dead_beside(&self, folder: &CachePath) {
        let names = self.disk.names(folder).unwrap_or_default();
        self.remove_dead(
            names.iter().filter_map(|name| RepoLayout::parse_scratch_in(folder, name)),
        );
    }

    fn remove_dead_among(&self, folder: &CachePath, names: &[String]) {
        self.remove_dead(names.iter().filter_map(|name| RepoLayout::parse_scratch(folder, name)));
    }

    fn remove_dead(&self, private: impl Iterator<Item = CachePath>) {
        for at in private {
            match self.disk.entry(&at) {
                Ok(Some(entry)) if entry.kind == Kind::Symlink => self.discard(&at),
                Ok(Some(entry)) if entry.kind == Kind::File => self.remove_if_dead(&at),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Removes records of staged files that are gone. A staged file is there before its record; where a record has to be
    /// made first, it is locked until then. So a record that can be locked, and whose file is missing from a list that is
    /// made after that, has lost it.
    fn remove_dead_maps(&self, layout: &RepoLayout, names: &[String]) {
        let mut dead = Vec::new();
        for name in names {
            let Some(nonce) = RepoLayout::parse_map(name) else { continue };
            let at = layout.map(&nonce);
            let Ok(mut file) = self.disk.open_private(&at) else { continue };
            if self.writer_of(&at, &mut *file) != Writer::Alive {
                dead.push((nonce, at, file));
            }
        }
        if dead.is_empty() {
            return;
        }
        let staged: HashSet<Nonce> = match self.disk.names(&layout.blobs()) {
            Ok(names) => names
                .iter()
                .filter_map(|name| RepoLayout::parse_staged(name))
                .map(|(_, nonce)| nonce)
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashSet::new(),
            Err(_) => return,
        };
        for (nonce, at, _locked) in dead {
            if !staged.contains(&nonce) {
                tracing::debug!(path = %at, "removing the record of a staged file that is gone");
                self.discard(&at);
            }
        }
    }

    fn remove_if_dead(&self, at: &CachePath) {
        let Ok(mut file) = self.disk.open_private(at) else { return };
        if self.writer_of(at, &mut *file) != Writer::Alive {
            tracing::debug!(path = %at, "removing what a dead run has left");
            self.discard(at);
        }
    }

    /// Says what is known of the writer of a private file that was just opened. Where it is gone, `file` has its lock, and
    /// must live until the name is removed or taken over.
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
