//! Whether a file is settled: whether a change of its content from now on would show in its times.
//!
//! Times move in ticks. A file that is read in the tick in which it was written can be written once more in that tick, and
//! looks then as it did when it was read. So what is read of a file that was changed a moment ago is not written down.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hubstow_core::layout::RepoLayout;

use crate::{
    cache::clock::{Asked, DiskTime},
    disk::{Entry, Identity},
    fresh_nonce,
    observe::view::View,
};

/// How far clocks of two hosts are apart at most: a file that is older than this is settled by any clock.
const SKEW: Duration = Duration::from_secs(24 * 60 * 60);
/// How often the disk is asked for its time, at most: each time a file is made for it.
const ASK_EVERY: Duration = Duration::from_millis(200);

impl View {
    /// Tells whether a file that is about to be read is settled, as far as that is worth finding out.
    pub(crate) fn is_settled(&self, layout: &RepoLayout, identity: &Identity) -> bool {
        let Some(modified) = DiskTime::of_content(identity) else { return false };
        if is_old(identity) {
            return true;
        }
        if self.is_looking_only() {
            return false;
        }
        let mut last = self.last_asked.get();
        match &*last {
            Some(asked) if asked.is_younger_than(ASK_EVERY) => {
                return asked.is_after(identity, modified);
            }
            // What was settled then is settled now; of what was changed since, that answer says nothing.
            Some(asked) if asked.is_past(identity, modified) => return true,
            Some(_) | None => {}
        }
        let asked = last.insert(Asked::now(self.fresh_entry(layout).as_ref()));
        asked.is_after(identity, modified)
    }

    fn fresh_entry(&self, layout: &RepoLayout) -> Option<Entry> {
        let fresh = layout.scratch(&fresh_nonce().ok()?);
        self.make_folders(&fresh.parent()).ok()?;
        self.cache.fresh_entry(&fresh)
    }
}

/// Tells whether a file is so old that it is settled, whatever clock it is dated by.
pub(crate) fn is_old(identity: &Identity) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = u64::try_from(identity.modified_ns).map(Duration::from_nanos);
    modified.is_ok_and(|modified| modified + SKEW < now)
}

/// Tells whether the disk dates a file by ticks so short that nobody can have written to it in the tick in which we have
/// published it, but whoever was already waiting to: not by whole seconds.
pub(crate) fn has_short_ticks(identity: &Identity) -> bool {
    const SECOND_NS: i128 = 1_000_000_000;
    identity.modified_ns % SECOND_NS != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modified(ns: i128) -> Identity {
        Identity { device: 1, file: 7, len_bytes: 9, modified_ns: ns, changed_ns: 0 }
    }

    #[test]
    fn whole_seconds_are_long_ticks() {
        for (ns, short) in [(0, false), (2_000_000_000, false), (2_004_000_000, true), (1, true)] {
            assert_eq!(has_short_ticks(&modified(ns)), short, "{ns}");
        }
    }
}
