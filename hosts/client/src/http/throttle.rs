//! How an origin takes requests: freely, not at all for a while, or a few at a time. Every time is passed in.
//!
//! An origin that refuses for now is closed until the time that it names, for everybody. Then it opens by half: one request
//! goes first, and each that is not refused makes room for one more, so that a hub which allows a few is not hit by all at
//! once.
//!
//! A hub that refuses one connection more while it sends on others says how many it allows: whoever has one of them, and asks for the
//! next part when the last has come, has a seat, and goes in meanwhile. If that is refused too, there are no seats.

use std::time::Duration;

use hubstow_core::hub::Backoff;
use tokio::time::Instant;

use crate::http::{retry::Retries, transport::Connection};

/// What waits where the origin names no time; how long that may go on, whoever waits decides.
const BACKOFF: Backoff = Backoff { retries: u32::MAX, ..Backoff::DEFAULT };
/// So many at a time are as many as anybody sends.
const WIDE: usize = 64;
/// After so long one more may go, whatever has become of those that went first: the runtime of one that went may be driven
/// by nobody.
const TURN: Duration = Duration::from_secs(1);

/// What is known of an origin.
#[derive(Debug)]
pub(crate) struct Throttle {
    phase: Phase,
    /// How often it was closed. What was sent before says nothing of what came after.
    closings: u64,
    retries: Retries,
    /// When it last took a request.
    taken: Option<Instant>,
    /// How many requests are on their way or being answered.
    out: usize,
    /// How many of these a hub has let be that refused one more.
    seats: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closed { until: Instant },
    Narrow { width: usize, on_their_way: usize, widens: Instant },
}

/// Whether a request may go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It may. The ticket is to be given back.
    Go(Ticket),
    /// Nobody may before then.
    Closed(Instant),
    /// Others go first: something may change, and will then.
    Crowded(Instant),
}

/// What a request has that may go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    closings: u64,
    /// It has gone in, although the origin is closed, in the place of one that was over.
    by_seat: bool,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        let retries = Retries::new(BACKOFF);
        Self { phase: Phase::Open, closings: 0, retries, taken: None, out: 0, seats: 0 }
    }

    /// Returns when the origin last took a request.
    pub(crate) fn taken_at(&self) -> Option<Instant> {
        self.taken
    }

    /// Tells whether nothing is known that would be lost with it.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Asks whether a request may go.
    pub(crate) fn enter(&mut self, connection: Connection, now: Instant) -> Entry {
        let mut ticket = Ticket { closings: self.closings, by_seat: false };
        if let Phase::Closed { until } = self.phase {
            if now < until {
                if connection == Connection::Shared || self.out >= self.seats {
                    return Entry::Closed(until);
                }
                ticket.by_seat = true;
                self.out += 1;
                return Entry::Go(ticket);
            }
            self.phase = Phase::Narrow { width: 1, on_their_way: 0, widens: now + TURN };
        }
        match &mut self.phase {
            Phase::Open | Phase::Closed { .. } => {}
            Phase::Narrow { width, on_their_way, widens } => {
                if *on_their_way >= *width {
                    if now < *widens {
                        return Entry::Crowded(*widens);
                    }
                    (*width, *widens) = (*on_their_way + 1, now + TURN);
                }
                *on_their_way += 1;
            }
        }
        self.out += 1;
        Entry::Go(ticket)
    }

    /// The origin has taken a request.
    pub(crate) fn taken(&mut self, ticket: &Ticket, now: Instant) {
        self.taken = Some(now);
        if ticket.closings != self.closings {
            return;
        }
        self.retries = Retries::new(BACKOFF);
        if let Phase::Narrow { width, widens, .. } = &mut self.phase {
            (*width, *widens) = (*width + 1, now + TURN);
            if *width >= WIDE {
                self.phase = Phase::Open;
            }
        }
    }

    /// The origin refuses for now, and may ask for a time. Returns for how long that closes it; `None` where it is closed
    /// already.
    pub(crate) fn refused(
        &mut self,
        ticket: &Ticket,
        connection: Connection,
        now: Instant,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        let others = self.out.saturating_sub(1);
        let is_late = ticket.closings != self.closings;
        self.seats = match connection {
            Connection::Own if ticket.by_seat => 0,
            Connection::Own if is_late => self.seats.min(others),
            Connection::Own => others,
            Connection::Shared if is_late => self.seats,
            Connection::Shared => 0,
        };
        if is_late {
            if let (Phase::Closed { until }, Some(asked)) = (&mut self.phase, asked) {
                *until = (*until).max(now + asked);
            }
            return None;
        }
        let wait = asked.or_else(|| self.retries.next_wait()).unwrap_or(TURN);
        self.phase = Phase::Closed { until: now + wait };
        self.closings += 1;
        Some(wait)
    }

    /// A request is over, whatever came of it.
    pub(crate) fn give_back(&mut self, ticket: &Ticket) {
        self.out = self.out.saturating_sub(1);
        if let Phase::Narrow { on_their_way, .. } = &mut self.phase
            && ticket.closings == self.closings
            && !ticket.by_seat
        {
            *on_their_way = on_their_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to an origin, and what it says; requests are numbered, times are in milliseconds.
    enum Does {
        Goes(usize),
        /// The same on a connection of its own.
        OwnGoes(usize),
        WaitsUntil(u64),
        OwnWaitsUntil(u64),
        IsCrowdedUntil(u64),
        IsTaken(usize),
        IsRefused {
            which: usize,
            asked_ms: Option<u64>,
            closes_for_ms: Option<(u64, u64)>,
        },
        Ends(usize),
    }
    use Does::*;

    #[track_caller]
    fn check(story: &[(u64, Does)]) {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let (mut throttle, mut tickets) = (Throttle::new(), Vec::new());
        let (shared, own) = (Connection::Shared, Connection::Own);
        for (step, (ms, does)) in story.iter().enumerate() {
            let now = at(*ms);
            match does {
                Goes(which) | OwnGoes(which) => {
                    assert_eq!(*which, tickets.len(), "step {step}: the number of the request");
                    let connection = if matches!(does, OwnGoes(_)) { own } else { shared };
                    let entry = throttle.enter(connection, now);
                    let Entry::Go(ticket) = entry else { panic!("step {step}: {entry:?}") };
                    tickets.push((ticket, connection));
                }
                WaitsUntil(ms) => {
                    assert_eq!(throttle.enter(shared, now), Entry::Closed(at(*ms)), "step {step}");
                }
                OwnWaitsUntil(ms) => {
                    assert_eq!(throttle.enter(own, now), Entry::Closed(at(*ms)), "step {step}");
                }
                IsCrowdedUntil(ms) => {
                    assert_eq!(throttle.enter(shared, now), Entry::Crowded(at(*ms)), "step {step}");
                }
                IsTaken(which) => throttle.taken(&tickets[*which].0, now),
                IsRefused { which, asked_ms, closes_for_ms } => {
                    let asked = asked_ms.map(Duration::from_millis);
                    let (ticket, connection) = &tickets[*which];
                    let closed = throttle.refused(ticket, *connection, now, asked);
                    let ms = closed.map(|wait| wait.as_millis() as u64);
                    let fits = match (ms, closes_for_ms) {
                        (Some(ms), Some((least, most))) => (*least..=*most).contains(&ms),
                        (ms, expected) => ms.is_none() && expected.is_none(),
                    };
                    assert!(fits, "step {step}: closed for {ms:?} ms");
                }
                Ends(which) => throttle.give_back(&tickets[*which].0),
            }
        }
    }

    fn refused(which: usize, asked_ms: u64) -> Does {
        let closes_for_ms = Some((asked_ms, asked_ms));
        IsRefused { which, asked_ms: Some(asked_ms), closes_for_ms }
    }

    #[test]
    fn an_origin_that_refuses_nobody_takes_everybody() {
        check(&[(0, Goes(0)), (0, Goes(1)), (0, Goes(2)), (9, IsTaken(1)), (9, Goes(3))]);
    }

    #[test]
    fn a_time_that_one_is_told_holds_for_all_and_then_one_goes_first() {
        check(&[
            (0, Goes(0)),
            (0, Goes(1)),
            (10, refused(0, 5_000)),
            (10, WaitsUntil(5_010)),
            (5_009, WaitsUntil(5_010)),
            (5_010, Goes(2)),
            (5_010, IsCrowdedUntil(6_010)),
            (5_020, IsTaken(2)),
            (5_020, Goes(3)),
            (5_020, IsCrowdedUntil(6_020)),
            (5_021, Ends(2)),
            (5_021, Goes(4)),
            (5_021, IsCrowdedUntil(6_020)),
        ]);
    }

    #[test]
    fn one_that_goes_first_and_is_refused_closes_again() {
        check(&[
            (0, Goes(0)),
            (0, refused(0, 1_000)),
            (1_000, Goes(1)),
            (1_001, refused(1, 2_000)),
            (1_001, Ends(1)),
            (1_001, WaitsUntil(3_001)),
            (3_001, Goes(2)),
            (3_001, IsCrowdedUntil(4_001)),
        ]);
    }

    #[test]
    fn refusals_of_what_was_sent_before_only_prolong() {
        let late = |which, asked_ms| IsRefused { which, asked_ms, closes_for_ms: None };
        check(&[
            (0, Goes(0)),
            (0, Goes(1)),
            (0, Goes(2)),
            (0, Goes(3)),
            (0, refused(0, 1_000)),
            (1, late(1, None)),
            (1, WaitsUntil(1_000)),
            (200, late(2, Some(1_000))),
            (200, WaitsUntil(1_200)),
            (1_200, Goes(4)),
            (1_201, late(3, Some(9_000))),
            (1_202, IsTaken(4)),
            (1_202, Goes(5)),
        ]);
    }

    #[test]
    fn waits_grow_where_no_time_is_named_and_begin_anew_when_one_is_taken() {
        let closes = |which, least, most| IsRefused {
            which,
            asked_ms: None,
            closes_for_ms: Some((least, most)),
        };
        check(&[
            (0, Goes(0)),
            (0, closes(0, 250, 500)),
            (500, Goes(1)),
            (500, closes(1, 500, 1_000)),
            (1_500, Goes(2)),
            (1_500, closes(2, 1_000, 2_000)),
            (3_500, Goes(3)),
            (3_500, IsTaken(3)),
            (3_500, Goes(4)),
            (3_500, closes(4, 250, 500)),
        ]);
    }

    #[test]
    fn one_that_is_given_up_leaves_its_turn_to_another() {
        check(&[
            (0, Goes(0)),
            (0, refused(0, 1_000)),
            (1_000, Goes(1)),
            (1_100, IsCrowdedUntil(2_000)),
            (1_200, Ends(1)),
            (1_200, Goes(2)),
            (1_200, IsCrowdedUntil(2_000)),
        ]);
    }

    #[test]
    fn one_of_which_nothing_is_heard_holds_nobody_up_for_long() {
        check(&[
            (0, Goes(0)),
            (0, refused(0, 1_000)),
            (1_000, Goes(1)),
            (1_999, IsCrowdedUntil(2_000)),
            (2_000, Goes(2)),
            (2_000, IsCrowdedUntil(3_000)),
        ]);
    }

    #[test]
    fn a_hub_that_refuses_one_more_is_gone_on_with_by_as_many_as_it_sends_on() {
        let late = |which| IsRefused { which, asked_ms: Some(1_000), closes_for_ms: None };
        check(&[
            (0, OwnGoes(0)),
            (0, OwnGoes(1)),
            (0, OwnGoes(2)),
            (0, OwnGoes(3)),
            (10, IsTaken(0)),
            (10, IsTaken(1)),
            (10, refused(2, 1_000)),
            (10, Ends(2)),
            (11, OwnWaitsUntil(1_010)),
            (12, late(3)),
            (12, Ends(3)),
            (12, OwnWaitsUntil(1_012)),
            // One of the two is done, and its place is somebody's of its kind.
            (500, Ends(0)),
            (500, WaitsUntil(1_012)),
            (500, OwnGoes(4)),
            (500, OwnWaitsUntil(1_012)),
            (510, IsTaken(4)),
            (600, Ends(1)),
            // Nobody has a seat any more where this is refused too.
            (600, OwnGoes(5)),
            (610, refused(5, 3_000)),
            (610, Ends(5)),
            (700, Ends(4)),
            (700, OwnWaitsUntil(3_610)),
        ]);
    }

    #[test]
    fn what_is_refused_without_a_connection_of_its_own_gives_nobody_a_seat() {
        check(&[
            (0, OwnGoes(0)),
            (0, Goes(1)),
            (10, IsTaken(0)),
            (10, refused(1, 1_000)),
            (10, Ends(1)),
            (500, Ends(0)),
            (500, OwnWaitsUntil(1_010)),
        ]);
    }

    #[test]
    fn an_origin_that_goes_on_taking_requests_is_open_again() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        let shared = Connection::Shared;
        let Entry::Go(first) = throttle.enter(shared, now) else { panic!("it is open") };
        throttle.refused(&first, shared, now, Some(Duration::ZERO));
        throttle.give_back(&first);
        for taken in 1..WIDE {
            assert!(!throttle.is_open(), "after {taken}");
            let Entry::Go(ticket) = throttle.enter(shared, now) else { panic!("{taken} are over") };
            throttle.taken(&ticket, now);
            throttle.give_back(&ticket);
        }
        assert!(throttle.is_open());
    }
}
