//! What can go wrong, as kinds that programs match on and messages that name the thing, the rule and the way out.

use std::error::Error as StdError;

use hubstow_cache::{
    FsError,
    disk::failure::{ErrorGroup, group},
};
use hubstow_core::{decide::Undecided, name::NameError, why::Refusal};

/// The kind of an [`Error`]. The codes are stable.
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
    /// The hub refuses access: 401, 403, gated.
    AccessRefused,
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
    /// The hub fails, limits the rate, or answers what makes no sense.
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
    /// Returns the stable code, as JSON shows it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::RepoNotFound => "repo-not-found",
            Self::RevisionNotFound => "revision-not-found",
            Self::EntryNotFound => "entry-not-found",
            Self::NotCached => "not-cached",
            Self::AccessRefused => "access-refused",
            Self::ContentMismatch => "content-mismatch",
            Self::NoSpace => "no-space",
            Self::NotPermitted => "not-permitted",
            Self::ReadOnly => "read-only",
            Self::HubUnreachable => "hub-unreachable",
            Self::HubFailing => "hub-failing",
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
            Refusal::Unauthorized | Refusal::Forbidden => Self::AccessRefused,
            Refusal::HubUnreachable => Self::HubUnreachable,
            Refusal::Throttled
            | Refusal::HubFailing
            | Refusal::AnswerIncomplete
            | Refusal::AnswerHostile
            | Refusal::OtherCommit
            | Refusal::AnswerUnexpected => Self::HubFailing,
        }
    }
}

/// An error of the library: a kind, a message for people, where known a way out, and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the way out, where one is known.
    #[must_use]
    pub fn way_out(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<Undecided> for Error {
    fn from(error: Undecided) -> Self {
        let what = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Self::new(ErrorKind::Undecided, what).caused_by(error)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::new(ErrorKind::Usage, error.to_string())
    }
}

/// Sorts an error of the disk into its kind and says the way out.
pub(crate) fn from_io(what: &str, error: std::io::Error) -> Error {
    let (kind, hint) = of_group(group(&error));
    let made = Error::new(kind, format!("{what}: {error}"));
    match hint {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

fn of_group(group: ErrorGroup) -> (ErrorKind, Option<&'static str>) {
    match group {
        ErrorGroup::NoSpace => {
            (ErrorKind::NoSpace, Some("free some space, or choose another disk with --cache-dir"))
        }
        ErrorGroup::ReadOnly => (
            ErrorKind::ReadOnly,
            Some(
                "the cache is read-only: what is cached can be used, new files need another --cache-dir",
            ),
        ),
        ErrorGroup::Denied => (
            ErrorKind::NotPermitted,
            Some("check who owns the cache directory, or choose another one with --cache-dir"),
        ),
        ErrorGroup::NameTooLong | ErrorGroup::BadName => (
            ErrorKind::Other,
            Some("this filesystem can't store the name; choose another disk with --cache-dir"),
        ),
        ErrorGroup::Busy => (
            ErrorKind::NotPermitted,
            Some("another program has it open, or it belongs to somebody else"),
        ),
        ErrorGroup::Unsupported
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Raced
        | ErrorGroup::Stale
        | ErrorGroup::TooManyOpen
        | ErrorGroup::Other => (ErrorKind::Other, None),
    }
}

impl From<FsError> for Error {
    fn from(error: FsError) -> Self {
        let (kind, hint) = match error {
            FsError::Undecided(undecided) => return undecided.into(),
            FsError::Io { .. } | FsError::Method { .. } => {
                error.group().map_or((ErrorKind::Other, None), of_group)
            }
            FsError::Refused { refusal } => (refusal.into(), None),
            FsError::FolderIsLink { .. } => (
                ErrorKind::CacheObstructed,
                Some("remove the link; to keep a repo on another disk, link the whole repo folder"),
            ),
            FsError::Unsettled { .. } => (
                ErrorKind::Other,
                Some("end the other programs that change this cache, and run it again"),
            ),
            FsError::ImpossibleAction { .. } => (ErrorKind::Undecided, None),
            FsError::Other { .. } | _ => (ErrorKind::Other, None),
        };
        let made = Self::new(kind, error.to_string());
        match hint {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}
