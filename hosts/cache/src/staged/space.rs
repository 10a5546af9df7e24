//! Finding out before a download, and not after it, that the disk is too small.

use std::io;

use hubstow_core::layout::RepoLayout;

use crate::{
    disk::failure::{ErrorGroup, FsError, group},
    observe::view::View,
    staged::{Keep, StagedFile},
};

/// From how many missing bytes on space is reserved: for fewer it costs more than it tells.
const RESERVE_FROM_BYTES: u64 = 1 << 20;

/// There is less space than is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// How many bytes may still be written.
    pub free_bytes: u64,
    /// How many are to be written.
    pub needed_bytes: u64,
}

impl View {
    /// Tells whether so many bytes are more than the disk of a repo still takes, as far as it tells. What a cache holds
    /// already, parts included, is not to be counted as wanted.
    ///
    /// # Errors
    /// A disk that can't be looked at.
    pub fn shortage(&self, layout: &RepoLayout, wanted_bytes: u64) -> io::Result<Option<Shortage>> {
        let free = self.cache.disk.free_bytes(&layout.blobs())?;
        let short = free.filter(|free| *free < wanted_bytes);
        Ok(short.map(|free_bytes| Shortage { free_bytes, needed_bytes: wanted_bytes }))
    }

    /// Reserves what a staged file still misses, so that a shortage is told now; a part that is worth it is left for
    /// later then. Its length, which is what resuming relies on, is not changed.
    pub(crate) fn reserve(&self, mut staged: StagedFile) -> Result<StagedFile, FsError> {
        match staged.reserve(RESERVE_FROM_BYTES) {
            Err(error) if is_shortage(&error) => {
                let at = staged.at().clone();
                self.abandon(staged, Keep::IfWorth);
                Err(FsError::io("reserve space for", &at, error))
            }
            // It can't be done here, which says nothing of the space.
            Ok(()) | Err(_) => Ok(staged),
        }
    }
}

fn is_shortage(error: &io::Error) -> bool {
    group(error) == ErrorGroup::NoSpace || error.kind() == io::ErrorKind::FileTooLarge
}
