//! What all requests share: the library, which is asked off the async threads only, and the options that handlers heed.

use std::{
    io,
    ops::Deref,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{body::Body, http::Request, response::Response};
use hubstow_core::{hub::Endpoint, name::Repo};
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{
    ahead::HashProgress, answered::Listener, cors::Cors, error::Error, fault::Fault, hash::Backlog,
    library::Library, listen::Places, repos::Held, stats::Stats, token::Token, upstream::Upstream,
};

/// How old what the page for people shows may be.
const OVERVIEW_AGE: Duration = Duration::from_secs(2);

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    library: Library,
    /// What upstream keeps on this machine, where there is one. Only the page for people tells of it.
    kept: Option<Library>,
    options: Options,
    pub(crate) stats: Stats,
    /// The connections of this server, if it listens itself.
    pub(crate) places: Arc<Places>,
    overview: Mutex<Option<(Instant, Arc<Vec<Held>>)>>,
}

/// What whoever starts the server says of it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) token: Option<Token>,
    pub(crate) cdn: Option<Endpoint>,
    pub(crate) cors: Option<Cors>,
    pub(crate) page_limit: usize,
    pub(crate) listener: Listener,
    pub(crate) upstream: Option<Arc<dyn Upstream>>,
}

impl Deref for Shared {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

impl Shared {
    pub(crate) fn new(
        library: Library,
        kept: Option<Library>,
        options: Options,
        places: Arc<Places>,
    ) -> Self {
        let (stats, overview) = (Stats::default(), Mutex::default());
        Self { library, kept, options, stats, places, overview }
    }

    /// Answers what a browser asks beforehand.
    pub(crate) fn preflight(&self, request: &Request<Body>) -> Option<Response> {
        self.cors.as_ref()?.preflight(request.method(), request.headers())
    }

    /// Returns what is not hashed yet, as far as known.
    pub(crate) fn backlog(&self) -> Backlog {
        self.library.backlog()
    }

    /// Tells whether not everybody who may ask may know what upstream keeps here: where access is upstream's, the names of
    /// repos that others have asked for are nobody's business.
    pub(crate) fn hides_kept(&self) -> bool {
        self.upstream.is_some() && self.token.is_none()
    }

    /// Tells whether a repo is in what is served by itself, so that upstream is not asked for it.
    ///
    /// # Errors
    /// Nobody can say: a folder can't be read.
    pub(crate) async fn has(self: &Arc<Self>, repo: &Repo) -> Result<bool, Fault> {
        if self.library.is_empty() {
            return Ok(false);
        }
        let repo = repo.clone();
        match self.ask(move |library| library.contains(&repo)).await {
            Ok(()) => Ok(true),
            Err(Fault::RepoMissing) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Returns what is here and may be shown, looked at a moment ago at most: the page for people may be asked for by many,
    /// who wait without a thread.
    pub(crate) async fn overview(self: &Arc<Self>) -> Result<Arc<Vec<Held>>, Fault> {
        let mut known = self.overview.lock().await;
        if let Some((at, held)) = known.as_ref()
            && at.elapsed() < OVERVIEW_AGE
        {
            return Ok(Arc::clone(held));
        }
        let shared = Arc::clone(self);
        let look = move || -> Result<Vec<Held>, Fault> {
            let mut held = shared.library.repos()?;
            if let Some(kept) = shared.kept.as_ref().filter(|_| !shared.hides_kept()) {
                // It may be lost at any time.
                let kept = kept.repos().unwrap_or_default();
                let is_own = |repo: &Repo| held.iter().any(|own| own.repo == *repo);
                let more: Vec<Held> = kept.into_iter().filter(|it| !is_own(&it.repo)).collect();
                held.extend(more);
            }
            Ok(held)
        };
        let held = Arc::new(spawn_blocking(look).await.map_err(io::Error::other)??);
        *known = Some((Instant::now(), Arc::clone(&held)));
        Ok(held)
    }

    /// Tells whether the folders can be read. It blocks.
    pub(crate) fn check_blocking(&self) -> Result<(), Error> {
        let mut all = [&self.library].into_iter().chain(&self.kept);
        all.try_for_each(Library::check).map_err(|(path, source)| Error::Root { path, source })
    }

    /// Tells whether the folders can be read.
    pub(crate) async fn check(self: &Arc<Self>) -> Result<(), Error> {
        let shared = Arc::clone(self);
        let checked = spawn_blocking(move || shared.check_blocking()).await;
        checked.map_err(|error| Error::Start(io::Error::other(error)))?
    }

    /// Hashes ahead. It blocks.
    pub(crate) fn hash_ahead(&self, tell: &dyn Fn(HashProgress)) -> io::Result<()> {
        self.library.hash_ahead(tell)
    }

    /// Asks the library, off the async threads.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Library) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(self);
        spawn_blocking(move || question(&shared.library)).await.map_err(io::Error::other)?
    }
}
