//! Who works in a repo: those who rely on what it holds share a lock, and whoever removes some of it has it alone.
//!
//! It ends with its process. Where locks are not to be had, everybody goes on without it.

use std::{io, sync::Arc};

use hubstow_core::layout::CachePath;

use crate::{
    cache::{Cache, folders::KnownFolders},
    disk::{Disk, DiskFile, LockFile, Origin, failure::with_causes},
};

/// A held lease; it ends when this is dropped.
pub struct Lease {
    _file: Box<dyn DiskFile>,
}

/// What came of asking for a lease.
pub enum Leased {
    /// It is ours.
    Held(Lease),
    /// Somebody's work in the repo excludes ours.
    Busy,
    /// Not to be had here; go on without.
    Unavailable,
}

/// How a lease is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// With others who rely on the repo.
    Common,
    /// Alone, to remove some of it.
    #[cfg(feature = "care")]
    Alone,
}

impl Cache {
    pub(crate) fn try_lease(&self, at: &CachePath, share: Share) -> Leased {
        if let Err(error) = self.make_folders(&at.parent(), &KnownFolders::default()) {
            tracing::debug!(error = %with_causes(&error), "no folder for leases");
            return Leased::Unavailable;
        }
        let leased = lease_at(&self.disk, at, share);
        if matches!(leased, Leased::Unavailable) {
            // Nobody needs them then; where they are not empty, they stay.
            let folder = at.parent();
            let _ = self.disk.remove_folder(&folder);
            let _ = self.disk.remove_folder(&folder.parent());
        }
        leased
    }

    /// Tells whether somebody relies on a repo, without writing anything.
    #[cfg(feature = "care")]
    pub(crate) fn is_leased(&self, at: &CachePath) -> bool {
        let locked = self.disk.open_private(at).and_then(|mut file| file.try_lock());
        matches!(locked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn lease_at(disk: &Arc<dyn Disk>, at: &CachePath, share: Share) -> Leased {
    let LockFile { mut file, origin } = match disk.open_lock(at) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!(path = %at, %error, "no lease");
            return Leased::Unavailable;
        }
    };
    let locked = match share {
        Share::Common => file.try_lock_shared(),
        #[cfg(feature = "care")]
        Share::Alone => file.try_lock(),
    };
    match locked {
        Ok(()) => Leased::Held(Lease { _file: file }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Leased::Busy,
        Err(error) => {
            tracing::debug!(path = %at, %error, "leases are not to be had here");
            drop(file);
            // Where there are no such locks at all, one that a killed run has left is of use to nobody.
            if origin == Origin::Made || error.kind() == io::ErrorKind::Unsupported {
                let _ = disk.remove(at);
            }
            Leased::Unavailable
        }
    }
}
