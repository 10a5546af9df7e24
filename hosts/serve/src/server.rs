//! The server as a value: its options, its router, and the loop that serves.
//!
//! One handler takes every request, because routes are read from the raw path (see `route`). The router has no layers
//! of its own, so that callers can wrap it with theirs.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Method, Request, header},
    response::{IntoResponse, Response},
};
use http_body::Body as _;
use hubstow_core::hub::Endpoint;
use tokio::{net::TcpListener, sync::oneshot};
use tracing::Instrument as _;

use crate::{
    api,
    error::Error,
    fault::Fault,
    files,
    left_out::{LeftOut, Teller},
    library::{Folders, LfsRules, Library},
    listen::without_delay,
    route::{self, NoRoute, Route},
    running::RunningServer,
    shared::Shared,
    token::Token,
};

/// The size from which files are LFS files if nothing else is said, as on the hub.
const LFS_FROM_BYTES: u64 = 10 * 1024 * 1024;
/// The number of entries on one page of a listing if nothing else is said, as on the hub.
const PAGE_LIMIT: usize = 1000;
/// How long requests under way may take after the shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// The options of a server.
#[derive(Debug)]
pub struct Builder {
    root: PathBuf,
    rules: LfsRules,
    token: Option<Token>,
    cdn: Option<Endpoint>,
    page_limit: usize,
    folders: Folders,
    teller: Teller,
}

impl Builder {
    /// Sets the size from which files are LFS files; 10 MiB if not set.
    #[must_use]
    pub fn lfs_from_bytes(mut self, len_bytes: u64) -> Self {
        self.rules.from_bytes = len_bytes;
        self
    }

    /// Makes files of any size LFS files if their whole name matches; `*` matches any run of characters, slashes too,
    /// and `?` any single byte. May be called several times.
    #[must_use]
    pub fn lfs_glob(mut self, glob: impl Into<String>) -> Self {
        self.rules.globs.push(glob.into());
        self
    }

    /// Answers only requests that carry this token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::new(token.into()));
        self
    }

    /// Redirects LFS files to the content route of this endpoint: the same server under another host name, or another
    /// server over the same folder.
    #[must_use]
    pub fn cdn(mut self, endpoint: Endpoint) -> Self {
        self.cdn = Some(endpoint);
        self
    }

    /// Sets the most entries on one page of a listing; 1000 if not set, 1 at least.
    #[must_use]
    pub fn page_limit(mut self, entries: usize) -> Self {
        self.page_limit = entries.max(1);
        self
    }

    /// Takes every revision for what it was when first asked for: then a big repo is not walked for each
    /// request. A file that changes afterwards can't be served any more.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.folders = Folders::Frozen;
        self
    }

    /// Sets who hears of each file and folder that is not served because no repo can hold its name: once, when it is
    /// first passed over.
    #[must_use]
    pub fn on_left_out(mut self, tell: impl Fn(&LeftOut) + Send + Sync + 'static) -> Self {
        self.teller = Teller::to(tell);
        self
    }

    /// Makes the server. The folder is first looked at when the server starts.
    #[must_use]
    pub fn build(self) -> Server {
        let library = Library::new(self.root, self.rules, self.folders, self.teller);
        let shared = Shared::new(library, self.token, self.cdn, self.page_limit);
        Server { shared: Arc::new(shared) }
    }
}

/// A hub-compatible endpoint over a folder. Clones share what they know of its files.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Starts to describe a server over a folder.
    #[must_use]
    pub fn builder(root: impl Into<PathBuf>) -> Builder {
        Builder {
            root: root.into(),
            rules: LfsRules { from_bytes: LFS_FROM_BYTES, globs: Vec::new() },
            token: None,
            cdn: None,
            page_limit: PAGE_LIMIT,
            folders: Folders::Living,
            teller: Teller::default(),
        }
    }

    /// Returns the router, to be served as it is or wrapped by layers.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` ends, then gives the requests under way five seconds.
    ///
    /// # Errors
    /// The folder can't be read, or connections can't be accepted.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        self.shared.check().await?;
        let listener = without_delay(listener);
        let (stopping, stopped) = oneshot::channel::<()>();
        let signal = async move {
            shutdown.await;
            drop(stopping);
        };
        let served = axum::serve(listener, self.router()).with_graceful_shutdown(signal);
        let grace_over = async {
            drop(stopped.await);
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            result = served.into_future() => result.map_err(Error::Serve),
            () = grace_over => Ok(()),
        }
    }

    /// Serves on a free port of 127.0.0.1, in a thread of its own, until the returned value is dropped.
    ///
    /// # Errors
    /// The folder can't be read, or no port or thread is to be had.
    pub fn spawn_on_loopback(self) -> Result<RunningServer, Error> {
        self.shared.check_blocking()?;
        RunningServer::start_on_loopback(self.router())
    }

    /// As [`Server::spawn_on_loopback`], on a port that is open already: options such as [`Builder::cdn`] may need it.
    ///
    /// # Errors
    /// The folder can't be read, or no thread is to be had.
    pub fn spawn_on(self, listener: std::net::TcpListener) -> Result<RunningServer, Error> {
        self.shared.check_blocking()?;
        RunningServer::start(self.router(), listener)
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::debug_span!("request", %method, path);
    async move {
        let response = route(&shared, request).await.unwrap_or_else(IntoResponse::into_response);
        tracing::debug!(status = response.status().as_u16(), "answered");
        if method == Method::HEAD { without_body(response) } else { response }
    }
    .instrument(span)
    .await
}

async fn route(shared: &Arc<Shared>, request: Request<Body>) -> Result<Response, Fault> {
    let route = route::parse(request.uri().path());
    if let (Some(token), false) = (&shared.token, matches!(route, Ok(Route::Content { .. }))) {
        token.check(request.headers())?;
    }
    let route = route.map_err(|none| match none {
        NoRoute::Unknown => Fault::NoRoute,
        NoRoute::NoRepo => Fault::RepoMissing,
    })?;
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let reads = method == Method::GET || method == Method::HEAD;
    match route {
        Route::PathsInfo { repo, revision } if method == Method::POST => {
            api::paths_info(shared, repo, revision, request).await
        }
        Route::PathsInfo { .. } => Err(Fault::WrongMethod("POST")),
        Route::File { .. }
        | Route::Content { .. }
        | Route::Info { .. }
        | Route::Tree { .. }
        | Route::Refs { .. }
            if !reads =>
        {
            Err(Fault::WrongMethod("GET, HEAD"))
        }
        Route::File { repo, revision, file } => {
            files::file(shared, repo, revision, file, (method, headers)).await
        }
        Route::Content { sha256, repo, commit, file } => {
            files::content(shared, (sha256, repo, commit, file), (method, uri, headers)).await
        }
        Route::Info { repo, revision } => api::info(shared, repo, revision, uri).await,
        Route::Tree { repo, revision, folder } => {
            api::tree(shared, (repo, revision, folder), uri, headers).await
        }
        Route::Refs { repo } => api::refs(shared, repo, uri).await,
    }
}

/// Keeps the length that the body would have.
fn without_body(mut response: Response) -> Response {
    if let Some(len) = response.body().size_hint().exact() {
        let length = response.headers_mut().entry(header::CONTENT_LENGTH);
        length.or_insert_with(|| len.into());
    }
    *response.body_mut() = Body::empty();
    response
}
