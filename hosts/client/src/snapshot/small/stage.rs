//! The disk's part of small files: taking their locks, and writing and placing them by the group. All of it blocks.

use hubstow_cache::{Cache, Target, disk::failure::ErrorGroup, staged::StagedFile};
use hubstow_core::layout::RepoLayout;

use super::super::{
    batch::{Batch, FileResult, Step},
    bring::SingleFile,
};
use crate::{
    api::{
        error::{Error, from_io},
        report::FileReport,
    },
    budget::Permit,
    file::{
        content::Content,
        place::{Origin, check_name},
        underway::Underway,
    },
    handle::{DiskBound, Worker},
    open::{Lock, Open},
    receive::memory::{Unfinished, Way, Whole},
};

/// A file that is to be fetched, with its lock.
pub(crate) struct Ready {
    pub(crate) at: usize,
    pub(crate) size: u64,
    pub(crate) content: Content,
    pub(crate) open: DiskBound<Open>,
}

/// A file whose content is in memory.
pub(crate) struct Received {
    pub(crate) ready: Ready,
    pub(crate) whole: Whole,
}

/// What became of files that were to be made ready.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) ready: Vec<Ready>,
    pub(crate) ended: Vec<FileResult>,
    /// Those that have to wait until the others are done.
    pub(crate) later: Vec<usize>,
}

/// What became of a group.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) ended: Vec<FileResult>,
    /// Those that go on as single files.
    pub(crate) single: Vec<SingleFile>,
}

/// What became of a file that was to be made ready.
enum Readied {
    Ready(Box<(Content, Open)>),
    Ended(FileReport),
    Later,
}

/// What became of a file that was to be written.
enum Staged {
    Complete(Box<Complete>),
    /// It counts as a first try where it was asked for the ordinary way.
    Wrong(Box<Open>, Option<Unfinished>),
    TooManyOpen(Box<Open>, Error),
    Failed(Error),
}

/// A file that is written and verified.
struct Complete {
    at: usize,
    open: Open,
    staged: StagedFile,
}

impl Batch {
    /// Takes the locks of some files and looks whether they still have to be fetched.
    pub(crate) fn prepare(
        &self,
        cache: &Cache,
        worker: &Worker,
        files: Vec<(usize, Permit)>,
    ) -> Prepared {
        let mut prepared = Prepared::default();
        for (at, permit) in files {
            if worker.cancel().is_cancelled() {
                break;
            }
            match self.prepare_one(cache, worker, at, permit) {
                Ok(Readied::Ready(ready)) => {
                    let (content, open) = *ready;
                    let size = content.target.size.unwrap_or(0);
                    let open = self.cache.keep(open);
                    prepared.ready.push(Ready { at, size, content, open });
                }
                Ok(Readied::Ended(report)) => {
                    prepared.ended.push(FileResult { at, result: Ok(report) });
                }
                Ok(Readied::Later) => prepared.later.push(at),
                Err(error) => prepared.ended.push(FileResult { at, result: Err(error) }),
            }
        }
        prepared
    }

    fn prepare_one(
        &self,
        cache: &Cache,
        worker: &Worker,
        at: usize,
        permit: Permit,
    ) -> Result<Readied, Error> {
        let target = self.target(at)?;
        check_name(cache, target)?;
        if cache.leftover_bytes(target) > 0 || self.is_in_shared(worker, target) {
            return Ok(Readied::Later);
        }
        let Some(lock) = Lock::of(cache.try_lock(target)) else { return Ok(Readied::Later) };
        let placing = self.engine.placing(cache, target, self.force);
        match self.step(cache, placing, Origin::Here) {
            Step::Fetch(placing) => {
                let open = Open { placing: *placing, lock, permit: Some(permit) };
                Ok(Readied::Ready(Box::new((self.content(at)?, open))))
            }
            Step::Ended(ended) => ended.map(Readied::Ended),
        }
    }

    /// Writes a group, brings it to the disk, and places it.
    pub(crate) fn write(&self, cache: &Cache, worker: &Worker, group: Vec<Received>) -> Written {
        let mut written = Written {
            files: group.len(),
            bytes: group.iter().map(|received| received.ready.size).sum(),
            ..Written::default()
        };
        let mut complete = Vec::new();
        for Received { ready: Ready { at, open, .. }, whole } in group {
            let open = Open::of(open, worker);
            if worker.cancel().is_cancelled() {
                break;
            }
            let mut staged = self.stage(at, open, &whole);
            if let Staged::TooManyOpen(open, _) = staged {
                // What is complete is closed, and so are the lock and the staged file of each.
                self.finish(cache, std::mem::take(&mut complete), &mut written);
                staged = self.stage(at, *open, &whole);
            }
            match staged {
                Staged::Complete(one) => complete.push(*one),
                Staged::Wrong(open, first) => {
                    written.single.push(self.single_file(at, *open, first));
                }
                Staged::TooManyOpen(_, error) | Staged::Failed(error) => {
                    written.ended.push(FileResult { at, result: Err(error) });
                }
            }
        }
        self.finish(cache, complete, &mut written);
        written
    }

    /// Brings complete files to the disk and to their places.
    fn finish(&self, cache: &Cache, mut complete: Vec<Complete>, written: &mut Written) {
        let mut staged: Vec<_> = complete.iter_mut().map(|one| &mut one.staged).collect();
        cache.sync_group(&mut staged);
        for Complete { at, open, staged } in complete {
            let Open { mut placing, lock, permit } = open;
            placing.fetched(staged);
            match self.step(cache, placing, Origin::Hub) {
                Step::Ended(result) => written.ended.push(FileResult { at, result }),
                // Somebody has taken the staged file away, or the disk has failed to keep it.
                Step::Fetch(placing) => {
                    let open = Open { placing: *placing, lock, permit };
                    written.single.push(self.single_file(at, open, None));
                }
            }
        }
    }

    fn single_file(&self, at: usize, open: Open, first: Option<Unfinished>) -> SingleFile {
        let open = Some(self.cache.keep(open));
        SingleFile { at, underway: Underway { open, first, ..Underway::default() } }
    }

    /// Writes and verifies one file.
    fn stage(&self, at: usize, mut open: Open, whole: &Whole) -> Staged {
        let mut staged = match open.placing.take_staged() {
            Ok(staged) => staged,
            Err(error) if error.group() == Some(ErrorGroup::TooManyOpen) => {
                return Staged::TooManyOpen(Box::new(open), error.into());
            }
            Err(error) => return Staged::Failed(error.into()),
        };
        // A leftover that has appeared meanwhile is not worth another look.
        let written = if staged.received_bytes() > 0 { staged.start_over() } else { Ok(()) };
        let written =
            written.and_then(|()| staged.append(&whole.content)).and_then(|()| staged.verify());
        // What a guessed address has brought is no try: the file begins anew.
        let written = match (written, &whole.way) {
            (Ok(Err(_)), Way::Direct(direct)) => {
                self.directory.missed(direct);
                staged.start_over().map(|()| Err(None))
            }
            (written, _) => written.map(|right| right.map_err(Some)),
        };
        match written {
            Ok(Ok(())) => {
                if let Way::Direct(direct) = &whole.way {
                    self.directory.hit(direct);
                }
                Staged::Complete(Box::new(Complete { at, open, staged }))
            }
            Ok(Err(mismatch)) => {
                open.placing.fetched(staged);
                Staged::Wrong(
                    Box::new(open),
                    mismatch.map(|mismatch| Unfinished::wrong(mismatch, whole.site)),
                )
            }
            Err(error) => {
                open.placing.fetched(staged);
                Staged::Failed(match self.target(at) {
                    Ok(target) => {
                        from_io(&format!("`{}` could not be written", target.file), error)
                    }
                    Err(missing) => missing,
                })
            }
        }
    }

    /// Tells whether a local folder can have a file from the shared cache.
    fn is_in_shared(&self, worker: &Worker, target: &Target) -> bool {
        let shared = Target { layout: RepoLayout::new(&self.repo), ..target.clone() };
        let cache = self.engine.shared.on(worker);
        let is_there = |at| !matches!(cache.disk().entry(&at), Ok(None));
        target.layout.is_local() && (is_there(shared.blob()) || is_there(shared.pointer()))
    }
}
