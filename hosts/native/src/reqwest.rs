//! The transport of native programs: reqwest, with one client for plain HTTP and one for TLS.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Client, Response};
use rustls_platform_verifier::BuilderVerifierExt as _;

use hubstow_client::{Answer, Body, BoxFuture, Connection, Request, Transport, TransportError};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many connections of their own large files may use: what a hub takes from one client without complaint.
const CONNECTIONS: usize = 16;

/// Sends requests with reqwest. Clients are made when the first request needs them: a cached file needs none.
pub(crate) struct ReqwestTransport {
    user_agent: String,
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
    /// HTTP/2 puts all requests on one connection, so those that must have their own speak HTTP/1.1.
    separate: OnceLock<Client>,
}

impl ReqwestTransport {
    pub(crate) fn new(user_agent: &str) -> Self {
        let (plain, secure, separate) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { user_agent: user_agent.to_owned(), plain, secure, separate }
    }

    /// A client that only speaks plain HTTP has no certificates to load; where the endpoint needs none, that saves the
    /// most expensive part of starting up.
    fn client(&self, secure: bool, connection: Connection) -> Result<&Client, TransportError> {
        let slot = match (secure, connection) {
            (false, Connection::Shared | Connection::Own) => &self.plain,
            (true, Connection::Shared) => &self.secure,
            (true, Connection::Own) => &self.separate,
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let made = Client::builder()
            .user_agent(&self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tls_backend_preconfigured(tls(secure, connection)?)
            .build()
            .map_err(|error| TransportError(causes(&error)))?;
        Ok(slot.get_or_init(|| made))
    }

    async fn send_one(&self, request: Request) -> Result<Answer, TransportError> {
        let client = self.client(request.url.scheme() == "https", request.connection)?;
        let mut sent = client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let mut response = sent.send().await.map_err(broken)?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, body: Box::new(Received(response)) })
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, TransportError>> {
        Box::pin(self.send_one(request))
    }

    fn connections(&self) -> usize {
        CONNECTIONS
    }
}

struct Received(Response);

impl Body for Received {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async { self.0.chunk().await.map_err(broken) })
    }
}

fn broken(error: reqwest::Error) -> TransportError {
    TransportError(causes(&error.without_url()))
}

/// Writes an error and its causes on one line; the outermost says the least.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

fn tls(secure: bool, connection: Connection) -> Result<rustls::ClientConfig, TransportError> {
    let unusable = |error: rustls::Error| {
        let what = "TLS can't be set up";
        let way_out = "check the system's certificates, or the file that SSL_CERT_FILE names";
        TransportError(format!("{what}: {error}; {way_out}"))
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = if secure {
        builder.with_platform_verifier().map_err(unusable)?
    } else {
        builder.with_root_certificates(rustls::RootCertStore::empty())
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = match connection {
        Connection::Shared => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Connection::Own => vec![b"http/1.1".to_vec()],
    };
    Ok(config)
}
