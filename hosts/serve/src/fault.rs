//! Why a request gets no content, and the answer that says so in the hub's own words.
//!
//! The status, `X-Error-Code` and `X-Error-Message` are those that the clients of the hub tell apart. A fault of the
//! disk is described in the log only, since its text would name paths of this machine.

use std::io;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hubstow_core::name::Commit;
use serde_json::json;

use crate::upstream::Refusal;

/// The commit that an answer speaks of.
pub(crate) const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const X_ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");

const BEARER: &str = "Bearer realm=\"Authentication required\"";
const RETRY_AFTER_SECONDS: &str = "10";

/// A request that gets no content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("No such route")]
    NoRoute,
    #[error("This route answers {0} only")]
    WrongMethod(&'static str),
    /// What no such server does, with the way out.
    #[error("{0}")]
    NotDone(&'static str),
    #[error("Repository not found")]
    RepoMissing,
    #[error("Revision not found")]
    RevisionMissing,
    #[error("Entry not found")]
    EntryMissing(Commit),
    /// The commit has it and the cache that is served has not; to say that there is none would be a lie that clients keep.
    #[error(
        "The file is part of this commit, but not of the cache that is served here: ask the hub itself"
    )]
    EntryAbsent(Commit),
    /// Whether there is such a commit only hashing would tell.
    #[error(
        "What is served is still being hashed, so it is not known yet whether it has this commit; try again later"
    )]
    Hashing,
    #[error("Invalid username or password.")]
    TokenMissing,
    #[error("Invalid credentials in Authorization header")]
    TokenWrong,
    /// As `TokenMissing`, told to a browser, which asks for a name and a password then.
    #[error("The password is the token that this server asks for; the name is of no matter")]
    PasswordMissing,
    #[error("What is served here can't be read")]
    NotReady,
    #[error("The body is neither a form nor JSON with `paths`")]
    BodyBroken,
    #[error("The body is too large")]
    BodyTooLarge,
    #[error("The body takes too long to come")]
    BodyTooSlow,
    #[error("The address is too long")]
    TargetTooLong,
    #[error("A request names one host, as `Host: hub.example` or with a port")]
    HostBroken,
    /// What upstream says, or what is said of it.
    #[error(transparent)]
    Upstream(#[from] Refusal),
    #[error("The folder could not be read")]
    Io(#[from] io::Error),
    #[error("The answer could not be built")]
    Answer(#[from] axum::http::Error),
}

impl Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute
            | Self::RepoMissing
            | Self::RevisionMissing
            | Self::EntryMissing(_)
            | Self::EntryAbsent(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TokenMissing | Self::TokenWrong | Self::PasswordMissing => {
                StatusCode::UNAUTHORIZED
            }
            Self::NotReady | Self::Hashing => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotDone(_) => StatusCode::NOT_IMPLEMENTED,
            Self::BodyBroken | Self::HostBroken => StatusCode::BAD_REQUEST,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upstream(refusal) => {
                StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_GATEWAY)
            }
            Self::Io(_) | Self::Answer(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The hub gives a refused token no code: only the status and the message tell.
    fn code(&self) -> Option<&str> {
        match self {
            Self::RepoMissing => Some("RepoNotFound"),
            Self::RevisionMissing => Some("RevisionNotFound"),
            Self::EntryMissing(_) => Some("EntryNotFound"),
            Self::Upstream(refusal) => refusal.code.as_deref(),
            Self::NoRoute
            | Self::WrongMethod(_)
            | Self::NotDone(_)
            | Self::EntryAbsent(_)
            | Self::Hashing
            | Self::TokenMissing
            | Self::TokenWrong
            | Self::PasswordMissing
            | Self::NotReady
            | Self::BodyBroken
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::TargetTooLong
            | Self::HostBroken
            | Self::Io(_)
            | Self::Answer(_) => None,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if let Self::Io(_) | Self::Answer(_) = &self {
            tracing::error!(fault = ?self, "a request failed");
        }
        let message = self.to_string();
        let mut response = Response::new(Body::from(json!({ "error": message }).to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut state = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        state(X_ERROR_MESSAGE, &message);
        if let Some(code) = self.code() {
            state(X_ERROR_CODE, code);
        }
        match &self {
            Self::EntryMissing(commit) | Self::EntryAbsent(commit) => {
                state(X_REPO_COMMIT, commit.as_str());
            }
            // The rest of it is still on the line.
            Self::BodyTooLarge | Self::BodyTooSlow => state(header::CONNECTION, "close"),
            Self::Hashing => state(header::RETRY_AFTER, RETRY_AFTER_SECONDS),
            Self::WrongMethod(allowed) => state(header::ALLOW, allowed),
            Self::Upstream(refusal) => {
                if let Some(wait) = refusal.retry_after {
                    state(header::RETRY_AFTER, &wait.as_secs().to_string());
                }
                if let Some(commit) = &refusal.commit {
                    state(X_REPO_COMMIT, commit.as_str());
                }
                if refusal.status == StatusCode::UNAUTHORIZED {
                    state(header::WWW_AUTHENTICATE, BEARER);
                }
            }
            Self::TokenMissing | Self::TokenWrong => {
                state(header::WWW_AUTHENTICATE, BEARER);
            }
            Self::PasswordMissing => {
                state(header::WWW_AUTHENTICATE, "Basic realm=\"hubstow\", charset=\"UTF-8\"");
            }
            Self::NoRoute
            | Self::NotDone(_)
            | Self::NotReady
            | Self::RepoMissing
            | Self::RevisionMissing
            | Self::BodyBroken
            | Self::TargetTooLong
            | Self::HostBroken
            | Self::Io(_)
            | Self::Answer(_) => {}
        }
        response
    }
}
