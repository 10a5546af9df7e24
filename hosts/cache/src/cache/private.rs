//! Private files that are being written, and how they stay their writer's.
//!
//! Whoever starts removes private files whose lock is free as a dead run's. Between making a file and locking it there is
//! a moment in which it looks like one. So the maker locks it and then looks again whether its name is still there, and
//! whoever removes one keeps its lock until the name is gone: if the maker has the lock and the name, nobody can be about
//! to remove it.

use std::io;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::Nonce,
    policy::Method,
};

use crate::{
    cache::{Cache, folders::KnownFolders},
    disk::{
        DiskFile,
        failure::{ErrorGroup, FsError, group, with_causes},
    },
    fresh_nonce,
};

/// How often a private file is made that somebody takes for a dead run's before it is locked. Each process of ours that
/// starts looks for these once, within microseconds of the right moment if it is unlucky.
const CREATE_TRIES: usize = 16;

/// How often a link is made that is gone as soon as it was made, before that counts as an answer of the disk: each process
/// of ours that starts removes once what it takes for a dead one's.
pub(crate) const LINK_TRIES: usize = 8;

/// A private file that nobody takes for dead as long as this is there: it must live until the name is published or
/// removed.
pub(crate) struct PrivateFile {
    /// Where it is.
    pub(crate) at: CachePath,
    /// The file, locked where locks are to be had.
    pub(crate) file: Box<dyn DiskFile>,
}

/// Makes up the path of a private file.
pub(crate) type Naming<'a> = dyn Fn(&Nonce) -> CachePath + 'a;

/// Tells whether a private folder is of no use for what was to be done in it: it is another's, or on another disk.
pub(crate) fn is_closed(error: &FsError) -> bool {
    // A method that is refused is refused elsewhere as well.
    if matches!(error, FsError::Method { .. }) {
        return false;
    }
    match error.group() {
        Some(ErrorGroup::Denied | ErrorGroup::ReadOnly | ErrorGroup::CrossDevice) => true,
        Some(
            ErrorGroup::Unsupported
            | ErrorGroup::TooManyLinks
            | ErrorGroup::Raced
            | ErrorGroup::Busy
            | ErrorGroup::Stale
            | ErrorGroup::NoSpace
            | ErrorGroup::TooManyOpen
            | ErrorGroup::NameTooLong
            | ErrorGroup::BadName
            | ErrorGroup::Other,
        )
        | None => false,
    }
}

impl Cache {
    /// Makes what becomes `at` under private names: those that `private` makes up or, where that folder is another's or on
    /// another disk, names in the folder of `at` itself.
    ///
    /// # Errors
    /// Those of `act`.
    pub(crate) fn beside<T>(
        &self,
        at: &CachePath,
        private: &Naming<'_>,
        known: &KnownFolders,
        act: &mut dyn FnMut(&Naming<'_>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let (own, folder) = (at.parent(), private(&fresh_nonce()?).parent());
        let done = if self.are_apart(&folder, &own) {
            Err(FsError::io("publish", at, io::ErrorKind::CrossesDevices.into()))
        } else {
            self.in_folder(&folder, known, || act(private))
        };
        match done {
            Err(error) if is_closed(&error) => {
                tracing::debug!(path = %at, error = %with_causes(&error), "made beside its own name");
                self.in_folder(&own, known, || {
                    self.remove_dead_beside(&own);
                    act(&|nonce| RepoLayout::scratch_in(&own, nonce))
                })
            }
            done => done,
        }
    }

    /// Says why a link could not be made at a private path: the method is refused or, where no file can be made there
    /// either, the folder is another's.
    pub(crate) fn refused_at(&self, method: Method, at: &CachePath, error: io::Error) -> FsError {
        if group(&error) == ErrorGroup::Denied {
            match self.disk.create(at) {
                Ok(_) => self.discard(at),
                Err(closed) if group(&closed) == ErrorGroup::Denied => {
                    return FsError::io("make", at, closed);
                }
                Err(_) => {}
            }
        }
        FsError::method(method, at, error)
    }

    /// Tells whether two folders are known to be on different disks.
    fn are_apart(&self, one: &CachePath, other: &CachePath) -> bool {
        let device = |folder: &CachePath| match self.disk.entry(folder) {
            Ok(Some(entry)) if entry.identity.device != 0 => Some(entry.identity.device),
            Ok(_) | Err(_) => None,
        };
        device(one).zip(device(other)).is_some_and(|(one, other)| one != other)
    }

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
