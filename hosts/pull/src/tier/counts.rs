//! What is counted of a tier.

use std::sync::atomic::{AtomicU64, Ordering};

use hubstow_serve::TierCounts;

/// What is counted of the tier.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) unasked: AtomicU64,
    pub(super) waited: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) puts: AtomicU64,
    pub(super) put_bytes: AtomicU64,
    pub(super) put_failures: AtomicU64,
    pub(super) wrong: AtomicU64,
    pub(super) evicted_bytes: AtomicU64,
    pub(super) sweep_failures: AtomicU64,
}

impl Counts {
    pub(super) fn seen(&self, is_away: bool) -> TierCounts {
        let Self {
            hits,
            misses,
            unasked,
            waited,
            received_bytes,
            puts,
            put_bytes,
            put_failures,
            wrong,
            evicted_bytes,
            sweep_failures,
        } = self;
        let mut counts = TierCounts::default();
        for (to, from) in [
            (&mut counts.hits, hits),
            (&mut counts.misses, misses),
            (&mut counts.unasked, unasked),
            (&mut counts.waited, waited),
            (&mut counts.received_bytes, received_bytes),
            (&mut counts.puts, puts),
            (&mut counts.put_bytes, put_bytes),
            (&mut counts.put_failures, put_failures),
            (&mut counts.wrong, wrong),
            (&mut counts.evicted_bytes, evicted_bytes),
            (&mut counts.sweep_failures, sweep_failures),
        ] {
            *to = from.load(Ordering::Relaxed);
        }
        counts.is_away = is_away;
        counts
    }
}
