//! The connections that receive one file: what each has to do, how each does, and how many there should be, put together.
//!
//! Pure: times are passed in.

use super::{
    super::clock::Now,
    climb::Climb,
    plan::{ConnectionId, Given, Plan, Terms},
    pulse::Pulses,
};

/// The connections of one file.
pub(crate) struct Crew {
    pub(crate) plan: Plan,
    pub(crate) pulses: Pulses,
    pub(crate) climb: Climb,
    /// Among how many connections all has been shared.
    shared_by: usize,
}

impl Crew {
    pub(crate) fn new(plan: Plan, pulses: Pulses, climb: Climb) -> Self {
        Self { plan, pulses, climb, shared_by: 1 }
    }

    /// Returns how many connections there should be, after so many bytes.
    pub(crate) fn wanted(&mut self, now: Now, received: u64) -> usize {
        self.climb.look(now, received, self.pulses.bringing(), self.pulses.delay())
    }

    /// Shares anew what fewer connections had all of, among so many.
    pub(crate) fn share_anew(&mut self, connections: usize, now: Now) {
        if connections > self.shared_by {
            let terms = self.terms(connections, now);
            self.plan.share_anew(&terms);
        }
        self.shared_by = connections;
    }

    /// Returns how many of so many connections are about to end, so that others can be asked already. None where somebody
    /// has refused one too many.
    pub(crate) fn ending(&self, connections: usize, now: Now) -> usize {
        if connections == 1 || self.climb.is_limited() {
            return 0;
        }
        self.plan.ending(&self.terms(connections, now), |owner| self.pulses.pace(owner, now))
    }

    /// Gives one of so many connections something to receive, if there is something.
    pub(crate) fn assign(
        &mut self,
        id: ConnectionId,
        connections: usize,
        now: Now,
    ) -> Option<Given> {
        let (terms, pulses) = (self.terms(connections, now), &self.pulses);
        self.plan.assign(id, &terms, |owner| pulses.pace(owner, now))
    }

    /// A connection is over: what is missing of its range is anybody's.
    pub(crate) fn retire(&mut self, id: ConnectionId) {
        self.plan.give_back(id);
        self.pulses.gone(id);
    }

    fn terms(&self, connections: usize, now: Now) -> Terms {
        let is_held_up = self.pulses.is_any_parked();
        let (delay, rate) = (self.pulses.delay(), self.pulses.median_rate(now));
        Terms { delay, rate, connections, is_held_up }
    }
}
