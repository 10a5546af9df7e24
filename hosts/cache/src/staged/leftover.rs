//! Continuing what an earlier run has left of a staged file.
//!
//! A leftover is continued in place only where its writer's lock is free and proved to exclude; otherwise its bytes are
//! copied. Either way every byte passes the hasher again, so what is continued is proved by the hash of the whole, never
//! by a name (invariant I19).

use std::{
    io::{self, Write as _},
    time::Duration,
};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::ContentHash,
};

use crate::{
    cache::{leftovers::Writer, private::PrivateFile, target::Target},
    disk::{
        DiskFile, Entry,
        cancel::Cancelled,
        content::pass_through,
        failure::{ErrorGroup, FsError, group},
    },
    fresh_nonce,
    observe::view::View,
    staged::{ADOPT_FROM_BYTES, Intervals, StagedFile},
};

/// How long nobody may have written to a leftover before it is continued in place: longer than any pause within a transfer.
const QUIET: Duration = Duration::from_secs(60);

/// A staged file that another run, dead or not, has made.
pub(crate) struct Leftover {
    /// Where it is.
    pub(crate) at: CachePath,
    /// What it was when it was looked at.
    pub(crate) entry: Entry,
    /// What is known of whoever writes it.
    pub(crate) writer: Writer,
    /// Whether it can be continued, by its length and its etag.
    pub(crate) worth: Worth,
    file: Box<dyn DiskFile>,
}

/// Whether the bytes of a staged file are of use to a later run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// They are.
    Continuing,
    /// They are too few, too many, or can't be proved.
    Nothing,
}

impl View {
    /// Lists where runs of ours have staged this content.
    fn staged_elsewhere(&self, target: &Target) -> Vec<CachePath> {
        if let Some(memo) = self.memo_of(&target.layout) {
            return memo.leftovers(&self.cache, &target.etag);
        }
        let names = self.cache.disk.names(&target.layout.blobs()).unwrap_or_default();
        names
            .iter()
            .filter_map(|name| RepoLayout::parse_staged(name))
            .filter(|(etag, _)| *etag == target.etag)
            .map(|(etag, nonce)| target.layout.staged(&etag, &nonce))
            .collect()
    }

    /// Opens what runs of ours have staged of this content, longest first, as far as this one may.
    pub(crate) fn leftovers(&self, target: &Target) -> Vec<Leftover> {
        let staged = self.staged_elsewhere(target).into_iter();
        let opened = staged.filter_map(|at| {
            let entry = self.cache.disk.entry(&at).ok()??;
            let mut file = self.cache.disk.open_private(&at).ok()?;
            let writer = self.cache.writer_of(&at, &mut *file);
            let worth = worth(target, entry.len_bytes);
            Some(Leftover { at, entry, writer, worth, file })
        });
        let mut leftovers: Vec<_> = opened.collect();
        leftovers.sort_by_key(|leftover| std::cmp::Reverse(leftover.entry.len_bytes));
        leftovers
    }

    /// Returns how many bytes of this content the longest leftover holds; for forecasts.
    #[must_use]
    pub fn leftover_bytes(&self, target: &Target) -> u64 {
        let entries = self.staged_elsewhere(target).into_iter();
        let lengths = entries.filter_map(|at| Some(self.cache.disk.entry(&at).ok()??.len_bytes));
        lengths.max().unwrap_or(0)
    }

    /// Returns how much of this content anybody has staged, by whatever name: a number that changes while somebody
    /// downloads it.
    #[must_use]
    pub fn progress(&self, target: &Target) -> u64 {
        let folder = target.layout.blobs();
        let names = self.cache.disk.names(&folder).unwrap_or_default();
        let ours = |name: &&String| {
            name.starts_with(target.etag.as_str()) && name.ends_with(".incomplete")
        };
        names
            .iter()
            .filter(ours)
            .filter_map(|name| self.cache.disk.entry(&folder.incomplete(name)?).ok()?)
            .map(|entry| entry.len_bytes)
            .fold(0, u64::wrapping_add)
    }

    /// Goes on with the longest leftover that is worth it, under a name of this run. All others that nobody writes are
    /// removed first, so that runs that are killed while they copy do not fill the disk.
    pub(crate) fn adopt(&self, target: &Target) -> Result<Option<StagedFile>, FsError> {
        let mut best = None;
        for leftover in self.leftovers(target) {
            if best.is_none() && leftover.worth == Worth::Continuing {
                best = Some(leftover);
            } else if leftover.writer != Writer::Alive {
                self.cache.discard(&leftover.at);
            }
        }
        let Some(leftover) = best else { return Ok(None) };
        if leftover.writer == Writer::Gone && self.is_quiet(&leftover.at) {
            return self.take_over(target, leftover);
        }
        match self.copy(target, &leftover.at) {
            Ok(copied) => {
                if leftover.writer != Writer::Alive {
                    self.cache.discard(&leftover.at);
                }
                Ok(Some(copied))
            }
            // Where there is no space for a copy, a leftover whose lock is free is worth more than caution.
            Err(error)
                if leftover.writer == Writer::Gone
                    && error.group() == Some(ErrorGroup::NoSpace) =>
            {
                self.take_over(target, leftover)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells whether a leftover has one name and nobody has written to it for a while. On filesystems whose locks end at
    /// the host, a free lock alone says nothing of other hosts; a live writer never pauses that long within a transfer.
    fn is_quiet(&self, at: &CachePath) -> bool {
        let alone = matches!(self.cache.disk.entry(at), Ok(Some(entry)) if entry.only_name);
        alone && self.cache.is_untouched_for(at, QUIET)
    }

    /// Takes a leftover over: it gets our name, and its bytes pass the hasher.
    fn take_over(
        &self,
        target: &Target,
        leftover: Leftover,
    ) -> Result<Option<StagedFile>, FsError> {
        let at = target.layout.staged(&target.etag, &fresh_nonce()?);
        if self.cache.disk.rename(&leftover.at, &at).is_err() {
            return Ok(None);
        }
        let private = PrivateFile { at: at.clone(), file: leftover.file };
        let mut staged = self.staged(target, private);
        staged.reserved_to = leftover.entry.allocated_bytes;
        let (file, hasher) = (&mut *staged.file, &mut staged.hasher);
        let read = pass_through(file, hasher, &self.cancel, |_| Ok(()));
        staged.held = Intervals::prefix(staged.hasher.passed_bytes());
        match read {
            Ok(_) => Ok(Some(staged)),
            Err(error) if Cancelled::caused(&error) => {
                // Its bytes are still worth what they were, also those that were not read again.
                staged.held = Intervals::prefix(leftover.entry.len_bytes);
                self.remember_left(&target.etag, &at);
                Err(FsError::io("read", &at, error))
            }
            Err(error) => {
                tracing::debug!(path = %at, %error, "a leftover could not be read again");
                staged.start_over().map_err(|error| FsError::io("empty", &at, error))?;
                Ok(Some(staged))
            }
        }
    }

    /// Somebody may still write the leftover: its bytes are copied, and whatever that somebody does stays theirs.
    fn copy(&self, target: &Target, from: &CachePath) -> Result<StagedFile, FsError> {
        let mut staged = self.create_staged(target)?;
        let at = staged.at.clone();
        let copied = self.cache.disk.open(from).and_then(|old| {
            let limit = target.size.unwrap_or(u64::MAX);
            let (file, hasher) = (&mut staged.file, &mut staged.hasher);
            let mut old = io::Read::take(old, limit);
            pass_through(&mut old, hasher, &self.cancel, |bytes| file.write_all(bytes))
        });
        staged.held = Intervals::prefix(staged.hasher.passed_bytes());
        match copied {
            Ok(_) => Ok(staged),
            Err(error) if group(&error) == ErrorGroup::NoSpace || Cancelled::caused(&error) => {
                self.cache.discard(&at);
                Err(FsError::io("write", &at, error))
            }
            Err(error) => {
                tracing::debug!(path = %from, %error, "a leftover could not be copied");
                staged.start_over().map_err(|error| FsError::io("empty", &at, error))?;
                Ok(staged)
            }
        }
    }
}

/// Tells whether so many bytes of a target's content are of use to a later run.
pub(crate) fn worth(target: &Target, len_bytes: u64) -> Worth {
    let provable = target.etag.content_hash() != ContentHash::Opaque
        && target.size.is_some_and(|size| len_bytes <= size);
    if provable && len_bytes >= ADOPT_FROM_BYTES { Worth::Continuing } else { Worth::Nothing }
}
