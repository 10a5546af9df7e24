//! Getting content to its place: the loop of `hubstow_cache`, with the lock and the GET that it asks for.

use hubstow_cache::{
    Cache, FsError, Target,
    disk::failure::with_causes,
    drive::{Next, Outcome, Placing},
    staged::StagedFile,
};
use hubstow_core::{
    facts::Force,
    hub::Backoff,
    layout::RepoLayout,
    name::{Repo, Revision},
    why::Refusal,
};
use tokio::sync::Semaphore;

use crate::{
    api::{
        detail::CachedCopy,
        error::{Detail, Error, ErrorKind},
        event::Event,
        refusal::About,
        report::{Done, FileReport, Warning},
    },
    engine::Engine,
    file::{
        content::{Content, Placed},
        lock::Queue,
        underway::Underway,
    },
    handle::{CacheHandle, DiskBound, Worker},
    http::transport::BoxFuture,
    open::{Lock, Open},
    receive::{
        custody::Custody,
        fetch::{Failed, Fetch},
        receiver::Receiver,
    },
};

/// Content that is to be placed, and all that this needs.
pub(crate) struct Placement<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) cache: &'a CacheHandle,
    pub(crate) content: &'a Content,
    pub(crate) force: Force,
    /// Whoever fetches takes one of these for as long.
    pub(crate) slots: Option<&'a Semaphore>,
}

/// How far a file has come without the hub.
enum Step {
    /// It is in its place; the words say why the ref is not.
    Done(FileReport, Option<String>),
    /// It is to be fetched, and nobody has tried its lock.
    Lock(DiskBound<Open>),
    /// It is to be fetched.
    Fetch(DiskBound<Open>),
}

/// Where the content of a file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The hub.
    Hub,
    /// Something that was here.
    Here,
}

/// A file whose content is to be fetched.
struct Staging {
    staged: Custody,
    /// Where its content will have come from.
    origin: Origin,
}

impl<'a> Placement<'a> {
    /// Goes on placing content, fetching it where nothing here holds it.
    pub(crate) fn run(&self, underway: Underway) -> BoxFuture<'_, Result<Placed, Error>> {
        Box::pin(self.go_on(underway))
    }

    async fn go_on(&self, underway: Underway) -> Result<Placed, Error> {
        let Underway { mut open, mut first, ahead } = underway;
        let queue = self.queue();
        let (mut slot, mut origin) = (None, Origin::Here);
        loop {
            match self.advance(open.take(), origin).await? {
                Step::Done(report, ref_error) => {
                    if let Some(cause) = ref_error {
                        let revision = self.content.target.revision.clone();
                        let warning = Warning::RefNotWritten { revision, cause };
                        self.engine.tell(Event::Warned { warning });
                    }
                    self.engine.tell(Event::Finished { report: report.clone() });
                    return Ok(Placed::Done(report));
                }
                Step::Lock(untried) => {
                    let turn = queue.turn(untried).await?;
                    (open, slot) = (Some(turn.open), turn.slot);
                }
                Step::Fetch(locked) => {
                    let taken = match slot.take() {
                        Some(slot) => Some(slot),
                        None => queue.slot().await,
                    };
                    let Staging { staged, origin: filled } = self.stage(locked).await?;
                    let (fetch, tell) = (self.content.fetch(), |event| self.engine.tell(event));
                    let receiver = Receiver::new(&self.engine.http, &fetch, staged, &tell);
                    let mut receiver = receiver.after(first.take()).answered(ahead.share());
                    let result = receiver.run().await;
                    // What is left is the disk's work.
                    drop(taken);
                    let returned = receiver.into_staged().into_open();
                    match result {
                        Ok(()) => (open, origin) = (returned, filled),
                        Err(failed) => {
                            self.give_up(returned).await?;
                            return match failed {
                                Failed::Doubted(doubt, error) => Ok(Placed::Doubted(doubt, error)),
                                Failed::Error(error) => Err(error),
                            };
                        }
                    }
                }
            }
        }
    }

    /// Does what can be done without the hub.
    async fn advance(&self, open: Option<DiskBound<Open>>, origin: Origin) -> Result<Step, Error> {
        let (handle, engine) = (self.cache.clone(), self.engine.clone());
        let (content, force) = (self.content.clone(), self.force);
        let work = move |cache: &Cache, worker: &Worker| {
            let target = &content.target;
            let mut open = match open {
                Some(open) => Open::of(open, worker),
                None => engine.placing(cache, target, force).into(),
            };
            let next = open.placing.advance();
            let next = next.map_err(|error| {
                engine.place_error(&content.repo, &content.revision, target, error)
            })?;
            Ok(match (next, &open.lock) {
                (Next::Done(outcome), _) => {
                    if target.layout.is_local() {
                        cache.record_local(target)?;
                    }
                    let report = report(cache, target, &outcome, origin);
                    Step::Done(report, open.placing.ref_error())
                }
                (Next::Fetch, Lock::Untried) => {
                    check_name(cache, target)?;
                    Step::Lock(handle.keep(open))
                }
                (Next::Fetch, Lock::Held(_) | Lock::GoneWithout) => Step::Fetch(handle.keep(open)),
            })
        };
        self.cache.run(work).await?
    }

    /// Opens the staged file, and says where its content will have come from: a local folder need not fetch what the shared
    /// cache holds, whose bytes go through the staged file like any others.
    async fn stage(&self, open: DiskBound<Open>) -> Result<Staging, Error> {
        let (handle, shared) = (self.cache.clone(), self.engine.shared.clone());
        let layout = RepoLayout::new(&self.content.repo);
        let target = Target { layout, ..self.content.target.clone() };
        let is_local = self.content.target.layout.is_local();
        let arrivals = self.engine.arrivals();
        let work = move |_: &Cache, worker: &Worker| {
            let mut open = Open::of(open, worker);
            let mut staged = open.placing.take_staged()?;
            if let Some(arrivals) = arrivals {
                staged.told_to(arrivals);
            }
            let origin = if is_local && fill(&shared.on(worker), &target, &mut staged) {
                Origin::Here
            } else {
                Origin::Hub
            };
            let received_bytes = staged.received_bytes();
            open.placing.fetched(staged);
            let open = handle.keep(open);
            Ok::<_, FsError>(Staging { staged: Custody::of(handle, open, received_bytes), origin })
        };
        Ok(self.cache.run(work).await??)
    }

    /// Gives a file up whose fetch has failed; what has come is kept where it is worth it.
    async fn give_up(&self, open: Option<DiskBound<Open>>) -> Result<(), Error> {
        self.cache.run(move |_, worker| drop(open.map(|open| open.open(worker)))).await
    }

    fn queue(&self) -> Queue<'a> {
        let Self { engine, cache, content, slots, .. } = *self;
        Queue { engine, cache, file: &content.target.file, slots }
    }
}

impl Engine {
    /// Starts to place a target.
    pub(crate) fn placing(&self, cache: &Cache, target: &Target, force: Force) -> Placing {
        Placing::new(cache.clone(), self.decider.clone(), target.clone(), force)
    }

    /// Says what it means that a file could not be placed.
    pub(crate) fn place_error(
        &self,
        repo: &Repo,
        revision: &Revision,
        target: &Target,
        error: FsError,
    ) -> Error {
        let FsError::Refused { refusal } = error else { return error.into() };
        let at = if refusal == Refusal::BlobIsDirectory { target.blob() } else { target.pointer() };
        let about = About {
            config: &self.config,
            asked: self.http.asked(),
            repo,
            revision,
            file: Some(&target.file),
            path: self.cache.native(&at).display().to_string(),
            copy: CachedCopy::Unknown,
            force: Force::Off,
            unmatched: &[],
        };
        about.error(refusal, None)
    }
}

impl Content {
    pub(crate) fn fetch(&self) -> Fetch<'_> {
        Fetch {
            repo: &self.repo,
            file: &self.target.file,
            metadata: &self.metadata,
            word: self.word,
            content: &self.at,
            pinned: &self.pinned,
            backoff: Backoff::DEFAULT,
        }
    }
}

/// Fills a staged file with what the shared cache holds, if it has the content and nothing has come before.
pub(crate) fn fill(shared: &Cache, target: &Target, staged: &mut StagedFile) -> bool {
    if staged.received_bytes() > 0 {
        return false;
    }
    let Some(at) = shared.content_of(target) else { return false };
    let filled = shared.fill_from(&at, staged);
    if let Err(error) = &filled {
        tracing::debug!(file = %target.file, error = %with_causes(error), "the shared cache's copy was not used");
    }
    filled.is_ok()
}

/// A name that the disk would not keep is refused before a byte is fetched.
///
/// # Errors
/// What is wrong with the name.
pub(crate) fn check_name(cache: &Cache, target: &Target) -> Result<(), Error> {
    cache.storable(target)?.map_err(|error| {
        Error::new(ErrorKind::CacheObstructed, error.to_string()).with_detail(Detail::NameNotStored)
    })
}

/// Says what was done for a file that has come to its place.
pub(crate) fn report(
    cache: &Cache,
    target: &Target,
    outcome: &Outcome,
    origin: Origin,
) -> FileReport {
    let path = cache.disk().native(&target.pointer());
    let size = target.size.or_else(|| {
        cache.disk().through(&target.pointer()).ok().flatten().map(|entry| entry.len_bytes)
    });
    let by = outcome.placed.map(|(by, _)| by);
    let action = match (origin, by.is_some() || outcome.sealed) {
        (Origin::Hub, _) => Done::Fetched,
        (Origin::Here, true) => Done::Placed,
        (Origin::Here, false) => Done::Reused,
    };
    FileReport {
        file: target.file.clone(),
        path,
        commit: target.commit.clone(),
        size,
        etag: Some(target.etag.clone()),
        action,
        by,
        reason: outcome.reason,
    }
}
