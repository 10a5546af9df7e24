//! Writing to a staged file, in order or not, and what a failed write leaves of it.

use std::{io, ops::Range};

use hubstow_core::{layout::RepoLayout, name::ContentHash};

use crate::{
    cache::Durability,
    disk::failure::with_causes,
    staged::{
        End, Intervals, Mismatch, OnDisk, Record, StagedFile, journal::Journal, map::Subject,
    },
};

/// The most bytes that are taken of a file whose size nobody has said: what the Python client's plain downloads take.
const UNKNOWN_SIZE_LIMIT_BYTES: u64 = 50_000_000_000;
/// How many bytes are received before the disk is told to begin with them: little enough that the sync at the end has
/// little to wait for, and much enough that the disk writes in long runs.
const START_WRITING_BYTES: u64 = 8 << 20;

impl StagedFile {
    /// Writes bytes where the first is missing, as [`append`](Self::append) does, but leaves hashing them to whoever has
    /// the hasher.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn write_unhashed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_at(self.prefix_bytes(), bytes)
    }

    /// Writes bytes where they belong, and leaves hashing them to whoever has the hasher. Never any are written behind the
    /// promised size (invariant I14), and where no size is known none behind one that is missing.
    ///
    /// # Errors
    /// The disk's error, and none of the bytes count then; `InvalidData` holding a [`Mismatch`] where too many bytes come.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let range = self.room_for(offset, bytes.len() as u64)?;
        if self.on_disk == OnDisk::Synced {
            self.on_disk = OnDisk::Unsure;
        }
        self.make_sure_of_end()?;
        if offset > self.prefix_bytes() {
            self.begin_record();
        }
        if let Err(error) = self.file.write_at(offset, bytes) {
            if range.end > self.held.end() {
                self.end = End::Unsure;
            }
            if let Err(second) = self.make_sure_of_end() {
                tracing::debug!(path = %self.at, %second, "a staged file could not be cut");
            }
            return Err(error);
        }
        self.held.insert(range.clone());
        if let Record::Kept(journal) = &mut self.record {
            journal.written(range.clone());
        }
        if let Some(arrivals) = &self.arrivals {
            arrivals.arrived(range.clone());
        }
        self.start_writing(range);
        Ok(())
    }

    /// Records now what it holds, which is done by itself from time to time: before a pause, so that a kill in it costs
    /// nothing.
    pub fn record_now(&mut self) {
        if let Record::Kept(journal) = &mut self.record {
            journal.record();
        }
    }

    /// Sees to it that a later run does not take the length for what is held. Where that can't be done, such a run fetches
    /// again what this one leaves, should it be killed.
    fn begin_record(&mut self) {
        if !matches!(self.record, Record::Length) {
            return;
        }
        let provable = self.etag.content_hash() != ContentHash::Opaque;
        let named = RepoLayout::parse_staged(self.at.base());
        self.record = Record::Impossible;
        if let (true, Some((etag, nonce)), Some(size)) = (provable, named, self.size) {
            let of = Subject { etag, nonce, size };
            match Journal::begin(&self.cache, &self.layout, &of, &self.held) {
                Ok(journal) => self.record = Record::Kept(journal),
                Err(error) => {
                    tracing::debug!(path = %self.at, error = %with_causes(&error), "no record");
                }
            }
        }
    }

    /// Removes the record, because the length says the same.
    pub(crate) fn forget_record(&mut self) {
        if let Record::Kept(journal) = std::mem::replace(&mut self.record, Record::Length) {
            journal.remove();
        }
    }

    /// Checks that bytes belong into the file, and returns where.
    fn room_for(&self, offset: u64, len_bytes: u64) -> io::Result<Range<u64>> {
        let end = offset.saturating_add(len_bytes);
        let limit = self.size.unwrap_or(UNKNOWN_SIZE_LIMIT_BYTES);
        if end > limit {
            let mismatch = Mismatch::Size { expected: limit, received: end };
            return Err(io::Error::new(io::ErrorKind::InvalidData, mismatch));
        }
        // The hasher may have seen what was there.
        if self.held.meets(&(offset..end)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it holds these bytes already",
            ));
        }
        if self.size.is_none() && offset > self.held.end() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "its size is not known yet"));
        }
        Ok(offset..end)
    }

    /// Tells the disk to begin with what was written, once it is much.
    fn start_writing(&mut self, written: Range<u64>) {
        if self.durability != Durability::Safe {
            return;
        }
        self.waiting.insert(written);
        if self.waiting.total_bytes() < START_WRITING_BYTES {
            return;
        }
        for range in std::mem::take(&mut self.waiting).iter() {
            // That it can't be done here costs time at the end and nothing else.
            let _ = self.file.start_writing(range.start, range.end - range.start);
        }
    }

    /// Cuts off what a failed write may have left, so that the file ends with what it holds.
    pub(crate) fn make_sure_of_end(&mut self) -> io::Result<()> {
        if self.end == End::Unsure {
            self.cut(self.held.end())?;
        }
        Ok(())
    }

    /// Cuts the file to a length, with what is reserved behind it.
    pub(crate) fn cut(&mut self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)?;
        self.reserved_to = 0;
        self.end = End::Sure;
        Ok(())
    }

    /// Leaves the file as a later run is to find it: it takes no more of the disk than it holds, and its length or its
    /// record says what that is.
    pub(crate) fn settle(&mut self) {
        if matches!(self.record, Record::Impossible) && !self.held.is_prefix() {
            self.held = Intervals::prefix(self.held.prefix_bytes());
            self.end = End::Unsure;
        }
        let reserved = self.reserved_to > self.held.end();
        if (reserved || self.end == End::Unsure)
            && let Err(error) = self.cut(self.held.end())
        {
            tracing::debug!(path = %self.at, %error, "what was reserved for a staged file stays reserved");
        }
        if self.held.is_prefix() && self.end == End::Sure {
            self.forget_record();
        }
        if let Record::Kept(journal) = &mut self.record {
            journal.record();
            for hole in self.held.missing(self.held.end()) {
                // Where that can't be done, it is free again once the file is gone.
                let _ = self.file.free(hole.start, hole.end - hole.start);
            }
        }
    }

    /// Settles the file, and brings what only its record tells of to the disk: a record counts after a restart of the
    /// system only as far as that was done.
    ///
    /// # Errors
    /// The disk's error: the file is of no use any more.
    pub(crate) fn settle_for_long(&mut self) -> io::Result<()> {
        self.settle();
        self.make_sure_of_end()?;
        if self.durability == Durability::Safe && matches!(self.record, Record::Kept(_)) {
            self.sync()?;
            if let Record::Kept(journal) = &mut self.record {
                journal.synced(&self.held);
            }
        }
        Ok(())
    }

    /// Leaves the file as it is, because it is about to be removed; returns the record that is to be removed after it.
    pub(crate) fn give_up(mut self) -> Record {
        (self.held, self.reserved_to, self.end) = (Intervals::default(), 0, End::Sure);
        std::mem::replace(&mut self.record, Record::Length)
    }
}
