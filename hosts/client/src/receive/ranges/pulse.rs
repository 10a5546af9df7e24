//! How each connection of one file does: how long it takes to its first byte, how fast it is, and whether it should be
//! waited for.
//!
//! Pure: times are passed in.

use std::time::Duration;

use litemap::LiteMap;

use super::super::clock::Now;

use super::plan::{ConnectionId, Pace};

/// A rate counts from here on: before, the start of a connection would tell too much.
const RATE_AFTER: Duration = Duration::from_millis(30);
/// A line is not said to bring anything in less time than this.
const LEAST_SPAN: Duration = Duration::from_millis(2);
/// What lies further back than this counts half.
const HALVED_AFTER: Duration = Duration::from_secs(1);
/// Who has been silent for so long, and for so many delays, is not waited for where somebody else could do it.
const SILENT: Duration = Duration::from_millis(250);
const SILENT_DELAYS: u32 = 3;
/// The same, where nobody is idle: the connection is abandoned.
const STALLED: Duration = Duration::from_secs(3);
const STALLED_DELAYS: u32 = 8;
/// A connection is not silent where the others have hardly brought more, each on average: the whole line is slow.
const MEANWHILE_BYTES: u64 = 256 << 10;
/// Where the others have brought so much, one that has begun is stalled after so short a silence. What it has may be what
/// the hash waits for.
const PLENTY_BYTES: u64 = 4 << 20;
const STALLED_AMID_PLENTY: Duration = Duration::from_millis(100);
/// A connection that is slower than the median by this is replaced, once it has had this time; one at a time.
const SLOW: f64 = 0.25;
const SLOW_AFTER: Duration = Duration::from_secs(1);
/// From so many connections on, the median says something.
const SLOW_FROM: usize = 4;

/// What is known of one connection.
#[derive(Clone, Copy, Debug)]
struct Pulse {
    asked: Now,
    answered: Option<Now>,
    began: Option<Now>,
    /// When it last brought something, or was asked to.
    last: Now,
    /// What all connections had brought by then.
    total: u64,
    /// What it has brought since then, where what is old counts less.
    counted: (Now, f64),
    /// Since when it is not read. What that takes does not count.
    parked: Option<Now>,
}

/// What is known of all.
#[derive(Debug, Default)]
pub(crate) struct Pulses {
    each: LiteMap<ConnectionId, Pulse>,
    delay: Option<Duration>,
    /// What a connection has brought a second by the end of its range, of late.
    usual: f64,
    total: u64,
    replaced: Duration,
}

impl Pulses {
    /// A connection has been asked for a range.
    pub(crate) fn asked(&mut self, id: ConnectionId, now: Now) {
        self.learn(id);
        let pulse = Pulse {
            asked: now,
            answered: None,
            began: None,
            last: now,
            total: self.total,
            counted: (now, 0.0),
            parked: None,
        };
        self.each.insert(id, pulse);
    }

    /// The answer has begun.
    pub(crate) fn answered(&mut self, id: ConnectionId, now: Now) {
        if let Some(pulse) = self.each.get_mut(&id) {
            let took = now.since(pulse.asked).wall;
            self.delay = Some(self.delay.map_or(took, |known| (known * 3 + took) / 4));
            (pulse.last, pulse.total, pulse.answered) = (now, self.total, Some(now));
        }
    }

    /// It has brought something.
    pub(crate) fn brought(&mut self, id: ConnectionId, now: Now, bytes: u64) {
        self.total += bytes;
        let Some(pulse) = self.each.get_mut(&id) else { return };
        if pulse.began.is_none() {
            (pulse.began, pulse.counted) = (Some(now), (now, 0.0));
        }
        (pulse.last, pulse.total) = (now, self.total);
        let (since, counted) = &mut pulse.counted;
        *counted += bytes as f64;
        let span = now.since(*since);
        if span.wall > HALVED_AFTER {
            let since_then = Now { line: now.line - span.line / 2, wall: now.wall - span.wall / 2 };
            (*since, *counted) = (since_then, *counted / 2.0);
        }
    }

    /// It is not read for a while.
    pub(crate) fn parked(&mut self, id: ConnectionId, now: Now) {
        if let Some(pulse) = self.each.get_mut(&id) {
            pulse.parked = Some(now);
        }
    }

    /// It is read again.
    pub(crate) fn resumed(&mut self, id: ConnectionId, now: Now) {
        let Some(pulse) = self.each.get_mut(&id) else { return };
        let Some(parked) = pulse.parked.take() else { return };
        let later = |then: Now| then.later(now.since(parked));
        (pulse.last, pulse.total) = (now, self.total);
        pulse.began = pulse.began.map(later);
        pulse.counted.0 = later(pulse.counted.0);
    }

    /// Tells whether any is not read.
    pub(crate) fn is_any_parked(&self) -> bool {
        self.each.values().any(|pulse| pulse.parked.is_some())
    }

    /// The connection is over.
    pub(crate) fn gone(&mut self, id: ConnectionId) {
        self.learn(id);
        self.each.remove(&id);
    }

    /// Notes how fast a connection was that is at the end of its range.
    fn learn(&mut self, id: ConnectionId) {
        let last = self.each.get(&id).and_then(|pulse| rate(pulse, pulse.last));
        if let Some(rate) = last {
            self.usual = if self.usual > 0.0 { (self.usual * 3.0 + rate) / 4.0 } else { rate };
        }
    }

    /// Returns when a connection has sent its last request.
    pub(crate) fn asked_at(&self, id: ConnectionId) -> Option<Now> {
        self.each.get(&id).map(|pulse| pulse.asked)
    }

    /// Returns how many bring something, or would.
    pub(crate) fn bringing(&self) -> usize {
        let brings = |pulse: &&Pulse| pulse.began.is_some() || pulse.parked.is_some();
        self.each.values().filter(brings).count()
    }

    /// Returns how long a request takes to its answer.
    pub(crate) fn delay(&self) -> Duration {
        self.delay.unwrap_or_default()
    }

    /// Says how fast a connection is.
    pub(crate) fn pace(&self, id: ConnectionId, now: Now) -> Pace {
        match self.each.get(&id) {
            Some(pulse) if self.is_silent(pulse, now) => Pace::Silent,
            Some(pulse) => rate(pulse, now).map_or(Pace::Unknown, Pace::Rate),
            None => Pace::Unknown,
        }
    }

    /// Returns the median of the rates, in bytes a second; where few of them are known yet, what was usual of late. 0 where
    /// nothing is known.
    pub(crate) fn median_rate(&self, now: Now) -> f64 {
        let mut rates: Vec<f64> = self.each.values().filter_map(|pulse| rate(pulse, now)).collect();
        if rates.len() * 2 < self.each.len() && self.usual > 0.0 {
            return self.usual;
        }
        rates.sort_unstable_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or(0.0)
    }

    /// Returns a connection that is to be given up now: it is stalled, or much slower than the others.
    pub(crate) fn hopeless(&mut self, now: Now) -> Option<ConnectionId> {
        if self.each.len() < 2 {
            return None;
        }
        if let Some((&id, _)) = self.each.iter().find(|(_, pulse)| self.is_stalled(pulse, now)) {
            return Some(id);
        }
        let patience = SLOW_AFTER.max(self.delay() * STALLED_DELAYS);
        if self.each.len() < SLOW_FROM || now.line < self.replaced + patience {
            return None;
        }
        let least = self.median_rate(now) * SLOW;
        let is_slow = |pulse: &Pulse| {
            let had_time = pulse.began.is_some_and(|began| now.line >= began.line + patience);
            had_time && rate(pulse, now).is_some_and(|rate| rate < least)
        };
        let (&id, _) = self.each.iter().find(|(_, pulse)| is_slow(pulse))?;
        self.replaced = now.line;
        Some(id)
    }

    /// Tells whether somebody else should do what a connection was to.
    fn is_silent(&self, pulse: &Pulse, now: Now) -> bool {
        let patience = SILENT.max(self.delay() * SILENT_DELAYS);
        self.has_missed(pulse, now, patience, MEANWHILE_BYTES)
    }

    fn is_stalled(&self, pulse: &Pulse, now: Now) -> bool {
        let late = STALLED.max(self.delay() * STALLED_DELAYS);
        let soon = STALLED_AMID_PLENTY.max(self.delay() * SILENT_DELAYS);
        // What has not begun may be something that the hub has to look for, which asking anew would begin again.
        self.has_missed(pulse, now, late, MEANWHILE_BYTES)
            || pulse.began.is_some() && self.has_missed(pulse, now, soon, PLENTY_BYTES)
    }

    /// Tells whether a connection has brought nothing for so long, in which each other one has brought so much, on average.
    fn has_missed(&self, pulse: &Pulse, now: Now, patience: Duration, bytes: u64) -> bool {
        let others = self.each.len().saturating_sub(1).max(1) as u64;
        let meanwhile = (self.total - pulse.total) / others;
        let is_read = pulse.parked.is_none();
        is_read && now.since(pulse.last).line >= patience && meanwhile >= bytes
    }
}

fn rate(pulse: &Pulse, now: Now) -> Option<f64> {
    let (since, counted) = pulse.counted;
    let span = now.since(since);
    let is_read = pulse.began.is_some() && pulse.parked.is_none();
    let is_known = is_read && span.wall >= RATE_AFTER;
    // What the line brings while it is read: a disk that holds it up makes it no slower.
    is_known.then(|| counted / span.line.max(LEAST_SPAN).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(ms: u64) -> Now {
        Now::free(Duration::from_millis(ms))
    }

    /// Plays four connections that bring so much every 10 ms, from 80 ms on, until then.
    fn play(mib: [f64; 4], until: Now) -> Pulses {
        let mut pulses = Pulses::default();
        (0..4).for_each(|id| pulses.asked(id, at(0)));
        (0..4).for_each(|id| pulses.answered(id, at(80)));
        for now in (80..=until.line.as_millis() as u64).step_by(10) {
            for (id, mib) in mib.iter().enumerate().filter(|(_, mib)| **mib > 0.0) {
                pulses.brought(id as u64, at(now), (mib * MIB as f64) as u64);
            }
        }
        pulses
    }

    #[test]
    fn delay_rates_and_silence_are_what_was_seen() {
        let until = at(1080);
        let pulses = play([0.5, 0.5, 0.25, 0.0], until);
        assert_eq!(pulses.delay(), Duration::from_millis(80));
        assert_eq!(pulses.bringing(), 3);
        let Pace::Rate(rate) = pulses.pace(0, until) else { panic!("it has brought much") };
        assert!((50e6..55e6).contains(&rate), "{rate}");
        assert_eq!(pulses.pace(3, at(300)), Pace::Unknown, "it may still come");
        assert_eq!(pulses.pace(3, until), Pace::Silent);
    }

    #[test]
    fn the_stalled_and_the_slow_are_given_up_one_at_a_time() {
        for (what, mib, until, expected) in [
            ("all alike", [0.5; 4], at(20_000), None),
            ("half as fast", [0.5, 0.5, 0.5, 0.25], at(20_000), None),
            ("slow, and in its first second", [0.5, 0.5, 0.5, 0.05], at(1_000), None),
            ("slow", [0.5, 0.5, 0.5, 0.05], at(1_200), Some(3)),
            ("silent for a while", [0.0, 0.5, 0.5, 0.5], at(2_900), None),
            ("stalled", [0.0, 0.5, 0.5, 0.5], at(3_200), Some(0)),
            ("everybody is slow", [0.0, 1e-4, 1e-4, 1e-4], at(3_200), None),
        ] {
            let mut pulses = play(mib, until);
            assert_eq!(pulses.hopeless(until), expected, "{what}");
            let again = expected.filter(|id| *id == 0);
            assert_eq!(pulses.hopeless(until), again, "{what}");
        }
    }

    #[test]
    fn amid_plenty_who_has_begun_is_given_up_soon() {
        for (what, delay, each, silence, expected) in [
            ("a moment", 20, MIB / 2, 90, None),
            ("stalled", 20, MIB / 2, 130, Some(0)),
            ("the others bring little", 20, MIB / 8, 130, None),
            ("far away", 200, MIB / 2, 590, None),
            ("far away and stalled", 200, MIB / 2, 630, Some(0)),
        ] {
            let mut pulses = Pulses::default();
            (0..4).for_each(|id| pulses.asked(id, at(0)));
            (0..4).for_each(|id| pulses.answered(id, at(delay)));
            pulses.brought(0, at(delay), each);
            for now in (delay..=delay + silence).step_by(10) {
                (1..4).for_each(|id| pulses.brought(id, at(now), each));
            }
            assert_eq!(pulses.hopeless(at(delay + silence)), expected, "{what}");
        }
    }

    #[test]
    fn while_a_connection_is_parked_nothing_is_said_of_it() {
        let mut pulses = play([0.5; 4], at(1_000));
        let Pace::Rate(before) = pulses.pace(0, at(1_000)) else { panic!("it has brought much") };
        pulses.parked(0, at(1_000));
        for now in (1_010..=6_000).step_by(10) {
            (1..4).for_each(|id| pulses.brought(id, at(now), MIB / 2));
        }
        assert!(pulses.is_any_parked());
        assert_eq!(pulses.bringing(), 4);
        assert_eq!(pulses.pace(0, at(6_000)), Pace::Unknown);
        assert_eq!(pulses.hopeless(at(6_000)), None, "it is neither stalled nor slow");
        pulses.resumed(0, at(6_000));
        assert!(!pulses.is_any_parked());
        let Pace::Rate(after) = pulses.pace(0, at(6_000)) else { panic!("it was as fast") };
        assert!((after / before - 1.0).abs() < 0.02, "{before} {after}");
        assert_eq!(pulses.hopeless(at(8_900)), None);
        for now in (6_010..=9_100).step_by(10) {
            (1..4).for_each(|id| pulses.brought(id, at(now), MIB / 2));
        }
        assert_eq!(pulses.hopeless(at(9_100)), Some(0), "it has brought nothing since");
    }
}
