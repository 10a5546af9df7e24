//! Where a request goes, what may be shown of that, and what its answer's headers say.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header::LOCATION};
use hubstow_core::{
    decide::Undecided,
    hub::{Headers, Redirect, Retry, retry_after_s},
};
use url::Url;

use crate::{
    api::{
        config::Unusable,
        detail::HubAnswer,
        error::{Error, ErrorKind},
    },
    http::transport::{Response, TransportError},
};

/// A request that got no answer, or a redirect that must not be followed. The text names no query and no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Connection, proxy, protocol or timeout.
    #[error("the request to {url} failed")]
    Transport {
        /// The URL without its query.
        url: String,
        /// Why.
        source: TransportError,
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
    /// It was not sent, because a setting that it needs is of no use.
    #[error(transparent)]
    Unset(Unusable),
    /// Nobody could say, or not truly, whether a redirect may be followed.
    #[error("{from} redirects")]
    Undecided {
        /// Where the redirect came from.
        from: String,
        /// Why.
        source: Undecided,
    },
}

impl NoAnswer {
    /// Tells whether the same request may get an answer later.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Transport { source, .. } => source.kind().retry(),
            Self::Redirected { .. } | Self::Unset(_) | Self::Undecided { .. } => Retry::No,
        }
    }
}

impl From<NoAnswer> for Error {
    fn from(error: NoAnswer) -> Self {
        let what = error.to_string();
        match error {
            NoAnswer::Transport { source, .. } => {
                Self::new(ErrorKind::HubUnreachable, what).caused_by(source)
            }
            NoAnswer::Redirected { .. } => Self::new(ErrorKind::HubFailing, what),
            NoAnswer::Unset(unusable) => unusable.into(),
            NoAnswer::Undecided { source, .. } => {
                Self::new(ErrorKind::Undecided, what).caused_by(source)
            }
        }
    }
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

/// Returns a URL as it may be shown: a query may be a signature, and user info is a secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

pub(crate) fn transport(url: &Url, source: TransportError) -> NoAnswer {
    NoAnswer::Transport { url: shown(url), source }
}

/// Returns where a redirect points, as the header says it.
pub(crate) fn location(answer: &Response) -> Option<String> {
    let status = answer.status.as_u16();
    if !matches!(status, 301..=303 | 307 | 308) {
        return None;
    }
    answer.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Reads a header as text; one that is no text counts as present and wrong.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

/// Returns what an answer says that brings nothing.
pub(crate) fn hub_answer(status: u16, headers: &HeaderMap) -> HubAnswer {
    let Headers { error_code, error_message, .. } = core_headers(headers);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut said = HubAnswer::new(status, owned(error_code), owned(error_message));
    said.retry_after = asked_wait(headers);
    said.request_id = owned(text(headers, &HeaderName::from_static("x-request-id")));
    said
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
