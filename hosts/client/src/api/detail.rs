//! What is known of a refusal: facts by which a program chooses its own words of the way out.

use std::{fmt, time::Duration};

use hubstow_cache::disk::failure::causes;
use hubstow_core::{facts::Force, why::Refusal};

/// What is known of a refusal.
///
/// ```
/// use hubstow_client::{CachedCopy, Refused, Subject};
/// use hubstow_core::{facts::Force, why::Refusal};
///
/// let refused = Refused::new(Refusal::HubUnreachable, Subject::File, CachedCopy::Here, Force::On);
/// if refused.copy == CachedCopy::Here && refused.force == Force::On {
///     println!("a copy is here; ask without force");
/// }
/// ```
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
///
/// ```
/// use hubstow_client::{Refused, Subject};
///
/// fn wanted(refused: &Refused) -> &'static str {
///     match refused.subject {
///         Subject::File => "the file",
///         Subject::Snapshot => "the snapshot",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One file.
    File,
    /// Files of a snapshot.
    Snapshot,
}

/// Whether the cache holds something that could be served if the caller allowed it.
///
/// ```
/// use hubstow_client::{CachedCopy, Refused};
///
/// fn may_go_on_offline(refused: &Refused) -> bool {
///     refused.copy == CachedCopy::Here
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachedCopy {
    /// A copy is here.
    Here,
    /// There is none, or nobody has looked.
    Unknown,
}

/// What a hub said when it did not give what was asked for.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let error = hub.model("org/model").file("model.bin").await.unwrap_err();
/// let said = error.hub_answer().ok_or("the hub has answered")?;
/// assert_eq!((said.status, said.code.as_deref()), (404, Some("EntryNotFound")));
/// # Ok(())
/// # });
/// ```
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
    ///
    /// ```
    /// use hubstow_client::HubAnswer;
    ///
    /// let said = HubAnswer::new(403, Some("GatedRepo".to_owned()), None);
    /// assert!(said.is_gated() && !said.is_disabled());
    /// ```
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
