//! The transport of native programs: reqwest, with a client of its own for each runtime and for each kind of connection.
//!
//! A connection is driven by the runtime in which it was made. A request of another runtime would wait for that one, and for
//! ever where nobody drives it.

use std::{
    error::Error as StdError,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::Client;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::runtime::{self, Handle};

use crate::tls;
use hubstow_cache::disk::failure::causes;
use hubstow_client::{
    Body, BoxFuture, Config, Connection, Proxies, Proxy, Request, Response, Transport,
    TransportError, TransportErrorKind,
};

/// How the error of a proxy that gives no connection begins; its type is private.
const TUNNEL: &str = "tunnel error";
/// The same of a proxy that answers 407.
const PROXY_LOGIN: &str = "tunnel error: proxy authorization required";
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most connections of their own that large files may use; how many they do use is a setting.
const CONNECTIONS: usize = 64;
/// How many bytes may be on their way at once on a connection of HTTP/2, which many small files share, and how many of them
/// for one: a gigabit over 80 ms is ten million.
const HTTP2_CONNECTION_BYTES: u32 = 16 << 20;
const HTTP2_STREAM_BYTES: u32 = 8 << 20;
/// How many pools of connections are kept: three for each of four runtimes.
const POOLS: usize = 12;

/// Sends requests with reqwest. Clients are made when the first request needs them: a cached file needs none.
pub(crate) struct ReqwestTransport {
    user_agent: String,
    proxies: Proxies,
    /// What is needed for TLS; the certificates of the system are loaded once.
    tls: OnceLock<ClientConfig>,
    /// The one that was used last is at the end.
    pools: Mutex<Vec<Pool>>,
}

/// A client and its connections.
struct Pool {
    runtime: runtime::Id,
    kind: Kind,
    made: Instant,
    client: Client,
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Plain HTTP. There are no certificates to load, which is the most expensive part of starting up.
    Plain,
    Secure,
    /// HTTP/2 puts all requests on one connection, so those that must have their own speak HTTP/1.1.
    SecureOwn,
}

impl ReqwestTransport {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            user_agent: config.user_agent.clone(),
            proxies: config.proxies.clone(),
            tls: OnceLock::new(),
            pools: Mutex::default(),
        }
    }

    /// Returns the client of the present runtime whose connections were all made after that moment.
    fn client(&self, kind: Kind, made_after: Option<Instant>) -> Result<Client, TransportError> {
        let runtime = Handle::try_current().map_err(|_| {
            let what = "a request needs a tokio runtime, and there is none";
            TransportError::new(TransportErrorKind::Other, what)
        })?;
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |pool: &Pool| pool.runtime == runtime.id() && pool.kind == kind;
        let known = pools.iter().position(is_it).map(|at| pools.remove(at));
        let usable = known.filter(|pool| made_after.is_none_or(|after| pool.made > after));
        let pool = match usable {
            Some(pool) => pool,
            None => {
                let client = self.make(kind)?;
                Pool { runtime: runtime.id(), kind, made: Instant::now(), client }
            }
        };
        let client = pool.client.clone();
        if pools.len() >= POOLS {
            pools.remove(0);
        }
        pools.push(pool);
        Ok(client)
    }

    fn make(&self, kind: Kind) -> Result<Client, TransportError> {
        let mut builder = Client::builder()
            .user_agent(&self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_initial_connection_window_size(HTTP2_CONNECTION_BYTES)
            .http2_initial_stream_window_size(HTTP2_STREAM_BYTES)
            // Without this the environment and the system are asked.
            .no_proxy()
            .tls_backend_preconfigured(self.tls(kind)?);
        let proxies = self.proxies.clone();
        let has_socks = [&proxies.http, &proxies.https].into_iter().flatten().any(Proxy::is_socks);
        if has_socks && cfg!(not(feature = "socks")) {
            let what = "this program is built without SOCKS (the feature `socks`)";
            return Err(TransportError::new(TransportErrorKind::Proxy, what));
        }
        if proxies.http.is_some() || proxies.https.is_some() {
            let of = move |url: &reqwest::Url| proxies.of(url).map(|proxy| proxy.reveal().clone());
            builder = builder.proxy(reqwest::Proxy::custom(of));
        }
        builder.build().map_err(broken)
    }

    fn tls(&self, kind: Kind) -> Result<ClientConfig, TransportError> {
        let protocols: &[&[u8]] = match kind {
            // A proxy may speak TLS where the hub does not, and then certificates matter all the same.
            Kind::Plain if !self.has_secure_proxy() => return without_certificates(),
            Kind::Plain | Kind::SecureOwn => &[b"http/1.1"],
            Kind::Secure => &[b"h2", b"http/1.1"],
        };
        let mut config = match self.tls.get() {
            Some(config) => config.clone(),
            None => {
                let made = with_certificates_of_the_system()?;
                self.tls.get_or_init(|| made).clone()
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    fn has_secure_proxy(&self) -> bool {
        self.proxies.http.as_ref().is_some_and(|proxy| proxy.reveal().scheme() == "https")
    }

    async fn send_one(&self, request: Request) -> Result<Response, TransportError> {
        let kind = match (request.url.scheme(), request.connection) {
            ("https", Connection::Shared) => Kind::Secure,
            ("https", Connection::Own) => Kind::SecureOwn,
            (_, Connection::Shared | Connection::Own) => Kind::Plain,
        };
        let client = self.client(kind, request.made_after)?;
        let mut sent = client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let mut response = sent.send().await.map_err(broken)?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Response { status: response.status(), headers, body: Box::new(Received(response)) })
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(self.send_one(request))
    }

    fn connections(&self) -> usize {
        CONNECTIONS
    }
}

struct Received(reqwest::Response);

impl Body for Received {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async { self.0.chunk().await.map_err(broken) })
    }
}

fn broken(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    TransportError::of(kind_of(&error)).caused_by(error)
}

/// Sorts an error of reqwest. The innermost causes say the most.
fn kind_of(error: &reqwest::Error) -> TransportErrorKind {
    let has = |is_it: fn(&(dyn StdError + 'static)) -> bool| causes(error).any(is_it);
    if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if let Some(error) = causes(error).find_map(|it| it.downcast_ref::<rustls::Error>()) {
        tls::kind_of(error)
    } else if has(|cause| cause.to_string() == PROXY_LOGIN) {
        TransportErrorKind::ProxyLogin
    } else if has(|cause| cause.to_string().starts_with(TUNNEL)) {
        TransportErrorKind::Proxy
    } else if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_builder() {
        TransportErrorKind::Other
    } else {
        TransportErrorKind::Broken
    }
}

fn unusable(error: rustls::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Tls, "TLS can't be set up").caused_by(error)
}

fn tls_builder()
-> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TransportError> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().map_err(unusable)
}

fn with_certificates_of_the_system() -> Result<ClientConfig, TransportError> {
    let builder = tls_builder()?.with_platform_verifier().map_err(unusable)?;
    Ok(builder.with_no_client_auth())
}

fn without_certificates() -> Result<ClientConfig, TransportError> {
    let builder = tls_builder()?.with_root_certificates(rustls::RootCertStore::empty());
    Ok(builder.with_no_client_auth())
}
