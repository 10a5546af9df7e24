//! The matrix of lines: what each cell is, and what arithmetic says of it.
//!
//! A cell is a line (the time to the first byte of each answer, a rate per connection, a rate of all) and some work. Its
//! name says both: `line-80ms-50-200-512m` is 512 MiB, 80 ms to the first byte, 50 MB/s per connection, 200 MB/s in all.

use crate::{
    args::Sizes,
    case::{Case, State},
    client::{Client, HUBSTOW, HUBSTOW_FAST, Job, online},
    content::{
        BESIDE_SHARDS, BIG_FILE, FOUR, FOUR_FILES, LARGE_LINE, MEDIUM_LINE, SHARD_FILES, SHARDS,
        SHARDS_PER_MEDIUM,
    },
    control::{Behaviour, Breaks},
};

/// Milliseconds to the first byte of each answer.
const DELAYS_MS: [u64; 4] = [0, 20, 80, 200];
/// Megabytes per second and connection; 0 is free.
const PER_CONNECTION: [u64; 3] = [10, 50, 0];
/// Megabytes per second of all connections together; 0 is free.
const OF_ALL: [u64; 3] = [100, 200, 0];
/// The connections that arithmetic counts with.
const CONNECTIONS: u64 = 16;
/// The line of those that break: 20 ms, 50 MB/s per connection, free in all.
const BREAKING: Behaviour = behaviour(20, 50, 0, Breaks::Never);
/// Where connections die, one of so many that share the medium file dies when it is done: every 32 MiB of 512.
const DYING_CONNECTIONS: u64 = 16;
/// One plain stream is measured where it may take less than so many times as long as the limit. Elsewhere arithmetic
/// is enough.
const STREAM_IS_NEAR: f64 = 1.5;
/// A line that brings so many bytes a second is faster than many disks.
const FASTER_THAN_DISKS: u64 = 500_000_000;
/// A cell of each work, for a run that is to show that all of it works.
const SAMPLE: [&str; 4] = [
    "line-80ms-50-200-512m",
    "line-20ms-free-free-2g",
    "line-0ms-50-free-four",
    "line-200ms-50-100-shards",
];

/// What is downloaded in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// One file, the medium one.
    Medium,
    /// One file, the large one.
    Large,
    /// Four files as large as the medium one.
    Four,
    /// Seven files of a quarter of the medium one, and 40 small ones.
    Shards,
}

/// The seconds that this machine needs for some work over a free line: to receive, write and hash it, and where all of it is
/// to be on the disk at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) fast_s: f64,
    pub(crate) safe_s: f64,
}

/// A line with some work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) work: Work,
    behaviour: Behaviour,
    bytes: u64,
}

const fn behaviour(latency_ms: u64, rate: u64, rate_of_all: u64, breaks: Breaks) -> Behaviour {
    let (rate, rate_of_all) = (rate * 1_000_000, rate_of_all * 1_000_000);
    let small_files = crate::control::SmallFiles::Direct;
    Behaviour { latency_ms, rate, rate_of_all, breaks, small_files }
}

impl Work {
    const ALL: [Self; 4] = [Self::Medium, Self::Large, Self::Four, Self::Shards];

    /// Returns its name in that of a cell, with the sizes of a whole run.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Medium => "512m",
            Self::Large => "2g",
            Self::Four => "four",
            Self::Shards => "shards",
        }
    }

    /// Returns what a client is told.
    pub(crate) fn job(self) -> Job {
        match self {
            Self::Medium => online(MEDIUM_LINE, Some(BIG_FILE)),
            Self::Large => online(LARGE_LINE, Some(BIG_FILE)),
            Self::Four => online(FOUR, None),
            Self::Shards => online(SHARDS, None),
        }
    }

    /// Returns the bytes of the large files. The small ones are little more than a mebibyte.
    fn bytes(self, sizes: Sizes) -> u64 {
        match self {
            Self::Medium => sizes.medium_bytes,
            Self::Large => sizes.large_bytes,
            Self::Four => sizes.medium_bytes * FOUR_FILES,
            Self::Shards => sizes.medium_bytes / SHARDS_PER_MEDIUM * SHARD_FILES,
        }
    }

    fn files(self) -> u64 {
        match self {
            Self::Medium | Self::Large => 1,
            Self::Four => FOUR_FILES,
            Self::Shards => SHARD_FILES + BESIDE_SHARDS,
        }
    }
}

impl Cell {
    /// Returns the seconds that the work takes at least: the delay once, and then the slower of the line with all its
    /// connections and this machine, which needs `machine_s` to receive, write and hash it all over a free line.
    pub(crate) fn limit_s(&self, machine_s: f64) -> f64 {
        let connections = match self.behaviour.breaks {
            Breaks::FourAnswersAtOnce => 4,
            Breaks::Never | Breaks::DiesAfter { .. } | Breaks::OneInEightStalls => CONNECTIONS,
        };
        self.delay_s() + self.transfer_s(connections).max(machine_s)
    }

    /// Returns the seconds that one plain stream takes at least, one file after the other.
    pub(crate) fn stream_s(&self, machine_s: f64) -> f64 {
        let files = f64::from(u32::try_from(self.work.files()).unwrap_or(u32::MAX));
        self.delay_s() * files + self.transfer_s(1).max(machine_s)
    }

    #[expect(clippy::cast_precision_loss, reason = "no delay here needs 53 bits")]
    fn delay_s(&self) -> f64 {
        self.behaviour.latency_ms as f64 / 1e3
    }

    /// Returns the seconds that the bytes take at the rates of the line; none where nothing limits them.
    #[expect(clippy::cast_precision_loss, reason = "no size or rate here needs 53 bits")]
    fn transfer_s(&self, connections: u64) -> f64 {
        let rates = [self.behaviour.rate * connections, self.behaviour.rate_of_all];
        let rate = rates.into_iter().filter(|rate| *rate > 0).min();
        rate.map_or(0.0, |rate| self.bytes as f64 / rate as f64)
    }

    /// Tells whether the disk may be what takes longest, where content is to be on it.
    fn is_faster_than_disks(&self) -> bool {
        let of_connections = self.behaviour.rate * CONNECTIONS;
        [of_connections, self.behaviour.rate_of_all]
            .iter()
            .all(|rate| *rate == 0 || *rate > FASTER_THAN_DISKS)
    }

    /// Returns the clients that are measured in it.
    fn clients(&self) -> Vec<Client> {
        let one_file = self.work.job().file.is_some();
        let whole = self.behaviour.breaks == Breaks::Never;
        let stream_is_near = self.stream_s(0.0) <= STREAM_IS_NEAR * self.limit_s(0.0);
        let with_curl = whole && if one_file { stream_is_near } else { self.work == Work::Shards };
        let fast = self.is_faster_than_disks().then_some(HUBSTOW_FAST);
        let curl = with_curl.then_some(Client::Curl);
        [HUBSTOW].into_iter().chain(fast).chain([Client::Aria2]).chain(curl).collect()
    }

    /// Returns how long a client may take before it counts as failed: ten times as long as it has to, and time to give
    /// up a connection that is silent.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some minutes")]
    pub(crate) fn patience_s(&self) -> u32 {
        (120.0 + 10.0 * self.limit_s(0.0)) as u32
    }

    /// Tells whether a client with 16 connections has a bound on its requests here.
    pub(crate) fn bounds_requests(&self) -> bool {
        self.work == Work::Medium && self.behaviour.breaks == Breaks::Never
    }

    fn case(self, name: String) -> Case {
        let about = format!("{:.1} s at least, on a machine without limits", self.limit_s(0.0));
        Case {
            name,
            about,
            behaviour: self.behaviour,
            before: None,
            job: self.work.job(),
            state: State::Fresh,
            clients: self.clients(),
            targets: Vec::new(),
            cell: Some(self),
        }
    }
}

/// Returns every cell.
pub(crate) fn all(sizes: Sizes) -> Vec<Case> {
    let rate = |rate: u64| if rate == 0 { "free".to_owned() } else { rate.to_string() };
    let mut cases = Vec::new();
    for work in Work::ALL {
        for delay in DELAYS_MS {
            for per in PER_CONNECTION {
                for of_all in OF_ALL {
                    let behaviour = behaviour(delay, per, of_all, Breaks::Never);
                    let cell = Cell { work, behaviour, bytes: work.bytes(sizes) };
                    let (per, of_all) = (rate(per), rate(of_all));
                    cases.push(cell.case(format!("line-{delay}ms-{per}-{of_all}-{}", work.name())));
                }
            }
        }
    }
    let dies = Breaks::DiesAfter { bytes: sizes.medium_bytes / DYING_CONNECTIONS };
    for (name, breaks) in [
        ("dies", dies),
        ("stalls", Breaks::OneInEightStalls),
        ("allows4", Breaks::FourAnswersAtOnce),
    ] {
        let work = Work::Medium;
        let behaviour = Behaviour { breaks, ..BREAKING };
        let cell = Cell { work, behaviour, bytes: work.bytes(sizes) };
        cases.push(cell.case(format!("line-{name}-{}", work.name())));
    }
    cases
}

/// Returns a cell of each kind.
pub(crate) fn sample(sizes: Sizes) -> Vec<Case> {
    let mut cases = all(sizes);
    cases.retain(|case| {
        SAMPLE.contains(&case.name.as_str()) || case.behaviour.breaks != Breaks::Never
    });
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { large_bytes: 2 << 30, medium_bytes: 512 << 20, files: 2000 };

    #[track_caller]
    fn check(name: &str, machine_s: f64, limit_and_stream_s: (f64, f64)) {
        let case = all(SIZES).into_iter().find(|case| case.name == name).unwrap();
        let cell = case.cell.unwrap();
        let hundredths = |s: f64| (s * 100.0).round() / 100.0;
        let found = (cell.limit_s(machine_s), cell.stream_s(machine_s));
        assert_eq!((hundredths(found.0), hundredths(found.1)), limit_and_stream_s, "{name}");
    }

    #[test]
    fn the_limit_is_the_slowest_of_connections_line_and_machine() {
        check("line-80ms-50-free-512m", 0.5, (0.75, 10.82));
        check("line-80ms-50-100-512m", 0.5, (5.45, 10.82));
        check("line-200ms-free-free-2g", 3.0, (3.2, 3.2));
        check("line-0ms-10-200-four", 3.0, (13.42, 214.75));
        // 47 files one after the other, each with its delay.
        check("line-200ms-free-100-shards", 1.0, (9.6, 18.8));
        check("line-allows4-512m", 0.5, (2.7, 10.76));
        check("line-stalls-512m", 0.8, (0.82, 10.76));
    }

    #[test]
    fn every_cell_has_a_name_of_its_own_and_the_sample_has_one_of_each_work() {
        let cases = all(SIZES);
        let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), 4 * 3 * 3 * 4 + 3);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 4 * 3 * 3 * 4 + 3);
        assert_eq!(sample(SIZES).len(), SAMPLE.len() + 3);
    }

    #[test]
    fn one_plain_stream_is_measured_where_it_is_near_the_limit() {
        let with_curl = |name: &str| {
            let case = all(SIZES).into_iter().find(|case| case.name == name).unwrap();
            case.clients.contains(&Client::Curl)
        };
        assert!(with_curl("line-80ms-free-100-512m"));
        assert!(with_curl("line-200ms-free-free-2g"));
        assert!(!with_curl("line-80ms-50-100-512m"));
        // Of many files `curl --parallel` brings all at once.
        assert!(with_curl("line-0ms-10-100-shards"));
        assert!(!with_curl("line-0ms-free-100-four"));
        assert!(!with_curl("line-dies-512m"));
    }
}
