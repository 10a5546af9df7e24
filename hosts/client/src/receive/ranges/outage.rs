//! Counting the failures of several connections: an outage fails many at a time, and is one failure.

use std::time::Duration;

use hubstow_core::hub::Backoff;
use tokio::time::Instant;

use crate::http::retry::Retries;

/// Whether a failure tells something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// What failed was asked for after the last failure.
    New,
    /// It was on its way then.
    Known,
}

/// The outages of one file.
pub(crate) struct Outages {
    retries: Retries,
    /// How long those wait that fail in the last outage that was counted.
    wait: Option<Duration>,
    last: Instant,
}

impl Outages {
    pub(crate) fn new(backoff: Backoff, now: Instant) -> Self {
        Self { retries: Retries::new(backoff), wait: None, last: now }
    }

    /// Says whether what was asked for then and has failed tells something new.
    pub(crate) fn of(&self, asked: Option<Instant>) -> Outage {
        match asked {
            Some(asked) if asked >= self.last => Outage::New,
            Some(_) | None => Outage::Known,
        }
    }

    /// Notes a new failure without counting it: the hub only takes fewer connections than it was asked for.
    pub(crate) fn note(&mut self, now: Instant) {
        self.last = now;
    }

    /// Counts an outage if it is new, and returns how long to wait; `None` when there were too many.
    pub(crate) fn wait(
        &mut self,
        outage: Outage,
        received_bytes: u64,
        now: Instant,
    ) -> Option<Duration> {
        if outage == Outage::New || self.wait.is_none() {
            self.retries.progressed(received_bytes);
            self.wait = self.retries.next_wait();
            self.last = now;
        }
        self.wait
    }

    /// Returns how many have been counted since something came.
    pub(crate) fn count(&self) -> u32 {
        self.retries.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { first_ms: 10, limit_ms: 10, retries: 2 };

    #[test]
    fn connections_that_fail_together_count_once() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut outages = Outages::new(BACKOFF, begin);
        // When each that fails was asked for, when it fails, what has come by then, and how many are counted after it.
        for (asked, failed, received_bytes, count, is_enough) in [
            (0, 5, 0, 1, false),
            (0, 6, 0, 1, false),
            (4, 7, 0, 1, false),
            (8, 9, 0, 2, false),
            (8, 9, 0, 2, false),
            (10, 11, 1 << 20, 1, false),
            (12, 13, 1 << 20, 2, false),
            (14, 15, 1 << 20, 2, true),
        ] {
            let outage = outages.of(Some(at(asked)));
            let wait = outages.wait(outage, received_bytes, at(failed));
            assert_eq!(outages.count(), count, "asked at {asked}, failed at {failed}");
            assert_eq!(wait.is_none(), is_enough, "asked at {asked}, failed at {failed}");
        }
    }

    #[test]
    fn a_refusal_is_noted_and_not_counted() {
        let begin = Instant::now();
        let mut outages = Outages::new(BACKOFF, begin);
        outages.note(begin + Duration::from_millis(5));
        assert_eq!(outages.of(Some(begin)), Outage::Known);
        assert_eq!(outages.of(None), Outage::Known);
        assert_eq!(outages.of(Some(begin + Duration::from_millis(5))), Outage::New);
        assert_eq!(outages.count(), 0);
    }
}
