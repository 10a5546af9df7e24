//! Whether what went wrong may pass by itself.

use std::error::Error as StdError;

use hubstow_cache::disk::failure::causes;
use hubstow_core::hub::{Retry, retry};

use crate::{
    api::error::{Error, ErrorKind},
    http::transport::TransportError,
};

impl Error {
    /// Tells whether the same question may be answered later, without anybody changing anything: a hub that limits the rate
    /// or fails for now, a connection that broke. A certificate that is not trusted is not transient, nor is a full disk.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let ErrorKind::Throttled { .. } = self.kind() {
            return true;
        }
        if !matches!(self.kind(), ErrorKind::HubUnreachable | ErrorKind::HubFailing) {
            return false;
        }
        let unanswered = causes(self).find_map(<dyn StdError>::downcast_ref::<TransportError>);
        match (unanswered, self.status()) {
            (Some(error), _) => error.kind().retry() == Retry::Yes,
            (None, Some(status)) => retry(status) == Retry::Yes,
            (None, None) => self.kind() == ErrorKind::HubUnreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::detail::HubAnswer,
        http::transport::{Distrust, TransportErrorKind},
    };

    #[test]
    fn what_passes_by_itself_is_transient() {
        let unreachable = |kind| {
            Error::new(ErrorKind::HubUnreachable, "x").caused_by(TransportError::new(kind, "y"))
        };
        let failing = |status| {
            Error::new(ErrorKind::HubFailing, "x").caused_by(HubAnswer::new(status, None, None))
        };
        for (error, expected) in [
            (unreachable(TransportErrorKind::Connect), true),
            (unreachable(TransportErrorKind::Broken), true),
            (unreachable(TransportErrorKind::Certificate(Distrust::Expired)), false),
            (failing(503), true),
            (failing(500), true),
            (failing(418), false),
            (Error::new(ErrorKind::Throttled { retry_after: None }, "x"), true),
            (Error::new(ErrorKind::HubUnreachable, "x"), true),
            (Error::new(ErrorKind::HubFailing, "x"), false),
            (Error::new(ErrorKind::NoSpace, "x"), false),
            (Error::new(ErrorKind::Gated, "x"), false),
        ] {
            assert_eq!(error.is_transient(), expected, "{error:#}");
        }
    }
}
