//! Sending requests: one client for all, redirects by the core's rule, the token to the endpoint's origin only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT_ENCODING, AUTHORIZATION, IF_RANGE},
};
use hubstow_cache::{Decider, decider::DeciderError, guard::possible_redirect};
use hubstow_core::hub::{Endpoint, Hop, REDIRECT_LIMIT, Redirect};
use url::Url;

pub(crate) use crate::http::address::{
    Address, NoAnswer, TokenUse, asked_wait, core_headers, is_endpoint, location, shown, text,
    transport,
};
use crate::{
    api::{
        config::{Config, Token},
        error::{Error, ErrorKind},
        report::Traffic,
    },
    http::{
        connections::Lines,
        pace::Pace,
        transport::{Answer, Line, Request, Transport},
    },
};

/// The HTTP side of a hub: which requests are sent, with or without the token, and which redirects are followed.
pub(crate) struct Http {
    transport: Arc<dyn Transport>,
    pub(crate) decider: Arc<dyn Decider>,
    endpoint: Endpoint,
    token: Option<Token>,
    stall_timeout: Duration,
    pub(crate) lines: Arc<Lines>,
    pace: Option<Pace>,
    #[cfg(all(feature = "xet", not(target_family = "wasm")))]
    pub(crate) cas: crate::receive::xet::access::Cas,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Http {
    pub(crate) fn new(
        config: &Config,
        transport: Arc<dyn Transport>,
        decider: Arc<dyn Decider>,
    ) -> Self {
        Self {
            transport,
            decider,
            endpoint: normalised(&config.endpoint),
            token: config.token.clone(),
            stall_timeout: config.stall_timeout,
            lines: Arc::default(),
            pace: config.limit_rate.map(Pace::new),
            #[cfg(all(feature = "xet", not(target_family = "wasm")))]
            cas: crate::receive::xet::access::Cas::new(config),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// How long a transfer may stand still.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.stall_timeout
    }

    /// Waits as long as the limit on the rate asks for after so many bytes of content.
    pub(crate) async fn pay(&self, bytes: u64) {
        if let Some(pace) = &self.pace {
            pace.pay(bytes).await;
        }
    }

    /// On how many connections of its own a file may be received.
    pub(crate) fn lanes(&self) -> usize {
        self.transport.connections()
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
    ) -> Result<Answer, NoAnswer> {
        let (url, line) = (to.url.clone(), Line::Any);
        self.send_on(to.token, Request { method, url, headers, body, timeout, line }).await
    }

    async fn send_on(&self, token: TokenUse, mut request: Request) -> Result<Answer, NoAnswer> {
        let (headers, url) = (&mut request.headers, request.url.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = self.token.as_ref().filter(|_| token == TokenUse::Send) {
            headers.insert(AUTHORIZATION, bearer(token));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let limit = request.timeout.unwrap_or(self.stall_timeout);
        let Ok(answer) = tokio::time::timeout(limit, self.transport.send(request)).await else {
            let cause = format!("no answer within {} s", limit.as_secs());
            return Err(NoAnswer::Transport { url: shown(&url), cause });
        };
        tracing::debug!(url = %shown(&url), status = ?answer.as_ref().map(|a| a.status.as_u16()), "asked");
        answer.map_err(|error| transport(&url, error))
    }

    /// Sends a request and follows its redirects by the core's rule.
    pub(crate) async fn get(
        &self,
        to: &Address,
        headers: &HeaderMap,
        timeout: Option<Duration>,
    ) -> Result<(Address, Answer), NoAnswer> {
        self.get_on(Line::Any, to, headers, timeout).await
    }

    /// Does the same on a connection that may have to be its own.
    pub(crate) async fn get_on(
        &self,
        line: Line,
        to: &Address,
        headers: &HeaderMap,
        timeout: Option<Duration>,
    ) -> Result<(Address, Answer), NoAnswer> {
        let mut at = to.clone();
        for followed in 0..=REDIRECT_LIMIT {
            let mut sent = headers.clone();
            if at.token == TokenUse::Withhold {
                // The store behind a redirect has validators of its own.
                sent.remove(IF_RANGE);
            }
            let (method, url) = (Method::GET, at.url.clone());
            let request = Request { method, url, headers: sent, body: None, timeout, line };
            let answer = self.send_on(at.token, request).await?;
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
        let hop =
            Hop { from: from.url.as_str(), to: target, endpoint: self.endpoint.origin(), followed };
        let undecided =
            |source: DeciderError| NoAnswer::Undecided { from: shown(&from.url), source };
        let rule = self.decider.redirect(&hop).map_err(undecided)?;
        if !possible_redirect(&hop, rule) {
            let what = format!("the decision `{rule}` is not possible for a redirect");
            return Err(undecided(what.into()));
        }
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
}

/// Writes an endpoint as every URL made from it will be written, so that origins can be compared.
fn normalised(endpoint: &Endpoint) -> Endpoint {
    let url = Url::parse(endpoint.as_str()).ok();
    url.and_then(|url| Endpoint::parse(url.as_str()).ok()).unwrap_or_else(|| endpoint.clone())
}

fn bearer(token: &Token) -> HeaderValue {
    // A token holds only visible ASCII, so it always fits.
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Adds jitter: between half and the whole of the wait, so that many clients do not come back at once.
pub(crate) fn jittered(wait_ms: u64) -> Duration {
    Duration::from_millis(wait_ms / 2 + fastrand::u64(0..=wait_ms / 2))
}
