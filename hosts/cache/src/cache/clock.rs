//! The clock that a disk dates its files by, which may be another machine's.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hubstow_core::layout::CachePath;

use crate::{
    cache::Cache,
    disk::{Entry, Identity},
};

/// The longest tick of any filesystem: FAT's.
pub(crate) const TICK: Duration = Duration::from_secs(2);
impl Cache {
    /// Makes a file under a fresh private name, to see how the disk dates what is made now, and removes it again; `None`
    /// where no file can be made.
    pub(crate) fn fresh_entry(&self, fresh: &CachePath) -> Option<Entry> {
        let made = self.disk.create(fresh).and_then(|file| {
            drop(file);
            self.disk.entry(fresh)
        });
        if !matches!(&made, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            self.discard(fresh);
        }
        made.ok()?
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
    pub(crate) fn of_content(identity: &Identity) -> Option<Self> {
        let ns = identity.modified_ns;
        (ns != 0).then_some(Self { ns })
    }

    /// Tells whether another moment is less than so long ago, or ahead: then the two clocks that it may be of differ.
    pub(crate) fn is_within(self, time: Duration, other: Self) -> bool {
        let time_ns = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        (self.ns - other.ns).abs() < time_ns
    }
}

/// What the disk's clock said when it was last asked.
#[derive(Default)]
pub(crate) struct LastAsked(Mutex<Option<Asked>>);

impl LastAsked {
    pub(crate) fn get(&self) -> MutexGuard<'_, Option<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer of the disk's clock.
pub(crate) struct Asked {
    at: Instant,
    /// The time, and the disk that it is of; `None` where it is not to be had.
    said: Option<(DiskTime, u64)>,
}

impl Asked {
    /// What the clock says now, by an entry that was made just now.
    pub(crate) fn now(fresh: Option<&Entry>) -> Self {
        let said = fresh.and_then(|entry| Some((DiskTime::of(entry)?, entry.identity.device)));
        Self { at: Instant::now(), said }
    }

    pub(crate) fn is_younger_than(&self, time: Duration) -> bool {
        self.at.elapsed() < time
    }

    /// Tells whether a file was last changed more than a tick before this, by the same clock.
    pub(crate) fn is_past(&self, identity: &Identity, modified: DiskTime) -> bool {
        self.said.is_some_and(|(now, _)| modified < now) && self.is_after(identity, modified)
    }

    /// Tells whether a file was not changed within a tick before this, which was asked just now: what is dated ahead is
    /// dated by another clock.
    pub(crate) fn is_after(&self, identity: &Identity, modified: DiskTime) -> bool {
        self.said.is_some_and(|(now, device)| {
            device == identity.device && !now.is_within(TICK, modified)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modified(ns: i128) -> Identity {
        Identity { device: 1, file: 7, len_bytes: 9, modified_ns: ns, changed_ns: 0 }
    }

    #[test]
    fn a_file_is_settled_a_tick_after_it_was_changed_by_the_clock_of_its_own_disk() {
        let second = 1_000_000_000_i128;
        let now = 1_800_000_000 * second;
        let of = |ns| DiskTime::of_content(&modified(ns)).unwrap();
        let asked = |device| Asked { at: Instant::now(), said: Some((of(now), device)) };
        for (age_ns, device, settled) in [
            (0, 1, false),
            (2 * second - 1, 1, false),
            (2 * second, 1, true),
            (3600 * second, 1, true),
            (3600 * second, 2, false),
            // It is dated by another clock, or from the future: a change now would show.
            (-3600 * second, 1, true),
            (-second, 1, false),
        ] {
            let identity = modified(now - age_ns);
            let found = asked(device).is_after(&identity, of(now - age_ns));
            assert_eq!(found, settled, "{age_ns} ns, device {device}");
            let past = asked(device).is_past(&identity, of(now - age_ns));
            assert_eq!(past, settled && age_ns > 0, "{age_ns} ns, asked long ago");
        }
        let unknown = Asked { at: Instant::now(), said: None };
        assert!(!unknown.is_after(&modified(1), of(1)));
    }
}
