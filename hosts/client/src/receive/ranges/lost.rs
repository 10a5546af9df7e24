//! What follows when a connection of several fails.

use std::time::Duration;

use hubstow_cache::disk::failure::with_causes;
use tokio::time::Instant;

use super::{
    super::verdict::{Cause, Verdict},
    outage::Outage,
    plan::ConnectionId,
    run::{Paused, Proof, Ranges, Step},
};
use crate::{api::event::Event, http::address::NoAnswer};

impl Ranges<'_> {
    fn outage(&self, of: ConnectionId) -> Outage {
        let asked = self.crew.pulses.asked_at(of).map(|asked| self.clock.moment(asked));
        self.outages.of(asked)
    }

    /// A connection was not to be had.
    ///
    /// # Errors
    /// What nothing can be done about here.
    pub(super) fn not_answered(
        &mut self,
        id: ConnectionId,
        error: NoAnswer,
    ) -> Result<Option<Paused>, Verdict> {
        let is_transport = matches!(error, NoAnswer::Transport { .. });
        // Somebody on the way may count connections, and refuse one too many.
        if is_transport && self.connections.len() > 1 && self.outage(id) == Outage::New {
            let (now, taken) = (self.clock.now(), self.crew.pulses.bringing());
            self.crew.climb.refused(now, Duration::ZERO, taken);
        }
        self.lost(id, error.into())
    }

    /// A connection has failed: what it has stays, and the rest is asked for again. Returns the first connection, if it may
    /// go on into what that had.
    ///
    /// # Errors
    /// What nothing can be done about here.
    pub(super) fn lost(
        &mut self,
        id: ConnectionId,
        ended: Verdict,
    ) -> Result<Option<Paused>, Verdict> {
        let outage = self.outage(id);
        self.retire(id);
        let resumed = self.paused.take();
        let are_others = !self.connections.is_empty();
        match ended {
            Verdict::Failing { cause, wait } if are_others => {
                self.refused(outage, &cause, wait.unwrap_or_default());
            }
            Verdict::NoRange(_) if self.proof == Proof::Missing && are_others => {
                self.crew.climb.stay();
            }
            Verdict::NoRange(cause) if self.proof == Proof::Missing => {
                return Err(Verdict::NotSplit(cause));
            }
            Verdict::Expired(cause) | Verdict::Gone(cause) if self.at == *self.fetch.pinned => {
                return Err(Verdict::NotSplit(cause));
            }
            Verdict::Expired(_) | Verdict::Gone(_) => self.at = self.fetch.pinned.clone(),
            Verdict::Failing { cause, wait } => self.rest(outage, cause, wait)?,
            Verdict::Broke(cause) | Verdict::NoRange(cause) => self.rest(outage, cause, None)?,
            other @ (Verdict::Received
            | Verdict::Verified
            | Verdict::NotSplit(_)
            | Verdict::Crowded { .. }
            | Verdict::Unreachable(_)
            | Verdict::Wrong(_)
            | Verdict::OtherContent
            | Verdict::Unusable(_)
            | Verdict::Disk(_)
            | Verdict::Undecided(_)
            | Verdict::Store(_)) => return Err(other),
        }
        Ok(resumed)
    }

    /// Lets the place of a lost connection be empty for a while.
    ///
    /// # Errors
    /// There were too many failures.
    fn rest(
        &mut self,
        outage: Outage,
        cause: Cause,
        asked: Option<Duration>,
    ) -> Result<(), Verdict> {
        let counted = self.outages.wait(outage, self.received, Instant::now());
        let Some(wait) = counted else {
            return Err(Verdict::Crowded { cause, wait: asked });
        };
        let wait = asked.unwrap_or(wait);
        if self.connections.is_empty() {
            let (subject, retry) = (self.fetch.file.to_string(), self.outages.count());
            (self.tell)(Event::Retrying { subject, retry, wait, cause: with_causes(&cause) });
        } else {
            tracing::debug!(file = %self.fetch.file, cause = %with_causes(&cause), ?wait, "a range is asked for again");
        }
        self.resting += 1;
        self.steps.push(Box::pin(async move {
            tokio::time::sleep(wait).await;
            Step::Rested
        }));
        Ok(())
    }

    /// The hub takes fewer connections than it was asked for; the others go on.
    fn refused(&mut self, outage: Outage, cause: &Cause, wait: Duration) {
        tracing::debug!(file = %self.fetch.file, cause = %with_causes(cause), ?wait, "fewer connections");
        let now = Instant::now();
        self.quiet_until = self.quiet_until.max(now + wait);
        if outage == Outage::New {
            self.outages.note(now);
        }
        self.crew.climb.refused(self.clock.now(), wait, self.connections.len());
    }
}
