//! The clock that a disk dates its files by, which may be another machine's.

use std::{cell::OnceCell, io, time::Duration};

use hubstow_core::layout::CachePath;

use crate::{cache::Cache, disk::Entry};

impl Cache {
    /// Asks what time it is on the disk, by making a file under a fresh private name; `None` where no file can be made, or
    /// the disk tells no times.
    pub(crate) fn disk_now(&self, fresh: &CachePath) -> Option<DiskTime> {
        let made = self.disk.create(fresh).and_then(|file| {
            drop(file);
            self.disk.entry(fresh)
        });
        if !matches!(&made, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            self.discard(fresh);
        }
        DiskTime::of(&made.ok()??)
    }
}

/// A moment by the disk's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DiskTime {
    ns: i128,
}

impl DiskTime {
    /// The last moment at which anything about an entry was changed, as far as the disk tells.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let ns = entry.identity.modified_ns.max(entry.identity.changed_ns);
        (ns != 0).then_some(Self { ns })
    }

    /// The moment at which the content was last changed.
    pub(crate) fn of_content(modified_ns: i128) -> Option<Self> {
        (modified_ns != 0).then_some(Self { ns: modified_ns })
    }

    /// Tells whether another moment is less than so long ago, or ahead: then the two clocks that it may be of differ.
    pub(crate) fn is_within(self, time: Duration, other: Self) -> bool {
        let time_ns = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        (self.ns - other.ns).abs() < time_ns
    }
}

/// The time on the disk, asked for once and only if anybody wants to know.
pub(crate) struct DiskClock<'a> {
    cache: &'a Cache,
    fresh: CachePath,
    now: OnceCell<Option<DiskTime>>,
}

impl<'a> DiskClock<'a> {
    /// A clock that makes its file under this fresh private name.
    pub(crate) fn new(cache: &'a Cache, fresh: CachePath) -> Self {
        Self { cache, fresh, now: OnceCell::new() }
    }

    /// Tells whether an entry was changed less than so long ago. Where it is not to be found out because nothing can be
    /// made, it counts as young: nothing can be removed then either.
    pub(crate) fn is_younger(&self, entry: &Entry, time: Duration) -> bool {
        let Some(changed) = DiskTime::of(entry) else { return false };
        let now = *self.now.get_or_init(|| self.cache.disk_now(&self.fresh));
        now.is_none_or(|now| now.is_within(time, changed))
    }
}
