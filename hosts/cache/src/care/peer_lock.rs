//! Locks that other tools heed.

use std::{io, thread, time::Duration};

use hubstow_core::layout::CachePath;

use crate::{cache::Cache, disk::DiskFile};

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

/// Takes a lock, after a few tries where somebody has it.
pub(crate) fn lock_patiently(cache: &Cache, at: &CachePath) -> PeerLock {
    for _ in 0..LOCK_TRIES {
        let Ok(mut opened) = cache.disk.open_lock(at) else {
            return PeerLock::Unavailable;
        };
        match opened.file.try_lock() {
            Ok(()) => return PeerLock::Held(opened.file),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(LOCK_WAIT),
            Err(_) => return PeerLock::Unavailable,
        }
    }
    PeerLock::Busy
}
