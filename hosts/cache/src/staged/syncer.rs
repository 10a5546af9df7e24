//! Bringing what was written to a staged file to the disk, beside writing it.
//!
//! A disk may take much and keep it in a cache of its own; only a sync empties that. What is synced on the way is not left
//! for the end, when everybody waits for it.

use std::io;

use crate::disk::DiskFile;

/// A second handle on an open staged file. It keeps the file locked as the first does, so it is to be dropped before the
/// file is given up.
pub struct StagedSyncer {
    file: Box<dyn DiskFile>,
}

impl StagedSyncer {
    pub(super) fn of(file: &dyn DiskFile) -> io::Result<Self> {
        Ok(Self { file: file.second_handle()? })
    }

    /// Brings to the disk what was written until now.
    ///
    /// # Errors
    /// The disk's error. It is told once, so the staged file must hear of it: see [`StagedFile::did_not_sync`](super::StagedFile::did_not_sync).
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}
