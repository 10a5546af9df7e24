//! What happens to nodes that fill, besides what they do: deaths, lost answers, sweeps that come too early.

use hubstow_tier::decide::{Leftover, Standing, is_leftover};

use super::{Claim, Filling, Step};
use crate::explore::Label;

/// The sweep, in the way to a state.
const SWEEP: usize = usize::MAX;

/// What may happen besides the protocol, how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Trouble {
    pub(super) deaths: u8,
    /// Claims of living nodes that lapse.
    pub(super) lapses: u8,
    pub(super) losses: u8,
    /// Bodies of upstream that are wrong.
    pub(super) flips: u8,
    pub(super) evictions: u8,
    /// Things that a sweep beside the nodes takes for left, though they are not.
    pub(super) sweeps: u8,
}

impl Filling {
    /// What happens besides the protocol.
    pub(super) fn troubles(&self) -> Vec<(Label, Self)> {
        let mut next = Vec::new();
        let lives = |step: &Step| !matches!(step, Step::Done | Step::Dead);
        if self.trouble.deaths > 0 {
            for (at, _) in self.nodes.iter().enumerate().filter(|(_, step)| lives(step)) {
                let mut dead = self.with(at, Step::Dead);
                dead.trouble.deaths -= 1;
                dead.excused += 1;
                next.push(((at, "dies"), dead));
            }
        }
        if let Some(claim) = self.claim.filter(|claim| claim.standing == Standing::Live) {
            let mut lapsed = self.clone();
            lapsed.claim = Some(Claim { standing: Standing::Lapsed, ..claim });
            let holder = self.nodes.get(claim.holder);
            // Of a node that has nothing more to do with it, it lapses in any case.
            if holder.is_none_or(|step| !lives(step)) {
                next.push(((claim.holder, "lapses"), lapsed));
            } else if self.trouble.lapses > 0 {
                lapsed.trouble.lapses -= 1;
                lapsed.excused += 1;
                next.push(((claim.holder, "lapses although it lives"), lapsed));
            }
        }
        if self.trouble.evictions > 0 && self.object.is_some() {
            let mut evicted = self.clone();
            evicted.trouble.evictions -= 1;
            evicted.excused += 1;
            evicted.object = None;
            next.push(((SWEEP, "evicted"), evicted));
        }
        next.extend(self.sweeping());
        next
    }

    /// What a sweep does beside the nodes: between its look and what it does, the claim may have become another.
    fn sweeping(&self) -> Vec<(Label, Self)> {
        let mut next = Vec::new();
        if self.clearing {
            let mut cleared = self.clone();
            cleared.clearing = false;
            cleared.claim = None;
            next.push(((SWEEP, "clears the claim"), cleared));
        }
        if self.trouble.sweeps == 0 {
            return next;
        }
        let mut with = self.clone();
        with.trouble.sweeps -= 1;
        with.excused += 1;
        let has_lapsed = |claim: Claim| claim.standing == Standing::Lapsed;
        if self.claim.is_some_and(has_lapsed) && !self.clearing {
            let mut seen = with.clone();
            seen.clearing = true;
            next.push(((SWEEP, "sees a lapsed claim"), seen));
        }
        for (at, _) in self.uploads.iter().enumerate().filter(|(_, begun)| **begun) {
            let mut ended = with.clone();
            if let Some(upload) = ended.uploads.get_mut(at) {
                *upload = false;
            }
            next.push(((SWEEP, "ends an upload"), ended));
        }
        next
    }

    /// Tells whether a sweep at the end, long after the last step, leaves anything of the nodes.
    pub(super) fn leaves_something(&self) -> bool {
        const PATIENCE_MS: u64 = 86_400_000;
        const LONG_AFTER_MS: i64 = 2 * 86_400_000;
        let claim = Leftover::Claim { lives_ms: 30_000 };
        let upload = Leftover::Upload { patience_ms: PATIENCE_MS };
        let stays = |what| !is_leftover(what, 0, LONG_AFTER_MS);
        (self.claim.is_some() && stays(claim)) || (self.uploads.contains(&true) && stays(upload))
    }
}
