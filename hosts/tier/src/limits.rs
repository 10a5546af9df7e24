//! How much at once, how long, how often.

use std::time::Duration;

/// The smallest part that every store takes.
const SMALLEST_PART_BYTES: usize = 5 << 20;
/// The most parts that an upload may have: S3's limit.
const PARTS: u64 = 10_000;

/// What bounds the work with a store. Every request has a time limit and a number of tries.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The most requests that are open at once. One whose body is being read is none: how many of these there are is up to
    /// whoever reads.
    pub requests: usize,
    /// The most files that are put at once.
    pub uploads: usize,
    /// The most parts of one file that are on their way at once. All uploads together hold at most `uploads × parts` parts
    /// in memory.
    pub parts: usize,
    /// The size of a part, at least 5 MiB; larger where a file would have more than 10,000 of them. Up to this size a
    /// file is put in one request.
    pub part_bytes: usize,
    /// How long one try of a small request may take, and the wait for the first byte of an answer.
    pub try_time: Duration,
    /// How long one part may take.
    pub part_time: Duration,
    /// How long a body may bring nothing before it is asked for again.
    pub idle_time: Duration,
    /// How often a request is tried.
    pub tries: u32,
    /// The wait before the second try; it doubles with each, and a random part of it is left out.
    pub first_wait: Duration,
    /// The longest wait between two tries.
    pub longest_wait: Duration,
    /// How long a store that has failed is left alone at first.
    pub first_pause: Duration,
    /// How long it is left alone at most.
    pub longest_pause: Duration,
    /// How long a claim holds without a renewal.
    pub claim_time: Duration,
    /// How often the use of one object is noted at most. What a sweep spares for its youth must be longer.
    pub note_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 64,
            uploads: 4,
            parts: 3,
            part_bytes: 8 << 20,
            try_time: Duration::from_secs(5),
            part_time: Duration::from_secs(60),
            idle_time: Duration::from_secs(15),
            tries: 3,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(2),
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(30),
            claim_time: Duration::from_secs(30),
            note_every: Duration::from_secs(6 * 60 * 60),
        }
    }
}

impl Limits {
    /// Returns how large the parts of a file are.
    pub(crate) fn part_bytes_of(&self, size_bytes: u64) -> usize {
        let least = size_bytes.div_ceil(PARTS).next_multiple_of(1 << 20);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        self.part_bytes.max(SMALLEST_PART_BYTES).max(least)
    }

    /// Returns the wait after so many failed tries: half of it is left to chance, so that nodes do not come back together.
    pub(crate) fn wait(&self, failed: u32, asked: Option<Duration>) -> Duration {
        let grown = self.first_wait.saturating_mul(1 << failed.saturating_sub(1).min(16));
        let wait = grown.min(self.longest_wait).mul_f64(0.5 + fastrand::f64() / 2.0);
        wait.max(asked.unwrap_or_default().min(self.longest_wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_has_more_parts_than_stores_take() {
        let limits = Limits::default();
        assert_eq!(limits.part_bytes_of(0), 8 << 20);
        assert_eq!(limits.part_bytes_of(10_000 * (8 << 20)), 8 << 20);
        for size in [10_000 * (8 << 20) + 1, 1 << 40, 5 << 40] {
            let part = limits.part_bytes_of(size) as u64;
            assert!(size.div_ceil(part) <= PARTS, "{size}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let limits = Limits::default();
        for failed in 1..40 {
            let wait = limits.wait(failed, None);
            assert!(wait >= limits.first_wait / 2 && wait <= limits.longest_wait, "{wait:?}");
        }
        assert_eq!(limits.wait(1, Some(Duration::from_secs(3600))), limits.longest_wait);
    }
}
