//! Getting content to its place: the loop of `hubstow_fs`, with the lock and the GET that it asks for.

use std::time::Duration;

use hubstow_core::{
    facts::Force,
    hub::Backoff,
    layout::RepoLayout,
    policy::Method,
    why::{Reason, Refusal},
};
use hubstow_fs::{
    Cache, FsError, Target,
    drive::{Next, Outcome, Placing},
    lock::{Held, Locked},
    staged::StagedFile,
};
use tokio::time::Instant;

use crate::{
    error::{Error, ErrorKind},
    event::Event,
    fetch::{Failed, Fetch},
    hub::Inner,
    refusal::About,
    report::{Done, FileReport, Warning},
    resolve::Content,
    task::blocking,
};

/// How often a held lock is looked at again.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// How placing ended.
pub(crate) enum Placed {
    /// The pointer serves.
    Done(FileReport),
    /// The hub speaks of other content by now; ask again what is meant. The error is for when nothing has changed.
    Moved(Error),
}

impl Inner {
    /// Places content, fetching it where nothing here holds it.
    pub(crate) async fn place(
        &self,
        cache: &Cache,
        content: &Content,
        force: Force,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Placed, Error> {
        let target = content.target.clone();
        let mut placing = Placing::new(cache.clone(), self.decider.clone(), target, force);
        let mut lock = Lock::Untried;
        let mut fetched = false;
        loop {
            let (returned, next) = advance(placing).await;
            placing = returned;
            match next.map_err(|error| self.place_error(content, error))? {
                Next::Done(outcome) => {
                    if let Some(cause) = placing.ref_trouble() {
                        tell(Event::Warned {
                            warning: Warning::RefNotWritten {
                                revision: content.target.revision.clone(),
                                cause,
                            },
                        });
                    }
                    if content.target.layout.is_local() {
                        let (local, target) = (cache.clone(), content.target.clone());
                        blocking(move || local.record_local(&target)).await?;
                    }
                    let report = report(cache, content, &outcome, fetched);
                    tell(Event::Finished { report: report.clone() });
                    return Ok(Placed::Done(report));
                }
                Next::Fetch if lock == Lock::Untried => {
                    self.check_name(cache, content).await?;
                    lock = self.take_lock(cache, content, tell).await;
                }
                Next::Fetch => {
                    let staged = blocking({
                        let mut placing = placing;
                        move || {
                            let staged = placing.take_staged();
                            (placing, staged)
                        }
                    })
                    .await;
                    placing = staged.0;
                    let fetch = Fetch {
                        repo: &content.repo,
                        file: &content.target.file,
                        metadata: &content.metadata,
                        content: &content.at,
                        pinned: &content.pinned,
                        backoff: Backoff::DEFAULT,
                    };
                    let (staged, filled) = self.fill_from_shared(content, staged.1?).await;
                    let (staged, result) = self.http.fetch(&fetch, staged, tell).await;
                    placing.fetched(staged);
                    match result {
                        Ok(()) => fetched = !filled,
                        Err(Failed::Moved(error)) => return Ok(Placed::Moved(error)),
                        Err(Failed::Error(error)) => return Err(error),
                    }
                }
            }
        }
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

    /// A name that the disk would not keep is refused before a byte is fetched.
    async fn check_name(&self, cache: &Cache, content: &Content) -> Result<(), Error> {
        if content.target.layout.is_reserved(&content.target.file) {
            let what = format!(
                "`{}` would change what belongs to the clients of the local folder",
                content.target.file
            );
            return Err(Error::new(ErrorKind::CacheObstructed, what));
        }
        let (cache, target) = (cache.clone(), content.target.clone());
        let stored = blocking(move || cache.storable(&target)).await?;
        stored.map_err(|error| {
            Error::new(ErrorKind::CacheObstructed, error.to_string())
                .hint("choose a cache directory on a filesystem that stores such names")
        })
    }

    /// Takes the lock that the Python client takes, so that one of us fetches and the others wait. A holder that makes no
    /// progress is not waited for without end: then both fetch, and both are right.
    async fn take_lock(
        &self,
        cache: &Cache,
        content: &Content,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Lock {
        let mut last_progress = (Instant::now(), None);
        let mut told = false;
        loop {
            let (watched, target) = (cache.clone(), content.target.clone());
            let (locked, progress) =
                blocking(move || (watched.try_lock(&target), watched.progress(&target))).await;
            match locked {
                Locked::Held(held) => return Lock::Held(held),
                Locked::Unavailable => return Lock::GoneWithout,
                Locked::Busy => {}
            }
            if !told {
                tell(Event::Waiting { file: content.target.file.clone() });
                told = true;
            }
            if last_progress.1 != Some(progress) {
                last_progress = (Instant::now(), Some(progress));
            } else if last_progress.0.elapsed() >= self.config.lock_patience {
                tracing::warn!(file = %content.target.file, "the holder of the lock makes no progress; going on without it");
                return Lock::GoneWithout;
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    fn place_error(&self, content: &Content, error: FsError) -> Error {
        let FsError::Refused { refusal } = error else { return error.into() };
        let at = if refusal == Refusal::BlobIsDirectory {
            content.target.blob()
        } else {
            content.target.pointer()
        };
        let about = About {
            endpoint: &self.config.endpoint,
            repo: &content.repo,
            revision: &content.revision,
            file: Some(&content.target.file),
            path: self.cache.disk().native(&at).display().to_string(),
            policy: self.config.policy,
            cached: false,
            cause: None,
        };
        about.error(refusal)
    }
}

/// What became of the lock.
enum Lock {
    Untried,
    Held(#[expect(dead_code, reason = "held until it is dropped")] Held),
    GoneWithout,
}

impl PartialEq for Lock {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

async fn advance(mut placing: Placing) -> (Placing, Result<Next, FsError>) {
    blocking(move || {
        let next = placing.advance();
        (placing, next)
    })
    .await
}

fn report(cache: &Cache, content: &Content, outcome: &Outcome, fetched: bool) -> FileReport {
    let target = &content.target;
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
