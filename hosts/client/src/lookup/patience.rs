//! How patient a question to the hub is.

use std::time::Duration;

use hubstow_core::hub::{Backoff, Retry};
use tokio::time::Instant;

use crate::{
    api::{config::Config, event::Event},
    http::{
        endpoints::{Outage, SiteId},
        retry::Retries,
        session::{Http, Limits},
    },
};

/// How long an answer may take to begin where nothing is cached to fall back on: a slow answer is better than none then.
const PATIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a question is waited for, and how often it is put again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long each answer may take to begin.
    answer_within: Duration,
    /// How long until an answer begins that is of use, with all that is waited for meanwhile; `None` where trying goes on.
    in_all: Option<Duration>,
    backoff: Backoff,
}

/// A question that has been put.
pub(crate) struct Asking {
    limits: Limits,
    backoff: Backoff,
    retries: Retries,
}

/// How a try to put a question has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missed {
    /// The endpoint that was asked.
    pub(crate) site: SiteId,
    /// Whether the same may succeed later.
    pub(crate) passing: Retry,
    /// What it says of the endpoint, where another may do better.
    pub(crate) outage: Option<Outage>,
}

impl Patience {
    /// With something to fall back on, nobody waits for longer than a lookup may take (rows D28, D29): not for retries, and
    /// not for a hub that asks to be left alone.
    pub(crate) fn brief(config: &Config) -> Self {
        Self {
            answer_within: config.lookup_timeout,
            in_all: Some(config.lookup_timeout),
            backoff: Backoff { retries: 1, ..Backoff::DEFAULT },
        }
    }

    /// With nothing to fall back on, the hub is asked again.
    pub(crate) fn lasting(config: &Config) -> Self {
        Self {
            answer_within: config.lookup_timeout.max(PATIENT_TIMEOUT),
            in_all: None,
            backoff: Backoff { retries: 3, ..Backoff::DEFAULT },
        }
    }

    /// The same without any retry.
    pub(crate) fn once(self) -> Self {
        Self { backoff: Backoff { retries: 0, ..self.backoff }, ..self }
    }

    /// Begins to wait.
    pub(crate) fn begin(&self) -> Asking {
        let until = self.in_all.map(|in_all| Instant::now() + in_all);
        let limits = Limits { answer_within: self.answer_within, until };
        Asking { limits, backoff: self.backoff, retries: Retries::new(self.backoff) }
    }
}

impl Asking {
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Says how long to wait before the question is put again, after the endpoint was left that has missed it where that is
    /// away and there is another; `None` when it was put often enough, or no time is left.
    pub(crate) fn again(
        &mut self,
        http: &Http,
        missed: Missed,
        words: impl FnOnce() -> String,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Option<Duration> {
        let Missed { site, passing, outage } = missed;
        if let Some(outage) = outage.filter(|_| http.route().goes_on_from(site)) {
            let here = if outage.is_enough(self.retry()) { None } else { self.next_wait() };
            if passing == Retry::Yes && here.is_some() {
                return here;
            }
            self.retries = Retries::new(self.backoff);
            let is_in_time = self.limits.until.is_none_or(|until| Instant::now() < until);
            return (http.leave(site, &words(), tell) && is_in_time).then_some(Duration::ZERO);
        }
        if passing == Retry::Yes { self.next_wait() } else { None }
    }

    /// Counts one more retry and returns how long to wait before it; `None` when there were enough, or no time is left.
    fn next_wait(&mut self) -> Option<Duration> {
        let wait = self.retries.next_wait()?;
        let in_time = |until| Instant::now() + wait < until;
        self.limits.until.is_none_or(in_time).then_some(wait)
    }

    /// Returns how many retries have been counted.
    pub(crate) fn retry(&self) -> u32 {
        self.retries.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_is_put_again_only_while_there_is_time() {
        let config = Config::new("/cache");
        let brief = Patience::brief(&config);
        for (patience, spent_s, retries) in [
            (Patience::lasting(&config), 0, 3),
            (Patience::lasting(&config), 100, 3),
            (Patience::lasting(&config).once(), 0, 0),
            (brief, 0, 1),
            (brief, 9, 1),
            (brief, 10, 0),
            (brief.once(), 0, 0),
        ] {
            let mut asking = patience.begin();
            tokio::time::advance(Duration::from_secs(spent_s)).await;
            let waits = std::iter::from_fn(|| asking.next_wait()).count();
            assert_eq!(waits, retries, "{patience:?} after {spent_s} s");
        }
    }

    #[test]
    fn what_the_caller_allows_for_a_lookup_holds_where_there_is_something_to_fall_back_on() {
        for (lookup_s, brief_s, lasting_s) in [(2, 2, 30), (10, 10, 30), (60, 60, 60)] {
            let lookup_timeout = Duration::from_secs(lookup_s);
            let config = Config { lookup_timeout, ..Config::new("/cache") };
            let within = |patience: Patience| patience.answer_within.as_secs();
            assert_eq!(within(Patience::brief(&config)), brief_s);
            assert_eq!(within(Patience::lasting(&config)), lasting_s);
        }
    }
}
