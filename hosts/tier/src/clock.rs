//! What time it is for the store. Ages are told by this clock alone, so that no node's own matters.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use object_store::path::Path;
use tokio::time::Instant;

use crate::{
    error::{Error, ErrorKind},
    name::CLOCK,
    store::Store,
};

/// How long what was learned is used. Good clocks drift by a tenth of a second in an hour.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// The store's time when something was written, and how long ago that is. It is late by at most one answer and by what the
/// store rounds off, so that nothing looks older than it is.
#[derive(Debug, Default)]
pub(crate) struct Clock(Mutex<Option<(i64, Instant)>>);

impl Clock {
    /// Returns the store's time in milliseconds; `None` before it was learned.
    pub(crate) fn now_ms(&self) -> Option<i64> {
        let (at_ms, since) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let passed = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        Some(at_ms.saturating_add(passed))
    }

    /// Tells whether it was learned so long ago that it may be wrong by now.
    pub(crate) fn is_old(&self) -> bool {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_some_and(|(_, since)| since.elapsed() > GOOD_FOR)
    }

    /// Writes something and sees which time the store gives it.
    pub(crate) async fn learn(&self, store: &Store) -> Result<i64, Error> {
        let key = Path::from(CLOCK);
        store.overwrite(&key, Bytes::new()).await?;
        let seen = store.head(&key).await?.ok_or_else(|| {
            let why = "what was just written is not there";
            Error::new(ErrorKind::Unfit, "the store's clock can't be read", why)
        })?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((seen.at_ms, Instant::now()));
        Ok(seen.at_ms)
    }
}
