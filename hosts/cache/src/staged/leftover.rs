//! Continuing what an earlier run has left of a staged file.
//!
//! A leftover is continued in place only where its writer's lock is free and proved to exclude; otherwise its bytes are
//! copied. Either way every byte passes the hasher again, so what is continued is proved by the hash of the whole, never
//! by a name (invariant I19).

use std::{io, ops::Range, time::Duration};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::ContentHash,
};

use crate::{
    cache::{Cache, leftovers::Writer, private::PrivateFile, target::Target},
    disk::{
        DiskFile, Entry,
        cancel::Cancelled,
        content::BUFFER_BYTES,
        failure::{ErrorGroup, FsError, group, with_causes},
    },
    fresh_nonce,
    observe::view::View,
    staged::{
        ADOPT_FROM_BYTES, Intervals, Record, StagedFile,
        journal::{FoundRecord, Journal},
        map::Held,
        reader::takes_positions,
    },
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
    /// Which bytes it holds, by its record or else by its length.
    pub(crate) held: Intervals,
    /// Whether it can be continued, by what it holds and its etag.
    pub(crate) worth: Worth,
    record: Option<FoundRecord>,
    file: Box<dyn DiskFile>,
}

/// A leftover that the next download of its content goes on with, seen without changing anything.
pub struct Continuable {
    /// Where it is.
    pub at: CachePath,
    /// How long it is.
    pub len_bytes: u64,
    /// Whether its bytes are copied, because somebody may still write it; it goes when they are.
    pub is_copied: bool,
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

    /// Opens what runs of ours have staged of this content, what holds most first, as far as this one may.
    pub(crate) fn leftovers(&self, target: &Target) -> Vec<Leftover> {
        let staged = self.staged_elsewhere(target).into_iter();
        let mut leftovers: Vec<_> = staged.filter_map(|at| self.leftover(target, at)).collect();
        leftovers.sort_by_key(|leftover| std::cmp::Reverse(leftover.held.total_bytes()));
        leftovers
    }

    fn leftover(&self, target: &Target, at: CachePath) -> Option<Leftover> {
        // Whoever writes it makes a record before it writes behind a missing byte. So the length is looked at first: while
        // there is no record, the file has held all of it.
        let entry = self.cache.disk.entry(&at).ok()??;
        let mut file = self.cache.disk.open_private(&at).ok()?;
        let writer = self.cache.writer_of(&at, &mut *file);
        let record = self.cache.record_of(target, &at, entry.len_bytes).ok()?;
        let held = held_by(record.as_ref(), entry.len_bytes);
        let worth = worth(target, entry.len_bytes, &held);
        Some(Leftover { at, entry, writer, held, worth, record, file })
    }

    /// Returns how many bytes of this content the largest leftover holds; for forecasts.
    #[must_use]
    pub fn leftover_bytes(&self, target: &Target) -> u64 {
        let held_bytes = |at: CachePath| {
            let len_bytes = self.cache.disk.entry(&at).ok()??.len_bytes;
            let record = self.cache.record_of(target, &at, len_bytes).ok()?;
            Some(held_by(record.as_ref(), len_bytes).total_bytes())
        };
        self.staged_elsewhere(target).into_iter().filter_map(held_bytes).max().unwrap_or(0)
    }

    /// Returns the leftover of this content that the next download goes on with, unless somebody writes it now.
    #[must_use]
    pub fn continuable(&self, target: &Target) -> Option<Continuable> {
        let mut leftovers = self.leftovers(target).into_iter();
        let Leftover { at, entry, writer, .. } =
            leftovers.find(|leftover| leftover.worth == Worth::Continuing)?;
        let is_copied = match writer {
            Writer::Alive => return None,
            Writer::Gone => !self.is_quiet(&at),
            Writer::Silent => true,
        };
        Some(Continuable { at, len_bytes: entry.len_bytes, is_copied })
    }

    /// Returns a number that changes while somebody downloads this content, by whatever name.
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
            // A file that is written out of order soon has its full length.
            .flat_map(|entry| [entry.len_bytes, low_bits(entry.identity.modified_ns)])
            .fold(0, u64::wrapping_add)
    }

    /// Goes on with the leftover that holds most, where it is worth it, under a name of this run. All others that nobody
    /// writes are removed first, so that runs that are killed while they copy do not fill the disk.
    pub(crate) fn adopt(&self, target: &Target) -> Result<Option<StagedFile>, FsError> {
        let mut best = None;
        for leftover in self.leftovers(target) {
            if best.is_none() && leftover.worth == Worth::Continuing {
                best = Some(leftover);
            } else if leftover.writer != Writer::Alive {
                self.cache.discard_leftover(&leftover);
            }
        }
        let Some(mut leftover) = best else { return Ok(None) };
        if leftover.writer == Writer::Gone && self.is_quiet(&leftover.at) {
            return self.take_over(target, leftover);
        }
        match self.copy(target, &mut leftover) {
            Ok(copied) => Ok(Some(copied)),
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
        let alone = matches!(self.cache.disk.entry(at), Ok(Some(entry)) if entry.has_only_name());
        alone && self.cache.is_untouched_for(at, QUIET)
    }

    /// Takes a leftover over: it gets our name, and its bytes pass the hasher.
    fn take_over(
        &self,
        target: &Target,
        mut leftover: Leftover,
    ) -> Result<Option<StagedFile>, FsError> {
        let Some(TakenOver { at, held, record }) = self.rename(target, &mut leftover)? else {
            return Ok(None);
        };
        if let Some(old) = &leftover.record {
            self.cache.discard(&old.at);
        }
        let private = PrivateFile { at: at.clone(), file: leftover.file };
        let mut staged = self.staged(target, private);
        staged.reserved_to = leftover.entry.allocated_bytes;
        (staged.held, staged.record) = (held, record);
        match staged.hash_to(staged.prefix_bytes()) {
            Ok(()) => Ok(Some(staged)),
            Err(error) if Cancelled::caused(&error) => {
                // Its bytes are still worth what they were, also those that were not read again.
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

    /// Gives a leftover our name. Whenever this ends, its length or a record by the name that it has says what it holds.
    fn rename(
        &self,
        target: &Target,
        leftover: &mut Leftover,
    ) -> Result<Option<TakenOver>, FsError> {
        let held = leftover.held_here(&*leftover.file);
        if held.end() < leftover.entry.len_bytes
            && let Err(error) = leftover.file.set_len(held.end())
        {
            tracing::debug!(path = %leftover.at, %error, "a leftover could not be cut to what it holds");
            return Ok(None);
        }
        let (record, nonce) = if held.is_prefix() {
            (Record::Length, fresh_nonce()?)
        } else {
            let synced = leftover.record.as_ref().map(|found| found.held.synced.clone());
            let held = Held { all: held.clone(), synced: synced.unwrap_or_default() };
            let size = target.size.unwrap_or(0);
            match Journal::begin_first(&self.cache, target, size, &held) {
                Ok((journal, nonce)) => (Record::Kept(journal), nonce),
                Err(error) => {
                    tracing::debug!(path = %leftover.at, error = %with_causes(&error), "no record");
                    (Record::Impossible, fresh_nonce()?)
                }
            }
        };
        let at = target.layout.staged(&target.etag, &nonce);
        if self.cache.disk.rename(&leftover.at, &at).is_err() {
            if let Record::Kept(journal) = record {
                journal.remove();
            }
            return Ok(None);
        }
        Ok(Some(TakenOver { at, held, record }))
    }

    /// Somebody may still write the leftover: the bytes that it holds are copied, and whatever that somebody does stays
    /// theirs. One that nobody writes is removed once they are.
    fn copy(&self, target: &Target, from: &mut Leftover) -> Result<StagedFile, FsError> {
        let mut staged = self.create_staged(target)?;
        let at = staged.at.clone();
        let held = from.held_here(&*staged.file);
        // Where locks are mandatory, only the handle that has the lock can read.
        let old = &mut *from.file;
        let copied = held.iter().try_for_each(|range| self.copy_range(old, &mut staged, range));
        match copied {
            Ok(()) => {
                staged.record_now();
                if from.writer != Writer::Alive {
                    self.cache.discard_leftover(from);
                }
                Ok(staged)
            }
            Err(error) if group(&error) == ErrorGroup::NoSpace || Cancelled::caused(&error) => {
                self.cache.discard_staged(staged);
                Err(FsError::io("write", &at, error))
            }
            Err(error) => {
                tracing::debug!(path = %from.at, %error, "a leftover could not be copied");
                staged.start_over().map_err(|error| FsError::io("empty", &at, error))?;
                Ok(staged)
            }
        }
    }

    /// Copies what is still there of a range; what is read in order passes the hasher.
    fn copy_range(
        &self,
        old: &mut dyn DiskFile,
        staged: &mut StagedFile,
        range: Range<u64>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut at = range.start;
        while at < range.end {
            self.cancel.check()?;
            let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let piece = buffer.get_mut(..left.min(BUFFER_BYTES)).unwrap_or_default();
            let count = match old.read_at(at, piece) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = piece.get(..count).unwrap_or_default();
            if at == staged.prefix_bytes() {
                staged.append(bytes)?;
            } else {
                staged.write_at(at, bytes)?;
            }
            at += bytes.len() as u64;
        }
        Ok(())
    }
}

/// A leftover that has our name.
struct TakenOver {
    at: CachePath,
    held: Intervals,
    record: Record,
}

impl Leftover {
    /// Returns what of it can be continued on this disk: without holes, only what it holds in order.
    fn held_here(&self, on: &dyn DiskFile) -> Intervals {
        if self.held.is_prefix() || takes_positions(on) {
            self.held.clone()
        } else {
            Intervals::prefix(self.held.prefix_bytes())
        }
    }
}

impl Cache {
    /// Removes a leftover, and then its record.
    fn discard_leftover(&self, leftover: &Leftover) {
        self.discard(&leftover.at);
        if let Some(record) = &leftover.record {
            self.discard(&record.at);
        }
    }
}

/// Returns what a staged file of this length holds.
fn held_by(record: Option<&FoundRecord>, len_bytes: u64) -> Intervals {
    record.map_or_else(|| Intervals::prefix(len_bytes), |found| found.held.all.clone())
}

fn low_bits(number: i128) -> u64 {
    u64::try_from(number & i128::from(u64::MAX)).unwrap_or(0)
}

/// Tells whether what a leftover of this length holds is of use to a later run.
fn worth(target: &Target, len_bytes: u64, held: &Intervals) -> Worth {
    let provable = target.etag.content_hash() != ContentHash::Opaque
        && target.size.is_some_and(|size| len_bytes <= size);
    let enough = held.total_bytes() >= ADOPT_FROM_BYTES;
    if provable && enough { Worth::Continuing } else { Worth::Nothing }
}
