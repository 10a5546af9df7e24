//! What is known of a refusal: facts by which a program chooses its own words of the way out.

use std::fmt;

use hubstow_core::{facts::Force, hub::Headers, why::Refusal};

/// What is known of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub struct HubAnswer {
    /// The status.
    pub status: u16,
    /// The hub's code of the error (`X-Error-Code`), where it named one.
    pub code: Option<String>,
    /// The hub's own words (`X-Error-Message`), where it had any.
    pub message: Option<String>,
}

impl HubAnswer {
    pub(crate) fn new(status: u16, headers: &Headers<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self { status, code: owned(headers.error_code), message: owned(headers.error_message) }
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
