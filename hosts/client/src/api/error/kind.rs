//! What kind of error something is, which programs match on.

use std::time::Duration;

use hubstow_core::why::Refusal;

use crate::api::detail::HubAnswer;

/// The kind of an [`Error`](super::Error). The codes are stable.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::ErrorKind;
///
/// let error = hub.model("org/model").file("model.bin").await.unwrap_err();
/// match error.kind() {
///     ErrorKind::Unauthorized => println!("log in"),
///     ErrorKind::Gated => println!("ask to be let in"),
///     ErrorKind::Throttled { retry_after } => println!("come back later: {retry_after:?}"),
///     ErrorKind::EntryNotFound => println!("there is no such file"),
///     other => println!("{}", other.code()),
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong: a name, a value, a conflict.
    Usage,
    /// The hub has no such repo, or hides it.
    RepoNotFound,
    /// The repo has no such revision.
    RevisionNotFound,
    /// The revision has no such file, or nothing matches.
    EntryNotFound,
    /// Not in the cache, and the hub may not be asked.
    NotCached,
    /// The hub refuses access: 403 without more words.
    AccessRefused,
    /// The hub wants a token, or does not take the one it got: 401.
    Unauthorized,
    /// Users must be let in to this repo before they can download, and this one is not.
    Gated,
    /// The hub has switched the repo off.
    Disabled,
    /// Content does not match its size or hash.
    ContentMismatch,
    /// No space, or over quota.
    NoSpace,
    /// The system does not permit it.
    NotPermitted,
    /// The cache is read-only.
    ReadOnly,
    /// The hub can't be reached.
    HubUnreachable,
    /// The hub limits the rate.
    Throttled {
        /// How long it asks to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// The hub fails, or answers what makes no sense.
    HubFailing,
    /// Something in the cache stands in the way.
    CacheObstructed,
    /// No method of the policy works here.
    NoMethodLeft,
    /// Who decides gave no decision, or one that is not possible; nothing followed from it.
    Undecided,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Returns the kind of a refusal, where the hub said this to it.
    pub(crate) fn of(refusal: Refusal, said: Option<&HubAnswer>) -> Self {
        let is_refused = matches!(refusal, Refusal::Unauthorized | Refusal::Forbidden);
        match said {
            Some(said) if is_refused && said.is_disabled() => Self::Disabled,
            Some(said) if is_refused && said.is_gated() => Self::Gated,
            Some(said) if refusal == Refusal::Throttled => {
                Self::Throttled { retry_after: said.retry_after }
            }
            Some(_) | None => refusal.into(),
        }
    }

    /// Returns the stable code, as JSON shows it. Kinds that were told apart later share the code of the one that they were.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::RepoNotFound => "repo-not-found",
            Self::RevisionNotFound => "revision-not-found",
            Self::EntryNotFound => "entry-not-found",
            Self::NotCached => "not-cached",
            Self::AccessRefused | Self::Unauthorized | Self::Gated | Self::Disabled => {
                "access-refused"
            }
            Self::ContentMismatch => "content-mismatch",
            Self::NoSpace => "no-space",
            Self::NotPermitted => "not-permitted",
            Self::ReadOnly => "read-only",
            Self::HubUnreachable => "hub-unreachable",
            Self::HubFailing | Self::Throttled { .. } => "hub-failing",
            Self::CacheObstructed => "cache-obstructed",
            Self::NoMethodLeft => "no-method-left",
            Self::Undecided => "undecided",
            Self::Other => "other",
        }
    }
}

impl From<Refusal> for ErrorKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::PointerIsDirectory | Refusal::BlobIsDirectory | Refusal::NameTaken => {
                Self::CacheObstructed
            }
            Refusal::NoMethodLeft => Self::NoMethodLeft,
            Refusal::ForceOffline => Self::Usage,
            Refusal::NotCached => Self::NotCached,
            Refusal::CacheDamaged => Self::ContentMismatch,
            Refusal::EntryNotFound => Self::EntryNotFound,
            Refusal::RevisionNotFound => Self::RevisionNotFound,
            Refusal::RepoNotFound => Self::RepoNotFound,
            Refusal::Unauthorized => Self::Unauthorized,
            Refusal::Forbidden => Self::AccessRefused,
            Refusal::HubUnreachable => Self::HubUnreachable,
            Refusal::Throttled => Self::Throttled { retry_after: None },
            Refusal::HubFailing
            | Refusal::AnswerIncomplete
            | Refusal::AnswerHostile
            | Refusal::OtherCommit
            | Refusal::AnswerUnexpected => Self::HubFailing,
        }
    }
}
