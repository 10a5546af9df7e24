//! What is here although its pointer can't serve: lost, damaged, or a text where a link was. The pointer is made from
//! what else holds the content, and nobody is asked.

use hubstow_cache::{
    Cache, Target,
    disk::cancel::Cancel,
    drive::{Next, Outcome, Placing},
    observe::{
        Observed, OwnFacts,
        cached::{CachedPointer, Promised},
        many::Observation,
    },
};
use hubstow_core::{
    action::Action,
    facts::{Blob, Cached, Demand, Force, PlaceFacts, Pointer, Reach, Staged, Twin},
    layout::RepoLayout,
    model::{DiskKind, End},
    name::{Commit, FileName, Repo, Revision},
};

use crate::{
    api::{
        error::{Error, from_io},
        request::FileRequest,
    },
    engine::Engine,
    file::{explain::placed, place::fill},
    handle::{CacheHandle, Worker},
    lookup::listing::Listing,
};

/// Looking and placing without the hub. It blocks.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    pub(crate) engine: &'a Engine,
    /// Where files are placed.
    pub(crate) cache: &'a Cache,
    /// The shared cache; the same, unless files go to a local folder.
    pub(crate) shared: &'a Cache,
    /// Says whether the work is still wanted.
    pub(crate) cancel: &'a Cancel,
}

impl Engine {
    /// Looks or places without the hub, on a worker.
    ///
    /// # Errors
    /// The workers have ended.
    pub(crate) async fn run_here<T: Send + 'static>(
        &self,
        cache: &CacheHandle,
        work: impl FnOnce(Here<'_>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let engine = self.clone();
        let on_worker = move |cache: &Cache, worker: &Worker| {
            let shared = engine.shared.on(worker);
            work(Here { engine: &engine, cache, shared: &shared, cancel: worker.cancel() })
        };
        cache.run(on_worker).await
    }
}

impl Here<'_> {
    /// Finds the commit that a revision meant when the hub was last asked.
    pub(crate) fn commit_of(&self, repo: &Repo, revision: &Revision) -> Option<Commit> {
        let known = self.cache.commit_of(&self.engine.layout(repo), revision);
        known.or_else(|| self.shared.commit_of(&RepoLayout::new(repo), revision))
    }

    /// Reads the listing of a commit that is kept, wherever it is.
    pub(crate) fn listing(&self, repo: &Repo, commit: &Commit) -> Option<Listing> {
        let layout = self.engine.layout(repo);
        let kept = Listing::of_cache(self.cache, &layout, commit);
        let elsewhere = || Listing::of_cache(self.shared, &RepoLayout::new(repo), commit);
        kept.or_else(|| if layout.is_local() { elsewhere() } else { None })
    }

    /// Looks at what is known of a file: the commit, and the pointer there.
    pub(crate) fn look(
        &self,
        request: &FileRequest,
    ) -> Result<(Option<Commit>, CachedPointer), Error> {
        let FileRequest { repo, revision, file, .. } = request;
        let known = self.commit_of(repo, revision);
        let pointer = match &known {
            Some(commit) => {
                let promised = || self.promised(repo, commit, file);
                self.cache.observe_cached(&self.engine.layout(repo), commit, file, promised)?
            }
            None => CachedPointer::default(),
        };
        if pointer.cached == Cached::Absent && self.engine.config.reach == Reach::Offline {
            self.check_open(repo, revision)?;
        }
        Ok((known, pointer))
    }

    /// Makes sure that what is missing is not only closed to this user.
    pub(crate) fn check_open(&self, repo: &Repo, revision: &Revision) -> Result<(), Error> {
        let closed = self.cache.closed(&self.engine.layout(repo), revision);
        match closed.or_else(|| self.shared.closed(&RepoLayout::new(repo), revision)) {
            Some(closed) => Err(closed.into()),
            None => Ok(()),
        }
    }

    /// Says what the kept listing promises of a file.
    pub(crate) fn promised(
        &self,
        repo: &Repo,
        commit: &Commit,
        file: &FileName,
    ) -> Option<Promised> {
        let listing = self.listing(repo, commit)?;
        let listed = listing.files.into_iter().find(|listed| listed.file == *file)?;
        let (etag, size) = listed.content?;
        Some(Promised { etag, size: Some(size) })
    }

    /// Makes the pointer of a file that can't serve, if it is known what it should hold, and that is here.
    pub(crate) fn mend(
        &self,
        repo: &Repo,
        commit: &Commit,
        file: &FileName,
        found: &CachedPointer,
    ) -> Result<Option<Mended>, Error> {
        let named = || Some(Promised { etag: found.etag.clone()?, size: None });
        let shared = || self.named_in_shared(repo, commit, file);
        let promised = self.promised(repo, commit, file).or_else(named).or_else(shared);
        let Some(Promised { etag, size }) = promised else { return Ok(None) };
        let target = Target {
            layout: self.engine.layout(repo),
            // What a name means, only the hub says.
            revision: Revision::from(commit),
            commit: commit.clone(),
            file: file.clone(),
            etag,
            size,
        };
        let outcome = self.place(repo, &target)?;
        Ok(outcome.map(|outcome| Mended { target, outcome }))
    }

    /// A local folder may be made of a shared cache that has no listing: its links say what files hold.
    fn named_in_shared(&self, repo: &Repo, commit: &Commit, file: &FileName) -> Option<Promised> {
        if !self.engine.layout(repo).is_local() {
            return None;
        }
        let layout = RepoLayout::new(repo);
        let found = self.shared.observe_cached(&layout, commit, file, || None).ok()?;
        Some(Promised { etag: found.etag?, size: None })
    }

    /// Places a file whose content is here; `None` where it is not, and then nothing was done.
    pub(crate) fn place(&self, repo: &Repo, target: &Target) -> Result<Option<Outcome>, Error> {
        let own = OwnFacts::at_first(Demand::Any, Staged::Absent);
        let Observed { facts, twin } = self.cache.observe(target, own)?;
        self.place_seen(repo, target, Observation { facts, twin, size: None })
    }

    /// As [`place`](Self::place), of what was seen of it a moment ago.
    pub(crate) fn place_seen(
        &self,
        repo: &Repo,
        target: &Target,
        seen: Observation,
    ) -> Result<Option<Outcome>, Error> {
        let elsewhere = Target { layout: RepoLayout::new(repo), ..target.clone() };
        let is_elsewhere =
            || target.layout.is_local() && self.shared.content_of(&elsewhere).is_some();
        if !is_here(&seen.facts) && !is_elsewhere() {
            return Ok(None);
        }
        if self.cache.is_looking_only() {
            return self.foreseen(&seen.facts);
        }
        let mut placing = self.engine.placing(self.cache, target, Force::Off);
        placing = placing.with_observation(seen);
        let mut tried = false;
        loop {
            let next = placing.advance();
            let revision = &target.revision;
            match next.map_err(|error| self.engine.place_error(repo, revision, target, error))? {
                Next::Done(outcome) => {
                    if target.layout.is_local() {
                        self.cache.record_local(target)?;
                    }
                    return Ok(Some(outcome));
                }
                Next::Fetch if tried || !target.layout.is_local() => return Ok(None),
                Next::Fetch => {
                    tried = true;
                    if !self.fill(&mut placing, &elsewhere)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Places a file whose content is somewhere in the cache, at `from`; `None` where it is not that content after all.
    #[cfg(feature = "care")]
    pub(crate) fn place_from(
        &self,
        repo: &Repo,
        target: &Target,
        from: &hubstow_core::layout::CachePath,
    ) -> Result<Option<Outcome>, Error> {
        let mut placing = self.engine.placing(self.cache, target, Force::Off);
        let mut tried = false;
        loop {
            let next = placing.advance();
            let revision = &target.revision;
            match next.map_err(|error| self.engine.place_error(repo, revision, target, error))? {
                Next::Done(outcome) => return Ok(Some(outcome)),
                Next::Fetch if tried => return Ok(None),
                Next::Fetch => {
                    tried = true;
                    let mut staged = placing.take_staged()?;
                    let what = "a copy can't be made";
                    staged.start_over().map_err(|error| from_io(what, error))?;
                    let filled = self.cache.fill_from(from, &mut staged);
                    let is_content = filled.and_then(|()| staged.verify());
                    placing.fetched(staged);
                    if !is_content.is_ok_and(|verified| verified.is_ok()) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Says how content that is here would get to its place.
    fn foreseen(&self, facts: &PlaceFacts) -> Result<Option<Outcome>, Error> {
        // What is elsewhere comes through a staged file.
        let staged = if is_here(facts) { facts.staged } else { Staged::Complete };
        let facts = PlaceFacts { staged, ..*facts };
        let (rounds, end) = self.engine.decider.forecast(&facts, DiskKind::ALL_LINKS)?;
        let End::Reuse(reason) = end else { return Ok(None) };
        let placed = placed(&rounds);
        let sealed = rounds.iter().any(|round| matches!(round.action, Action::Seal { .. }));
        let reason = placed.map_or(reason, |(_, reason)| reason);
        Ok(Some(Outcome { placed: placed.map(|(how, _)| how), sealed, reason }))
    }

    /// Lets the shared cache's content pass through the staged file, like any other.
    fn fill(&self, placing: &mut Placing, elsewhere: &Target) -> Result<bool, Error> {
        let mut staged = placing.take_staged()?;
        let filled = fill(self.shared, elsewhere, &mut staged);
        let verified = if filled { staged.verify() } else { Ok(Ok(())) };
        placing.fetched(staged);
        match verified {
            Ok(verified) => Ok(filled && verified.is_ok()),
            Err(error) => Err(from_io("a copy can't be verified", error)),
        }
    }
}

/// A pointer that was made from what is here.
pub(crate) struct Mended {
    pub(crate) target: Target,
    pub(crate) outcome: Outcome,
}

/// Tells whether the content of a file is here, in its place or elsewhere in its repo.
fn is_here(facts: &PlaceFacts) -> bool {
    facts.pointer == Pointer::Holds
        || matches!(facts.blob, Blob::Existing | Blob::Borrowed)
        || facts.twin == Twin::Present
}
