//! Private files that are being written, and how they stay their writer's.
//!
//! Whoever starts removes private files whose lock is free as a dead run's. Between making a file and locking it there is
//! a moment in which it looks like one. So the maker locks it and then looks again whether its name is still there, and
//! whoever removes one keeps its lock until the name is gone: if the maker has the lock and the name, nobody can be about
//! to remove it.

use std::io;

use hubstow_core::{layout::CachePath, name::Nonce};

use crate::{
    cache::Cache,
    disk::{DiskFile, failure::FsError},
    fresh_nonce,
};

/// How often a private file is made that somebody takes for a dead run's before it is locked. Each process of ours that
/// starts looks for these once, within microseconds of the right moment if it is unlucky.
const CREATE_TRIES: usize = 16;

/// A private file that nobody takes for dead as long as this is there: it must live until the name is published or
/// removed.
pub(crate) struct PrivateFile {
    /// Where it is.
    pub(crate) at: CachePath,
    /// The file, locked where locks are to be had.
    pub(crate) file: Box<dyn DiskFile>,
}

impl Cache {
    /// Makes a private file under a fresh name and locks it. Where locks are not to be had, only its age tells others
    /// that it is alive.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn create_private(
        &self,
        name: impl Fn(&Nonce) -> CachePath,
    ) -> Result<PrivateFile, FsError> {
        for _ in 0..CREATE_TRIES {
            let at = name(&fresh_nonce()?);
            let mut file =
                self.disk.create(&at).map_err(|error| FsError::io("make", &at, error))?;
            let is_ours = match file.try_lock() {
                Ok(()) => matches!(self.disk.entry(&at), Ok(Some(_))),
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
            if is_ours {
                return Ok(PrivateFile { at, file });
            }
            tracing::debug!(path = %at, "a private file was taken for a dead run's; making another");
            self.discard(&at);
        }
        let at = name(&fresh_nonce()?);
        Err(FsError::io("make", &at, io::ErrorKind::ResourceBusy.into()))
    }
}
