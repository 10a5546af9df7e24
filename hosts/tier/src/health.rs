//! Whether the store is there, in one place: a node notices at once that it is away, goes on without it, and tries again by
//! itself.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    error::{Error, ErrorKind},
    limits::Limits,
};

/// Whether the tier can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As far as is known.
    Here,
    /// The last requests have failed. The next is let through after this time.
    Away {
        /// The time until then.
        retry_in: Duration,
    },
}

/// What is known of the store from the last requests.
#[derive(Debug)]
pub(crate) struct Health {
    first_pause: Duration,
    longest_pause: Duration,
    known: Mutex<Option<Away>>,
}

#[derive(Clone, Copy, Debug)]
struct Away {
    pause: Duration,
    until: Instant,
}

impl Health {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            first_pause: limits.first_pause,
            longest_pause: limits.longest_pause,
            known: Mutex::new(None),
        }
    }

    pub(crate) fn state(&self) -> State {
        let away = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match away {
            None => State::Here,
            Some(away) => {
                State::Away { retry_in: away.until.saturating_duration_since(Instant::now()) }
            }
        }
    }

    /// Lets a request through, or says that the store is away. Of those that come after the pause, one goes to see; for the
    /// others it is still away until that one has.
    pub(crate) fn admit(&self, what: &str) -> Result<(), Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(away) = known.as_mut() else { return Ok(()) };
        let now = Instant::now();
        if away.until <= now {
            away.until = now + away.pause;
            return Ok(());
        }
        let why = "the store was away a moment ago and is not asked again yet";
        let after = away.until.saturating_duration_since(now);
        Err(Error::new(ErrorKind::Unavailable, what, why).with_retry_after(Some(after)))
    }

    /// Takes note of how a request has ended, all its retries included.
    pub(crate) fn note(&self, end: Option<ErrorKind>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_away = end == Some(ErrorKind::Unavailable);
        *known = match *known {
            _ if !is_away => None,
            None => Some(self.away(self.first_pause)),
            // Those that were on their way with the first failure say nothing new.
            Some(away) if away.until > Instant::now() + away.pause / 2 => Some(away),
            Some(away) => Some(self.away(away.pause * 2)),
        };
    }

    fn away(&self, pause: Duration) -> Away {
        let pause = pause.min(self.longest_pause);
        Away { pause, until: Instant::now() + pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_absent_store_is_asked_by_one_at_a_time_and_ever_more_rarely() {
        let health = Health::new(&Limits::default());
        let failed = Some(ErrorKind::Unavailable);
        assert_eq!(health.state(), State::Here);
        health.admit("x").unwrap();
        health.note(failed);
        let first = Limits::default().first_pause;
        assert_eq!(health.state(), State::Away { retry_in: first });
        // Others that fail at the same time make it no worse.
        health.note(failed);
        assert_eq!(health.state(), State::Away { retry_in: first });
        assert_eq!(health.admit("x").unwrap_err().kind(), ErrorKind::Unavailable);
        tokio::time::advance(first).await;
        health.admit("x").unwrap();
        assert_eq!(health.admit("x").unwrap_err().retry_after(), Some(first));
        tokio::time::advance(first).await;
        health.admit("x").unwrap();
        tokio::time::advance(first).await;
        health.note(failed);
        assert_eq!(health.state(), State::Away { retry_in: first * 2 });
        for _ in 0..20 {
            tokio::time::advance(Limits::default().longest_pause).await;
            health.note(failed);
        }
        assert_eq!(health.state(), State::Away { retry_in: Limits::default().longest_pause });
        health.note(None);
        assert_eq!(health.state(), State::Here);
    }

    #[test]
    fn other_failures_are_answers() {
        let health = Health::new(&Limits::default());
        health.note(Some(ErrorKind::Denied));
        assert_eq!(health.state(), State::Here);
    }
}
