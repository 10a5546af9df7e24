//! Writing to a staged file, in order or not, and what a failed write leaves of it.

use std::{io, ops::Range};

use crate::{
    cache::Durability,
    staged::{End, Intervals, Mismatch, OnDisk, StagedFile},
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
        self.start_writing(range);
        Ok(())
    }

    /// Checks that bytes belong into the file, and returns where.
    fn room_for(&self, offset: u64, len_bytes: u64) -> io::Result<Range<u64>> {
        let end = offset.saturating_add(len_bytes);
        let limit = self.size.unwrap_or(UNKNOWN_SIZE_LIMIT_BYTES);
        if end > limit {
            let mismatch = Mismatch::Size { expected: limit, received: end };
            return Err(io::Error::new(io::ErrorKind::InvalidData, mismatch));
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

    /// Leaves the file as a later run is to find it: it takes no more of the disk than it holds, and its length is what it
    /// holds in order.
    pub(crate) fn settle(&mut self) {
        if !self.held.is_prefix() {
            self.held = Intervals::prefix(self.held.prefix_bytes());
            self.end = End::Unsure;
        }
        let reserved = self.reserved_to > self.held.end();
        if (reserved || self.end == End::Unsure)
            && let Err(error) = self.cut(self.held.end())
        {
            tracing::debug!(path = %self.at, %error, "what was reserved for a staged file stays reserved");
        }
    }
}
