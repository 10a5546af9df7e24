//! Getting content to its place: the loop of `hubstow_cache`, with the lock and the GET that it asks for.

use std::time::Duration;

use hubstow_cache::{
    Cache, FsError, Target,
    cache::lock::{Held, Locked},
    drive::{Next, Outcome, Placing},
    staged::StagedFile,
};
use hubstow_core::{
    facts::Force,
    hub::Backoff,
    layout::RepoLayout,
    name::{Repo, Revision},
    policy::Method,
    why::{Reason, Refusal},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{
    api::{
        error::{Error, ErrorKind},
        event::Event,
        refusal::About,
        report::{Done, FileReport, Warning},
    },
    engine::Engine,
    file::content::{Content, Placed},
    receive::{
        fetch::{Failed, Fetch},
        memory::Unfinished,
        receiver::Receiver,
    },
    task::blocking,
};

/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// How often it is looked at whether its holder makes progress, at most: that reads a whole folder.
const PROGRESS_POLL: Duration = Duration::from_secs(1);

/// A file on its way, and what it has with it.
pub(crate) struct Going {
    pub(crate) placing: Placing,
    pub(crate) lock: Lock,
    /// An attempt to fetch it that did not simply succeed.
    pub(crate) first: Option<Unfinished>,
}

impl From<Placing> for Going {
    fn from(placing: Placing) -> Self {
        Self { placing, lock: Lock::Untried, first: None }
    }
}

impl Engine {
    /// Places content, fetching it where nothing here holds it.
    pub(crate) async fn place(
        &self,
        cache: &Cache,
        content: &Content,
        force: Force,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Placed, Error> {
        let (decider, target) = (self.decider.clone(), content.target.clone());
        let placing = Placing::new(cache.clone(), decider, target, force);
        self.carry_on(cache, content, placing.into(), None, tell).await
    }

    /// Goes on placing content. Whoever fetches takes one of the slots for as long, and has none while it waits for
    /// another process.
    pub(crate) async fn carry_on(
        &self,
        cache: &Cache,
        content: &Content,
        going: Going,
        slots: Option<&Semaphore>,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Placed, Error> {
        let Going { mut placing, mut lock, mut first } = going;
        let mut slot = None;
        let mut fetched = false;
        loop {
            let (returned, next) = advance(placing).await;
            placing = returned;
            let next = next.map_err(|error| {
                self.place_error(&content.repo, &content.revision, &content.target, error)
            })?;
            match next {
                Next::Done(outcome) => {
                    if let Some(cause) = placing.ref_trouble() {
                        let revision = content.target.revision.clone();
                        tell(Event::Warned { warning: Warning::RefNotWritten { revision, cause } });
                    }
                    if content.target.layout.is_local() {
                        let (local, target) = (cache.clone(), content.target.clone());
                        blocking(move || local.record_local(&target)).await?;
                    }
                    let report = report(cache, &content.target, &outcome, fetched);
                    tell(Event::Finished { report: report.clone() });
                    return Ok(Placed::Done(report));
                }
                Next::Fetch if lock == Lock::Untried => {
                    self.check_name(cache, content).await?;
                    slot = take_slot(slots).await;
                    lock = self.take_lock(cache, content, slots, &mut slot, tell).await;
                }
                Next::Fetch => {
                    let held = match slot.take() {
                        Some(slot) => Some(slot),
                        None => take_slot(slots).await,
                    };
                    let (returned, result) =
                        self.fetch_staged(content, placing, first.take(), tell).await;
                    placing = returned;
                    match result {
                        Ok(anew) => fetched = anew,
                        Err(Failed::Moved(error)) => return Ok(Placed::Moved(error)),
                        Err(Failed::Error(error)) => return Err(error),
                    }
                    // What is left is the disk's work.
                    drop(held);
                }
            }
        }
    }

    /// Fills the staged file; tells whether anything had to be fetched for that.
    async fn fetch_staged(
        &self,
        content: &Content,
        placing: Placing,
        first: Option<Unfinished>,
        tell: &(dyn Fn(Event) + Sync),
    ) -> (Placing, Result<bool, Failed>) {
        let (mut placing, staged) = blocking(move || {
            let mut placing = placing;
            let staged = placing.take_staged();
            (placing, staged)
        })
        .await;
        let staged = match staged {
            Ok(staged) => staged,
            Err(error) => return (placing, Err(Failed::Error(error.into()))),
        };
        let fetch = content.fetch();
        let (staged, filled) = self.fill_from_shared(content, staged).await;
        let mut receiver = Receiver::new(&self.http, &fetch, staged, tell).after(first);
        let result = receiver.run().await;
        if let Some(staged) = receiver.into_staged() {
            placing.fetched(staged);
        }
        (placing, result.map(|()| !filled))
    }

    /// A local folder need not fetch what the shared cache holds: its bytes go through the staged file like any others.
    async fn fill_from_shared(
        &self,
        content: &Content,
        mut staged: StagedFile,
    ) -> (StagedFile, bool) {
        if !content.target.layout.is_local() {
            return (staged, false);
        }
        let shared = self.shared.clone();
        let target = Target { layout: RepoLayout::new(&content.repo), ..content.target.clone() };
        blocking(move || {
            let filled = shared.fill_from_blob(&target, &mut staged);
            if let Err(error) = &filled {
                tracing::debug!(file = %target.file, %error, "the shared cache's copy was not used");
            }
            (staged, filled.unwrap_or(false))
        })
        .await
    }

    async fn check_name(&self, cache: &Cache, content: &Content) -> Result<(), Error> {
        let (cache, target) = (cache.clone(), content.target.clone());
        blocking(move || check_name(&cache, &target)).await
    }

    /// Takes the lock that the Python client takes, so that one of us fetches and the others wait. A holder that makes no
    /// progress is not waited for without end: then both fetch, and both are right.
    async fn take_lock<'s>(
        &self,
        cache: &Cache,
        content: &Content,
        slots: Option<&'s Semaphore>,
        slot: &mut Option<SemaphorePermit<'s>>,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Lock {
        let patience = self.config.lock_patience;
        let look_every = PROGRESS_POLL.min(patience / 4);
        let (mut looked, mut last_progress) = (None::<Instant>, (Instant::now(), None));
        let mut told = false;
        loop {
            let looks = looked.is_none_or(|at| at.elapsed() >= look_every);
            let (watched, target) = (cache.clone(), content.target.clone());
            let (locked, progress) = blocking(move || match watched.try_lock(&target) {
                Locked::Busy => (Locked::Busy, looks.then(|| watched.progress(&target))),
                locked @ (Locked::Held(_) | Locked::Unavailable) => (locked, None),
            })
            .await;
            if let Some(lock) = Lock::of(locked) {
                if slot.is_none() {
                    *slot = take_slot(slots).await;
                }
                return lock;
            }
            *slot = None;
            if !told {
                tell(Event::Waiting { file: content.target.file.clone() });
                told = true;
            }
            if looks {
                looked = Some(Instant::now());
                if last_progress.1 != progress {
                    last_progress = (Instant::now(), progress);
                }
            }
            if last_progress.0.elapsed() >= patience {
                tracing::warn!(file = %content.target.file, "the holder of the lock makes no progress; going on without it");
                *slot = take_slot(slots).await;
                return Lock::GoneWithout;
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
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
            endpoint: &self.config.endpoint,
            repo,
            revision,
            file: Some(&target.file),
            path: self.cache.disk().native(&at).display().to_string(),
            policy: self.config.policy,
            cached: false,
            cause: None,
        };
        about.error(refusal)
    }
}

impl Content {
    pub(crate) fn fetch(&self) -> Fetch<'_> {
        Fetch {
            repo: &self.repo,
            file: &self.target.file,
            metadata: &self.metadata,
            content: &self.at,
            pinned: &self.pinned,
            backoff: Backoff::DEFAULT,
        }
    }
}

/// What became of the lock.
pub(crate) enum Lock {
    Untried,
    Held(#[expect(dead_code, reason = "held until it is dropped")] Held),
    GoneWithout,
}

impl Lock {
    /// What trying has come to; `None` where somebody else has it.
    pub(crate) fn of(locked: Locked) -> Option<Self> {
        match locked {
            Locked::Held(held) => Some(Self::Held(held)),
            Locked::Unavailable => Some(Self::GoneWithout),
            Locked::Busy => None,
        }
    }
}

impl PartialEq for Lock {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

async fn take_slot(slots: Option<&Semaphore>) -> Option<SemaphorePermit<'_>> {
    // The semaphore is never closed.
    slots?.acquire().await.ok()
}

async fn advance(mut placing: Placing) -> (Placing, Result<Next, FsError>) {
    blocking(move || {
        let next = placing.advance();
        (placing, next)
    })
    .await
}

/// A name that the disk would not keep is refused before a byte is fetched.
///
/// # Errors
/// What is wrong with the name.
pub(crate) fn check_name(cache: &Cache, target: &Target) -> Result<(), Error> {
    if target.layout.is_reserved(&target.file) {
        let what = format!(
            "`{}` would change what belongs to the clients of the local folder",
            target.file
        );
        return Err(Error::new(ErrorKind::CacheObstructed, what));
    }
    cache.storable(target)?.map_err(|error| {
        Error::new(ErrorKind::CacheObstructed, error.to_string())
            .hint("choose a cache directory on a filesystem that stores such names")
    })
}

/// Says what was done for a file that has come to its place.
pub(crate) fn report(
    cache: &Cache,
    target: &Target,
    outcome: &Outcome,
    fetched: bool,
) -> FileReport {
    let path = cache.disk().native(&target.pointer());
    let size = target.size.or_else(|| {
        cache.disk().through(&target.pointer()).ok().flatten().map(|entry| entry.len_bytes)
    });
    let by: Option<Method> = outcome.placed.map(|(by, _)| by);
    let reason: Reason = outcome.reason;
    let action = match (fetched, by.is_some() || outcome.sealed) {
        (true, _) => Done::Fetched,
        (false, true) => Done::Placed,
        (false, false) => Done::Reused,
    };
    FileReport {
        file: target.file.clone(),
        path,
        commit: target.commit.clone(),
        size,
        etag: Some(target.etag.clone()),
        action,
        by,
        reason,
    }
}
