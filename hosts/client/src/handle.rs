//! The way from async code to a cache directory.
//!
//! INVARIANT: no disk is touched on an async thread. The cache itself, and whatever has files of it open, can be had only on
//! a worker, or by a caller who says that it blocks; so a call in the wrong place does not compile.

use std::path::PathBuf;

use hubstow_cache::{Cache, disk::cancel::Cancel};
use hubstow_core::layout::{CachePath, RepoLayout};

use crate::{
    offload::{Begun, Offload, Untyped, Whatever},
    parts::Beside,
};

/// A cache directory, from afar.
#[derive(Clone)]
pub(crate) struct CacheHandle {
    cache: Cache,
    offload: Offload,
}

/// The code runs on a worker. Only [`CacheHandle`] and [`DiskBound`] make one.
pub(crate) struct Worker {
    cancel: Cancel,
}

impl Worker {
    /// Returns what says whether the work is still wanted.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

type Work = Box<dyn FnOnce(&Cache, &Worker) -> Whatever + Send>;

/// A caller that knows that it blocks the thread it is on: the questions that need no async runtime.
pub(crate) struct CallerBlocks(());

impl CallerBlocks {
    /// Says so.
    pub(crate) fn its_thread() -> Self {
        Self(())
    }
}

impl CacheHandle {
    pub(crate) fn new(cache: Cache, offload: Offload) -> Self {
        Self { cache, offload }
    }

    /// Begins work in the cache on a worker, to be waited for. Whoever stops waiting cancels it, and what it copies or hashes
    /// ends soon.
    ///
    /// # Errors
    /// The workers have ended.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cache, &Worker) -> T + Send + 'static,
    ) -> Begun<T> {
        Begun::of(self.begin(Box::new(move |cache, worker| Box::new(work(cache, worker)))))
    }

    fn begin(&self, work: Work) -> Untyped {
        let cache = self.cache.clone();
        self.offload.begin(Box::new(move |cancel| {
            let worker = Worker { cancel: cancel.clone() };
            work(&cache.stopped_by(cancel.clone()), &worker)
        }))
    }

    /// Says whether work runs beside whoever asks for it.
    pub(crate) fn beside(&self) -> Beside {
        self.offload.beside()
    }

    /// Returns the cache itself on a worker, for work that is in more than one.
    pub(crate) fn on(&self, worker: &Worker) -> Cache {
        self.cache.stopped_by(worker.cancel.clone())
    }

    /// Returns the cache itself to a caller who blocks.
    pub(crate) fn blocking(&self, _caller: &CallerBlocks) -> &Cache {
        &self.cache
    }

    /// Takes something that has files open; from now on it is used and dropped on workers only.
    pub(crate) fn keep<T: Send + 'static>(&self, open: T) -> DiskBound<T> {
        DiskBound { open: Some(open), offload: self.offload.clone() }
    }

    /// Returns a path as the system knows it.
    pub(crate) fn native(&self, at: &CachePath) -> PathBuf {
        self.cache.disk().native(at)
    }

    /// Returns the same cache for looking only.
    pub(crate) fn looking_only(&self) -> Self {
        Self { cache: self.cache.looking_only(), offload: self.offload.clone() }
    }

    /// Tells whether nothing may be written.
    pub(crate) fn is_looking_only(&self) -> bool {
        self.cache.is_looking_only()
    }

    /// Returns the same cache for many files of one repo: it remembers what it has seen of folders.
    pub(crate) fn remembering(&self, layout: &RepoLayout) -> Self {
        Self { cache: self.cache.remembering(layout), offload: self.offload.clone() }
    }
}

/// Something that has files open, kept where the async threads can't use it. Wherever it is dropped, its end is a worker's
/// affair.
pub(crate) struct DiskBound<T: Send + 'static> {
    open: Option<T>,
    offload: Offload,
}

impl<T: Send + 'static> DiskBound<T> {
    /// Hands it out on a worker.
    #[expect(clippy::expect_used, reason = "only this and the end take it, and both come once")]
    pub(crate) fn open(mut self, _worker: &Worker) -> T {
        self.open.take().expect("it was not handed out before")
    }
}

impl<T: Send + 'static> Drop for DiskBound<T> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.offload.start(move || drop(open));
        }
    }
}
