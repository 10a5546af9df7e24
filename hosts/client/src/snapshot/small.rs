//! Small files: many in flight, received into memory, written by the group, and brought to the disk by one flush a group.
//!
//! A file gets its permit and its lock right before its request and keeps both until it is in its place, as a single file
//! does. Anything unusual is left to that: a lock that is busy and content that is already on its way wait until the others
//! are done, and an answer that is not simply the content becomes the first attempt of the single file.

mod flight;
mod limits;
mod stage;

use std::{
    collections::{HashSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use hubstow_core::name::Etag;
use tokio::{sync::Semaphore, time::Instant};

use self::{
    flight::Flight,
    limits::{Limits, Load},
    stage::{Prepared, Ready, Received, Written},
};
use super::{
    batch::{Batch, FileResult},
    bring::SingleFile,
};
use crate::{
    api::error::Error,
    budget::Permit,
    file::underway::Underway,
    receive::memory::{Unfinished, Whole},
};

/// What became of small files.
#[derive(Default)]
pub(crate) struct Small {
    pub(crate) ended: Vec<FileResult>,
    /// Those that have to wait until the others are done.
    pub(crate) later: Vec<usize>,
}

/// What came of one piece of work.
enum Progress {
    /// So many files may be made ready.
    Permitted(Vec<Permit>),
    Prepared(Prepared),
    Received {
        ready: Box<Ready>,
        content: Result<Whole, Unfinished>,
        /// How long it took.
        delay: Duration,
    },
    Written(Written),
    Single(Box<FileResult>),
}

impl Batch {
    /// Tells whether a file is small.
    pub(crate) fn is_small(&self, at: usize) -> bool {
        self.target(at).is_ok_and(|target| limits::is_small(target.size))
    }

    /// Fetches small files.
    ///
    /// # Errors
    /// There is nobody left to do the disk's work.
    pub(crate) async fn fetch_small(
        self: &Arc<Self>,
        files: Vec<usize>,
        slots: &Semaphore,
    ) -> Result<Small, Error> {
        let mut files = SmallFiles::new(self, files, slots);
        files.start();
        while let Some(progress) = files.work.next().await {
            files.take(progress?);
            files.start();
        }
        Ok(files.done)
    }

    async fn receive(&self, ready: Ready) -> Progress {
        let tell = |event| self.engine.tell(event);
        let (fetch, since) = (ready.content.fetch(), Instant::now());
        let content =
            self.engine.http.fetch_small(&fetch, ready.size, &self.directory, &tell).await;
        Progress::Received { ready: Box::new(ready), content, delay: since.elapsed() }
    }
}

/// Small files on their way: to be made ready, in flight, received, being written.
struct SmallFiles<'a> {
    batch: &'a Arc<Batch>,
    slots: &'a Semaphore,
    since: Instant,
    flight: Flight,
    limits: Limits,
    load: Load,
    todo: std::vec::IntoIter<usize>,
    /// The contents that are on their way; a second file with the same waits for it.
    known: HashSet<&'a Etag>,
    ready: VecDeque<Ready>,
    received: Vec<Received>,
    single: VecDeque<SingleFile>,
    work: FuturesUnordered<BoxFuture<'a, Result<Progress, Error>>>,
    is_preparing: bool,
    single_files: usize,
    done: Small,
}

impl<'a> SmallFiles<'a> {
    fn new(batch: &'a Arc<Batch>, files: Vec<usize>, slots: &'a Semaphore) -> Self {
        let may_be_open = batch.engine.budget.files();
        let flight = Flight::of(batch.workers(), may_be_open);
        Self {
            batch,
            slots,
            since: Instant::now(),
            limits: Limits::of(flight.in_flight(), may_be_open),
            flight,
            load: Load::default(),
            todo: files.into_iter(),
            known: HashSet::new(),
            ready: VecDeque::new(),
            received: Vec::new(),
            single: VecDeque::new(),
            work: FuturesUnordered::new(),
            is_preparing: false,
            single_files: 0,
            done: Small::default(),
        }
    }

    /// Starts all work that there is room for.
    fn start(&mut self) {
        let most = self.limits.worth_preparing(&self.load).min(self.todo.len());
        if !self.is_preparing && most > 0 {
            let batch: &'a Batch = self.batch;
            self.is_preparing = true;
            let permits =
                async move { Ok(Progress::Permitted(batch.engine.budget.permits(most).await)) };
            self.work.push(permits.boxed());
        }
        while let Some(ready) = self.next_ready() {
            let batch: &'a Batch = self.batch;
            self.work.push(batch.receive(ready).map(Ok).boxed());
        }
        while self.limits.is_group_due(&self.load) {
            let rest = self.received.split_off(self.received.len().min(self.limits.group()));
            let group = mem::replace(&mut self.received, rest);
            self.load.received = self.received.len();
            self.load.groups += 1;
            let batch = Arc::clone(self.batch);
            let written =
                self.batch.cache.run(move |cache, worker| batch.write(cache, worker, group));
            self.work.push(written.map(|written| written.map(Progress::Written)).boxed());
        }
        while self.single_files < self.batch.single_files()
            && let Some(file) = self.single.pop_front()
        {
            let (batch, slots): (&'a Batch, _) = (self.batch, self.slots);
            self.single_files += 1;
            let single =
                async move { Ok(Progress::Single(Box::new(batch.single(file, slots).await))) };
            self.work.push(single.boxed());
        }
    }

    /// Makes the next files ready, as many as there are permits.
    fn prepare(&mut self, mut permits: std::vec::IntoIter<Permit>) {
        let mut files = Vec::new();
        while permits.len() > 0
            && let Some(at) = self.todo.next()
        {
            match self.batch.target(at) {
                Ok(target) if self.known.insert(&target.etag) => {
                    files.extend(permits.next().map(|permit| (at, permit)));
                }
                Ok(_) | Err(_) => self.done.later.push(at),
            }
        }
        self.is_preparing = !files.is_empty();
        if self.is_preparing {
            let batch = Arc::clone(self.batch);
            let prepared =
                self.batch.cache.run(move |cache, worker| batch.prepare(cache, worker, files));
            self.work.push(prepared.map(|prepared| prepared.map(Progress::Prepared)).boxed());
        }
    }

    /// Takes the next file that may be asked for, if there is one.
    fn next_ready(&mut self) -> Option<Ready> {
        let size = self.ready.front()?.size;
        if !self.limits.admits(&self.load, size) {
            return None;
        }
        self.load.in_flight += 1;
        self.flight.asked(self.load.in_flight);
        self.load.held_files += 1;
        self.load.held_bytes += size;
        let next = self.ready.pop_front();
        self.load.ready = self.ready.len();
        next
    }

    fn take(&mut self, progress: Progress) {
        match progress {
            Progress::Permitted(permits) => self.prepare(permits.into_iter()),
            Progress::Prepared(Prepared { ready, ended, later }) => {
                self.is_preparing = false;
                self.ready.extend(ready);
                self.load.ready = self.ready.len();
                self.done.ended.extend(ended);
                self.done.later.extend(later);
            }
            Progress::Received { ready, content, delay } => {
                self.load.in_flight -= 1;
                match content {
                    Ok(_) => self.flight.received(self.since.elapsed(), delay),
                    Err(_) => self.flight.failed(),
                }
                self.limits.in_flight = self.flight.in_flight();
                match content {
                    Ok(whole) => self.received.push(Received { ready: *ready, whole }),
                    Err(first) => {
                        let Ready { at, size, open, .. } = *ready;
                        self.release(1, size);
                        let (open, first) = (Some(open), Some(first));
                        let underway = Underway { open, first, ..Underway::default() };
                        self.single.push_back(SingleFile { at, underway });
                    }
                }
                self.load.received = self.received.len();
            }
            Progress::Written(Written { files, bytes, ended, single }) => {
                self.load.groups -= 1;
                self.release(files, bytes);
                self.done.ended.extend(ended);
                self.single.extend(single);
            }
            Progress::Single(ended) => {
                self.single_files -= 1;
                self.done.ended.push(*ended);
            }
        }
    }

    fn release(&mut self, files: usize, bytes: u64) {
        self.load.held_files -= files;
        self.load.held_bytes -= bytes;
    }
}
