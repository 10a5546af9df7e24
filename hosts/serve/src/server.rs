//! The server as a value: its options, its router, and the loop that serves.
//!
//! One handler takes every request (see `dispatch`), because routes are read from the raw path (see `route`). The router has no layers
//! of its own, so that callers can wrap it with theirs.

use std::{future::Future, path::PathBuf, sync::Arc};

use axum::Router;
use hubstow_core::hub::Endpoint;
use tokio::net::TcpListener;

#[cfg(feature = "tls")]
use crate::certificate::Certificate;
use crate::{
    ahead::HashProgress,
    answered::{Answered, Listener},
    cors::Cors,
    dispatch::handle,
    error::Error,
    folders::Changing,
    left_out::{LeftOut, Teller},
    library::{Library, Plan, SourceKind},
    limits::Limits,
    listen::Listening,
    running::RunningServer,
    shared::{Options, Shared},
    token::Token,
    upstream::Upstream,
};

/// The number of entries on one page of a listing if nothing else is said: ten times as many as on the hub, since some
/// clients read the first page only.
const PAGE_LIMIT: usize = 10_000;

/// The options of a server.
#[derive(Debug)]
pub struct Builder {
    plan: Plan,
    /// Where upstream keeps what was asked for.
    kept: Option<PathBuf>,
    options: Options,
    limits: Limits,
    #[cfg(feature = "tls")]
    certificate: Option<Certificate>,
}

impl Builder {
    /// Serves another folder beside the others. Where several have something, the one that was named first answers.
    #[must_use]
    pub fn and(mut self, root: impl Into<PathBuf>) -> Self {
        self.plan.roots.push(root.into());
        self
    }

    /// Says what the folders are; what they look like if not set.
    #[must_use]
    pub fn source(mut self, kind: SourceKind) -> Self {
        self.plan.kind = kind;
        self
    }

    /// Keeps digests in files below this folder, so that a restart needs not hash what has not changed. It must be nobody
    /// else's, and none of what is served.
    #[must_use]
    pub fn keep_digests_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plan.digests = Some(folder.into());
        self
    }

    /// Sets the size from which files are LFS files; 10 MiB if not set.
    #[must_use]
    pub fn lfs_from_bytes(mut self, len_bytes: u64) -> Self {
        self.plan.rules.from_bytes = len_bytes;
        self
    }

    /// Makes files of any size LFS files if their whole name matches; `*` matches any run of characters, slashes too,
    /// and `?` any single byte. May be called several times.
    #[must_use]
    pub fn lfs_glob(mut self, glob: impl Into<String>) -> Self {
        self.plan.rules.globs.push(glob.into());
        self
    }

    /// Answers only requests that carry this token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Some(Token::new(token.into()));
        self
    }

    /// Redirects LFS files to the content route of this endpoint: the same server under another host name, or another
    /// server over the same folder.
    #[must_use]
    pub fn cdn(mut self, endpoint: Endpoint) -> Self {
        self.options.cdn = Some(endpoint);
        self
    }

    /// Sets the most entries on one page of a listing; 10 000 if not set, 1 at least.
    #[must_use]
    pub fn page_limit(mut self, entries: usize) -> Self {
        self.options.page_limit = entries.max(1);
        self
    }

    /// Takes every revision for what it was when first asked for: then a big repo is not walked for each
    /// request. A file that changes afterwards can't be served any more.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.plan.changing = Changing::Frozen;
        self
    }

    /// Sets who hears of each file and folder that is not served, and why: once, when it is first passed over.
    #[must_use]
    pub fn on_left_out(mut self, tell: impl Fn(&LeftOut) + Send + Sync + 'static) -> Self {
        self.plan.teller = Teller::to(tell);
        self
    }

    /// Sets who hears of each request when its answer is done with, for an access log. It is called between requests, so it
    /// must not wait for anything.
    #[must_use]
    pub fn on_answered(mut self, tell: impl Fn(&Answered) + Send + Sync + 'static) -> Self {
        self.options.listener = Listener::to(tell);
        self
    }

    /// Asks an upstream for every repo that is in none of the folders, and for lists of repos. `kept` is the cache directory in
    /// which it keeps what was asked for; the page for people tells of that. Where the server asks for a token of its own, that
    /// is not handed on; else whoever asks is asked for upstream's. What is in the folders is for everybody who may ask.
    #[must_use]
    pub fn upstream(mut self, upstream: Arc<dyn Upstream>, kept: impl Into<PathBuf>) -> Self {
        self.options.upstream = Some(upstream);
        self.kept = Some(kept.into());
        self
    }

    /// Lets pages of another origin, such as `https://app.example`, read the answers; `*` means every origin.
    ///
    /// # Errors
    /// No origin could be sent as that.
    pub fn cors(mut self, origin: &str) -> Result<Self, Error> {
        self.options.cors = Some(Cors::of(origin).ok_or_else(|| Error::Origin(origin.to_owned()))?);
        Ok(self)
    }

    /// Sets what clients are allowed; see [`Limits`] for what they are if nothing is set. A router that something else serves
    /// knows none of them.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Speaks TLS with this certificate, and nothing else on the same port.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Makes the server. The folder is first looked at when the server starts.
    #[must_use]
    pub fn build(self) -> Server {
        let of_cache = |root: PathBuf| {
            Library::new(Plan { roots: vec![root], kind: SourceKind::Cache, ..Plan::default() })
        };
        let (library, kept) = (Library::new(self.plan), self.kept.map(of_cache));
        let listening = Listening::within(self.limits);
        #[cfg(feature = "tls")]
        let listening = Listening { certificate: self.certificate, ..listening };
        let places = Arc::clone(&listening.places);
        Server { shared: Arc::new(Shared::new(library, kept, self.options, places)), listening }
    }
}

/// A hub-compatible endpoint over a folder. Clones share what they know of its files.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listening: Listening,
}

impl Server {
    /// Starts to describe a server over a folder.
    #[must_use]
    pub fn builder(root: impl Into<PathBuf>) -> Builder {
        Self::empty().and(root)
    }

    /// Starts to describe a server that has nothing by itself: all comes from an upstream, which keeps it there.
    #[must_use]
    pub fn pulling(upstream: Arc<dyn Upstream>, kept: impl Into<PathBuf>) -> Builder {
        Self::empty().upstream(upstream, kept)
    }

    fn empty() -> Builder {
        Builder {
            plan: Plan::default(),
            kept: None,
            options: Options {
                token: None,
                cdn: None,
                cors: None,
                page_limit: PAGE_LIMIT,
                listener: Listener::default(),
                upstream: None,
            },
            limits: Limits::default(),
            #[cfg(feature = "tls")]
            certificate: None,
        }
    }

    /// Returns the router, to be served as it is or wrapped by layers.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(Arc::clone(&self.shared))
    }

    /// Hashes all that is not hashed yet, the smallest files first, and tells how far it has come: at the start, after each
    /// piece that is read, and after each file; nothing where nothing is to be done. It blocks;
    /// files that are asked for meanwhile are hashed beside.
    ///
    /// # Errors
    /// A folder that is served can't be read.
    pub fn hash_ahead(&self, tell: impl Fn(HashProgress)) -> std::io::Result<()> {
        self.shared.hash_ahead(&tell)
    }

    /// Serves until `shutdown` ends, then gives the answers on their way the time that [`Limits::grace`] says.
    ///
    /// # Errors
    /// The folder can't be read.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        self.shared.check().await?;
        let router = self.router();
        self.listening.serve(listener, router, shutdown).await;
        Ok(())
    }

    /// Serves on a free port of 127.0.0.1, in a thread of its own, until the returned value is dropped.
    ///
    /// # Errors
    /// The folder can't be read, or no port or thread is to be had.
    pub fn spawn_on_loopback(self) -> Result<RunningServer, Error> {
        self.spawn_on(RunningServer::loopback()?)
    }

    /// As [`Server::spawn_on_loopback`], on a port that is open already: options such as [`Builder::cdn`] may need it.
    ///
    /// # Errors
    /// The folder can't be read, or no thread is to be had.
    pub fn spawn_on(self, listener: std::net::TcpListener) -> Result<RunningServer, Error> {
        self.shared.check_blocking()?;
        RunningServer::start_listening(self.router(), listener, self.listening)
    }
}
