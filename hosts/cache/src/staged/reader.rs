//! Reading back what has been written to a staged file, while more of it is written.

use std::io;

use crate::disk::DiskFile;

/// A second handle on an open staged file. It keeps the file locked as the first does, so it is to be dropped before the
/// file is given up.
pub struct StagedReader {
    file: Box<dyn DiskFile>,
}

impl StagedReader {
    pub(crate) fn of(file: &dyn DiskFile) -> io::Result<Self> {
        Ok(Self { file: file.second_handle()? })
    }

    /// Reads some bytes at an offset; returns how many, 0 at the end of the file. What has not been written there reads as
    /// zeros, or as what a failed write has left.
    ///
    /// # Errors
    /// The disk's error.
    pub fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, into)
    }
}

/// Tells whether the disk of a file has holes and second handles.
pub(crate) fn takes_positions(file: &dyn DiskFile) -> bool {
    file.allow_holes().and_then(|()| file.second_handle()).is_ok()
}
