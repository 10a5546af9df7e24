//! The clients that requests are sent with: one for each runtime and for each kind of connection.
//!
//! A connection is driven by the runtime in which it was made. A request of another runtime would wait for that one, and for
//! ever where nobody drives it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hubstow_client::{Config, Proxies, Proxy, TransportError, TransportErrorKind};
use reqwest::{Client, ClientBuilder};
use tokio::runtime::{self, Handle};

use crate::tls::{Authorities, Tls};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many pools of connections are kept: three for each of four runtimes.
const POOLS: usize = 12;

/// Makes clients when the first request needs them: a cached file needs none.
pub(crate) struct Clients {
    user_agent: String,
    proxies: Proxies,
    tls: Tls,
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
pub(crate) enum Kind {
    /// Plain HTTP. There are no certificates to load, which is the most expensive part of starting up.
    Plain,
    Secure,
    /// HTTP/2 puts all requests on one connection, so those that must have their own speak HTTP/1.1.
    SecureOwn,
}

impl Clients {
    pub(crate) fn new(config: &Config, trusted: Authorities) -> Self {
        Self {
            user_agent: config.user_agent.clone(),
            proxies: config.proxies.clone(),
            tls: Tls::new(trusted),
            pools: Mutex::default(),
        }
    }

    /// Returns the client of the present runtime whose connections were all made after that moment.
    pub(crate) fn client(
        &self,
        kind: Kind,
        made_after: Option<Instant>,
    ) -> Result<Client, TransportError> {
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
        let tls = match kind {
            // A proxy may speak TLS where the hub does not, and then certificates matter all the same.
            Kind::Plain if !self.has_secure_proxy() => Tls::without_certificates(),
            Kind::Secure if cfg!(feature = "http2") => self.tls.speaking(&[b"h2", b"http/1.1"]),
            Kind::Plain | Kind::Secure | Kind::SecureOwn => self.tls.speaking(&[b"http/1.1"]),
        };
        let mut builder = wide(Client::builder())
            .user_agent(&self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // Without this the environment and the system are asked.
            .no_proxy()
            .tls_backend_preconfigured(tls?);
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
        builder.build().map_err(|error| {
            let what = "the HTTP client can't be set up";
            TransportError::new(TransportErrorKind::Other, what).caused_by(error)
        })
    }

    fn has_secure_proxy(&self) -> bool {
        self.proxies.http.as_ref().is_some_and(|proxy| proxy.reveal().scheme() == "https")
    }
}

/// Lets as much be on its way at once as a gigabit over 80 ms needs, which is ten million bytes: on a connection of HTTP/2,
/// which many small files share, and for one of them.
#[cfg(feature = "http2")]
fn wide(builder: ClientBuilder) -> ClientBuilder {
    builder.http2_initial_connection_window_size(16 << 20).http2_initial_stream_window_size(8 << 20)
}

#[cfg(not(feature = "http2"))]
fn wide(builder: ClientBuilder) -> ClientBuilder {
    builder
}
