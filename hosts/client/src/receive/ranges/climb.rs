//! How many connections one file is received on: more, as long as more bring more.
//!
//! Pure: it is told what has been received until when, and answers how many connections there should be. It begins with
//! one, doubles while each step gains [`GAIN`], goes back one step when one does not, and tries again much later.

use std::time::Duration;

/// One connection that receives so many bytes a second is as fast as they can be hashed and written: more would only
/// cost.
const FREE_RATE: f64 = 250e6;
/// What a step must bring: the rate after it, by the rate before it. The first one must bring more, since it costs the
/// first stream its place on a shared connection.
const GAIN: f64 = 1.1;
const FIRST_GAIN: f64 = 1.3;
/// How long a rate is measured. The first one takes longer: it includes the start of the connection.
const FIRST_LOOK: Duration = Duration::from_millis(60);
const LOOK: Duration = Duration::from_millis(40);
/// How long new connections may take to bring their first byte before the step counts as failed.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the number of connections is kept after a step that gained nothing; each further one doubles it. The first
/// may have been chance.
const REST: Duration = Duration::from_millis(250);
const REST_LIMIT: Duration = Duration::from_secs(64);
/// A free line is looked at again so often: it may become slow.
const FREE_LOOK: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// A rate is measured from here; of the connections before this step the rate was known.
    Measuring { since: Mark, before: Option<Before> },
    /// New connections have been asked for and have not all brought a byte.
    Waiting { since: Duration, before: Before },
    /// Nothing changes until then.
    Resting { until: Duration },
}

/// When so many bytes had been received.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    at: Duration,
    bytes: u64,
}

/// How things were before a step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Before {
    connections: usize,
    rate: f64,
}

impl Before {
    /// Returns what the step must bring.
    fn gain(self) -> f64 {
        if self.connections == 1 { FIRST_GAIN } else { GAIN }
    }
}

/// The climb of one file.
#[derive(Clone, Debug)]
pub(crate) struct Climb {
    most: usize,
    connections: usize,
    phase: Phase,
    rest: Duration,
}

impl Climb {
    /// Begins with one connection that has just brought its first bytes, and never has more than `most`.
    pub(crate) fn new(most: usize, now: Duration, bytes: u64) -> Self {
        let since = Mark { at: now, bytes };
        let phase = Phase::Measuring { since, before: None };
        Self { most: most.max(1), connections: 1, phase, rest: REST }
    }

    /// Returns how many connections there should be, after so many bytes, of which so many connections bring more.
    pub(crate) fn look(&mut self, now: Duration, bytes: u64, bringing: usize) -> usize {
        let here = Mark { at: now, bytes };
        match self.phase {
            Phase::Resting { until } if now < until => {}
            Phase::Resting { .. } => self.phase = Phase::Measuring { since: here, before: None },
            // Connections change their range now and then, so hardly ever do all of them bring something.
            Phase::Waiting { before, .. } if bringing * 4 >= self.connections * 3 => {
                self.phase = Phase::Measuring { since: here, before: Some(before) };
            }
            Phase::Waiting { since, before } if now.saturating_sub(since) >= PATIENCE => {
                self.back(now, before.connections);
            }
            Phase::Waiting { .. } => {}
            Phase::Measuring { since, before } => self.measured(since, here, before),
        }
        self.connections
    }

    fn measured(&mut self, since: Mark, here: Mark, before: Option<Before>) {
        let span = here.at.saturating_sub(since.at);
        let first = self.connections == 1 && before.is_none();
        if span < if first { FIRST_LOOK } else { LOOK } {
            return;
        }
        let rate = here.bytes.saturating_sub(since.bytes) as f64 / span.as_secs_f64();
        match before {
            Some(before) if rate < before.rate * before.gain() => {
                return self.back(here.at, before.connections);
            }
            Some(_) => self.rest = REST,
            None => {}
        }
        if first && rate >= FREE_RATE {
            self.phase = Phase::Resting { until: here.at + FREE_LOOK };
        } else if self.connections < self.most {
            let before = Before { connections: self.connections, rate };
            self.connections = (self.connections * 2).min(self.most);
            self.phase = Phase::Waiting { since: here.at, before };
        } else {
            self.phase = Phase::Resting { until: here.at + self.rest };
        }
    }

    fn back(&mut self, now: Duration, connections: usize) {
        self.connections = connections.min(self.most).max(1);
        self.phase = Phase::Resting { until: now + self.rest };
        self.rest = (self.rest * 2).min(REST_LIMIT);
    }

    /// The hub or the line refused a connection: from now on there are at most half as many, and no new one for a
    /// while.
    pub(crate) fn refused(&mut self, now: Duration, wait: Duration) {
        self.most = (self.connections / 2).max(1);
        self.back(now, self.most);
        self.phase = Phase::Resting { until: now + wait.max(self.rest) };
    }

    /// There is one connection from now on.
    pub(crate) fn stay(&mut self) {
        (self.most, self.connections) = (1, 1);
        self.phase = Phase::Resting { until: Duration::MAX };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a line on which each connection brings `connection` bytes a second and all together `all`, new ones begin
    /// after `delay` and the hub refuses more than `allowed`. Returns how many connections there are after `time`, and the
    /// most there were.
    fn play(
        connection: f64,
        all: f64,
        delay_ms: u64,
        allowed: usize,
        time: Duration,
    ) -> (usize, usize) {
        let mut climb = Climb::new(16, Duration::ZERO, 0);
        let (mut bytes, mut wanted, mut most) = (0.0, 1, 1);
        let mut changed = Duration::ZERO;
        let mut bringing = 1;
        let mut now = Duration::ZERO;
        while now < time {
            now += Duration::from_millis(2);
            if now >= changed + Duration::from_millis(delay_ms) {
                bringing = wanted;
            }
            bytes += (connection * bringing as f64).min(all) * 0.002;
            let mut next = climb.look(now, bytes as u64, bringing);
            if next > allowed {
                climb.refused(now, Duration::ZERO);
                next = climb.look(now, bytes as u64, bringing);
            }
            if next != wanted {
                (wanted, changed) = (next, now);
                bringing = bringing.min(next);
            }
            most = most.max(wanted);
        }
        (wanted, most)
    }

    #[test]
    fn there_are_as_many_connections_as_bring_something() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        for (what, connection, all, delay, allowed, time, expected) in [
            ("a free line", 2e9, 2e9, 1, 16, minute, (1, 1)),
            ("a limit on each", 50e6, 1e12, 1, 16, second / 4, (16, 16)),
            ("a limit on each, far away", 50e6, 1e12, 100, 16, second, (16, 16)),
            ("a limit on all", 10e6, 10e6, 1, 16, second, (1, 2)),
            ("a limit on all that four reach", 10e6, 40e6, 1, 16, second, (4, 8)),
            ("a hub that refuses more than four", 10e6, 1e12, 1, 4, second, (4, 4)),
            ("a hub that refuses any other", 10e6, 1e12, 1, 1, minute, (1, 1)),
        ] {
            assert_eq!(play(connection, all, delay, allowed, time), expected, "{what}");
        }
    }

    #[test]
    fn connections_that_never_bring_a_byte_are_given_up() {
        let mut climb = Climb::new(16, Duration::ZERO, 0);
        assert_eq!(climb.look(FIRST_LOOK, 1000, 1), 2);
        assert_eq!(climb.look(FIRST_LOOK + PATIENCE / 2, 2000, 1), 2);
        assert_eq!(climb.look(FIRST_LOOK + PATIENCE, 2000, 1), 1);
        assert_eq!(climb.look(FIRST_LOOK + PATIENCE + REST / 2, 2000, 1), 1);
    }

    #[test]
    fn a_free_line_that_becomes_slow_is_split_after_all() {
        let mut climb = Climb::new(16, Duration::ZERO, 0);
        let second = Duration::from_secs(1);
        assert_eq!(climb.look(second, 1_000_000_000, 1), 1);
        assert_eq!(climb.look(2 * second, 1_001_000_000, 1), 1, "measured from here");
        assert_eq!(climb.look(3 * second, 1_002_000_000, 1), 2);
    }
}
