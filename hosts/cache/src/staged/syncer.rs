//! Bringing what was written to a staged file to the disk, beside writing it.
//!
//! A disk may take much and keep it in a cache of its own; only a sync empties that. What is synced on the way is not left
//! for the end, when everybody waits for it.

use std::io;

use crate::{cache::Durability, disk::DiskFile, staged::StagedFile};

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
    /// The disk's error. It is told once, so the staged file must hear of it: see [`StagedFile::did_not_sync`].
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl StagedFile {
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
        self.on_disk = super::OnDisk::Failed(error.kind(), error.raw_os_error());
    }
}
