//! Which bytes of one file are received on which connection.
//!
//! Ranges are given from the front, so that the hash can follow: long ones first and shorter ones towards the end. When
//! nothing is left to give, an idle connection takes the far part of what another one still has. Pure: no bytes, no I/O and
//! no clock.
//!
//! INVARIANT: a missing byte is free, or held by exactly one connection, until it is taken; then it is neither.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use litemap::LiteMap;

/// A connection, by its number.
pub(crate) type ConnectionId = u64;

/// The longest range. A longer one would save few requests, and the hash would wait longer for what lies between.
const RANGE_LIMIT_BYTES: u64 = 32 << 20;
/// A connection that brings that much in a few delays gets longer ones, up to this.
const FAST_RANGE_LIMIT_BYTES: u64 = 128 << 20;
const LIMIT_DELAYS: u64 = 4;
/// A shorter range is not worth a request, on whatever line.
const LEAST_BYTES: u64 = 256 << 10;
/// The shortest range that is given where nobody has it yet.
const LEAST_RANGE_BYTES: u64 = 2 << 20;
/// What a connection brings in this time is the least that is worth a request, however near the hub is.
const LEAST_TIME: Duration = Duration::from_millis(40);
/// A range is what each connection would get of the rest, by this: some of the rest is left to even out who was slow.
const SHARES: f64 = 1.5;
/// The first of many ranges is so much of a whole one, and the others grow up to that: they end one after the other from
/// the front on, so that the hash need not wait for all of them.
const FOREMOST: f64 = 0.25;

/// How fast a connection is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// It has not brought enough to tell.
    Unknown,
    /// It brings so many bytes a second.
    Rate(f64),
    /// It has brought nothing for so long that nobody should wait for it.
    Silent,
}

/// What a request costs and brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    /// How long it takes to its first byte.
    pub(crate) delay: Duration,
    /// How many bytes a second it brings then; 0 where that is not known.
    pub(crate) rate: f64,
    /// How many connections share the work.
    pub(crate) connections: usize,
    /// Whether some of them wait for this machine: to take from others would bring nothing.
    pub(crate) is_held_up: bool,
}

impl Terms {
    /// Returns the least that is worth a request.
    fn least_bytes(&self) -> u64 {
        let seconds = self.delay.max(LEAST_TIME).as_secs_f64();
        ((self.rate * seconds / 2.0) as u64).clamp(LEAST_BYTES, RANGE_LIMIT_BYTES)
    }

    /// Returns how long a range should be where so much is free and so many connections receive what lies before.
    pub(crate) fn range_bytes(&self, free_bytes: u64, before: usize) -> u64 {
        let connections = self.connections.max(1) as f64;
        let place = (before as f64 / (connections - 1.0).max(1.0)).min(1.0);
        let share = free_bytes as f64 / (connections * SHARES);
        let share = share * (FOREMOST + (1.0 - FOREMOST) * place);
        let brought = (self.rate * self.delay.max(LEAST_TIME).as_secs_f64()) as u64;
        let least = brought.max(LEAST_RANGE_BYTES);
        // What few fast connections have must last for several delays.
        let limit = (brought * LIMIT_DELAYS).clamp(RANGE_LIMIT_BYTES, FAST_RANGE_LIMIT_BYTES);
        (share as u64).max(least).min(limit)
    }
}

/// What a connection has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// It receives what nobody had, or a part of what somebody else had.
    Range,
    /// It receives all that this silent connection had, which is over.
    Instead(ConnectionId),
}

/// What is done with the beginning of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Where in the file it belongs.
    pub(crate) offset: u64,
    /// How many bytes of it are wanted.
    pub(crate) len_bytes: usize,
    pub(crate) then: Then,
}

/// Whether a connection has more to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    More,
    Ended,
}

/// What one connection has still to receive.
#[derive(Clone, Copy, Debug)]
struct Held {
    at: u64,
    end: u64,
    /// Up to where its answer goes.
    answer_end: u64,
}

impl Held {
    fn left_bytes(&self) -> u64 {
        self.end - self.at
    }
}

/// Who receives what of one file.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is missing and nobody's: the end of each range by its start. No two of them touch.
    free: BTreeMap<u64, u64>,
    held: LiteMap<ConnectionId, Held>,
}

impl Plan {
    /// Makes the plan of a file of which these ranges are missing, the first of which comes on a connection that is under
    /// way and may go on to `answer_end`.
    pub(crate) fn new(
        missing: impl IntoIterator<Item = Range<u64>>,
        first: ConnectionId,
        answer_end: u64,
    ) -> Self {
        let mut missing = missing.into_iter();
        let mut plan = Self { free: BTreeMap::new(), held: LiteMap::new() };
        if let Some(Range { start: at, end }) = missing.next() {
            let end = end.min(answer_end);
            plan.held.insert(first, Held { at, end, answer_end });
        }
        missing.for_each(|range| plan.release(range));
        plan
    }

    /// Returns where the next piece of a connection belongs.
    pub(crate) fn next_offset(&self, id: ConnectionId) -> u64 {
        self.held.get(&id).map_or(0, |held| held.at)
    }

    /// Tells whether everything was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.free.is_empty() && self.held.values().all(|held| held.left_bytes() == 0)
    }

    /// Returns how much is missing and nobody's.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free.iter().map(|(start, end)| end - start).sum()
    }

    /// Returns how much is missing and on its way.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held.values().map(Held::left_bytes).sum()
    }

    /// Returns how many connections end before somebody else who is asked now begins, where there is more to ask for.
    pub(crate) fn ending(&self, terms: &Terms, pace: impl Fn(ConnectionId) -> Pace) -> usize {
        if self.free.is_empty() {
            return 0;
        }
        let seconds = terms.delay.as_secs_f64();
        let ends = |(owner, held): &(&ConnectionId, &Held)| match pace(**owner) {
            Pace::Rate(rate) => held.left_bytes() as f64 <= rate * seconds,
            Pace::Unknown | Pace::Silent => false,
        };
        self.held.iter().filter(ends).count()
    }

    /// Tells whether nothing is missing but what this connection has.
    pub(crate) fn is_done_but(&self, id: ConnectionId) -> bool {
        let is_left = |(held, range): (&ConnectionId, &Held)| *held != id && range.left_bytes() > 0;
        self.free.is_empty() && !self.held.iter().any(is_left)
    }

    /// Shares what is missing among more connections than before: those that have something keep no more of it than they
    /// would get now.
    pub(crate) fn share_anew(&mut self, terms: &Terms) {
        let missing_bytes = self.free_bytes() + self.held_bytes();
        let mut held: Vec<&mut Held> = self.held.iter_mut().map(|(_, held)| held).collect();
        held.sort_unstable_by_key(|held| held.at);
        let mut rests = Vec::new();
        for (before, held) in held.into_iter().enumerate() {
            let len = terms.range_bytes(missing_bytes, before);
            let kept = held.end.min(held.at.saturating_add(len));
            rests.push(kept..held.end);
            held.end = kept;
        }
        rests.into_iter().for_each(|rest| self.release(rest));
    }

    /// Gives a connection something to receive, if there is something worth a request.
    pub(crate) fn assign(
        &mut self,
        id: ConnectionId,
        terms: &Terms,
        pace: impl Fn(ConnectionId) -> Pace,
    ) -> Option<Given> {
        if let Some((&start, &end)) = self.free.first_key_value() {
            let before = self.held.values().filter(|held| held.left_bytes() > 0).count();
            let len = terms.range_bytes(self.free_bytes(), before);
            // What would be left is not worth a request of its own.
            let is_all = end - start < len + terms.least_bytes() || terms.connections <= 1;
            let until = if is_all { end } else { start + len };
            self.free.remove(&start);
            self.release(until..end);
            self.hold(id, start..until);
            return Some(Given::Range);
        }
        self.steal(id, terms, pace)
    }

    /// Takes the far part of the range that would take longest: so much that both end at once.
    fn steal(
        &mut self,
        id: ConnectionId,
        terms: &Terms,
        pace: impl Fn(ConnectionId) -> Pace,
    ) -> Option<Given> {
        let rate_of = |pace| match pace {
            Pace::Rate(rate) => rate.max(1.0),
            Pace::Unknown | Pace::Silent => terms.rate.max(1.0),
        };
        let silent = self
            .held
            .iter()
            .find(|(owner, held)| held.left_bytes() > 0 && pace(**owner) == Pace::Silent);
        if let Some((&owner, &held)) = silent {
            self.held.remove(&owner);
            self.hold(id, held.at..held.end);
            return Some(Given::Instead(owner));
        }
        if terms.is_held_up {
            return None;
        }
        let holders = || self.held.iter().filter(|(_, held)| held.left_bytes() > 0);
        let all: f64 = holders().map(|(owner, _)| rate_of(pace(*owner))).sum();
        // One of them may look slow because others have what it could bring, until they end.
        if self.held_bytes() as f64 <= all * terms.delay.as_secs_f64() {
            return None;
        }
        let seconds = |(owner, held): &(&ConnectionId, &Held)| {
            held.left_bytes() as f64 / rate_of(pace(**owner))
        };
        let (&owner, &held) =
            self.held.iter().max_by(|one, other| seconds(one).total_cmp(&seconds(other)))?;
        let (theirs, ours) = (rate_of(pace(owner)), terms.rate.max(1.0));
        let meanwhile = theirs * terms.delay.as_secs_f64();
        let part = (held.left_bytes() as f64 - meanwhile) / (1.0 + theirs / ours);
        if part < terms.least_bytes() as f64 {
            return None;
        }
        let from = held.end - (part as u64).min(held.left_bytes() - 1);
        if let Some(held) = self.held.get_mut(&owner) {
            held.end = from;
        }
        self.hold(id, from..held.end);
        Some(Given::Range)
    }

    /// Returns what a connection is to ask for now. Whatever others take of it later, its answer goes that far.
    pub(crate) fn ask(&mut self, id: ConnectionId) -> Option<Range<u64>> {
        let held = self.held.get_mut(&id)?;
        held.answer_end = held.end;
        Some(held.at..held.end)
    }

    /// Takes the beginning of a piece that a connection has received, as far as it is wanted.
    pub(crate) fn take(&mut self, id: ConnectionId, piece_bytes: usize) -> Option<Taken> {
        let held = self.held.get_mut(&id)?;
        let room = usize::try_from(held.left_bytes()).unwrap_or(usize::MAX);
        let (offset, len_bytes) = (held.at, piece_bytes.min(room));
        held.at += len_bytes as u64;
        let then = if held.at < held.end { Then::More } else { Then::Ended };
        if then == Then::Ended && !self.extend(id) {
            return Some(Taken { offset, len_bytes, then });
        }
        Some(Taken { offset, len_bytes, then: Then::More })
    }

    /// Lets a connection go on where its answer does and nobody has what comes next.
    pub(crate) fn extend(&mut self, id: ConnectionId) -> bool {
        let Some(held) = self.held.get_mut(&id).filter(|held| held.answer_end > held.end) else {
            return false;
        };
        let Some(end) = self.free.remove(&held.end) else { return false };
        held.end = end.min(held.answer_end);
        let rest = held.end..end;
        self.release(rest);
        true
    }

    /// Returns how far behind its range the answer of a connection goes.
    pub(crate) fn beyond_bytes(&self, id: ConnectionId) -> u64 {
        self.held.get(&id).map_or(0, |held| held.answer_end.saturating_sub(held.end))
    }

    /// A connection receives no more: what is missing of its range is anybody's.
    pub(crate) fn give_back(&mut self, id: ConnectionId) {
        if let Some(held) = self.held.remove(&id) {
            self.release(held.at..held.end);
        }
    }

    fn hold(&mut self, id: ConnectionId, range: Range<u64>) {
        self.give_back(id);
        let Range { start: at, end } = range;
        self.held.insert(id, Held { at, end, answer_end: end });
    }

    /// Makes a range anybody's. It touches what is free, and never meets it.
    fn release(&mut self, range: Range<u64>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        if let Some((&before, &until)) = self.free.range(..start).next_back()
            && until == start
        {
            start = before;
        }
        if let Some(until) = self.free.remove(&end) {
            end = until;
        }
        self.free.insert(start, end);
    }
}

#[cfg(test)]
mod tests;
