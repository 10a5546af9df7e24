//! What can go wrong, in kinds that a node acts on.

use std::{error::Error as StdError, fmt, io, time::Duration};

use hubstow_cache::disk::failure::causes;

/// What a failure means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store does not answer, is busy, or has failed: later it may be well again. Go on without the tier.
    Unavailable,
    /// The store knows who asks and does not allow it, or does not know who asks.
    Denied,
    /// The store refuses what it is asked for: there is no such bucket, or it is elsewhere.
    Refused,
    /// What lies in the tier is not what it must be.
    Corrupt,
    /// What was to be put is not what its hash says. Nothing of it is visible.
    Mismatch,
    /// The store lacks what the tier is built on, such as conditional requests.
    Unfit,
    /// The address of the tier, or a setting, can't be used.
    Usage,
    /// The file that was to be put can't be read.
    Source,
    /// The tier was closed: see [`Tier::close`](crate::Tier::close).
    Closed,
}

/// A failure: what was asked for, and why it is not to be had. No text of it holds a secret.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    what: String,
    why: String,
    retry_after: Option<Duration>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, what: what.into(), why: why.into(), retry_after: None }))
    }

    pub(crate) fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// Returns what the failure means.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns after what time asking again makes sense, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.what, self.0.why)
    }
}

impl StdError for Error {}

/// An answer that is neither a success nor one of those that the tier asks for (404, 409, 412).
#[derive(Clone, Debug, thiserror::Error)]
#[error("it answers {status}{}", code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// The store's own word for it.
    pub(crate) code: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

/// The store did not answer in time.
pub(crate) fn too_slow(what: &str, limit: Duration) -> Error {
    let why = format!("the store has not answered within {} s", limit.as_secs_f32());
    Error::new(ErrorKind::Unavailable, what, why)
}

/// Sorts an error of the store. Its own text may hold addresses and bodies, so it is never shown.
pub(crate) fn sort(what: &str, error: &object_store::Error) -> Error {
    use object_store::Error as E;
    if let Some(answered) = cause::<Answered>(error) {
        let kind = match answered.status {
            401 | 403 => ErrorKind::Denied,
            408 | 429 | 500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        let hint = match answered.status {
            300..400 => {
                ": the bucket is in another region (AWS_REGION) or at another address (AWS_ENDPOINT_URL)"
            }
            404 => ": the bucket has to be there before the tier is used",
            _ => "",
        };
        return Error::new(kind, what, format!("{answered}{hint}"))
            .with_retry_after(answered.retry_after);
    }
    let of_disk = cause::<io::Error>(error);
    let (kind, why) = match error {
        E::NotFound { .. } => (ErrorKind::Refused, "there is no such place".to_owned()),
        E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => {
            (ErrorKind::Unavailable, "somebody else has changed it at the same time".to_owned())
        }
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => {
            (ErrorKind::Denied, "the store does not allow it".to_owned())
        }
        E::NotSupported { .. } | E::NotImplemented { .. } => {
            (ErrorKind::Unfit, "the store can't do that".to_owned())
        }
        E::InvalidPath { .. } | E::UnknownConfigurationKey { .. } => {
            (ErrorKind::Usage, "the name or the setting can't be used".to_owned())
        }
        _ if of_disk.is_some_and(|it| it.kind() == io::ErrorKind::PermissionDenied) => {
            (ErrorKind::Denied, "the disk does not allow it".to_owned())
        }
        // A name that this disk can't hold says nothing of the disk.
        _ if of_disk.is_some_and(is_of_name) => {
            (ErrorKind::Refused, "the disk can't hold such a name".to_owned())
        }
        // What is left are answers that never came, or not whole.
        E::Generic { .. } | E::JoinError { .. } | _ => (ErrorKind::Unavailable, innermost(error)),
    };
    Error::new(kind, what, why)
}

fn is_of_name(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::InvalidFilename | K::InvalidInput | K::NotADirectory | K::IsADirectory
    )
}

fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|it| it.downcast_ref())
}

/// The innermost cause of a failure of the line, which holds no address.
fn innermost(error: &object_store::Error) -> String {
    let last = causes(error).last();
    match last {
        Some(last) if cause::<io::Error>(error).is_some() => last.to_string(),
        Some(_) | None => "no whole answer has come from the store".to_owned(),
    }
}
