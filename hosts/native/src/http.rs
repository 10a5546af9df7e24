//! Sending requests: one client for all, redirects by the core's rule, the token to the endpoint's origin only.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hubstow_core::hub::{
    Endpoint, Headers, Hop, Origin, REDIRECT_LIMIT, Redirect, redirect, retry_after_s,
};
use reqwest::{
    Client, Method, Response,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use crate::{
    config::{Config, Token},
    error::{Error, ErrorKind},
    report::Traffic,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that got no answer, or a redirect that must not be followed. The text names no query and no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Connection, proxy, protocol or timeout.
    #[error("{url}: {cause}")]
    Transport {
        /// The URL without its query.
        url: String,
        /// The chain of causes.
        cause: String,
    },
    /// A redirect that the rule refuses.
    #[error("{from} redirects to {to}, which is refused: {rule}")]
    Redirected {
        /// Where the redirect came from.
        from: String,
        /// Where it points.
        to: String,
        /// The rule.
        rule: Redirect,
    },
}

/// Whether the token may go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenUse {
    /// To the endpoint's origin.
    Send,
    /// A redirect has left the endpoint.
    Withhold,
}

/// A URL to be asked, and whether the token goes along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The URL.
    pub(crate) url: Url,
    /// The token.
    pub(crate) token: TokenUse,
}

/// The HTTP side of a hub. Clients are made when the first request needs them: a cached file needs none.
pub(crate) struct Http {
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
    endpoint: Endpoint,
    token: Option<Token>,
    user_agent: String,
    stall_timeout: Duration,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Http {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            endpoint: normalised(&config.endpoint),
            token: config.token.clone(),
            user_agent: config.user_agent.clone(),
            stall_timeout: config.stall_timeout,
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// How long a transfer may stand still.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.stall_timeout
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_downloaded: self.bytes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Parses a URL of the endpoint; the token may go there.
    pub(crate) fn at_endpoint(&self, url: &str) -> Result<Address, Error> {
        let parsed = Url::parse(url).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("`{url}` is no URL")).caused_by(error)
        })?;
        Ok(Address { url: parsed, token: TokenUse::Send })
    }

    /// Sends one request and follows nothing.
    pub(crate) async fn send(
        &self,
        method: Method,
        to: &Address,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
        timeout: Option<Duration>,
    ) -> Result<Response, NoAnswer> {
        let client = self.client(to.url.scheme() == "https").map_err(|error| {
            NoAnswer::Transport { url: shown(&to.url), cause: error.to_string() }
        })?;
        let mut request = client
            .request(method, to.url.clone())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .headers(headers);
        if let Some(token) = self.token.as_ref().filter(|_| to.token == TokenUse::Send) {
            request = request.header(AUTHORIZATION, bearer(token));
        }
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let limit = timeout.unwrap_or(self.stall_timeout);
        let Ok(answer) = tokio::time::timeout(limit, request.send()).await else {
            let cause = format!("no answer within {} s", limit.as_secs());
            return Err(NoAnswer::Transport { url: shown(&to.url), cause });
        };
        tracing::debug!(url = %shown(&to.url), status = ?answer.as_ref().map(|a| a.status().as_u16()), "asked");
        answer.map_err(|error| transport(&to.url, error))
    }

    /// Sends a request and follows its redirects by the core's rule.
    pub(crate) async fn get(
        &self,
        to: &Address,
        headers: &HeaderMap,
        timeout: Option<Duration>,
    ) -> Result<(Address, Response), NoAnswer> {
        let mut at = to.clone();
        for followed in 0..=REDIRECT_LIMIT {
            let mut sent = headers.clone();
            if at.token == TokenUse::Withhold {
                // The store behind a redirect has validators of its own.
                sent.remove(reqwest::header::IF_RANGE);
            }
            let answer = self.send(Method::GET, &at, sent, None, timeout).await?;
            match location(&answer) {
                None => return Ok((at, answer)),
                Some(location) => at = self.hop(&at, &location, followed)?,
            }
        }
        Err(self.too_many(&at))
    }

    /// Decides about one redirect.
    pub(crate) fn hop(
        &self,
        from: &Address,
        to: &str,
        followed: usize,
    ) -> Result<Address, NoAnswer> {
        let joined = from.url.join(to);
        let target = joined.as_ref().map_or(to, Url::as_str);
        let rule = redirect(&Hop {
            from: from.url.as_str(),
            to: target,
            endpoint: self.endpoint.origin(),
            followed,
        });
        let token = match (rule, from.token) {
            (Redirect::FollowWithToken, TokenUse::Send) => TokenUse::Send,
            (Redirect::FollowWithToken, TokenUse::Withhold) | (Redirect::FollowWithoutToken, _) => {
                TokenUse::Withhold
            }
            (Redirect::WrongScheme | Redirect::Downgrade | Redirect::TooMany, _) => {
                return Err(NoAnswer::Redirected {
                    from: shown(&from.url),
                    to: joined.as_ref().map_or_else(|_| "no URL".to_owned(), shown),
                    rule,
                });
            }
        };
        match joined {
            Ok(url) => Ok(Address { url, token }),
            Err(error) => {
                Err(NoAnswer::Transport { url: shown(&from.url), cause: error.to_string() })
            }
        }
    }

    pub(crate) fn too_many(&self, at: &Address) -> NoAnswer {
        NoAnswer::Redirected { from: shown(&at.url), to: shown(&at.url), rule: Redirect::TooMany }
    }

    /// A client that only speaks plain HTTP has no certificates to load; where the endpoint needs none, that saves the
    /// most expensive part of starting up.
    fn client(&self, secure: bool) -> Result<&Client, Error> {
        let slot = if secure { &self.secure } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let made = Client::builder()
            .user_agent(&self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tls_backend_preconfigured(tls(secure)?)
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Other, "the HTTP client can't be set up").caused_by(error)
            })?;
        Ok(slot.get_or_init(|| made))
    }
}

/// Writes an endpoint as every URL made from it will be written, so that origins can be compared.
fn normalised(endpoint: &Endpoint) -> Endpoint {
    let url = Url::parse(endpoint.as_str()).ok();
    url.and_then(|url| Endpoint::parse(url.as_str()).ok()).unwrap_or_else(|| endpoint.clone())
}

fn tls(secure: bool) -> Result<rustls::ClientConfig, Error> {
    let unusable = |error: rustls::Error| {
        Error::new(ErrorKind::Other, "TLS can't be set up")
            .hint("check the system's certificates, or the file that SSL_CERT_FILE names")
            .caused_by(error)
    };
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = if secure {
        builder.with_platform_verifier().map_err(unusable)?
    } else {
        builder.with_root_certificates(rustls::RootCertStore::empty())
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn bearer(token: &Token) -> HeaderValue {
    // A token holds only visible ASCII, so it always fits.
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Returns a URL as it may be shown: a query may be a signature, and user info is a secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

pub(crate) fn transport(url: &Url, error: reqwest::Error) -> NoAnswer {
    NoAnswer::Transport { url: shown(url), cause: causes(&error.without_url()) }
}

/// Writes an error and its causes on one line; the outermost says the least.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
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

/// Returns where a redirect points, as the header says it.
pub(crate) fn location(answer: &Response) -> Option<String> {
    let status = answer.status().as_u16();
    if !matches!(status, 301..=303 | 307 | 308) {
        return None;
    }
    answer
        .headers()
        .get(LOCATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Reads a header as text; one that is no text counts as present and wrong.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

/// Collects the headers that matter, for the core to read.
pub(crate) fn core_headers(headers: &HeaderMap) -> Headers<'_> {
    let named = |name: &'static str| text(headers, &HeaderName::from_static(name));
    Headers {
        repo_commit: named("x-repo-commit"),
        etag: named("etag"),
        linked_etag: named("x-linked-etag"),
        linked_size: named("x-linked-size"),
        content_length: named("content-length"),
        xet_hash: named("x-xet-hash"),
        error_code: named("x-error-code"),
        error_message: named("x-error-message"),
    }
}

/// Returns how long the hub asks to wait.
pub(crate) fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let named = |name: &'static str| text(headers, &HeaderName::from_static(name));
    retry_after_s(named("retry-after"), named("ratelimit")).map(Duration::from_secs)
}

/// Adds jitter: between half and the whole of the wait, so that many clients do not come back at once.
pub(crate) fn jittered(wait_ms: u64) -> Duration {
    Duration::from_millis(wait_ms / 2 + fastrand::u64(0..=wait_ms / 2))
}

/// Tells whether an address is of the hub itself.
pub(crate) fn is_endpoint(endpoint: &Endpoint, at: &Address) -> bool {
    Origin::of(at.url.as_str()).as_ref() == Some(endpoint.origin())
}
