//! Which bytes of a file are there, as a set of ranges. It is pure and knows nothing of files.

use std::{collections::BTreeMap, ops::Range};

/// Disjoint byte ranges, merged where they touch. An empty range is in every set and in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    /// The end of each range by its start.
    ends: BTreeMap<u64, u64>,
}

impl Intervals {
    /// Makes the set of the first bytes of a file.
    #[must_use]
    pub fn prefix(len_bytes: u64) -> Self {
        Self::from(0..len_bytes)
    }

    /// Adds a range, whatever of it is there already.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        // What begins last is met first, so the first that ends before `start` ends the search.
        while let Some((&at, &until)) = self.ends.range(..=end).next_back() {
            if until < start {
                break;
            }
            self.ends.remove(&at);
            (start, end) = (start.min(at), end.max(until));
        }
        self.ends.insert(start, end);
    }

    /// Returns how many bytes are in the set.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns where the first byte is that is not in the set.
    #[must_use]
    pub fn prefix_bytes(&self) -> u64 {
        self.end_from(0)
    }

    /// Returns where, from `at` on, the first byte is that is not in the set.
    #[must_use]
    pub fn end_from(&self, at: u64) -> u64 {
        let before = self.ends.range(..=at).next_back();
        before.map_or(at, |(_, &end)| end.max(at))
    }

    /// Returns the end of the last range; 0 where there is none.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ends.last_key_value().map_or(0, |(_, &end)| end)
    }

    /// Tells whether nothing is missing before the end.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.prefix_bytes() == self.end()
    }

    /// Returns what is missing of the first `size` bytes, in order.
    pub fn missing(&self, size: u64) -> impl Iterator<Item = Range<u64>> {
        let starts = std::iter::once(0).chain(self.ends.values().copied());
        let ends = self.ends.keys().copied().chain(std::iter::once(size));
        starts
            .zip(ends)
            .map(move |(start, end)| start..end.min(size))
            .filter(|range| !range.is_empty())
    }

    /// Returns the ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ends.iter().map(|(&start, &end)| start..end)
    }

    /// Tells whether all of a range is in the set.
    #[must_use]
    pub fn contains(&self, range: &Range<u64>) -> bool {
        range.is_empty() || range.end <= self.end_from(range.start)
    }

    /// Tells whether it has any byte of a range.
    #[must_use]
    pub fn meets(&self, range: &Range<u64>) -> bool {
        let before = self.ends.range(..range.end).next_back();
        !range.is_empty() && before.is_some_and(|(_, end)| *end > range.start)
    }

    /// Tells whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns what is in the first `len_bytes` bytes.
    #[must_use]
    pub fn cut_to(&self, len_bytes: u64) -> Self {
        self.iter().map(|range| range.start..range.end.min(len_bytes)).collect()
    }
}

impl From<Range<u64>> for Intervals {
    fn from(range: Range<u64>) -> Self {
        let mut intervals = Self::default();
        intervals.insert(range);
        intervals
    }
}

impl Extend<Range<u64>> for Intervals {
    fn extend<T: IntoIterator<Item = Range<u64>>>(&mut self, ranges: T) {
        ranges.into_iter().for_each(|range| self.insert(range));
    }
}

impl FromIterator<Range<u64>> for Intervals {
    fn from_iter<T: IntoIterator<Item = Range<u64>>>(ranges: T) -> Self {
        let mut intervals = Self::default();
        intervals.extend(ranges);
        intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a small file one by one: what the set must say of them.
    struct Bytes([bool; Self::COUNT]);

    impl Bytes {
        const COUNT: usize = 48;

        fn is_in(&self, at: u64) -> bool {
            usize::try_from(at).ok().and_then(|at| self.0.get(at).copied()).unwrap_or(false)
        }

        fn insert(&mut self, range: &Range<u64>) {
            let inside = |at: usize| range.contains(&(at as u64));
            self.0.iter_mut().enumerate().for_each(|(at, is_in)| *is_in |= inside(at));
        }

        fn count(&self, range: Range<u64>) -> u64 {
            range.filter(|at| self.is_in(*at)).count() as u64
        }
    }

    fn any_range(random: &mut fastrand::Rng, size: u64) -> Range<u64> {
        let start = random.u64(..=size);
        start..random.u64(start..=size.min(start + 9))
    }

    #[track_caller]
    fn check(intervals: &Intervals, bytes: &Bytes, range: &Range<u64>, seed: u64) {
        let size = Bytes::COUNT as u64;
        let ranges: Vec<_> = intervals.iter().collect();
        let apart =
            ranges.iter().zip(ranges.iter().skip(1)).all(|(one, next)| one.end < next.start);
        assert!(apart && ranges.iter().all(|range| !range.is_empty()), "{seed}: {ranges:?}");
        assert!((0..size).all(|at| bytes.is_in(at) == intervals.contains(&(at..at + 1))), "{seed}");
        assert_eq!(intervals.total_bytes(), bytes.count(0..size), "{seed}");
        assert_eq!(
            intervals.end(),
            (0..size).rev().find(|at| bytes.is_in(*at)).map_or(0, |at| at + 1)
        );
        let prefix = (0..size).take_while(|at| bytes.is_in(*at)).count() as u64;
        assert_eq!(intervals.prefix_bytes(), prefix, "{seed}");
        assert_eq!(intervals.is_prefix(), prefix == intervals.total_bytes(), "{seed}");
        let whole = bytes.count(range.clone()) == range.end - range.start;
        assert_eq!(intervals.contains(range), whole, "{seed}: {range:?} in {ranges:?}");
        let some = bytes.count(range.clone()) > 0;
        assert_eq!(intervals.meets(range), some, "{seed}: {range:?} in {ranges:?}");
        let cut = intervals.cut_to(range.end);
        assert_eq!(cut.total_bytes(), bytes.count(0..range.end), "{seed}");
        let missing: Intervals = intervals.missing(range.end).collect();
        assert!(missing.iter().all(|range| bytes.count(range) == 0), "{seed}: {missing:?}");
        assert_eq!(missing.total_bytes(), range.end - bytes.count(0..range.end), "{seed}");
    }

    #[test]
    fn a_set_holds_what_was_put_into_it_and_nothing_else() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut intervals, mut bytes) = (Intervals::default(), Bytes([false; Bytes::COUNT]));
            for _ in 0..random.usize(1..20) {
                let range = any_range(&mut random, Bytes::COUNT as u64);
                intervals.insert(range.clone());
                bytes.insert(&range);
                let asked = any_range(&mut random, Bytes::COUNT as u64);
                check(&intervals, &bytes, &asked, seed);
            }
        }
    }

    #[test]
    fn pieces_that_come_in_any_order_make_the_whole_once() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let size = random.u64(1..1 << 40);
            let mut cuts: Vec<_> = (0..random.usize(0..64)).map(|_| random.u64(0..size)).collect();
            cuts.extend([0, size]);
            cuts.sort_unstable();
            let mut pieces: Vec<_> = cuts.windows(2).map(|two| two[0]..two[1]).collect();
            random.shuffle(&mut pieces);
            let mut intervals = Intervals::default();
            let mut sum = 0;
            for piece in pieces {
                assert!(piece.is_empty() || !intervals.contains(&piece), "{seed}: twice");
                sum += piece.end - piece.start;
                intervals.insert(piece);
                assert_eq!(intervals.total_bytes(), sum, "{seed}");
                let missing: u64 =
                    intervals.missing(size).map(|range| range.end - range.start).sum();
                assert_eq!(missing, size - sum, "{seed}");
            }
            assert_eq!(intervals, Intervals::prefix(size), "{seed}");
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_special_case() {
        let mut intervals = Intervals::from(u64::MAX - 1..u64::MAX);
        assert_eq!((intervals.end(), intervals.prefix_bytes()), (u64::MAX, 0));
        assert!(intervals.missing(u64::MAX).eq(std::iter::once(0..u64::MAX - 1)));
        intervals.insert(0..u64::MAX);
        assert_eq!(intervals, Intervals::prefix(u64::MAX));
        assert_eq!(intervals.missing(u64::MAX).next(), None);
        assert!(Intervals::default().is_prefix() && Intervals::default().is_empty());
    }
}
