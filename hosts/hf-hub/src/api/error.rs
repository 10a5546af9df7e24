//! What can go wrong, in the shape that programs match on.

use std::{error::Error as _, fmt, io, ops::Deref};

use http::StatusCode;
use hubstow_native::{Error, ErrorKind, TransportError, TransportErrorKind};

/// A request that failed, or what it has brought. It is [hubstow's error](Error), which has a kind and more.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, api::sync::{ApiBuilder, ApiError}};
///
/// let api = ApiBuilder::from_cache(Cache::new(here.place("home/hub"))).with_endpoint(here.url()).build()?;
/// match api.model("org/nothing".to_owned()).get("config.json") {
///     Err(ApiError::RequestError(failure)) if failure.is_status() => println!("{:?}", failure.status()),
///     Err(ApiError::RequestError(failure)) if failure.is_connect() || failure.is_timeout() => {
///         println!("try again: {failure}");
///     }
///     other => println!("{other:?}"),
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct RequestFailure(Box<Error>);

impl RequestFailure {
    /// Returns the hub's status, where it has answered.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.0.status()?).ok()
    }

    /// Tells whether the hub has answered, and refused.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.0.status().is_some()
    }

    /// Tells whether the hub could not be reached.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.0.kind() == ErrorKind::HubUnreachable
    }

    /// Tells whether an answer did not come in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let transport = error.downcast_ref::<TransportError>();
            if transport.is_some_and(|it| it.kind() == TransportErrorKind::Timeout) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl Deref for RequestFailure {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.0
    }
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = format!("{:#}", self.0);
        f.write_str(&words)?;
        match self.status() {
            // Programs look for the number in the words, which is where `hf-hub` has it.
            Some(status) if !words.contains(status.as_str()) => {
                write!(f, ": status code {}", status.as_str())
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl std::error::Error for RequestFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<Error> for RequestFailure {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

/// Says of an error of the disk what kind it is; `None` where it is none of the disk.
pub(super) fn of_disk(kind: ErrorKind) -> Option<io::ErrorKind> {
    if kind == ErrorKind::NoSpace {
        Some(io::ErrorKind::StorageFull)
    } else if kind == ErrorKind::NotPermitted || kind == ErrorKind::ReadOnly {
        Some(io::ErrorKind::PermissionDenied)
    } else {
        None
    }
}

/// Makes the error of a face. Each has its own: programs convert both into one of theirs.
macro_rules! api_error {
    () => {
        /// What can go wrong.
        ///
        /// ```
        /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
        /// # here::at(async |here| {
        /// use hubstow_hf_hub::{Cache, api::sync::{ApiBuilder, ApiError}};
        ///
        /// let cache = Cache::new(here.place("home/hub"));
        /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
        /// match api.model("org/nothing".to_owned()).get("config.json") {
        ///     Ok(path) => println!("{}", path.display()),
        ///     Err(ApiError::RequestError(failure)) => println!("{:?}: {failure}", failure.status()),
        ///     Err(error) => println!("{error}"),
        /// }
        /// # Ok(())
        /// # });
        /// ```
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum ApiError {
            /// The hub, the name that was asked for, or what has come.
            #[error("request error: {0}")]
            RequestError(#[from] super::RequestFailure),
            /// The disk.
            #[error("I/O error {0}")]
            IoError(#[from] std::io::Error),
        }

        impl From<hubstow_native::Error> for ApiError {
            fn from(error: hubstow_native::Error) -> Self {
                match super::error::of_disk(error.kind()) {
                    Some(kind) => Self::IoError(std::io::Error::new(kind, error)),
                    None => Self::RequestError(error.into()),
                }
            }
        }
    };
}
pub(super) use api_error;
