//! Hashing what is written, in order, whatever the order in which it is written.
//!
//! INVARIANT: the hasher has seen a beginning of the file and nothing else.

use std::{borrow::BorrowMut, ops::Range};

use hubstow_cache::{
    disk::{content::Hasher, failure::with_causes},
    staged::{Intervals, StagedReader},
};

/// How much is read back at once: pieces that hold room wait that long at most.
const READ_BYTES: usize = 256 << 10;

/// A hasher that follows behind whoever writes a file.
pub(crate) struct Behind<H> {
    hasher: H,
    /// `None` where nothing can be read back.
    reader: Option<StagedReader>,
    held: Intervals,
    buffer: Vec<u8>,
}

impl<H: BorrowMut<Hasher>> Behind<H> {
    /// Follows from where the hasher is, in a file that holds so much.
    pub(crate) fn new(hasher: H, reader: Option<StagedReader>, held: Intervals) -> Self {
        Self { hasher, reader, held, buffer: Vec::new() }
    }

    /// Takes note of bytes that have been written, and hashes them if their turn has come.
    pub(crate) fn written(&mut self, offset: u64, bytes: &[u8]) {
        self.held.insert(offset..offset + bytes.len() as u64);
        let hasher = self.hasher.borrow_mut();
        if hasher.passed_bytes() == offset {
            hasher.update(bytes);
        }
    }

    /// Returns how much of what comes next has been written and can be read.
    pub(crate) fn unread_bytes(&self) -> u64 {
        let Range { start, end } = self.unread();
        if self.reader.is_some() { end - start } else { 0 }
    }

    /// Returns what has been written from where the hasher is on.
    fn unread(&self) -> Range<u64> {
        let passed = self.hasher.borrow().passed_bytes();
        passed..self.held.end_from(passed)
    }

    /// Reads and hashes some of what comes next. What can't be read now, verifying reads again.
    pub(crate) fn read_some(&mut self) {
        let Range { start, end } = self.unread();
        self.buffer.resize(READ_BYTES, 0);
        let most = usize::try_from(end - start).unwrap_or(READ_BYTES).min(READ_BYTES);
        let hasher = self.hasher.borrow_mut();
        let Some(reader) = &mut self.reader else { return };
        let into = self.buffer.get_mut(..most).unwrap_or_default();
        match reader.read_at(start, into) {
            Ok(count) if count > 0 => hasher.update(into.get(..count).unwrap_or_default()),
            Ok(_) => self.reader = None,
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "what was written is hashed later");
                self.reader = None;
            }
        }
    }
}
