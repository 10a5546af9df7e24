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
    cache::{Cache, leftovers::Writer, target::Target},
    disk::{
        DiskFile,
        cancel::Cancelled,
        content::pass_through,
        failure::{ErrorGroup, FsError, group},
    },
    staged::{ADOPT_FROM_BYTES, StagedFile},
};

/// How long nobody may have written to a part before it is continued in place: longer than any pause within a transfer.
const QUIET: Duration = Duration::from_secs(60);

impl Cache {
    /// Lists the parts of this content that runs of ours have left, longest first.
    pub(crate) fn parts(&self, target: &Target) -> Vec<(CachePath, u64)> {
        let listed = match self.bulk_of(&target.layout) {
            Some(bulk) => bulk.parts(self, &target.etag),
            None => {
                let names = self.disk.names(&target.layout.blobs()).unwrap_or_default();
                names
                    .iter()
                    .filter_map(|name| RepoLayout::parse_staged(name))
                    .filter(|(etag, _)| *etag == target.etag)
                    .map(|(etag, nonce)| target.layout.staged(&etag, &nonce))
                    .collect()
            }
        };
        let mut parts: Vec<_> = listed
            .into_iter()
            .filter_map(|at| {
                let entry = self.disk.entry(&at).ok()??;
                Some((at, entry.len_bytes))
            })
            .collect();
        parts.sort_by_key(|(_, len)| std::cmp::Reverse(*len));
        parts
    }

    /// Returns how many bytes of this content are in parts that nobody knows to be alive; for forecasts.
    #[must_use]
    pub fn part_bytes(&self, target: &Target) -> u64 {
        self.parts(target).first().map_or(0, |(_, len)| *len)
    }

    /// Returns how much of this content anybody has staged, by whatever name: a number that changes while somebody
    /// downloads it.
    #[must_use]
    pub fn progress(&self, target: &Target) -> u64 {
        let folder = target.layout.blobs();
        let names = self.disk.names(&folder).unwrap_or_default();
        let ours = |name: &&String| {
            name.starts_with(target.etag.as_str()) && name.ends_with(".incomplete")
        };
        names
            .iter()
            .filter(ours)
            .filter_map(|name| self.disk.entry(&folder.incomplete(name)?).ok()?)
            .map(|entry| entry.len_bytes)
            .fold(0, u64::wrapping_add)
    }

    pub(crate) fn adopt(
        &self,
        target: &Target,
        part: &CachePath,
        len: u64,
        at: &CachePath,
    ) -> Result<Option<StagedFile>, FsError> {
        let provable = target.etag.content_hash() != ContentHash::Opaque
            && target.size.is_some_and(|size| len <= size);
        let Ok(mut old) = self.disk.open_private(part) else {
            return Ok(None);
        };
        let writer = self.writer_of(part, &mut *old);
        if !provable || len < ADOPT_FROM_BYTES {
            drop(old);
            if writer != Writer::Alive {
                self.discard(part);
            }
            return Ok(None);
        }
        if writer == Writer::Gone && self.is_quiet(part) {
            return self.continue_part(target, part, old, at);
        }
        match self.copy_part(target, part, at) {
            Ok(copied) => {
                if writer != Writer::Alive {
                    self.discard(part);
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
        let alone = matches!(self.disk.entry(part), Ok(Some(entry)) if entry.only_name);
        alone && self.is_untouched_for(part, QUIET)
    }

    /// Takes a part over: it gets our name, and its bytes pass the hasher.
    fn continue_part(
        &self,
        target: &Target,
        part: &CachePath,
        old: Box<dyn DiskFile>,
        at: &CachePath,
    ) -> Result<Option<StagedFile>, FsError> {
        if self.disk.rename(part, at).is_err() {
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
        let mut staged = self.staged(target, at.clone(), self.create_private(at)?);
        let copied = self.disk.open(part).and_then(|old| {
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
                self.discard(at);
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
