//! How many connections there may be, and who goes where they are all taken.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::activity::Activity;

/// How long a connection must have been idle before it is closed for another: less is a client between two requests.
const IDLE_ENOUGH: Duration = Duration::from_secs(1);
/// How often it is looked for one that has become idle, where all places are taken.
const LOOKED_EVERY: Duration = Duration::from_millis(250);

/// The places for connections.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    of: usize,
    taken: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
}

/// A place that no connection has yet.
#[derive(Debug)]
pub(super) struct Free(OwnedSemaphorePermit);

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    activity: Arc<Activity>,
    places: Arc<Places>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(connections: usize) -> Self {
        let of = connections.clamp(1, Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(of));
        Self { free, of, taken: Mutex::default(), next: AtomicU64::default() }
    }

    /// Returns how many connections there are.
    pub(crate) fn taken(&self) -> usize {
        self.connections().len()
    }

    /// Returns how many connections there may be.
    pub(crate) fn of(&self) -> usize {
        self.of
    }

    /// Waits until there is a place.
    pub(super) async fn free(&self) -> Free {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return Free(permit);
            }
            self.dismiss_the_idlest();
            // Whether one became free or it is time to look again.
            drop(tokio::time::timeout(LOOKED_EVERY, self.free.acquire()).await);
        }
    }

    /// Gives a free place to a connection.
    pub(super) fn give(self: &Arc<Self>, Free(permit): Free) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new());
        self.connections().insert(number, Arc::clone(&activity));
        Place { number, activity, places: Arc::clone(self), _permit: permit }
    }

    /// Asks the connection to end that has been idle for longest, if one has been for long enough.
    pub(super) fn dismiss_the_idlest(&self) {
        let taken = self.connections();
        let idle = taken.values().filter_map(|at| Some((at.idle_for()?, at)));
        let idle = idle.filter(|(idle_for, _)| *idle_for >= IDLE_ENOUGH);
        if let Some((_, idlest)) = idle.max_by_key(|(idle_for, _)| *idle_for) {
            idlest.dismiss();
        }
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.connections().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_was_asked_to_end_and_does_not_keeps_nobody_else_from_it() {
        let places = Arc::new(Places::new(3));
        let (mut taken, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let place = places.give(places.free().await);
            place.activity().answered();
            idle.push(Arc::clone(place.activity()));
            taken.push(place);
            tokio::time::advance(IDLE_ENOUGH).await;
        }
        let is_asked = |at: &Arc<Activity>| {
            let at = Arc::clone(at);
            async move { tokio::time::timeout(Duration::ZERO, at.dismissed()).await.is_ok() }
        };
        for expected in &idle {
            places.dismiss_the_idlest();
            assert!(is_asked(expected).await, "the next idlest is asked");
        }
        places.dismiss_the_idlest();
        for at in &idle {
            assert!(!is_asked(at).await, "nobody is asked twice");
        }
    }
}
