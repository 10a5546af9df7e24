//! A file on its way to its place, and what it has open.

use hubstow_cache::{
    cache::lock::{HeldLock, Locked},
    drive::Placing,
};

use crate::{
    budget::Permit,
    handle::{DiskBound, Worker},
    receive::memory::Unfinished,
};

/// A file on its way to its place.
#[derive(Default)]
pub(crate) struct Underway {
    /// What it has open; `None` where it is only to be started.
    pub(crate) open: Option<DiskBound<Open>>,
    /// An attempt to fetch it that did not simply succeed.
    pub(crate) first: Option<Unfinished>,
}

/// What a file on its way has open. It is closed in this order: whoever gets the lock finds the staged file given up, and
/// whoever gets the permit finds everything closed.
pub(crate) struct Open {
    pub(crate) placing: Placing,
    pub(crate) lock: Lock,
    pub(crate) permit: Option<Permit>,
}

impl Open {
    /// Takes it on a worker; what is done with it ends when the worker's work is not wanted any more.
    pub(crate) fn of(bound: DiskBound<Self>, worker: &Worker) -> Self {
        let mut open = bound.open(worker);
        open.placing.stopped_by(worker.cancel().clone());
        open
    }
}

impl From<Placing> for Open {
    fn from(placing: Placing) -> Self {
        Self { placing, lock: Lock::Untried, permit: None }
    }
}

/// What became of the lock.
pub(crate) enum Lock {
    Untried,
    Held(#[expect(dead_code, reason = "held until it is dropped")] HeldLock),
    GoneWithout,
}

impl Lock {
    /// What trying has come to; `None` where somebody else has it.
    pub(crate) fn of(locked: Locked) -> Option<Self> {
        match locked {
            Locked::Held(held) => Some(Self::Held(held)),
            Locked::Unavailable => Some(Self::GoneWithout),
            Locked::Busy => None,
        }
    }
}
