//! What all connections of the hub share: how it behaves, what it has sent, and a rate for all of them together.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::control::{Behaviour, Breaks};

/// How much of the rate of all may be saved up: a hub that is late by that much, because the clients have the processor,
/// catches up.
const BURST: Duration = Duration::from_millis(20);
/// Of so many connections one stalls.
const STALLS_OF: u64 = 8;
/// Which of them: not the first, so that a client of one connection never meets it.
const STALLING: u64 = 3;
/// What a stalling connection sends before.
const STALLS_AFTER_BYTES: u64 = 1 << 20;

/// The line between the hub and its clients.
#[derive(Debug)]
pub(crate) struct Line {
    behaviour: Mutex<Behaviour>,
    accepted: AtomicU64,
    /// Bytes sent, heads of answers included.
    sent: AtomicU64,
    pub(crate) all: Bucket,
}

/// What a new connection is to be like, from its first byte to its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    /// Bytes per second; 0 where nothing limits them.
    pub(crate) rate: u64,
    /// Bytes per second of all connections; 0 where nothing limits them.
    pub(crate) rate_of_all: u64,
    pub(crate) end: Option<End>,
}

/// How a connection ends that the client did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It breaks off after so many bytes.
    Dies(u64),
    /// It stays open after so many bytes, and nothing comes any more.
    Stalls(u64),
}

impl End {
    /// Returns the bytes that are sent before.
    pub(crate) fn after_bytes(self) -> u64 {
        match self {
            Self::Dies(after) | Self::Stalls(after) => after,
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            behaviour: Mutex::default(),
            accepted: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            all: Bucket::new(),
        }
    }
}

impl Line {
    /// Returns how the hub behaves.
    pub(crate) fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how it behaves to connections that are accepted from now on.
    pub(crate) fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// Counts what a connection has sent.
    pub(crate) fn count(&self, sent_bytes: u64) {
        self.sent.fetch_add(sent_bytes, Relaxed);
    }

    /// Returns the bytes sent since this was last asked. The next connection is the first one again.
    pub(crate) fn take_sent(&self) -> u64 {
        self.accepted.store(0, Relaxed);
        self.sent.swap(0, Relaxed)
    }

    /// Accepts a connection.
    pub(crate) fn accept(&self) -> Fate {
        let Behaviour { rate, rate_of_all, breaks, .. } = self.behaviour();
        let number = self.accepted.fetch_add(1, Relaxed);
        let end = match breaks {
            Breaks::DiesAfter { bytes } => Some(End::Dies(bytes)),
            Breaks::OneInEightStalls if number % STALLS_OF == STALLING => {
                Some(End::Stalls(STALLS_AFTER_BYTES))
            }
            Breaks::Never | Breaks::OneInEightStalls | Breaks::FourAnswersAtOnce => None,
        };
        Fate { rate, rate_of_all, end }
    }
}

/// A rate that connections share. Each pays for a piece when it has sent it and waits until the piece is through; as it
/// has no other piece meanwhile, those that have something to send take turns.
#[derive(Debug)]
pub(crate) struct Bucket {
    begin: Instant,
    /// Nanoseconds from the beginning until all that was sent so far is through.
    paid_until: AtomicU64,
}

impl Bucket {
    fn new() -> Self {
        Self { begin: Instant::now(), paid_until: AtomicU64::new(0) }
    }

    /// Pays for what was sent just now, and returns when it is through.
    pub(crate) fn pay(&self, sent_bytes: u64, rate: u64, now: Instant) -> Instant {
        let Some(cost) = (sent_bytes * 1_000_000_000).checked_div(rate) else {
            return now;
        };
        let saved_up = now.saturating_duration_since(self.begin).saturating_sub(BURST);
        let earliest = u64::try_from(saved_up.as_nanos()).unwrap_or(u64::MAX);
        let after = |paid: u64| paid.max(earliest).saturating_add(cost);
        let before = self.paid_until.fetch_update(Relaxed, Relaxed, |paid| Some(after(paid)));
        self.begin + Duration::from_nanos(after(before.unwrap_or_else(|paid| paid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_all_connections_are_through_one_after_the_other() {
        let bucket = Bucket::new();
        let now = bucket.begin + Duration::from_secs(1);
        let through = [(); 3].map(|()| bucket.pay(1_000_000, 100_000_000, now) - bucket.begin);
        // Each takes 10 ms, and the first begins 20 ms ago.
        assert_eq!(through.map(|at| at.as_millis()), [990, 1000, 1010]);
        assert_eq!(bucket.pay(1_000_000, 0, now), now);
    }

    #[test]
    fn no_more_is_saved_up_than_a_burst() {
        let bucket = Bucket::new();
        bucket.pay(1_000_000, 100_000_000, bucket.begin);
        let late = bucket.begin + Duration::from_secs(9);
        let through = bucket.pay(4_000_000, 100_000_000, late);
        assert_eq!(through - late, Duration::from_millis(20));
    }

    #[test]
    fn one_connection_in_eight_stalls_and_never_the_first() {
        let line = Line::default();
        line.set(Behaviour { breaks: Breaks::OneInEightStalls, ..Behaviour::default() });
        let ends: Vec<bool> = (0..16).map(|_| line.accept().end.is_some()).collect();
        let stalling: Vec<usize> = (0..16).filter(|at| ends[*at]).collect();
        assert_eq!(stalling, [3, 11]);
        line.take_sent();
        assert_eq!(line.accept().end, None);
    }
}
