//! Whether upstream could be reached the last time.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use hubstow_client::{Error, ErrorKind};

use crate::limits::AWAY_FOR;

/// When upstream could not be reached.
#[derive(Debug, Default)]
pub(crate) struct Away(Mutex<Option<Instant>>);

impl Away {
    /// Tells whether it was so a moment ago.
    pub(crate) fn is_recent(&self) -> bool {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < AWAY_FOR)
    }

    pub(crate) fn noticed(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn is_back(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Tells whether an error says that upstream is away: it can't be reached, or it fails. That it limits the rate is an answer.
pub(crate) fn says_away(error: &Error) -> bool {
    let is_failing =
        error.kind() == ErrorKind::HubFailing && error.status().is_some_and(|status| status >= 500);
    is_failing || error.kind() == ErrorKind::HubUnreachable
}
