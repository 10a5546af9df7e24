//! What a node knows its tier to know of repos.

use std::sync::Arc;

use hubstow_core::name::{Commit, Repo, Revision};
use tokio::sync::Semaphore;

use crate::{
    bounded::Bounded,
    limits::{REMEMBERED, ROOTS_AT_ONCE, ROOTS_FOR, ROOTS_WAITING},
};

/// What this node knows the tier to know, or has tried to tell it.
pub(super) struct Roots {
    pub(super) listings: Bounded<(Repo, Commit), ()>,
    pub(super) revisions: Bounded<(Repo, Revision), Commit>,
    pub(super) at_once: Semaphore,
    pub(super) waiting: Arc<Semaphore>,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            listings: Bounded::new(REMEMBERED, ROOTS_FOR),
            revisions: Bounded::new(REMEMBERED, ROOTS_FOR),
            at_once: Semaphore::new(ROOTS_AT_ONCE),
            waiting: Arc::new(Semaphore::new(ROOTS_WAITING)),
        }
    }
}
