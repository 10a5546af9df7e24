//! Locks: the very files that the Python client locks, so that one of us fetches and the others wait.
//!
//! INVARIANT (I9): correctness never depends on a lock. Where locks are absent, refused or granted to everybody,
//! nothing changes but bandwidth.

use std::{io, sync::Arc};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    policy::Support,
};

use crate::{
    cache::{Cache, folders::KnownFolders, target::Target},
    disk::{
        Disk, DiskFile, LockFile, Origin,
        exclusion::excludes,
        failure::{FsError, with_causes},
    },
    fresh_nonce,
};

/// A held lock; it is released when this is dropped. The file stays, as the Python client leaves it.
pub struct HeldLock {
    _file: Box<dyn DiskFile>,
}

/// What came of trying to lock.
pub enum Locked {
    /// Held by us.
    Held(HeldLock),
    /// Somebody else holds it.
    Busy,
    /// Not to be had here; go on without.
    Unavailable,
}

impl Cache {
    /// Tries to take the lock of a target's content, without waiting.
    pub(crate) fn try_lock(&self, target: &Target, known: &KnownFolders) -> Locked {
        let at = target.layout.lock(&target.etag);
        if let Err(error) = self.make_folders(&at.parent(), known) {
            tracing::debug!(error = %with_causes(&error), "no folder for locks");
            return Locked::Unavailable;
        }
        lock_at(&self.disk, &at)
    }

    /// Finds out whether a lock excludes a second holder here, with a private file.
    ///
    /// # Errors
    /// A cache directory in which no file can be made.
    pub(crate) fn probe_locks(&self, known: &KnownFolders) -> Result<Support, FsError> {
        self.make_folders(&RepoLayout::probe_folder(), known)?;
        let at = RepoLayout::probe_file(&fresh_nonce()?);
        let first = self.disk.create(&at).map_err(|error| FsError::io("write", &at, error))?;
        let support = excludes(&*self.disk, &at, first);
        self.discard(&at);
        self.remove_probe_folder();
        Ok(if support { Support::Works } else { Support::Refused })
    }

    /// Removes the folder of probes, and the one above it where a probe was the first to need it.
    pub(crate) fn remove_probe_folder(&self) {
        let folder = RepoLayout::probe_folder();
        let _ = self.disk.remove_folder(&folder);
        let _ = self.disk.remove_folder(&folder.parent());
    }
}

fn lock_at(disk: &Arc<dyn Disk>, at: &CachePath) -> Locked {
    let LockFile { mut file, origin } = match disk.open_lock(at) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!(path = %at, %error, "no lock file");
            return Locked::Unavailable;
        }
    };
    match file.try_lock() {
        Ok(()) => Locked::Held(HeldLock { _file: file }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Locked::Busy,
        Err(error) => {
            tracing::debug!(path = %at, %error, "locks are not to be had here");
            // Where locks are not to be had, the Python client takes the mere presence of this file for a lock and
            // waits for ever.
            drop(file);
            if origin == Origin::Made {
                let _ = disk.remove(at);
            }
            Locked::Unavailable
        }
    }
}
