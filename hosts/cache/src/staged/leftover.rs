//! Continuing what an earlier run has left of a staged file.
//!
//! A part is continued in place only where its writer's lock is free and proved to exclude; otherwise its bytes are
//! copied. Either way every byte passes the hasher again, so what is continued is proved by the hash of the whole, never
//! by a name (invariant I19).

use std::{io, time::Duration};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::ContentHash,
};

use crate::{
    cache::{leftovers::Writer, target::Target},
    disk::{
        DiskFile, Entry,
        cancel::Cancelled,
        content::pass_through,
        failure::{ErrorGroup, FsError, group},
    },
    observe::view::View,
    staged::{ADOPT_FROM_BYTES, StagedFile},
};

/// How long nobody may have written to a part before it is continued in place: longer than any pause within a transfer.
const QUIET: Duration = Duration::from_secs(60);

/// A staged file that another run, dead or not, has made.
#[derive(Debug)]
pub(crate) struct Leftover {
    /// Where it is.
    pub(crate) at: CachePath,
    /// What it was when it was looked at.
    pub(crate) entry: Entry,
}

impl View {
    /// Lists what runs of ours have left of this content, longest first.
    pub(crate) fn leftovers(&self, target: &Target) -> Vec<Leftover> {
        let listed = match self.memo_of(&target.layout) {
            Some(memo) => memo.leftovers(&self.cache, &target.etag),
            None => {
                let names = self.cache.disk.names(&target.layout.blobs()).unwrap_or_default();
                names
                    .iter()
                    .filter_map(|name| RepoLayout::parse_staged(name))
                    .filter(|(etag, _)| *etag == target.etag)
                    .map(|(etag, nonce)| target.layout.staged(&etag, &nonce))
                    .collect()
            }
        };
        let mut leftovers: Vec<_> = listed
            .into_iter()
            .filter_map(|at| {
                let entry = self.cache.disk.entry(&at).ok()??;
                Some(Leftover { at, entry })
            })
            .collect();
        leftovers.sort_by_key(|leftover| std::cmp::Reverse(leftover.entry.len_bytes));
        leftovers
    }

    /// Returns how many bytes of this content the longest leftover holds; for forecasts.
    #[must_use]
    pub fn leftover_bytes(&self, target: &Target) -> u64 {
        self.leftovers(target).first().map_or(0, |leftover| leftover.entry.len_bytes)
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

    pub(crate) fn adopt(
        &self,
        target: &Target,
        leftover: &Leftover,
        at: &CachePath,
    ) -> Result<Option<StagedFile>, FsError> {
        let (part, len) = (&leftover.at, leftover.entry.len_bytes);
        let provable = target.etag.content_hash() != ContentHash::Opaque
            && target.size.is_some_and(|size| len <= size);
        let Ok(mut old) = self.cache.disk.open_private(part) else {
            return Ok(None);
        };
        let writer = self.cache.writer_of(part, &mut *old);
        if !provable || len < ADOPT_FROM_BYTES {
            drop(old);
            if writer != Writer::Alive {
                self.cache.discard(part);
            }
            return Ok(None);
        }
        if writer == Writer::Gone && self.is_quiet(part) {
            return self.continue_part(target, part, old, at);
        }
        match self.copy_part(target, part, at) {
            Ok(copied) => {
                if writer != Writer::Alive {
                    self.cache.discard(part);
                }
                Ok(Some(copied))
            }
            // Where there is no space for a copy, a part whose lock is free is worth more than caution.
            Err(error) if writer == Writer::Gone && group(&error) == ErrorGroup::NoSpace => {
                self.continue_part(target, part, old, at)
            }
            Err(error) => Err(FsError::io("write", at, error)),
        }
    }

    /// Tells whether a part has one name and nobody has written to it for a while. On filesystems whose locks end at the
    /// host, a free lock alone says nothing of other hosts; a live writer never pauses that long within a transfer.
    fn is_quiet(&self, part: &CachePath) -> bool {
        let alone = matches!(self.cache.disk.entry(part), Ok(Some(entry)) if entry.only_name);
        alone && self.cache.is_untouched_for(part, QUIET)
    }

    /// Takes a part over: it gets our name, and its bytes pass the hasher.
    fn continue_part(
        &self,
        target: &Target,
        part: &CachePath,
        old: Box<dyn DiskFile>,
        at: &CachePath,
    ) -> Result<Option<StagedFile>, FsError> {
        if self.cache.disk.rename(part, at).is_err() {
            return Ok(None);
        }
        let mut staged = self.staged(target, at.clone(), old);
        let (file, hasher) = (&mut *staged.file, &mut staged.hasher);
        if let Err(error) = pass_through(file, hasher, &self.cancel, |_| Ok(())) {
            if Cancelled::caused(&error) {
                // Its bytes are still worth what they were.
                self.remember_left(&target.etag, at);
                return Err(FsError::io("read", at, error));
            }
            tracing::debug!(path = %part, %error, "a part could not be read again");
            staged.start_over().map_err(|error| FsError::io("empty", at, error))?;
        }
        staged.held_bytes = staged.hasher.passed_bytes();
        Ok(Some(staged))
    }

    /// Somebody may still write the part: its bytes are copied, and whatever that somebody does stays theirs.
    fn copy_part(
        &self,
        target: &Target,
        part: &CachePath,
        at: &CachePath,
    ) -> io::Result<StagedFile> {
        let mut staged = self.staged(target, at.clone(), self.cache.create_private(at)?);
        let copied = self.cache.disk.open(part).and_then(|old| {
            let limit = target.size.unwrap_or(u64::MAX);
            let (file, hasher) = (&mut staged.file, &mut staged.hasher);
            let mut old = io::Read::take(old, limit);
            pass_through(&mut old, hasher, &self.cancel, |bytes| file.write_all(bytes))
        });
        staged.held_bytes = staged.hasher.passed_bytes();
        match copied {
            Ok(_) => Ok(staged),
            Err(error) if group(&error) == ErrorGroup::NoSpace || Cancelled::caused(&error) => {
                drop(staged);
                self.cache.discard(at);
                Err(error)
            }
            Err(error) => {
                tracing::debug!(path = %part, %error, "a part could not be copied");
                staged.start_over()?;
                Ok(staged)
            }
        }
    }
}
