//! Hashing what is written, in order, whatever the order in which it is written.
//!
//! INVARIANT: the hasher has seen a beginning of the file and nothing else.

use std::{borrow::BorrowMut, io, ops::Range};

use hubstow_cache::{
    disk::{content::Hasher, failure::with_causes},
    staged::Intervals,
};

/// How much is read back at once: pieces that hold room wait that long at most.
pub(crate) const READ_BYTES: usize = 256 << 10;

/// A hasher that follows behind whoever writes a file. `R` reads from an offset on what is there.
pub(crate) struct Behind<H, R> {
    hasher: H,
    /// `None` where nothing can be read back.
    reader: Option<R>,
    held: Intervals,
    buffer: Vec<u8>,
}

impl<H, R> Behind<H, R>
where
    H: BorrowMut<Hasher>,
    R: FnMut(u64, &mut [u8]) -> io::Result<usize>,
{
    /// Follows from where the hasher is, in a file that holds so much.
    pub(crate) fn new(hasher: H, reader: Option<R>, held: Intervals) -> Self {
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

    /// Reads and hashes so much of what comes next, as far as it has been written. What can't be read now, verifying reads
    /// again.
    pub(crate) fn read(&mut self, bytes: u64) {
        let Range { start, end } = self.unread();
        let mut left = bytes.min(end - start);
        while left > 0 {
            let Some(count) = self.read_once(left) else { return };
            left -= count;
        }
    }

    /// Reads no more than that at once, and returns how much it was.
    fn read_once(&mut self, most_bytes: u64) -> Option<u64> {
        self.buffer.resize(READ_BYTES, 0);
        let most = usize::try_from(most_bytes).unwrap_or(READ_BYTES).min(READ_BYTES);
        let hasher = self.hasher.borrow_mut();
        let into = self.buffer.get_mut(..most).unwrap_or_default();
        match self.reader.as_mut()?(hasher.passed_bytes(), into) {
            Ok(count) if count > 0 => {
                hasher.update(into.get(..count).unwrap_or_default());
                return Some(count as u64);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "what was written is hashed later");
            }
        }
        self.reader = None;
        None
    }
}
