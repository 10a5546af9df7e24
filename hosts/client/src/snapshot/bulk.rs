//! Many files of one commit at once: few looks at the disk, few hops between threads, few flushes.
//!
//! The core decides about each file as ever; it is asked for many at a time. What serves is reported at once, what is here
//! is placed on a few threads, small files are fetched through memory ([`small`]), and every other file goes the way of a
//! single one. A file that fails stops no other.

use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    StreamExt as _,
    future::{join, join_all},
    stream,
};
use hubstow_cache::{
    Cache, FsError, Target,
    drive::{Next, Outcome, Placing},
    observe::many::Observation,
    staged::space::Shortage,
};
use hubstow_core::{
    facts::Force,
    hub::Metadata,
    name::{Repo, Revision},
};
use tokio::sync::Semaphore;

use crate::{
    api::{
        error::{Error, from_io},
        event::Event,
        report::FileReport,
    },
    file::{
        content::{Content, Placed},
        place::{Going, report},
    },
    hub::Hub,
    task::blocking,
};

/// How many threads place what is here: folders are changed under one lock each, so more do not help.
pub(crate) const PLACING_THREADS: usize = 4;
/// How many files a thread must have to place to be worth starting; it takes so many at a time, for files that follow each
/// other are in one folder, and threads that make names in one folder wait for each other.
pub(crate) const FILES_A_THREAD: usize = 64;
/// How many files are on their single way at once; only as many of them as there are workers fetch.
pub(crate) const SINGLE_WAYS: usize = 64;

/// Files of one commit that are wanted.
pub(crate) struct Bulk {
    pub(crate) hub: Hub,
    /// A cache that remembers, for this operation.
    pub(crate) cache: Cache,
    pub(crate) repo: Repo,
    /// The revision that was asked for.
    pub(crate) revision: Revision,
    pub(crate) targets: Vec<Target>,
    /// What the Xet store knows the content of each target by.
    pub(crate) xet_hashes: Vec<Option<String>>,
    pub(crate) force: Force,
}

/// What became of one target.
pub(crate) type Ended = (usize, Result<FileReport, Error>);

/// What became of the targets, in their order; `None` of those about which nothing is known yet.
#[derive(Default)]
pub(crate) struct Ends(pub(crate) Vec<Option<Result<FileReport, Error>>>);

impl Ends {
    pub(crate) fn of(targets: usize) -> Self {
        Self(iter::repeat_with(|| None).take(targets).collect())
    }

    pub(crate) fn set(&mut self, (at, end): Ended) {
        if let Some(slot) = self.0.get_mut(at) {
            *slot = Some(end);
        }
    }

    pub(crate) fn extend(&mut self, ended: impl IntoIterator<Item = Ended>) {
        ended.into_iter().for_each(|ended| self.set(ended));
    }
}

impl IntoIterator for Ends {
    type Item = Option<Result<FileReport, Error>>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// How far a target has come without the hub.
pub(crate) enum Step {
    Ended(Result<FileReport, Error>),
    Fetch(Box<Placing>),
}

impl Bulk {
    /// Brings every target to its place.
    ///
    /// # Errors
    /// What is missing has no space on the disk: then nothing of it is fetched.
    pub(crate) async fn run(self: &Arc<Self>) -> Result<Ends, Error> {
        let bulk = Arc::clone(self);
        let looked = blocking(move || {
            let looked = bulk.look();
            bulk.tell(&looked);
            looked
        })
        .await;
        let mut ends = looked.ends;
        let mut to_fetch = looked.fetch;
        to_fetch.extend(self.place_all(looked.place, &mut ends).await);
        if to_fetch.is_empty() {
            return Ok(ends);
        }
        to_fetch.sort_unstable();
        let bulk = Arc::clone(self);
        let to_fetch = blocking(move || bulk.check_space(&to_fetch).map(|()| to_fetch)).await?;
        let (small, large) = to_fetch.into_iter().partition(|at| self.is_small(*at));
        let slots = Semaphore::new(self.workers());
        let large: Vec<_> = Vec::into_iter(large).map(|at| (at, None)).collect();
        let (large, small) =
            join(self.singly(large, &slots), self.fetch_small(small, &slots)).await;
        ends.extend(large);
        ends.extend(small.ended);
        // Their content may have come with another file, or by another process.
        let later = small.later.into_iter().map(|at| (at, None)).collect();
        let later = self.place_all(later, &mut ends).await;
        let later = later.into_iter().map(|at| (at, None)).collect();
        ends.extend(self.singly(later, &slots).await);
        Ok(ends)
    }

    /// Finds out before a byte is fetched whether all that is missing has space on the disk.
    fn check_space(&self, files: &[usize]) -> Result<(), Error> {
        let targets: Vec<_> = files.iter().filter_map(|at| self.targets.get(*at)).collect();
        let Some(Target { layout, .. }) = targets.first() else { return Ok(()) };
        match self.cache.shortage(&targets) {
            Ok(Some(Shortage { free_bytes, needed_bytes })) => {
                let disk = self.cache.disk().native(&layout.repo());
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

    pub(crate) fn workers(&self) -> usize {
        self.hub.engine.config.max_workers.max(1)
    }

    /// Writes down what was proved, when all files are in their places.
    pub(crate) fn record(&self) {
        if let Some(Target { layout, commit, .. }) = self.targets.first() {
            self.cache.record_proofs(layout, commit, &self.targets);
        }
    }

    pub(crate) fn finished(&self, report: &FileReport) {
        self.hub.tell_lazily(|| Event::Finished { report: report.clone() });
    }

    pub(crate) fn target(&self, at: usize) -> Result<&Target, Error> {
        let missing = || Error::new(crate::ErrorKind::Other, "a file is not among those wanted");
        self.targets.get(at).ok_or_else(missing)
    }

    pub(crate) fn content(&self, at: usize) -> Result<Content, Error> {
        let target = self.target(at)?.clone();
        let pinned = self.hub.engine.pinned(&self.repo, &target)?;
        let (commit, etag) = (target.commit.clone(), target.etag.clone());
        let xet_hash = self.xet_hashes.get(at).cloned().flatten();
        let metadata = Metadata { commit, etag, size: target.size, xet_hash };
        let (repo, revision) = (self.repo.clone(), self.revision.clone());
        Ok(Content { repo, revision, target, metadata, at: pinned.clone(), pinned })
    }

    pub(crate) fn placing(&self, target: &Target) -> Placing {
        let decider = self.hub.engine.decider.clone();
        Placing::new(self.cache.clone(), decider, target.clone(), self.force)
    }

    pub(crate) fn place_error(&self, target: &Target, error: FsError) -> Error {
        self.hub.engine.place_error(&self.repo, &self.revision, target, error)
    }

    /// What follows when a pointer serves.
    pub(crate) fn settled(
        &self,
        target: &Target,
        outcome: &Outcome,
        fetched: bool,
    ) -> Result<FileReport, Error> {
        if target.layout.is_local() {
            self.cache.record_local(target)?;
        }
        let report = report(&self.cache, target, outcome, fetched);
        self.finished(&report);
        Ok(report)
    }

    /// Goes as far with a placing as is possible without the hub.
    pub(crate) fn step(&self, target: &Target, mut placing: Placing, fetched: bool) -> Step {
        match placing.advance() {
            Ok(Next::Done(outcome)) => Step::Ended(self.settled(target, &outcome, fetched)),
            Ok(Next::Fetch) => Step::Fetch(Box::new(placing)),
            Err(error) => Step::Ended(Err(self.place_error(target, error))),
        }
    }

    /// Places what is here, on a few threads; returns what is not.
    async fn place_all(
        self: &Arc<Self>,
        waiting: Vec<(usize, Option<Observation>)>,
        ends: &mut Ends,
    ) -> Vec<usize> {
        let threads = waiting.len().div_ceil(FILES_A_THREAD).min(PLACING_THREADS);
        let threads = threads.min(self.workers());
        let queue = Arc::new(Mutex::new(waiting.into_iter()));
        let placed = (0..threads).map(|_| {
            let (bulk, queue) = (Arc::clone(self), Arc::clone(&queue));
            blocking(move || {
                let next = || {
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let files: Vec<_> = queue.by_ref().take(FILES_A_THREAD).collect();
                    (!files.is_empty()).then_some(files)
                };
                let (mut ended, mut to_fetch) = (Vec::new(), Vec::new());
                for (at, seen) in iter::from_fn(next).flatten() {
                    match bulk.place_one(at, seen) {
                        Step::Ended(end) => ended.push((at, end)),
                        Step::Fetch(_) => to_fetch.push(at),
                    }
                }
                (ended, to_fetch)
            })
        });
        let mut to_fetch = Vec::new();
        for (ended, missing) in join_all(placed).await {
            ends.extend(ended);
            to_fetch.extend(missing);
        }
        to_fetch
    }

    pub(crate) fn place_one(&self, at: usize, seen: Option<Observation>) -> Step {
        let target = match self.target(at) {
            Ok(target) => target,
            Err(error) => return Step::Ended(Err(error)),
        };
        let mut placing = self.placing(target);
        if let Some(seen) = seen {
            placing = placing.with_observation(seen);
        }
        self.step(target, placing, false)
    }

    /// Takes files the way of single ones.
    async fn singly(&self, files: Vec<(usize, Option<Going>)>, slots: &Semaphore) -> Vec<Ended> {
        let ways = files.into_iter().map(|(at, going)| self.single(at, going, slots));
        stream::iter(ways).buffer_unordered(SINGLE_WAYS).collect().await
    }

    pub(crate) async fn single(&self, at: usize, going: Option<Going>, slots: &Semaphore) -> Ended {
        let way = async {
            let content = self.content(at)?;
            let going = going.unwrap_or_else(|| self.placing(&content.target).into());
            let tell = |event| self.hub.tell(event);
            let inner = &self.hub.engine;
            match inner.carry_on(&self.cache, &content, going, Some(slots), &tell).await? {
                Placed::Done(report) => Ok(report),
                // The listing is of a commit, which never moves.
                Placed::Moved(error) => Err(error),
            }
        };
        (at, way.await)
    }
}
