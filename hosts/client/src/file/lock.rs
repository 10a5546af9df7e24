//! Taking the lock of a file that is to be fetched, or waiting for whoever has it.

use std::time::Duration;

use hubstow_core::name::FileName;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{
    api::{error::Error, event::Event},
    budget::Permit,
    engine::Engine,
    file::underway::{Lock, Open},
    handle::{CacheHandle, DiskBound},
};

/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// How often it is looked at whether its holder makes progress, at most: that reads a whole folder.
const PROGRESS_POLL: Duration = Duration::from_secs(1);

/// A file that waits for its turn to be fetched.
pub(crate) struct Queue<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) cache: &'a CacheHandle,
    pub(crate) file: &'a FileName,
    /// Whoever fetches takes one of these for as long, and has none while it waits for another process.
    pub(crate) slots: Option<&'a Semaphore>,
}

/// A file that may be fetched now.
pub(crate) struct Turn<'a> {
    pub(crate) open: DiskBound<Open>,
    pub(crate) slot: Option<SemaphorePermit<'a>>,
}

/// What came of trying to lock.
enum Tried {
    Locked(DiskBound<Open>),
    /// Somebody else has it; how far they are, where that was looked at.
    Busy(DiskBound<Open>, Option<u64>),
}

impl<'a> Queue<'a> {
    /// Waits for a slot.
    pub(crate) async fn slot(&self) -> Option<SemaphorePermit<'a>> {
        // The semaphore is never closed.
        self.slots?.acquire().await.ok()
    }

    /// Takes the lock that the Python client takes, so that one of us fetches and the others wait. A holder that makes no
    /// progress is not waited for without end: then both fetch, and both are right.
    ///
    /// The permit comes before the slot, so that nobody who has a slot waits for a permit; and whoever waits for the lock has
    /// neither.
    pub(crate) async fn turn(&self, mut open: DiskBound<Open>) -> Result<Turn<'a>, Error> {
        let permit = Some(self.engine.budget.permit().await);
        let slot = self.slot().await;
        let mut watch = Watch::start(self.engine.config.lock_patience);
        match self.try_lock(open, permit, watch.next()).await? {
            Tried::Locked(open) => return Ok(Turn { open, slot }),
            Tried::Busy(busy, progress) => {
                open = busy;
                watch.saw(progress);
            }
        }
        drop(slot);
        self.engine.tell(Event::Waiting { file: self.file.clone() });
        let open = loop {
            if watch.is_over() {
                tracing::warn!(file = %self.file, "the holder of the lock makes no progress; going on without it");
                break self.change(open, |open| open.lock = Lock::GoneWithout).await?;
            }
            tokio::time::sleep(LOCK_POLL).await;
            match self.try_lock(open, None, watch.next()).await? {
                Tried::Locked(locked) => break locked,
                Tried::Busy(busy, progress) => {
                    open = busy;
                    watch.saw(progress);
                }
            }
        };
        let permit = self.engine.budget.permit().await;
        let slot = self.slot().await;
        let open = self.change(open, |open| open.permit = Some(permit)).await?;
        Ok(Turn { open, slot })
    }

    async fn try_lock(
        &self,
        open: DiskBound<Open>,
        permit: Option<Permit>,
        look: Look,
    ) -> Result<Tried, Error> {
        let handle = self.cache.clone();
        let tried = self.cache.run(move |cache, worker| {
            let mut open = Open::of(open, worker);
            let target = open.placing.target();
            match Lock::of(cache.try_lock(target)) {
                Some(lock) => {
                    (open.lock, open.permit) = (lock, permit);
                    Tried::Locked(handle.keep(open))
                }
                None => {
                    let progress = match look {
                        Look::AtProgress => Some(cache.progress(target)),
                        Look::AtLock => None,
                    };
                    Tried::Busy(handle.keep(open), progress)
                }
            }
        });
        tried.await
    }

    /// Changes what a file has with it.
    async fn change(
        &self,
        open: DiskBound<Open>,
        change: impl FnOnce(&mut Open) + Send + 'static,
    ) -> Result<DiskBound<Open>, Error> {
        let handle = self.cache.clone();
        let changed = self.cache.run(move |_, worker| {
            let mut open = Open::of(open, worker);
            change(&mut open);
            handle.keep(open)
        });
        changed.await
    }
}

/// What is looked at where somebody else has the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    AtLock,
    AtProgress,
}

/// How the holder of a lock gets on.
struct Watch {
    patience: Duration,
    looked: Option<Instant>,
    progress: Option<u64>,
    progressed: Instant,
}

impl Watch {
    fn start(patience: Duration) -> Self {
        Self { patience, looked: None, progress: None, progressed: Instant::now() }
    }

    /// Says what is to be looked at next.
    fn next(&self) -> Look {
        let every = PROGRESS_POLL.min(self.patience / 4);
        match self.looked {
            Some(looked) if looked.elapsed() < every => Look::AtLock,
            Some(_) | None => Look::AtProgress,
        }
    }

    /// Takes how far the holder is, where that was looked at.
    fn saw(&mut self, progress: Option<u64>) {
        if progress.is_none() {
            return;
        }
        self.looked = Some(Instant::now());
        if self.progress != progress {
            (self.progress, self.progressed) = (progress, Instant::now());
        }
    }

    /// Tells whether the holder has made no progress for as long as it is waited for.
    fn is_over(&self) -> bool {
        self.progressed.elapsed() >= self.patience
    }
}
