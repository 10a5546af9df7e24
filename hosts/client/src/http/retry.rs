//! How often something that failed is tried again, and after how long.

use std::time::Duration;

use hubstow_core::hub::Backoff;

/// What gets this much further between two failures counts its retries anew.
const PROGRESS_BYTES: u64 = 1 << 20;

/// The retries of one thing.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    backoff: Backoff,
    count: u32,
    /// The most bytes that were here when progress was noted; starting over is no progress.
    most_bytes: u64,
}

impl Retries {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self { backoff, count: 0, most_bytes: 0 }
    }

    /// Notes at a failure how many bytes are here: who has got on since the last one counts anew.
    pub(crate) fn progressed(&mut self, received_bytes: u64) {
        if received_bytes >= self.most_bytes.saturating_add(PROGRESS_BYTES) {
            self.count = 0;
        }
        self.most_bytes = self.most_bytes.max(received_bytes);
    }

    /// Counts one more retry and returns how long to wait before it; `None` when there were enough.
    pub(crate) fn next_wait(&mut self) -> Option<Duration> {
        let wait_ms = self.backoff.wait_ms(self.count)?;
        self.count += 1;
        Some(jittered(wait_ms))
    }

    /// Returns how many retries have been counted.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

/// Adds jitter: between half and the whole of the wait, so that many clients do not come back at once.
fn jittered(wait_ms: u64) -> Duration {
    Duration::from_millis(wait_ms / 2 + fastrand::u64(0..=wait_ms / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_until_there_were_enough() {
        let mut retries = Retries::new(Backoff { first_ms: 100, limit_ms: 300, retries: 4 });
        for (at, most_ms) in [100, 200, 300, 300].into_iter().enumerate() {
            let wait = retries.next_wait().unwrap().as_millis() as u64;
            assert!((most_ms / 2..=most_ms).contains(&wait), "retry {at}: {wait} ms");
            assert_eq!(retries.count(), at as u32 + 1);
        }
        assert_eq!(retries.next_wait(), None);
        assert_eq!(retries.count(), 4, "what is not tried is not counted");
    }

    #[test]
    fn only_a_whole_step_beyond_the_last_failure_counts_anew() {
        for (noted, count) in [
            (&[0, 0][..], 2),
            (&[PROGRESS_BYTES - 1, 2 * PROGRESS_BYTES - 2], 2),
            (&[0, PROGRESS_BYTES], 1),
            (&[PROGRESS_BYTES, 2 * PROGRESS_BYTES], 1),
            (&[5 * PROGRESS_BYTES, 0, 5 * PROGRESS_BYTES], 3),
        ] {
            let mut retries = Retries::new(Backoff::DEFAULT);
            for bytes in noted {
                retries.progressed(*bytes);
                retries.next_wait();
            }
            assert_eq!(retries.count(), count, "{noted:?}");
        }
    }
}
