//! Finding out which content is meant: the cached pointer, the hub's answer, and the core between them.

use hubstow_cache::{
    Target,
    disk::{cancel::Cancel, failure::with_causes},
    drive::Outcome,
    observe::cached::CachedPointer,
};
use hubstow_core::{
    action::{Action, Lookup as Kind},
    facts::{Answer, Cached, Force, Marker, ResolveFacts, RevisionKind},
    hub::Metadata,
    layout::RepoLayout,
    name::Commit,
    resolve::{Resolution, Served},
    why::{Reason, Refusal},
};

use crate::{
    api::{
        detail::CachedCopy,
        error::{AnyError, Error, ErrorKind},
        refusal::About,
        report::ExplanationLink,
        request::FileRequest,
    },
    engine::Engine,
    file::{
        content::{CachedFile, Content, Resolved},
        here::{Here, Mended},
    },
    handle::{CacheHandle, CallerBlocks},
    http::transport::BoxFuture,
    lookup::{
        complete::{CachedEtag, Doubt},
        head::{By, Found, Lookup},
        patience::Patience,
    },
};

/// One conditional and one plain HEAD, one marker, and the answers between them: six rounds are enough from any start.
const ROUND_LIMIT: usize = 6;

struct Resolving<'a> {
    engine: &'a Engine,
    cache: &'a CacheHandle,
    request: &'a FileRequest,
    layout: RepoLayout,
    known: Option<Commit>,
    pointer: CachedPointer,
    facts: ResolveFacts,
    doubt: Option<Doubt>,
    found: Option<Found>,
    /// Why the hub did not confirm.
    cause: Option<AnyError>,
    /// What came of mending the pointer, once that was tried.
    mended: Option<Option<Outcome>>,
}

impl Engine {
    /// Finds out what a request means, also where that has been answered before and is doubted. `chain` is told of every
    /// question and answer.
    pub(crate) fn resolve<'a>(
        &'a self,
        cache: &'a CacheHandle,
        request: &'a FileRequest,
        doubt: Option<Doubt>,
        chain: &'a mut Vec<ExplanationLink>,
    ) -> BoxFuture<'a, Result<Resolved, Error>> {
        Box::pin(self.resolve_step_by_step(cache, request, doubt, chain))
    }

    async fn resolve_step_by_step(
        &self,
        cache: &CacheHandle,
        request: &FileRequest,
        doubt: Option<Doubt>,
        chain: &mut Vec<ExplanationLink>,
    ) -> Result<Resolved, Error> {
        // Looking may mean hashing a file that nothing has proved yet.
        let asked = request.clone();
        let looked = self.run_here(cache, move |here| here.look(&asked)).await??;
        let mut resolving = Resolving { doubt, ..Resolving::new(self, cache, request, looked) };
        for _ in 0..ROUND_LIMIT {
            if let Some((commit, pointer)) = resolving.to_mend()? {
                let FileRequest { repo, file, .. } = request.clone();
                let mended = move |here: Here<'_>| here.mend(&repo, &commit, &file, &pointer);
                resolving.take(self.run_here(cache, mended).await??);
            }
            match resolving.decide(chain)? {
                Resolution::Serve(served, reason) => {
                    return resolving.serve(served, reason).map(Resolved::Cached);
                }
                Resolution::Refuse(refusal) => return Err(resolving.refuse(refusal)),
                Resolution::Proceed(_) => return resolving.proceed(),
                Resolution::Act(Action::Lookup(kind), _) => resolving.lookup(kind).await?,
                Resolution::Act(_, _) => resolving.mark().await?,
            }
        }
        Err(Error::new(
            ErrorKind::HubFailing,
            format!("the hub does not settle what `{}` is", request.file),
        ))
    }

    /// Answers from the cache alone where that is enough; `None` means that the hub must be asked.
    pub(crate) fn resolve_cached(
        &self,
        cache: &CacheHandle,
        request: &FileRequest,
        caller: &CallerBlocks,
    ) -> Result<Option<Box<CachedFile>>, Error> {
        let (here, shared) = (cache.blocking(caller), self.shared.blocking(caller));
        let here = Here { engine: self, cache: here, shared, cancel: &Cancel::default() };
        let mut resolving = Resolving::new(self, cache, request, here.look(request)?);
        if let Some((commit, pointer)) = resolving.to_mend()? {
            resolving.take(here.mend(&request.repo, &commit, &request.file, &pointer)?);
        }
        match resolving.decide(&mut Vec::new())? {
            Resolution::Serve(served, reason) => resolving.serve(served, reason).map(Some),
            Resolution::Refuse(refusal) => Err(resolving.refuse(refusal)),
            Resolution::Act(..) | Resolution::Proceed(_) => Ok(None),
        }
    }
}

impl<'a> Resolving<'a> {
    fn decide(&self, chain: &mut Vec<ExplanationLink>) -> Result<Resolution, Error> {
        let resolution = self.engine.decider.resolve(&self.facts)?;
        tracing::debug!(file = %self.request.file, facts = ?self.facts, ?resolution, "resolved");
        chain.push(ExplanationLink::resolve(&self.facts, &resolution));
        Ok(resolution)
    }

    fn new(
        engine: &'a Engine,
        cache: &'a CacheHandle,
        request: &'a FileRequest,
        (known, pointer): (Option<Commit>, CachedPointer),
    ) -> Self {
        let layout = engine.layout(&request.repo);
        let revision = match request.revision.as_commit() {
            Some(_) => RevisionKind::Commit,
            None => RevisionKind::Name,
        };
        let facts = ResolveFacts {
            revision,
            reach: engine.config.reach,
            force: request.force,
            stale: engine.config.stale,
            cached: pointer.cached,
            marker: pointer.marker,
            answer: Answer::Pending,
        };
        let (doubt, found, cause, mended) = (None, None, None, None);
        Self { engine, cache, request, layout, known, pointer, facts, doubt, found, cause, mended }
    }

    /// Returns what is known of a pointer that can't serve, where it would be served if it were whole: it is worth
    /// looking then whether what it should hold is here.
    fn to_mend(&self) -> Result<Option<(Commit, CachedPointer)>, Error> {
        let is_broken = matches!(self.facts.cached, Cached::Absent | Cached::Damaged);
        let Some(commit) = self.known.as_ref().filter(|_| is_broken && self.mended.is_none())
        else {
            return Ok(None);
        };
        let whole = ResolveFacts { cached: Cached::Linked, ..self.facts };
        Ok(match self.engine.decider.resolve(&whole)? {
            Resolution::Serve(..) => Some((commit.clone(), self.pointer.clone())),
            Resolution::Act(..) | Resolution::Proceed(_) | Resolution::Refuse(_) => None,
        })
    }

    /// Takes what came of mending the pointer.
    fn take(&mut self, mended: Option<Mended>) {
        let outcome = mended.map(|Mended { target, outcome }| {
            self.facts.cached = Cached::Holds;
            self.pointer.etag = Some(target.etag);
            self.pointer.size = target.size;
            outcome
        });
        self.mended = Some(outcome);
    }

    async fn lookup(&mut self, kind: Kind) -> Result<(), Error> {
        let known = match kind {
            Kind::Conditional => self.pointer.etag.as_ref(),
            Kind::Plain => None,
        };
        // With something to fall back on, one short attempt is enough (rows D28, D29).
        let usable = matches!(self.facts.cached, Cached::Linked | Cached::Holds);
        let patience = if usable && self.facts.force == Force::Off {
            Patience::brief(&self.engine.config).once()
        } else {
            Patience::lasting(&self.engine.config)
        };
        let lookup = Lookup {
            repo: &self.request.repo,
            revision: &self.request.revision,
            file: &self.request.file,
            known,
            here: self
                .known
                .as_ref()
                .zip(self.pointer.etag.as_ref())
                .map(|(commit, etag)| CachedEtag { commit, etag }),
            doubt: self.doubt,
            patience,
            by: By::Head,
        };
        let tell = |event| self.engine.tell(event);
        let mut found = self.engine.http.lookup(&lookup, &tell).await?;
        self.facts.answer = found.reply.answer;
        if let Some(commit) =
            found.reply.commit.clone().filter(|commit| Some(commit) != self.known.as_ref())
        {
            // Looking at what that commit has may mean hashing it.
            let (layout, file) = (self.layout.clone(), self.request.file.clone());
            let observed = self
                .cache
                .run(move |cache, _| cache.observe_cached(&layout, &commit, &file, || None))
                .await??;
            self.facts.marker = observed.marker;
        }
        self.cause = found.cause.take().or_else(|| Some(found.reply.broken.clone()?.into()));
        self.found = Some(found);
        Ok(())
    }

    /// Remembers that the file does not exist. That it can't be remembered changes nothing.
    async fn mark(&mut self) -> Result<(), Error> {
        let commit = self.found.as_ref().and_then(|found| found.reply.commit.clone());
        if let Some(commit) = commit.filter(|_| !self.cache.is_looking_only()) {
            let (layout, FileRequest { revision, file, .. }) =
                (self.layout.clone(), self.request.clone());
            let marked = self
                .cache
                .run(move |cache, _| cache.mark(&layout, &revision, &commit, &file))
                .await?;
            if let Err(error) = marked {
                tracing::debug!(error = %with_causes(&error), "the marker could not be written");
            }
        }
        self.facts.marker = Marker::Present;
        Ok(())
    }

    fn serve(self, served: Served, reason: Reason) -> Result<Box<CachedFile>, Error> {
        let refusal = refusal_of(self.facts.answer);
        let Some(commit) = self.known else {
            return Err(Error::new(
                ErrorKind::Other,
                "a cached file was to be served, but none is known",
            ));
        };
        let unconfirmed = match served {
            Served::Stale => {
                Some((refusal, self.cause.map_or_else(String::new, |cause| with_causes(&*cause))))
            }
            Served::Pinned | Served::Offline => None,
        };
        let CachedPointer { etag, size, .. } = self.pointer;
        let mended = self.mended.flatten();
        Ok(Box::new(CachedFile { served, commit, etag, size, reason, unconfirmed, mended }))
    }

    fn proceed(self) -> Result<Resolved, Error> {
        let incomplete =
            || Error::new(ErrorKind::HubFailing, "the hub's answer lacks a commit or an etag");
        let Some(found) = self.found else {
            return Err(incomplete());
        };
        let metadata = match (found.reply.metadata, self.facts.answer, found.reply.commit) {
            (Some(metadata), _, _) => metadata,
            (None, Answer::NotModified, Some(commit)) => Metadata {
                commit,
                etag: self.pointer.etag.ok_or_else(incomplete)?,
                size: self.pointer.size,
                xet_hash: None,
            },
            (None, _, _) => return Err(incomplete()),
        };
        let target = Target {
            layout: self.layout,
            revision: self.request.revision.clone(),
            commit: metadata.commit.clone(),
            file: self.request.file.clone(),
            etag: metadata.etag.clone(),
            size: metadata.size,
        };
        let (repo, revision) = (self.request.repo.clone(), self.request.revision.clone());
        let pinned = self.engine.pinned(&repo, &target)?;
        let at = found.content.unwrap_or_else(|| pinned.clone());
        let word = found.word;
        let content = Content { repo, revision, target, metadata, word, at, pinned };
        Ok(Resolved::Found(Box::new(content)))
    }

    fn refuse(self, refusal: Refusal) -> Error {
        let FileRequest { repo, revision, file, .. } = self.request;
        let pointer = self.known.as_ref().map(|commit| self.layout.pointer(commit, file));
        let about = About {
            config: &self.engine.config,
            asked: self.engine.http.asked(),
            repo,
            revision,
            file: Some(file),
            path: pointer
                .map_or_else(String::new, |at| self.cache.native(&at).display().to_string()),
            copy: match self.facts.cached {
                Cached::Linked | Cached::Holds => CachedCopy::Here,
                Cached::Absent | Cached::Damaged | Cached::Directory | Cached::Alias => {
                    CachedCopy::Unknown
                }
            },
            force: self.facts.force,
            unmatched: &[],
        };
        about.error(refusal, self.cause)
    }
}

/// Returns the refusal that an answer would have been, had nothing been cached.
pub(super) fn refusal_of(answer: Answer) -> Refusal {
    match answer {
        Answer::Failing => Refusal::HubFailing,
        Answer::Unreachable => Refusal::HubUnreachable,
        Answer::Incomplete => Refusal::AnswerIncomplete,
        Answer::RepoMissing => Refusal::RepoNotFound,
        Answer::Unauthorized => Refusal::Unauthorized,
        Answer::Forbidden => Refusal::Forbidden,
        Answer::Throttled => Refusal::Throttled,
        Answer::Hostile => Refusal::AnswerHostile,
        Answer::OtherCommit => Refusal::OtherCommit,
        Answer::EntryMissing | Answer::EntryMissingBare => Refusal::EntryNotFound,
        Answer::RevisionMissing => Refusal::RevisionNotFound,
        Answer::Pending
        | Answer::Found
        | Answer::NotModified
        | Answer::NotModifiedBare
        | Answer::Unexpected => Refusal::AnswerUnexpected,
    }
}
