//! The locks of etags that other tools heed, and take themselves while they place a blob.

use std::{io, thread, time::Duration};

use hubstow_core::layout::CachePath;

use crate::{
    cache::{Cache, folders::KnownFolders},
    care::life::peer_lock,
    disk::DiskFile,
};

/// How many locks are held at once: few, for a process may be allowed no more than some dozens of open files.
pub(crate) const LOCKS: usize = 16;
/// How often a lock is asked for that somebody holds, and how long is waited in between: what places a blob does it in
/// moments, what downloads one holds its lock for long.
const LOCK_TRIES: usize = 5;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// What came of asking for a lock that other tools heed.
pub(crate) enum PeerLock {
    Held(#[expect(dead_code, reason = "it is held until it is dropped")] Box<dyn DiskFile>),
    Busy,
    Unavailable,
}

impl Cache {
    /// Asks for the lock of a blob, whatever its name and that of its repo are.
    pub(crate) fn lock_as_peers(&self, blob: &CachePath, known: &KnownFolders) -> PeerLock {
        let at = peer_lock(&blob.parent().parent(), blob.base());
        let Some(at) = at else { return PeerLock::Unavailable };
        if self.make_folders(&at.parent(), known).is_err() {
            return PeerLock::Unavailable;
        }
        self.lock_of_peers(&at)
    }

    /// Asks for a lock that somebody may hold for a moment.
    pub(crate) fn lock_of_peers(&self, at: &CachePath) -> PeerLock {
        for _ in 0..LOCK_TRIES {
            let Ok(mut opened) = self.disk.open_lock(at) else {
                return PeerLock::Unavailable;
            };
            match opened.file.try_lock() {
                Ok(()) => return PeerLock::Held(opened.file),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(LOCK_WAIT);
                }
                Err(_) => return PeerLock::Unavailable,
            }
        }
        PeerLock::Busy
    }
}
