//! Proving that a staged file is what the hub promised.

use std::io::{self, SeekFrom};

use hubstow_core::{facts::Staged, name::ContentHash};

use crate::{
    cache::Durability,
    disk::content::{BUFFER_BYTES, Hasher},
    staged::{
        OnDisk, StagedFile,
        reader::{StagedReader, takes_positions},
        syncer::StagedSyncer,
    },
};

/// Why a staged file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It has not the size that the hub promised.
    #[error("{received} bytes were received where {expected} were promised")]
    Size {
        /// What the hub promised.
        expected: u64,
        /// What there is.
        received: u64,
    },
    /// Its hash is not its etag.
    #[error("the content's hash is {found}, not {expected}")]
    Hash {
        /// The etag.
        expected: String,
        /// The hash of what there is.
        found: String,
    },
}

impl StagedFile {
    /// Opens a second handle on the same file, to read back what has been written.
    ///
    /// # Errors
    /// The disk's error; `Unsupported` where it has none, and then the file is received in order.
    pub fn reader(&mut self) -> io::Result<StagedReader> {
        StagedReader::of(&*self.file)
    }

    /// Makes what brings bytes to the disk beside writing them; `None` where nothing has to be there before its name, and
    /// where the disk has no second handles.
    #[must_use]
    pub fn syncer(&self) -> Option<StagedSyncer> {
        let wanted = self.durability == Durability::Safe && self.takes_positions();
        if wanted { StagedSyncer::of(&*self.file).ok() } else { None }
    }

    /// Notes that a sync beside writing has failed. A later one may succeed without what was lost then, so the file is never
    /// published (invariant I18).
    pub fn did_not_sync(&mut self, error: &io::Error) {
        self.on_disk = OnDisk::Failed(error.kind(), error.raw_os_error());
    }

    /// Tells whether this file can be written out of order: its size is known, and its disk has holes and second handles.
    #[must_use]
    pub fn takes_positions(&self) -> bool {
        self.size.is_some() && takes_positions(&*self.file)
    }

    /// Checks size and hash; only what passes is complete. What the hasher has not seen is read again for it. The inner
    /// error says what does not match; the file must start over then.
    ///
    /// # Errors
    /// The outer error is the disk's.
    pub fn verify(&mut self) -> io::Result<Result<(), Mismatch>> {
        self.make_sure_of_end()?;
        let received = self.received_bytes();
        let expected = self.size.unwrap_or(self.held.end());
        if expected != received {
            return Ok(Err(Mismatch::Size { expected, received }));
        }
        // The hash is of what was sent; the file may hold more where a write has failed half-way.
        let held = self.file.seek(SeekFrom::End(0))?;
        if held != received {
            return Ok(Err(Mismatch::Size { expected: received, received: held }));
        }
        // Its length says what it holds from now on.
        self.forget_record();
        if self.size.is_none() && self.etag.content_hash() == ContentHash::GitBlobSha1 {
            // Git's hash begins with the size, which was not known until now.
            self.hasher = Hasher::new(&self.etag, Some(received));
        }
        self.hash_to(received)?;
        let fresh = Hasher::new(&self.etag, self.promised);
        let hasher = std::mem::replace(&mut self.hasher, fresh);
        if let Err(found) = hasher.finish() {
            return Ok(Err(Mismatch::Hash { expected: self.etag.as_str().to_owned(), found }));
        }
        self.size = Some(received);
        self.state = Staged::Complete;
        if let Some(arrivals) = &self.arrivals {
            arrivals.proved();
        }
        Ok(Ok(()))
    }

    /// Reads what the hasher has not seen of the first bytes.
    pub(crate) fn hash_to(&mut self, end: u64) -> io::Result<()> {
        if self.hasher.passed_bytes() == end {
            return Ok(());
        }
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            self.cancel.check()?;
            let at = self.hasher.passed_bytes();
            let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            let piece = buffer.get_mut(..left.min(BUFFER_BYTES)).unwrap_or_default();
            match self.file.read_at(at, piece) {
                Ok(0) => break,
                Ok(count) => self.hasher.update(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.hasher.passed_bytes() == end {
            Ok(())
        } else {
            Err(io::Error::other("not every byte that was written was hashed"))
        }
    }
}
