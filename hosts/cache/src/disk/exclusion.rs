//! Whether locks exclude anybody here, found out with the file itself: some filesystems grant every lock to everybody.

use std::io;

use hubstow_core::layout::CachePath;

use crate::disk::{Disk, DiskFile};

/// Tells whether a lock on `first` keeps a second opener of the same file out.
pub(crate) fn excludes(disk: &dyn Disk, at: &CachePath, mut first: Box<dyn DiskFile>) -> bool {
    first.try_lock().is_ok() && second_is_kept_out(disk, at)
}

/// Tells whether somebody who opens the file anew can't lock it.
pub(crate) fn second_is_kept_out(disk: &dyn Disk, at: &CachePath) -> bool {
    let second = disk.open_private(at).and_then(|mut second| second.try_lock());
    matches!(second, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
