//! How many connections one file is received on: more, as long as more bring more.
//!
//! Pure: it is told what has been received until when, and answers how many connections there should be. Rates are those of
//! all connections together, over windows as long as the line needs to show what a step has brought. Near the hub it begins
//! with [`FIRST`] and judges each step; far from it a judgement takes longer than most files, so it goes to all at once, and
//! a large file begins with all.

use std::time::Duration;

use super::super::clock::Now;

/// One connection that receives so many bytes a second is as fast as they can be hashed and written: more would only
/// cost.
const FREE_RATE: f64 = 250e6;
/// How many connections there are after the first look.
const FIRST: usize = 4;
/// From this delay on a step that is judged costs more than connections that turn out to bring nothing.
pub(crate) const FAR: Duration = Duration::from_millis(10);
/// Where the line is read in less than this part of so much time, the disk is what holds a file up, and fewer connections
/// bring as much with less work. A second one bridges the time between two ranges.
const HELD_UP: f64 = 0.3;
/// Where it is read in less than this part of the time, nothing is won by more.
const HELD_BACK: f64 = 0.7;
const HELD_UP_LOOK: Duration = Duration::from_millis(50);
const FEWEST: usize = 2;
/// What a step must bring: the rate after it, by the rate before it.
const GAIN: f64 = 1.1;
/// A step that has brought this share of what it could, is followed by one twice as wide.
const FULL_GAIN: f64 = 0.8;
/// How long a rate is measured, by the delay and at the least.
const LOOK_DELAYS: u32 = 2;
const LOOK: Duration = Duration::from_millis(20);
const LOOK_LIMIT: Duration = Duration::from_secs(1);
/// How long new connections may take to bring their first byte before the step counts as failed.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long nothing is tried after a step that gained nothing, unless the line changes; each further one doubles it.
const REST: Duration = Duration::from_secs(1);
const REST_LIMIT: Duration = Duration::from_secs(8);
/// How long after a refusal one more is tried than were taken; each that is refused too doubles it.
const RAISE: Duration = Duration::from_secs(2);
const RAISE_LIMIT: Duration = Duration::from_secs(60);
/// The line has changed where its rate is this much lower or higher than when it was judged.
const CHANGED: f64 = 1.5;
/// A free line is looked at again so often: it may become slow. So is one that is judged.
const AGAIN: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// A rate is measured from here; of the connections before this step the rate was known.
    Measuring { since: Mark, before: Option<Before> },
    /// New connections have been asked for and have not all brought a byte.
    Waiting { since: Duration, before: Before },
    /// A step has brought nothing: nothing is tried until then, or until the line has another rate.
    Resting { until: Duration, since: Mark, rate: f64 },
    /// Nothing changes until then.
    Still { until: Duration },
}

/// When so many bytes had been received.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    at: Now,
    bytes: u64,
}

impl Mark {
    /// Returns what the line brought while it was read.
    fn rate_to(self, here: Self) -> f64 {
        let seconds = here.at.since(self.at).line.as_secs_f64();
        here.bytes.saturating_sub(self.bytes) as f64 / seconds.max(1e-6)
    }

    /// Returns in what part of the time the line was read, and did not wait for the disk.
    fn read_part(self, here: Self) -> f64 {
        let span = here.at.since(self.at);
        span.line.as_secs_f64() / span.wall.as_secs_f64().max(1e-6)
    }
}

/// How things were before a step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Before {
    connections: usize,
    rate: f64,
}

/// The climb of one file.
#[derive(Clone, Debug)]
pub(crate) struct Climb {
    most: usize,
    /// The most there could be, had nobody refused any.
    limit: usize,
    connections: usize,
    phase: Phase,
    rest: Duration,
    raise: Raise,
}

/// When one connection more than were taken is tried.
#[derive(Clone, Copy, Debug)]
struct Raise {
    at: Duration,
    wait: Duration,
    /// Whether one has been tried since the last refusal.
    is_tried: bool,
}

impl Climb {
    /// Begins with one connection that has just brought its first bytes, and never has more than `most`.
    pub(crate) fn new(most: usize, now: Now, bytes: u64) -> Self {
        Self::from(1, most, Mark { at: now, bytes })
    }

    /// Begins with so many, of which none has brought anything.
    pub(crate) fn begin(connections: usize, most: usize, now: Now) -> Self {
        Self::from(connections.min(most), most, Mark { at: now, bytes: 0 })
    }

    fn from(connections: usize, most: usize, since: Mark) -> Self {
        let phase = Phase::Measuring { since, before: None };
        let most = most.max(1);
        let raise = Raise { at: Duration::ZERO, wait: RAISE, is_tried: false };
        Self { most, limit: most, connections: connections.max(1), phase, rest: REST, raise }
    }

    /// Returns how many connections there should be, after so many bytes, of which so many connections bring more; a new
    /// one brings its first byte after `delay`.
    pub(crate) fn look(&mut self, now: Now, bytes: u64, bringing: usize, delay: Duration) -> usize {
        // Some of those that were on their way when one was refused may have been taken.
        self.most = self.most.max(bringing.min(self.limit));
        if self.most < self.limit && now.wall >= self.raise.at {
            self.most += 1;
            self.raise = Raise { at: now.wall + self.raise.wait, is_tried: true, ..self.raise };
        }
        let here = Mark { at: now, bytes };
        let anew = Phase::Measuring { since: here, before: None };
        match self.phase {
            Phase::Still { until } if now.wall < until => {}
            Phase::Still { .. } => self.phase = anew,
            Phase::Resting { until, .. } if now.wall >= until => self.phase = anew,
            Phase::Resting { until, since, rate } => {
                if now.since(since.at).wall >= AGAIN.max(window(delay)) {
                    let found = since.rate_to(here);
                    let has_changed = found > rate * CHANGED || found < rate / CHANGED;
                    let same = Phase::Resting { until, since: here, rate };
                    self.phase = if has_changed { anew } else { same };
                }
            }
            // Connections change their range now and then, so hardly ever do all of them bring something.
            Phase::Waiting { before, .. } if bringing * 4 >= self.connections * 3 => {
                self.phase = Phase::Measuring { since: here, before: Some(before) };
            }
            Phase::Waiting { since, before } if now.wall >= since + PATIENCE.max(delay * 8) => {
                self.back(here, before);
            }
            Phase::Waiting { .. } => {}
            Phase::Measuring { since, before } => self.measured(since, here, before, delay),
        }
        self.connections
    }

    fn measured(&mut self, since: Mark, here: Mark, before: Option<Before>, delay: Duration) {
        let is_first = self.connections == 1 && before.is_none();
        let span = here.at.since(since.at).wall;
        if self.connections > FEWEST && span >= HELD_UP_LOOK && since.read_part(here) < HELD_UP {
            return self.shed(here, since.read_part(here));
        }
        if span < if is_first { LOOK } else { window(delay) } {
            return;
        }
        if before.is_none() && self.connections > 1 && since.read_part(here) < HELD_BACK {
            self.phase = Phase::Still { until: here.at.wall + AGAIN };
            return;
        }
        let rate = since.rate_to(here);
        let mut factor = 2;
        if let Some(before) = before {
            if rate < before.rate * GAIN {
                return self.back(here, before);
            }
            let could = before.rate * self.connections as f64 / before.connections as f64;
            factor = if rate >= could * FULL_GAIN { 4 } else { 2 };
            self.rest = REST;
        }
        if self.connections == 1 && rate >= FREE_RATE {
            self.phase = Phase::Still { until: here.at.wall + AGAIN };
        } else if self.connections < self.most {
            let next = match (self.connections, delay) {
                (_, delay) if delay >= FAR && before.is_none() => self.most,
                (1, _) => FIRST,
                (connections, _) => connections * factor,
            };
            let before = Before { connections: self.connections, rate };
            self.connections = next.min(self.most);
            self.phase = Phase::Waiting { since: here.at.wall, before };
        } else {
            self.phase = Phase::Still { until: here.at.wall + self.rest };
        }
    }

    /// The disk takes less than these bring: as many go on as bring twice what it took, one after the other in the order of
    /// the file.
    fn shed(&mut self, here: Mark, read_part: f64) {
        let enough = (self.connections as f64 * read_part * 2.0).ceil() as usize;
        self.connections = enough.clamp(FEWEST, self.connections);
        self.phase = Phase::Still { until: here.at.wall + AGAIN };
    }

    fn back(&mut self, here: Mark, before: Before) {
        self.connections = before.connections.min(self.most).max(1);
        let until = here.at.wall + self.rest;
        self.phase = Phase::Resting { until, since: here, rate: before.rate };
        self.rest = (self.rest * 2).min(REST_LIMIT);
    }

    /// The hub or the line refused a connection while so many others were taken, or may still be: there are no more than
    /// these, and no new one for a while. Where none was taken it is an outage, which says nothing of how many are too many.
    pub(crate) fn refused(&mut self, now: Now, wait: Duration, taken: usize) {
        if taken > 0 {
            self.most = taken.min(self.most);
            let doubled = if self.raise.is_tried { 2 } else { 1 };
            let next = (self.raise.wait * doubled).min(RAISE_LIMIT);
            self.raise = Raise { at: now.wall + wait + next, wait: next, is_tried: false };
        }
        self.connections = self.connections.min(self.most);
        self.phase = Phase::Still { until: now.wall + wait.max(self.rest) };
    }

    /// Tells whether somebody has refused a connection: then there is never one more for a moment.
    pub(crate) fn is_limited(&self) -> bool {
        self.most < self.limit
    }

    /// There is one connection from now on.
    pub(crate) fn stay(&mut self) {
        (self.most, self.limit, self.connections) = (1, 1, 1);
        self.phase = Phase::Still { until: Duration::MAX };
    }
}

/// Returns how long a rate is measured where a new connection takes so long to its first byte.
fn window(delay: Duration) -> Duration {
    (delay * LOOK_DELAYS).clamp(LOOK, LOOK_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(elapsed: Duration) -> Now {
        Now::free(elapsed)
    }

    #[test]
    fn who_refuses_one_while_others_are_taken_limits_them_and_an_outage_does_not() {
        for (taken, expected) in [(0, 16), (1, 1), (3, 3), (40, 16)] {
            let mut climb = Climb::new(16, at(Duration::ZERO), 0);
            let far = Duration::from_millis(80);
            assert_eq!(climb.look(at(far), 1 << 20, 1, far), 16);
            climb.refused(at(far), Duration::ZERO, taken);
            let soon = far + RAISE / 2;
            assert_eq!(
                climb.look(at(soon), 2 << 20, expected, far),
                expected,
                "{taken} were taken"
            );
            assert_eq!(climb.is_limited(), expected < 16, "{taken} were taken");
        }
    }

    #[test]
    fn one_more_is_tried_after_a_while_and_more_seldom_where_that_is_refused() {
        let (ms, mib, far) = (Duration::from_millis, 1_u64 << 20, Duration::from_millis(20));
        let mut climb = Climb::begin(16, 16, at(Duration::ZERO));
        for taken in (4..16).rev() {
            climb.refused(at(far), Duration::ZERO, taken);
        }
        let mut tried = Vec::new();
        for tick in 1..2_000 {
            let now = far + ms(20) * tick;
            if climb.look(at(now), mib * u64::from(tick), 4, far) > 4 {
                tried.push(now.as_secs());
                climb.refused(at(now), Duration::ZERO, 4);
            }
        }
        assert_eq!(tried.len(), 4, "{tried:?}");
    }

    #[test]
    fn a_disk_that_takes_less_than_comes_is_fed_by_fewer() {
        let ms = Duration::from_millis;
        for (read_part, expected) in [(1.0, 16), (0.5, 16), (0.25, 8), (0.1, 4), (0.01, 2)] {
            let mut climb = Climb::begin(16, 16, at(Duration::ZERO));
            let now = Now { line: ms(60).mul_f64(read_part), wall: ms(60) };
            assert_eq!(climb.look(now, 64 << 20, 16, ms(80)), expected, "read in {read_part}");
        }
    }
}
