//! The transport of native programs: reqwest, with clients of its own or with the program's.

use std::error::Error as StdError;

use bytes::Bytes;
use hubstow_cache::disk::failure::causes;
use hubstow_client::{
    Body, BoxFuture, Config, Connection, Request, Response, Transport, TransportError,
    TransportErrorKind,
};
use reqwest::Client;

use crate::{
    clients::{Clients, Kind},
    tls::{self, Authorities},
};

/// How the error of a proxy that gives no connection begins; its type is private.
const TUNNEL: &str = "tunnel error";
/// The same of a proxy that answers 407.
const PROXY_LOGIN: &str = "tunnel error: proxy authorization required";
/// The most connections of their own that large files may use; how many they do use is a setting.
const CONNECTIONS: usize = 64;

/// Sends requests with reqwest.
pub(crate) enum ReqwestTransport {
    /// With clients that are made as they are needed.
    Own(Box<Clients>),
    /// With the program's.
    Given(Client),
}

impl ReqwestTransport {
    pub(crate) fn new(config: &Config, trusted: Authorities) -> Self {
        Self::Own(Box::new(Clients::new(config, trusted)))
    }

    async fn send_one(&self, request: Request) -> Result<Response, TransportError> {
        let client = match self {
            Self::Own(clients) => clients.client(kind_for(&request), request.made_after)?,
            Self::Given(client) => client.clone(),
        };
        let asked = request.url.clone();
        let mut sent = client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let mut response = sent.send().await.map_err(broken)?;
        if *response.url() != asked {
            let what = "the program's HTTP client follows redirects by itself; it has to leave them to \
                        hubstow (`redirect::Policy::none()`), which knows what may go where";
            return Err(TransportError::new(TransportErrorKind::Other, what));
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Response::new(response.status(), headers, Box::new(Received(response))))
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

fn kind_for(request: &Request) -> Kind {
    match (request.url.scheme(), request.connection) {
        ("https", Connection::Own) if cfg!(feature = "http2") => Kind::SecureOwn,
        ("https", Connection::Shared | Connection::Own) => Kind::Secure,
        (_, Connection::Shared | Connection::Own) => Kind::Plain,
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
