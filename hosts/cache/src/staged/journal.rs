//! The record of which bytes a staged file holds, kept beside it while it has holes.
//!
//! Without one, a file's length says what it holds. So a record is begun before the first byte is written behind a missing
//! one, and removed once nothing is missing before the end. It is private as the staged file is, and found by its nonce; a
//! record whose staged file is gone is a dead run's (see `leftovers`).

use std::{
    io::{self, Read as _},
    ops::Range,
    time::{Duration, Instant},
};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::Nonce,
};

use crate::{
    cache::{Cache, folders::KnownFolders, private::PrivateFile, target::Target},
    disk::{DiskFile, failure::FsError},
    staged::{
        intervals::Intervals,
        map::{Chain, Held, Line, Record, Subject, Word},
    },
};

/// How many bytes may be written before they are recorded. A kill costs these, and what the hub has sent and nobody read yet.
const RECORD_BYTES: u64 = 4 << 20;
/// How many are recorded after a while, so that on a slow line a kill costs little time.
const SLOW_RECORD_BYTES: u64 = 1 << 20;
const SLOW_RECORD_AFTER: Duration = Duration::from_secs(1);
/// The most that is read of a record: much more than 100 GiB over 16 connections make of one.
const LIMIT_BYTES: u64 = 32 << 20;

/// A record that is being kept.
pub(crate) struct Journal {
    cache: Cache,
    at: CachePath,
    file: Box<dyn DiskFile>,
    /// How long it is, without what a failed write may have left.
    len_bytes: u64,
    chain: Chain,
    unrecorded: Intervals,
    last_try: Instant,
    last: Last,
}

/// How the last line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Whole,
    Failed,
}

impl Journal {
    /// Begins the record of a staged file that has its name.
    ///
    /// # Errors
    /// Whatever the system says; no part of a record is left.
    pub(crate) fn begin(
        cache: &Cache,
        layout: &RepoLayout,
        of: &Subject,
        held: &Intervals,
    ) -> Result<Self, FsError> {
        let at = layout.map(&of.nonce);
        let file = cache.in_folder(&layout.private(), &KnownFolders::default(), || {
            cache.disk.create(&at).map_err(|error| FsError::io("make", &at, error))
        })?;
        let first = Line::first(of, cache.disk.boot().as_deref(), held);
        Self::with(cache, PrivateFile { at, file }, &first)
    }

    /// Begins the record of a staged file that has not its name yet, and makes up its nonce. It is locked, so that nobody
    /// takes it for a dead run's while its file is missing.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(crate) fn begin_first(
        cache: &Cache,
        target: &Target,
        size: u64,
        held: &Held,
    ) -> Result<(Self, Nonce), FsError> {
        let layout = &target.layout;
        let private = cache.in_folder(&layout.private(), &KnownFolders::default(), || {
            cache.create_private(|nonce| layout.map(nonce))
        })?;
        let Some(nonce) = RepoLayout::parse_map(private.at.base()) else {
            return Err(FsError::io("make", &private.at, io::ErrorKind::InvalidFilename.into()));
        };
        let of = Subject { etag: target.etag.clone(), nonce: nonce.clone(), size };
        let mut first = Line::first(&of, cache.disk.boot().as_deref(), &held.all);
        if !held.synced.is_empty() {
            let second = Line::after(first.chain, Word::Synced, &held.synced);
            first = Line { text: first.text + &second.text, chain: second.chain };
        }
        Ok((Self::with(cache, private, &first)?, nonce))
    }

    fn with(cache: &Cache, private: PrivateFile, first: &Line) -> Result<Self, FsError> {
        let PrivateFile { at, file } = private;
        let mut journal = Self {
            cache: cache.clone(),
            at,
            file,
            len_bytes: 0,
            chain: Chain::default(),
            unrecorded: Intervals::default(),
            last_try: Instant::now(),
            last: Last::Whole,
        };
        if let Err(error) = journal.write(first) {
            let error = FsError::io("write", &journal.at, error);
            journal.remove();
            return Err(error);
        }
        Ok(journal)
    }

    /// Notes that bytes were written, and records them with others before them once that is due.
    pub(crate) fn written(&mut self, range: Range<u64>) {
        self.unrecorded.insert(range);
        let bytes = self.unrecorded.total_bytes();
        // What could not be recorded is tried again after a while, and not with every piece.
        let much = bytes >= RECORD_BYTES && self.last == Last::Whole;
        if much || (bytes >= SLOW_RECORD_BYTES && self.last_try.elapsed() >= SLOW_RECORD_AFTER) {
            self.record();
        }
    }

    /// Records what was written. That it can't be done costs a later run a fetch and nothing else.
    pub(crate) fn record(&mut self) {
        if self.unrecorded.is_empty() {
            return;
        }
        self.last_try = Instant::now();
        let line = Line::after(self.chain, Word::Held, &self.unrecorded);
        self.last = self.say(&line);
        if self.last == Last::Whole {
            self.unrecorded = Intervals::default();
        }
    }

    /// Records that bytes have reached the disk, and brings the record there too.
    pub(crate) fn synced(&mut self, held: &Intervals) {
        let line = Line::after(self.chain, Word::Synced, held);
        if self.say(&line) == Last::Whole
            && let Err(error) = self.file.sync()
        {
            tracing::debug!(path = %self.at, %error, "a record did not reach the disk");
        }
    }

    fn say(&mut self, line: &Line) -> Last {
        match self.write(line) {
            Ok(()) => Last::Whole,
            Err(error) => {
                tracing::debug!(path = %self.at, %error, "what a staged file holds was not recorded");
                Last::Failed
            }
        }
    }

    /// What a failed write leaves is overwritten by the next one, and until then a torn end.
    fn write(&mut self, line: &Line) -> io::Result<()> {
        self.file.write_at(self.len_bytes, line.text.as_bytes())?;
        self.len_bytes += line.text.len() as u64;
        self.chain = line.chain;
        Ok(())
    }

    /// Removes the record.
    pub(crate) fn remove(self) {
        let Self { cache, at, file, .. } = self;
        drop(file);
        cache.discard(&at);
    }
}

/// A record that was found beside a leftover.
pub(crate) struct FoundRecord {
    /// Where it is.
    pub(crate) at: CachePath,
    /// What it says, as far as the leftover is so long.
    pub(crate) held: Held,
}

impl Cache {
    /// Reads the record of a staged file that was so long before; `None` where there is none, or none that was begun, and
    /// the length says what it holds.
    ///
    /// # Errors
    /// A record that can't be read: nobody knows what the file holds.
    pub(crate) fn record_of(
        &self,
        target: &Target,
        staged: &CachePath,
        len_bytes: u64,
    ) -> io::Result<Option<FoundRecord>> {
        let Some((_, nonce)) = RepoLayout::parse_staged(staged.base()) else { return Ok(None) };
        let at = target.layout.map(&nonce);
        let file = match self.disk.open(&at) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut content = Vec::new();
        file.take(LIMIT_BYTES).read_to_end(&mut content)?;
        let of = Subject { etag: target.etag.clone(), nonce, size: target.size.unwrap_or(0) };
        Ok(match Record::read(&content, &of, self.disk.boot().as_deref()) {
            Record::Unbegun => {
                let all = Intervals::prefix(len_bytes);
                Some(FoundRecord { at, held: Held { all, synced: Intervals::default() } })
            }
            Record::Begun(Held { all, synced }) => {
                let (all, synced) = (all.cut_to(len_bytes), synced.cut_to(len_bytes));
                Some(FoundRecord { at, held: Held { all, synced } })
            }
        })
    }
}
