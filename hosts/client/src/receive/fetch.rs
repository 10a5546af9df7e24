//! Filling a staged file: the GET, its redirects, ranges and retries, hashing while receiving.
//!
//! INVARIANT (I13): what is fetched is the content that was promised; a range must start where it was asked to, and the
//! whole must have the promised size and hash. INVARIANT (I14): no more bytes than promised are written.

use std::{io, time::Duration};

use http::header::CONTENT_LENGTH;
use hubstow_cache::staged::{Mismatch, StagedFile};
use hubstow_core::{
    hub::{Backoff, Metadata},
    name::{ContentHash, FileName, Repo},
};

#[cfg(all(feature = "xet", not(target_family = "wasm")))]
use super::xet::store as cas;
use super::{
    accept::{accept, header_number, range_headers},
    memory::First,
    stream::Transfer,
};
use crate::{
    api::{
        error::{Error, ErrorKind},
        event::Event,
    },
    http::session::{Address, Http, NoAnswer, is_endpoint, jittered},
    task::blocking,
};

/// A transfer that gets this far between two failures starts to count its retries anew.
pub(crate) const PROGRESS_BYTES: u64 = 1 << 20;
/// How often content that does not match is fetched again: once, and once more where an earlier part was continued.
pub(crate) const MISMATCH_LIMIT: u32 = 2;

/// What is to be fetched.
pub(crate) struct Fetch<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) file: &'a FileName,
    pub(crate) metadata: &'a Metadata,
    /// Where the hub said that the content is; it may be signed and short-lived.
    pub(crate) content: &'a Address,
    /// The address at the hub itself, by commit, which always leads there.
    pub(crate) pinned: &'a Address,
    pub(crate) backoff: Backoff,
}

/// Why a fetch ended without the content.
pub(crate) enum Failed {
    /// The hub now speaks of other content, or of none: ask again what is meant. The error is what to say if the answer
    /// is the same as before.
    Moved(Error),
    /// Nothing more can be done.
    Error(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// How one attempt ended.
pub(crate) enum Attempt {
    /// The body ended; whether it is right, the verification tells.
    Ended,
    /// It may go better next time.
    Passing { kind: ErrorKind, cause: String, wait: Option<Duration> },
    /// What is here can't be continued.
    Unusable { cause: String },
    /// It is not what was promised.
    Wrong(Mismatch),
    /// The address is not good any more.
    Expired(Error),
}

impl Attempt {
    pub(crate) fn unreachable(cause: String) -> Self {
        Self::Passing { kind: ErrorKind::HubUnreachable, cause, wait: None }
    }
}

pub(crate) type Tell<'a> = &'a (dyn Fn(Event) + Sync);

impl Http {
    /// Fills a staged file until it is complete and verified, going on from a first attempt if there was one. The staged
    /// file comes back in any case.
    pub(crate) async fn fetch(
        &self,
        fetch: &Fetch<'_>,
        mut staged: StagedFile,
        first: Option<First>,
        tell: Tell<'_>,
    ) -> (StagedFile, Result<(), Failed>) {
        let mut state = State::new(self, fetch);
        if let Some(first) = first {
            let (returned, attempt) = first.enter(fetch, staged).await;
            staged = returned;
            state.first = Some(attempt);
        } else {
            tell(Event::Started {
                file: fetch.file.clone(),
                size: fetch.metadata.size,
                already: staged.received_bytes(),
            });
        }
        loop {
            let (returned, result) = self.step(fetch, staged, &mut state, tell).await;
            staged = returned;
            match result {
                Ok(Some(())) => return (staged, Ok(())),
                Ok(None) => {}
                Err(failed) => return (staged, Err(failed)),
            }
        }
    }

    /// One attempt and what follows from it: `Some` when the content is verified, `None` to go on.
    pub(crate) async fn step(
        &self,
        fetch: &Fetch<'_>,
        mut staged: StagedFile,
        state: &mut State,
        tell: Tell<'_>,
    ) -> (StagedFile, Result<Option<()>, Failed>) {
        let complete = fetch.metadata.size == Some(staged.received_bytes());
        let attempt = if let Some(first) = state.first.take() {
            first
        } else if complete {
            Ok(Attempt::Ended)
        } else {
            let (returned, attempt) = self.attempt(fetch, staged, state, tell).await;
            staged = returned;
            attempt
        };
        let result = match attempt {
            Err(failed) => Err(failed),
            Ok(Attempt::Ended) => {
                let (returned, verdict) = verify(staged).await;
                staged = returned;
                match verdict {
                    Ok(Ok(())) => return (staged, Ok(Some(()))),
                    Ok(Err(Mismatch::Size { expected, received })) if received < expected => {
                        let cause =
                            format!("the transfer ended after {received} of {expected} bytes");
                        let cause = (ErrorKind::HubUnreachable, cause);
                        state.wait(fetch, received, cause, None, tell).await
                    }
                    Ok(Err(mismatch)) => state.mismatch(fetch, &mut staged, &mismatch, tell),
                    Err(error) => Err(Failed::Error(disk_error(fetch.file, error))),
                }
            }
            Ok(Attempt::Wrong(mismatch)) => state.mismatch(fetch, &mut staged, &mismatch, tell),
            Ok(Attempt::Passing { kind, cause, wait }) => {
                state.wait(fetch, staged.received_bytes(), (kind, cause), wait, tell).await
            }
            Ok(Attempt::Unusable { cause }) => match staged.start_over() {
                Ok(()) => {
                    tell(Event::StartedOver { file: fetch.file.clone() });
                    let cause = (ErrorKind::HubFailing, cause);
                    state.wait(fetch, 0, cause, Some(Duration::ZERO), tell).await
                }
                Err(error) => Err(Failed::Error(disk_error(fetch.file, error))),
            },
            Ok(Attempt::Expired(_)) if state.at != *fetch.pinned => {
                state.at = fetch.pinned.clone();
                Ok(())
            }
            Ok(Attempt::Expired(error)) if is_gone(&error) => Err(Failed::Moved(error)),
            Ok(Attempt::Expired(error)) => Err(Failed::Error(error)),
        };
        (staged, result.map(|()| None))
    }

    /// Sends one GET and takes what it brings.
    async fn attempt(
        &self,
        fetch: &Fetch<'_>,
        mut staged: StagedFile,
        state: &mut State,
        tell: Tell<'_>,
    ) -> (StagedFile, Result<Attempt, Failed>) {
        #[cfg(all(feature = "xet", not(target_family = "wasm")))]
        if state.way == cas::Way::Store {
            let (returned, attempt) = self.attempt_from_store(fetch, staged, state, tell).await;
            staged = returned;
            if let Some(attempt) = attempt {
                return (staged, attempt);
            }
        }
        let (have, at) = (staged.received_bytes(), &state.at);
        let headers = range_headers(have, fetch, is_endpoint(self.endpoint(), at));
        let (from, answer) = match self.get(at, &headers, None).await {
            Ok((from, _)) if spliceable(fetch, have) && !is_endpoint(self.endpoint(), &from) => {
                let cause = "nothing tells whether the rest belongs to what is here".to_owned();
                return (staged, Ok(Attempt::Unusable { cause }));
            }
            Ok(answered) => answered,
            Err(error) => return (staged, unanswered(fetch, error)),
        };
        let resumed = match accept(fetch, &answer, have) {
            Ok(resumed) => resumed,
            Err(attempt) => return (staged, attempt),
        };
        if !resumed && have > 0 {
            if let Err(error) = staged.start_over() {
                return (staged, Err(Failed::Error(disk_error(fetch.file, error))));
            }
            tell(Event::StartedOver { file: fetch.file.clone() });
        }
        if let Some(length) = header_number(&answer.headers, &CONTENT_LENGTH).filter(|_| !resumed) {
            staged.promise_size(length);
        }
        let transfer = Transfer { fetch, from, lanes: state.lanes, tell };
        let (staged, result) = self.receive(transfer, answer, staged).await;
        let attempt = match result {
            Ok(()) => Ok(Attempt::Ended),
            Err(stopped) => {
                state.lanes = stopped.lanes(state.lanes);
                self.stopped(fetch, stopped)
            }
        };
        (staged, attempt)
    }
}

pub(crate) struct State {
    at: Address,
    /// On how many lanes it may be received at most.
    lanes: usize,
    pub(crate) retries: u32,
    mismatches: u32,
    /// The most bytes that were here when a failure was counted; starting over is no progress.
    mark: u64,
    /// How an attempt ended that somebody else has made.
    first: Option<Result<Attempt, Failed>>,
    #[cfg(all(feature = "xet", not(target_family = "wasm")))]
    pub(crate) way: cas::Way,
}

impl State {
    pub(crate) fn new(http: &Http, fetch: &Fetch<'_>) -> Self {
        let (at, lanes) = (fetch.content.clone(), http.lanes());
        Self {
            at,
            lanes,
            retries: 0,
            mismatches: 0,
            mark: 0,
            first: None,
            #[cfg(all(feature = "xet", not(target_family = "wasm")))]
            way: cas::Way::of(http, fetch),
        }
    }

    /// What gets on counts its retries anew.
    pub(crate) fn note_progress(&mut self, received_bytes: u64) {
        if received_bytes >= self.mark.saturating_add(PROGRESS_BYTES) {
            self.retries = 0;
        }
        self.mark = self.mark.max(received_bytes);
    }

    /// Waits before the next attempt, if there is one left.
    pub(crate) async fn wait(
        &mut self,
        fetch: &Fetch<'_>,
        received_bytes: u64,
        (kind, cause): (ErrorKind, String),
        asked: Option<Duration>,
        tell: Tell<'_>,
    ) -> Result<(), Failed> {
        self.note_progress(received_bytes);
        let Some(wait_ms) = fetch.backoff.wait_ms(self.retries) else {
            let error = Error::new(kind, format!("`{}` could not be fetched: {cause}", fetch.file));
            return Err(Failed::Error(
                error.hint("what has arrived is kept; the same command goes on from there"),
            ));
        };
        self.retries += 1;
        let wait = asked.unwrap_or_else(|| jittered(wait_ms));
        tell(Event::Retrying { subject: fetch.file.to_string(), retry: self.retries, wait, cause });
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Wrong content is dropped and fetched again, from the hub's own address.
    pub(crate) fn mismatch(
        &mut self,
        fetch: &Fetch<'_>,
        staged: &mut StagedFile,
        mismatch: &Mismatch,
        tell: Tell<'_>,
    ) -> Result<(), Failed> {
        self.mismatches += 1;
        staged.start_over().map_err(|error| disk_error(fetch.file, error))?;
        if self.mismatches >= MISMATCH_LIMIT {
            let what = format!("`{}` is not what the hub promised: {mismatch}", fetch.file);
            let hint = "nothing was stored; the hub, a proxy or the line changes the content";
            return Err(Failed::Error(Error::new(ErrorKind::ContentMismatch, what).hint(hint)));
        }
        tracing::warn!(repo = %fetch.repo, file = %fetch.file, %mismatch, "fetching again");
        self.at = fetch.pinned.clone();
        self.lanes = 1;
        #[cfg(all(feature = "xet", not(target_family = "wasm")))]
        {
            self.way = cas::Way::Hub;
        }
        tell(Event::StartedOver { file: fetch.file.clone() });
        Ok(())
    }
}

/// Tells whether a part could be continued by another version without anything noticing: no hash would tell, and only
/// the hub itself compares the etag that `If-Range` names.
pub(crate) fn spliceable(fetch: &Fetch<'_>, have: u64) -> bool {
    have > 0 && fetch.metadata.etag.content_hash() == ContentHash::Opaque
}

/// Tells whether the hub does not know any more what it has just told of.
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::EntryNotFound | ErrorKind::RevisionNotFound | ErrorKind::RepoNotFound
    )
}

/// Finds the mismatch that a staged file has put into its error.
pub(crate) fn mismatch_in(error: &io::Error) -> Option<Mismatch> {
    error.get_ref()?.downcast_ref::<Mismatch>().cloned()
}

/// Hashing a whole file again may take time: it is done off the async threads.
pub(crate) async fn verify(staged: StagedFile) -> (StagedFile, io::Result<Result<(), Mismatch>>) {
    let check = move || {
        let mut staged = staged;
        let verdict = staged.verify();
        (staged, verdict)
    };
    blocking(check).await
}

/// Says what follows from a request without an answer.
pub(crate) fn unanswered(fetch: &Fetch<'_>, error: NoAnswer) -> Result<Attempt, Failed> {
    match error {
        NoAnswer::Transport { .. } => Ok(Attempt::unreachable(error.to_string())),
        NoAnswer::Redirected { .. } => {
            Ok(Attempt::Expired(hub_failing(fetch.file, &error.to_string())))
        }
        NoAnswer::Undecided { .. } => Err(Failed::Error(error.into())),
    }
}

pub(crate) fn hub_failing(file: &FileName, cause: &str) -> Error {
    Error::new(ErrorKind::HubFailing, format!("`{file}` could not be fetched: {cause}"))
}

pub(crate) fn disk_error(file: &FileName, error: io::Error) -> Error {
    crate::api::error::from_io(&format!("`{file}` could not be written"), error)
}
