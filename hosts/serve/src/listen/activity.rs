//! What a connection is at: the one thing from which its deadline follows, and whether it may be closed for another.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::limits::Limits;

/// What a connection is at.
#[derive(Clone, Copy, Debug)]
enum At {
    /// It waits for the first byte of its next request.
    Idle { since: Instant },
    /// It waits for the rest of a head.
    Head { since: Instant },
    /// A request is being answered: its handler knows what it waits for.
    Request,
}

/// What a connection is at.
#[derive(Debug)]
pub(super) struct Activity {
    at: Mutex<At>,
    dismissed: Notify,
    /// Whether it was asked to end: somebody else is asked then, however long this one takes.
    is_dismissed: AtomicBool,
}

impl Activity {
    /// Of a connection that has just begun: its first request is on its way.
    pub(super) fn new() -> Self {
        let at = Mutex::new(At::Head { since: Instant::now() });
        Self { at, dismissed: Notify::new(), is_dismissed: AtomicBool::new(false) }
    }

    /// Notes that bytes have come.
    pub(super) fn received(&self) {
        let mut at = self.at();
        if let At::Idle { .. } = *at {
            *at = At::Head { since: Instant::now() };
        }
    }

    /// Notes that a head is complete.
    pub(super) fn requested(&self) {
        *self.at() = At::Request;
    }

    /// Notes that an answer is done with.
    pub(super) fn answered(&self) {
        *self.at() = At::Idle { since: Instant::now() };
    }

    /// Returns by when bytes must have come; `None` while none are due.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match *self.at() {
            At::Idle { since } => since.checked_add(limits.idle_time),
            At::Head { since } => since.checked_add(limits.head_time),
            At::Request => None,
        }
    }

    /// Returns for how long it has waited for a request; `None` while it has not, or is about to end.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        match *self.at() {
            _ if self.is_dismissed.load(Ordering::Relaxed) => None,
            At::Idle { since } => Some(since.elapsed()),
            At::Head { .. } | At::Request => None,
        }
    }

    /// Asks the connection to end once it is idle.
    pub(super) fn dismiss(&self) {
        self.is_dismissed.store(true, Ordering::Relaxed);
        self.dismissed.notify_one();
    }

    /// Waits until the connection is asked to end.
    pub(super) async fn dismissed(&self) {
        self.dismissed.notified().await;
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
