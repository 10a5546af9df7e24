//! The clock of the deadline: a thread that counts epochs while decisions are being made, and sleeps otherwise.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use wasmtime::Engine;

/// How long an epoch is. A deadline is kept to within one.
const TICK: Duration = Duration::from_millis(10);

/// Counts epochs of one engine while somebody needs them.
pub(crate) struct Watch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many calls are running.
    running: usize,
    /// Whether the watch is over.
    over: bool,
    /// Whether the thread was started: a process that decides nothing needs none.
    started: bool,
}

/// A call that is running. Epochs are counted until it is dropped.
pub(crate) struct Running<'a>(&'a Watch);

impl Watch {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// Returns how many epochs a deadline is.
    pub(crate) fn ticks(deadline: Duration) -> u64 {
        let ticks = deadline.as_millis().div_ceil(TICK.as_millis());
        // The first epoch may end at once.
        u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Counts epochs until the returned value is dropped.
    pub(crate) fn run(&self, engine: &Engine) -> Running<'_> {
        let mut state = self.shared.lock();
        state.running += 1;
        if !state.started {
            let (shared, engine) = (Arc::clone(&self.shared), engine.weak());
            let tick = move || engine.upgrade().map(|engine| engine.increment_epoch());
            // Without a thread the deadline is not kept; the fuel still ends every loop.
            state.started = thread::Builder::new()
                .name("hubstow-deadline".to_owned())
                .spawn(move || shared.count(tick))
                .is_ok();
        } else if state.running == 1 {
            self.shared.changed.notify_one();
        }
        Running(self)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, tick: impl Fn() -> Option<()>) {
        let mut state = self.lock();
        loop {
            let waited = if state.running == 0 {
                self.changed.wait(state).map(|state| (state, false))
            } else {
                match self.changed.wait_timeout(state, TICK) {
                    Ok((state, end)) => Ok((state, end.timed_out())),
                    Err(poisoned) => Ok((poisoned.into_inner().0, false)),
                }
            };
            let ended;
            (state, ended) = waited.unwrap_or_else(|poisoned| (poisoned.into_inner(), false));
            if state.over || ended && tick().is_none() {
                return;
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.shared.lock().running -= 1;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
    }
}
