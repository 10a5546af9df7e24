//! How many small files are in flight: more as long as that brings more of them in the same time.
//!
//! Judged over windows of several times the delay of an answer: a shorter one would take what was asked for before for what
//! came of it. It knows no clock and no network; whoever uses it says when something has come.

use std::time::Duration;

/// How many are in flight for each worker, and at first at most.
const A_WORKER: usize = 8;
const AT_FIRST: usize = 64;
/// How many delays a window lasts.
const WINDOW_DELAYS: u32 = 3;
/// How much of what was added must show in the rate, as a part of it.
const GAIN: f64 = 0.25;
/// After how many windows it is tried again where more brought nothing: the line may have changed.
const PAUSE_WINDOWS: usize = 8;
/// How much one answer weighs in the delay.
const DELAY_WEIGHT: u32 = 8;

/// How many small files are in flight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flight {
    in_flight: usize,
    most: usize,
    delay: Duration,
    window: Option<Window>,
    trial: Trial,
}

/// What is being found out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trial {
    /// How much comes at this level.
    Measure,
    /// Whether more comes than at that one.
    More { in_flight: usize, rate: f64 },
    /// Nothing, for so many windows.
    Pause(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    start: Duration,
    received: u32,
    fill: Fill,
}

/// Whether a window shows what its level can bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// Fewer were in flight than may be.
    Short,
    Full,
    /// Something has failed meanwhile.
    Failing,
}

impl Flight {
    /// Says how many that are for so many workers, where so many files may be on their way at all.
    pub(crate) fn of(workers: usize, files: usize) -> Self {
        let room = (files / 2).max(1);
        let asked = if workers <= 1 { 1 } else { workers.saturating_mul(A_WORKER) };
        let in_flight = asked.min(AT_FIRST).min(room);
        // Whoever sets few workers wants few requests.
        let most = if asked < AT_FIRST { in_flight } else { room };
        Self { in_flight, most, delay: Duration::ZERO, window: None, trial: Trial::Measure }
    }

    /// Returns how many may be in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// So many are in flight now.
    pub(crate) fn asked(&mut self, in_flight: usize) {
        if let Some(window) = &mut self.window
            && window.fill == Fill::Short
            && in_flight >= self.in_flight
        {
            window.fill = Fill::Full;
        }
    }

    /// An answer has failed.
    pub(crate) fn failed(&mut self) {
        if let Some(window) = &mut self.window {
            window.fill = Fill::Failing;
        }
    }

    /// At this time a file has come, after such a delay.
    pub(crate) fn received(&mut self, at: Duration, delay: Duration) {
        self.delay = if self.delay.is_zero() {
            delay
        } else {
            (self.delay * (DELAY_WEIGHT - 1) + delay) / DELAY_WEIGHT
        };
        let Some(mut window) = self.window else {
            self.window = Some(Window { start: at, received: 0, fill: Fill::Short });
            return;
        };
        // What was on its way when the level changed still comes.
        if at < window.start {
            return;
        }
        window.received += 1;
        self.window = Some(window);
        let lasted = at.saturating_sub(window.start);
        let each_has_come =
            usize::try_from(window.received).unwrap_or(usize::MAX) >= self.in_flight;
        if lasted >= self.delay * WINDOW_DELAYS && each_has_come {
            self.judge(window.fill, f64::from(window.received) / lasted.as_secs_f64());
            self.window = Some(Window { start: at + self.delay, received: 0, fill: Fill::Short });
        }
    }

    fn judge(&mut self, fill: Fill, rate: f64) {
        let in_flight = self.in_flight;
        match (self.trial, fill) {
            (Trial::More { in_flight, .. }, Fill::Failing) => self.go_back(in_flight),
            // The disk or the list of files was what there was too little of.
            (_, Fill::Short) | (Trial::Measure, Fill::Failing) => {}
            (Trial::Pause(left), Fill::Full | Fill::Failing) => {
                self.trial = if left > 1 { Trial::Pause(left - 1) } else { Trial::Measure };
            }
            (Trial::Measure, Fill::Full) => self.try_more(rate),
            (Trial::More { in_flight: before, rate: slower }, Fill::Full) => {
                let added = share(in_flight, before) - 1.0;
                if rate >= slower * (1.0 + added * GAIN) {
                    self.try_more(rate);
                } else {
                    self.go_back(before);
                }
            }
        }
    }

    fn try_more(&mut self, rate: f64) {
        let in_flight = self.in_flight;
        let more = in_flight.saturating_mul(2).min(self.most);
        self.trial = if more > in_flight {
            Trial::More { in_flight, rate }
        } else {
            Trial::Pause(PAUSE_WINDOWS)
        };
        self.in_flight = more;
    }

    fn go_back(&mut self, in_flight: usize) {
        self.in_flight = in_flight;
        self.trial = Trial::Pause(PAUSE_WINDOWS);
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are thousands of them at most")]
fn share(of: usize, whole: usize) -> f64 {
    of as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BinaryHeap};

    use super::*;

    /// A line with a delay, which brings so many files in a second at most.
    #[derive(Clone, Copy, Debug)]
    struct Line {
        delay_ms: u64,
        files_a_second: u64,
    }

    /// Lets files come over a line; returns how long that took, and how many were in flight in the end and at most.
    fn simulate(
        mut flight: Flight,
        line: Line,
        files: usize,
        seed: u64,
    ) -> (Duration, usize, usize) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut on_their_way, mut left, mut most) = (BinaryHeap::new(), files, 0);
        let (mut now, mut free_at) = (Duration::ZERO, Duration::ZERO);
        let each = Duration::from_secs(1) / u32::try_from(line.files_a_second).unwrap();
        loop {
            while left > 0 && on_their_way.len() < flight.in_flight() {
                left -= 1;
                let jitter = Duration::from_micros(random.u64(..=line.delay_ms * 100));
                free_at = free_at.max(now + Duration::from_millis(line.delay_ms) + jitter) + each;
                on_their_way.push(Reverse((free_at, now)));
                flight.asked(on_their_way.len());
                most = most.max(on_their_way.len());
            }
            let Some(Reverse((at, since))) = on_their_way.pop() else { break };
            now = at;
            flight.received(at, at - since);
        }
        (now, flight.in_flight(), most)
    }

    #[test]
    fn what_may_be_in_flight_follows_from_workers_and_from_files_that_may_be_open() {
        for (workers, files, first, most) in [
            (8, 352, 64, 176),
            (32, 352, 64, 176),
            (2, 352, 16, 16),
            (1, 352, 1, 1),
            (8, 69, 34, 34),
            (8, 1, 1, 1),
        ] {
            let flight = Flight::of(workers, files);
            assert_eq!((flight.in_flight, flight.most), (first, most), "{workers}, {files}");
        }
    }

    #[test]
    fn over_a_distance_more_are_in_flight_and_on_a_full_line_no_more() {
        for (delay_ms, files_a_second, grows) in [
            (80, 1_000_000, true),
            (20, 1_000_000, true),
            (200, 1_000_000, true),
            // 64 in 80 ms are 800 in a second.
            (80, 700, false),
            (1, 2_000, false),
            (5, 3_000, false),
        ] {
            for seed in 0..20 {
                let line = Line { delay_ms, files_a_second };
                let (took, last, most) = simulate(Flight::of(8, 352), line, 4000, seed);
                let what =
                    format!("{line:?}, seed {seed}: {took:?}, {last} at last, {most} at most");
                assert!(most <= 176, "{what}");
                if grows {
                    assert!(last > 128, "{what}");
                    let fixed = Duration::from_millis(delay_ms * 4000 / 64);
                    assert!(took < fixed.mul_f64(0.65), "{what}, {fixed:?} with 64");
                } else {
                    let at_best =
                        Duration::from_secs(4000) / u32::try_from(files_a_second).unwrap();
                    assert!(took < at_best.mul_f64(1.1) + Duration::from_secs(1), "{what}");
                    assert!(most <= 128, "{what}");
                }
            }
        }
    }

    #[test]
    fn where_something_fails_no_more_is_tried() {
        let mut flight = Flight::of(8, 352);
        for at in 0..10_000_u64 {
            flight.asked(64);
            if at % 50 == 0 {
                flight.failed();
            }
            flight.received(Duration::from_millis(at), Duration::from_millis(64));
        }
        assert_eq!(flight.in_flight(), 64);
    }

    #[test]
    fn what_is_not_used_is_not_grown() {
        let mut flight = Flight::of(8, 352);
        for at in 0..10_000_u64 {
            flight.asked(10);
            flight.received(Duration::from_millis(at), Duration::from_millis(10));
        }
        assert_eq!(flight.in_flight(), 64);
    }
}
