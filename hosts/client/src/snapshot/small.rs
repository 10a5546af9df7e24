//! Small files: many in flight, received into memory, written by the group, and brought to the disk by one flush a group.
//!
//! A file gets its lock right before its request and keeps it until it is in its place, as on its single way. Anything
//! unusual sends it there: a lock that is busy and content that is already on its way wait until the others are done, and
//! an answer that is not simply the content becomes the first attempt of the single way.

use std::{
    collections::{HashSet, VecDeque},
    mem,
    sync::Arc,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use hubstow_cache::{Target, drive::Placing, staged::StagedFile};
use hubstow_core::{layout::RepoLayout, name::Etag};
use tokio::sync::Semaphore;

use super::bulk::{Bulk, Ended, SINGLE_WAYS, Step};
use crate::{
    api::{
        error::{Error, from_io},
        report::FileReport,
    },
    file::{
        content::Content,
        place::{Going, Lock, check_name},
    },
    receive::memory::Unfinished,
    task::blocking,
};

/// Up to this size a file is small: it is held in memory, and fetched again from its start where a transfer breaks.
const SMALL_BYTES: u64 = 1 << 20;
/// How many small files are in flight for each worker, and at most.
const IN_FLIGHT_A_WORKER: usize = 8;
const IN_FLIGHT: usize = 64;
/// How many bytes of small files are in memory at most, all together.
const HELD_BYTES: u64 = 8 << 20;
/// How many files make a group. Each has two files open, and a process may have 1024, on some systems 256.
const GROUP: usize = if cfg!(target_os = "linux") { 96 } else { 24 };
/// From how many files on a group is written although as many are in flight as may be.
const GROUP_FROM: usize = GROUP / 3;
/// How many groups are written at once: while one waits for the disk the other is hashed.
const GROUPS: usize = 2;
/// How many files are held at most, each with its lock open.
const HELD_FILES: usize = IN_FLIGHT + 3 * GROUP;
/// How many files are made ready at once.
const READY: usize = 32;

/// What became of small files.
pub(crate) struct Small {
    pub(crate) ended: Vec<Ended>,
    /// Those that have to wait until the others are done.
    pub(crate) later: Vec<usize>,
}

/// A file that is to be fetched, with its lock.
struct Ready {
    at: usize,
    size: u64,
    content: Content,
    placing: Placing,
    lock: Lock,
}

enum Prepared {
    Ready(Box<Ready>),
    Done(FileReport),
}

enum Written {
    Complete(Box<Ready>, Box<StagedFile>),
    Wrong(Box<Going>),
}

/// A file whose content is in memory.
struct Received {
    ready: Ready,
    content: Vec<u8>,
}

/// What came of one piece of work.
enum Did {
    Prepare { ready: Vec<Ready>, ended: Vec<Ended>, later: Vec<usize> },
    Receive { ready: Box<Ready>, content: Result<Vec<u8>, Unfinished> },
    Write { files: usize, bytes: u64, ended: Vec<Ended>, singly: Vec<(usize, Going)> },
    Single(Box<Ended>),
}

impl Bulk {
    pub(crate) fn is_small(&self, at: usize) -> bool {
        let size = self.targets.get(at).and_then(|target| target.size);
        size.is_some_and(|size| size <= SMALL_BYTES)
    }

    /// Fetches small files.
    pub(crate) async fn fetch_small(
        self: &Arc<Self>,
        files: Vec<usize>,
        slots: &Semaphore,
    ) -> Small {
        let mut line = Line::new(self, files, slots);
        line.start();
        while let Some(did) = line.work.next().await {
            line.take(did);
            line.start();
        }
        Small { ended: line.ended, later: line.later }
    }

    /// Takes the locks of some files and looks whether they still have to be fetched. It blocks.
    fn prepare(&self, files: Vec<usize>) -> Did {
        let (mut ready, mut ended, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for at in files {
            match self.prepare_one(at) {
                Ok(Some(Prepared::Ready(one))) => ready.push(*one),
                Ok(Some(Prepared::Done(report))) => ended.push((at, Ok(report))),
                Ok(None) => later.push(at),
                Err(error) => ended.push((at, Err(error))),
            }
        }
        Did::Prepare { ready, ended, later }
    }

    fn prepare_one(&self, at: usize) -> Result<Option<Prepared>, Error> {
        let target = self.target(at)?;
        check_name(&self.cache, target)?;
        let part = self.cache.part_bytes(target);
        let Some(size) = target.size.filter(|_| part == 0 && !self.is_in_shared(target)) else {
            return Ok(None);
        };
        let Some(lock) = Lock::of(self.cache.try_lock(target)) else { return Ok(None) };
        match self.step(target, self.placing(target), false) {
            Step::Fetch(placing) => {
                let (content, placing) = (self.content(at)?, *placing);
                Ok(Some(Prepared::Ready(Box::new(Ready { at, size, content, placing, lock }))))
            }
            Step::Ended(end) => end.map(|report| Some(Prepared::Done(report))),
        }
    }

    /// Tells whether a local folder can have a file from the shared cache.
    fn is_in_shared(&self, target: &Target) -> bool {
        let at = || RepoLayout::new(&self.repo).blob(&target.etag);
        let shared = || self.hub.engine.shared.disk().entry(&at());
        target.layout.is_local() && !matches!(shared(), Ok(None))
    }

    async fn receive(&self, ready: Ready) -> Did {
        let tell = |event| self.hub.tell(event);
        let http = &self.hub.engine.http;
        let content = http.fetch_small(&ready.content.fetch(), ready.size, &tell).await;
        Did::Receive { ready: Box::new(ready), content }
    }

    /// Writes a group, brings it to the disk, and places it. It blocks.
    fn write(&self, group: Vec<Received>) -> Did {
        let files = group.len();
        let bytes = group.iter().map(|received| received.ready.size).sum();
        let (mut ended, mut singly, mut complete) = (Vec::new(), Vec::new(), Vec::new());
        for Received { ready, content } in group {
            let at = ready.at;
            match self.stage(ready, &content) {
                Ok(Written::Complete(ready, staged)) => complete.push((ready, staged)),
                Ok(Written::Wrong(going)) => singly.push((at, *going)),
                Err(error) => ended.push((at, Err(error))),
            }
        }
        let mut staged: Vec<_> = complete.iter_mut().map(|(_, staged)| &mut **staged).collect();
        self.cache.sync_group(&mut staged);
        for (ready, staged) in complete {
            let Ready { at, mut placing, lock, .. } = *ready;
            placing.fetched(*staged);
            let step = self.target(at).map(|target| self.step(target, placing, true));
            match step {
                Ok(Step::Ended(end)) => ended.push((at, end)),
                // Somebody has taken the staged file away, or the disk has failed to keep it.
                Ok(Step::Fetch(placing)) => {
                    singly.push((at, Going { placing: *placing, lock, first: None }));
                }
                Err(error) => ended.push((at, Err(error))),
            }
        }
        Did::Write { files, bytes, ended, singly }
    }

    /// Writes and verifies one file.
    fn stage(&self, mut ready: Ready, content: &[u8]) -> Result<Written, Error> {
        let mut staged = ready.placing.take_staged()?;
        let file = &self.target(ready.at)?.file;
        let failed = |error| from_io(&format!("`{file}` could not be written"), error);
        // A part that has appeared meanwhile is not worth another look.
        let written = if staged.received_bytes() > 0 { staged.start_over() } else { Ok(()) };
        let written = written.and_then(|()| staged.append(content)).and_then(|()| staged.verify());
        match written {
            Ok(Ok(())) => Ok(Written::Complete(Box::new(ready), Box::new(staged))),
            Ok(Err(mismatch)) => {
                ready.placing.fetched(staged);
                let Ready { placing, lock, .. } = ready;
                let first = Some(Unfinished::wrong(mismatch));
                Ok(Written::Wrong(Box::new(Going { placing, lock, first })))
            }
            Err(error) => {
                ready.placing.fetched(staged);
                Err(failed(error))
            }
        }
    }
}

/// Small files on their way: to be made ready, in flight, received, being written.
struct Line<'a> {
    bulk: &'a Arc<Bulk>,
    slots: &'a Semaphore,
    in_flight_limit: usize,
    todo: std::vec::IntoIter<usize>,
    /// The contents that are on their way; a second file with the same waits for it.
    known: HashSet<&'a Etag>,
    ready: VecDeque<Ready>,
    received: Vec<Received>,
    singly: VecDeque<(usize, Going)>,
    work: FuturesUnordered<BoxFuture<'a, Did>>,
    is_preparing: bool,
    in_flight: usize,
    groups: usize,
    single_ways: usize,
    /// Files and bytes from the request to the end of the writing.
    held_files: usize,
    held_bytes: u64,
    ended: Vec<Ended>,
    later: Vec<usize>,
}

impl<'a> Line<'a> {
    fn new(bulk: &'a Arc<Bulk>, files: Vec<usize>, slots: &'a Semaphore) -> Self {
        let in_flight_limit = match bulk.workers() {
            1 => 1,
            workers => workers.saturating_mul(IN_FLIGHT_A_WORKER).min(IN_FLIGHT),
        };
        Self {
            bulk,
            slots,
            in_flight_limit,
            todo: files.into_iter(),
            known: HashSet::new(),
            ready: VecDeque::new(),
            received: Vec::new(),
            singly: VecDeque::new(),
            work: FuturesUnordered::new(),
            is_preparing: false,
            in_flight: 0,
            groups: 0,
            single_ways: 0,
            held_files: 0,
            held_bytes: 0,
            ended: Vec::new(),
            later: Vec::new(),
        }
    }

    /// Starts all work that there is room for.
    fn start(&mut self) {
        if !self.is_preparing && self.ready.len() < READY {
            self.prepare();
        }
        while self.in_flight < self.in_flight_limit
            && let Some(ready) = self.next_ready()
        {
            self.in_flight += 1;
            self.held_files += 1;
            self.held_bytes += ready.size;
            let bulk: &'a Bulk = self.bulk;
            self.work.push(bulk.receive(ready).boxed());
        }
        while self.groups < GROUPS && self.is_group_due() {
            let rest = self.received.split_off(self.received.len().min(GROUP));
            let group = mem::replace(&mut self.received, rest);
            let bulk = Arc::clone(self.bulk);
            self.groups += 1;
            self.work.push(blocking(move || bulk.write(group)).boxed());
        }
        while self.single_ways < SINGLE_WAYS
            && let Some((at, going)) = self.singly.pop_front()
        {
            let (bulk, slots): (&'a Bulk, _) = (self.bulk, self.slots);
            self.single_ways += 1;
            let way =
                async move { Did::Single(Box::new(bulk.single(at, Some(going), slots).await)) };
            self.work.push(way.boxed());
        }
    }

    fn prepare(&mut self) {
        let mut files = Vec::new();
        while files.len() < READY
            && let Some(at) = self.todo.next()
        {
            match self.bulk.targets.get(at) {
                Some(target) if self.known.insert(&target.etag) => files.push(at),
                Some(_) | None => self.later.push(at),
            }
        }
        if !files.is_empty() {
            let bulk = Arc::clone(self.bulk);
            self.is_preparing = true;
            self.work.push(blocking(move || bulk.prepare(files)).boxed());
        }
    }

    /// Takes the next file that may be requested, if what is held leaves room for it.
    fn next_ready(&mut self) -> Option<Ready> {
        let size = self.ready.front()?.size;
        let fits = self.held_files == 0
            || (self.held_files < HELD_FILES && self.held_bytes.saturating_add(size) <= HELD_BYTES);
        if fits { self.ready.pop_front() } else { None }
    }

    /// Tells whether to write what has come: there is enough, or nothing else for the disk to do.
    fn is_group_due(&self) -> bool {
        let is_free = self.groups == 0 && self.in_flight < self.in_flight_limit;
        self.received.len() >= if is_free { 1 } else { GROUP_FROM }
    }

    fn take(&mut self, did: Did) {
        match did {
            Did::Prepare { ready, ended, later } => {
                self.is_preparing = false;
                self.ready.extend(ready);
                self.ended.extend(ended);
                self.later.extend(later);
            }
            Did::Receive { ready, content } => {
                self.in_flight -= 1;
                match content {
                    Ok(content) => self.received.push(Received { ready: *ready, content }),
                    Err(first) => {
                        let Ready { at, size, placing, lock, .. } = *ready;
                        self.release(1, size);
                        self.singly.push_back((at, Going { placing, lock, first: Some(first) }));
                    }
                }
            }
            Did::Write { files, bytes, ended, singly } => {
                self.groups -= 1;
                self.release(files, bytes);
                self.ended.extend(ended);
                self.singly.extend(singly);
            }
            Did::Single(ended) => {
                self.single_ways -= 1;
                self.ended.push(*ended);
            }
        }
    }

    fn release(&mut self, files: usize, bytes: u64) {
        self.held_files -= files;
        self.held_bytes -= bytes;
    }
}
