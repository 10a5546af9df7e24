//! What is known of a refusal: facts by which a program chooses its own words of the way out.

use std::{fmt, time::Duration};

use hubstow_cache::disk::failure::causes;
use hubstow_core::{facts::Force, why::Refusal};

/// What is known of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What was asked for.
    pub subject: Subject,
    /// Whether the cache could have served.
    pub copy: CachedCopy,
    /// Whether it was told to fetch in any case.
    pub force: Force,
}

impl Refused {
    /// Says what is known of a refusal.
    #[must_use]
    pub fn new(refusal: Refusal, subject: Subject, copy: CachedCopy, force: Force) -> Self {
        Self { refusal, subject, copy, force }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One file.
    File,
    /// Files of a snapshot.
    Snapshot,
}

/// Whether the cache holds something that could be served if the caller allowed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachedCopy {
    /// A copy is here.
    Here,
    /// There is none, or nobody has looked.
    Unknown,
}

/// What a hub said when it did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubAnswer {
    /// The status.
    pub status: u16,
    /// The hub's code of the error (`X-Error-Code`), where it named one.
    pub code: Option<String>,
    /// The hub's own words (`X-Error-Message`), where it had any.
    pub message: Option<String>,
    /// How long it asks to be left alone (`Retry-After`, `RateLimit`).
    pub retry_after: Option<Duration>,
    /// By what the hub's people find the request (`X-Request-Id`).
    pub request_id: Option<String>,
}

impl HubAnswer {
    /// Makes an answer that said nothing but this.
    #[must_use]
    pub fn new(status: u16, code: Option<String>, message: Option<String>) -> Self {
        Self { status, code, message, retry_after: None, request_id: None }
    }

    /// Finds what the hub said among an error and its causes.
    pub(crate) fn among<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        causes(error).find_map(<dyn std::error::Error>::downcast_ref)
    }

    /// Tells whether the repo is one that users must be let in to.
    #[must_use]
    pub fn is_gated(&self) -> bool {
        self.code.as_deref() == Some("GatedRepo")
    }

    /// Tells whether the hub has switched the repo off.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.code.as_deref() == Some("DisabledRepo")
            || self.message.as_deref() == Some("Access to this resource is disabled.")
    }
}

impl fmt::Display for HubAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, "the hub answered {status} {code}: {message}"),
            (Some(text), None) | (None, Some(text)) => {
                write!(f, "the hub answered {status}: {text}")
            }
            (None, None) => write!(f, "the hub answered {status}"),
        }
    }
}

impl std::error::Error for HubAnswer {}
