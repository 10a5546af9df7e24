//! Bringing files to their places: those that are here on a few threads, and the others as single files.

use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt as _, future::join_all, stream};
use hubstow_cache::{Cache, Target, observe::many::Observation, staged::space::Shortage};
use tokio::sync::Semaphore;

use super::batch::{Batch, FileResult, Results, Step};
use crate::{
    api::error::{Error, from_io},
    file::{
        content::Placed,
        place::{Origin, Placement},
        underway::Underway,
    },
    handle::Worker,
};

/// How many threads place what is here: folders are changed under one lock each, so more do not help.
const PLACING_THREADS: usize = 4;
/// How many files a thread must have to place to be worth starting; it takes so many at a time, for files that follow each
/// other are in one folder, and threads that make names in one folder wait for each other.
const FILES_A_THREAD: usize = 64;
/// How many single files are on their way at once, if so many may have files open; only as many of them as there are
/// workers fetch.
const MOST_SINGLE_FILES: usize = 64;

/// A file that is to be placed, and what was seen of it.
pub(crate) struct ToPlace {
    pub(crate) at: usize,
    pub(crate) seen: Option<Observation>,
}

/// A file that goes its way by itself, and how far it is.
pub(crate) struct SingleFile {
    pub(crate) at: usize,
    pub(crate) underway: Underway,
}

impl SingleFile {
    /// One that is only to be started.
    pub(crate) fn fresh(at: usize) -> Self {
        Self { at, underway: Underway::default() }
    }
}

impl Batch {
    /// Finds out before a byte is fetched whether all that is missing has space on the disk. It blocks.
    pub(crate) fn check_space(&self, cache: &Cache, files: &[usize]) -> Result<(), Error> {
        let targets: Vec<_> = files.iter().filter_map(|at| self.target(*at).ok()).collect();
        let Some(Target { layout, .. }) = targets.first() else { return Ok(()) };
        match cache.shortage(&targets) {
            Ok(Some(Shortage { free_bytes, needed_bytes })) => {
                let disk = cache.disk().native(&layout.repo());
                let what = format!(
                    "{needed_bytes} bytes are missing, and `{}` has space for {free_bytes}",
                    disk.display()
                );
                Err(from_io(&what, std::io::ErrorKind::StorageFull.into()))
            }
            // A disk that does not tell says nothing of the space.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Places what is here, on a few threads; returns what is not.
    pub(crate) async fn place_all(
        self: &Arc<Self>,
        files: Vec<ToPlace>,
        results: &mut Results,
    ) -> Result<Vec<usize>, Error> {
        let threads = files.len().div_ceil(FILES_A_THREAD).min(PLACING_THREADS);
        let threads = threads.min(self.workers());
        let queue = Arc::new(Mutex::new(files.into_iter()));
        let placed = (0..threads).map(|_| {
            let (batch, queue) = (Arc::clone(self), Arc::clone(&queue));
            self.cache.run(move |cache, worker| batch.place_from(cache, worker, &queue))
        });
        let mut to_fetch = Vec::new();
        for placed in join_all(placed).await {
            let (ended, missing) = placed?;
            results.extend(ended);
            to_fetch.extend(missing);
        }
        Ok(to_fetch)
    }

    fn place_from(
        &self,
        cache: &Cache,
        worker: &Worker,
        queue: &Mutex<std::vec::IntoIter<ToPlace>>,
    ) -> (Vec<FileResult>, Vec<usize>) {
        let next = || {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let files: Vec<_> = queue.by_ref().take(FILES_A_THREAD).collect();
            (!files.is_empty()).then_some(files)
        };
        let (mut ended, mut to_fetch) = (Vec::new(), Vec::new());
        for ToPlace { at, seen } in iter::from_fn(next).flatten() {
            if worker.cancel().is_cancelled() {
                break;
            }
            match self.place_one(cache, at, seen) {
                Step::Ended(result) => ended.push(FileResult { at, result }),
                Step::Fetch(_) => to_fetch.push(at),
            }
        }
        (ended, to_fetch)
    }

    fn place_one(&self, cache: &Cache, at: usize, seen: Option<Observation>) -> Step {
        let target = match self.target(at) {
            Ok(target) => target,
            Err(error) => return Step::Ended(Err(error)),
        };
        let mut placing = self.engine.placing(cache, target, self.force);
        if let Some(seen) = seen {
            placing = placing.with_observation(seen);
        }
        self.step(cache, placing, Origin::Here)
    }

    /// Brings files to their places one by one, several at a time.
    pub(crate) async fn singly(
        &self,
        files: Vec<SingleFile>,
        slots: &Semaphore,
    ) -> Vec<FileResult> {
        let files = files.into_iter().map(|file| self.single(file, slots));
        stream::iter(files).buffer_unordered(self.single_files()).collect().await
    }

    /// Returns how many single files may be on their way at once.
    pub(crate) fn single_files(&self) -> usize {
        MOST_SINGLE_FILES.min(self.engine.budget.files())
    }

    pub(crate) async fn single(&self, file: SingleFile, slots: &Semaphore) -> FileResult {
        let SingleFile { at, underway } = file;
        let placed = async {
            let content = self.content(at)?;
            let placement = Placement {
                engine: &self.engine,
                cache: &self.cache,
                content: &content,
                force: self.force,
                slots: Some(slots),
            };
            match placement.run(underway).await? {
                Placed::Done(report) => Ok(report),
                // The listing is of a commit, which never moves.
                Placed::Doubted(_, error) => Err(error),
            }
        };
        FileResult { at, result: placed.await }
    }
}
