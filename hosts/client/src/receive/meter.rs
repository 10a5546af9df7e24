//! Counting what is received: for the report, for whoever shows progress, and to notice a transfer that hardly moves.

use std::time::Duration;

use hubstow_core::name::FileName;
use tokio::time::Instant;

use super::{
    fetch::Tell,
    verdict::{Cause, Verdict},
};
use crate::{api::event::Event, http::session::Http};

/// In each window of this length a transfer must receive [`WINDOW_BYTES`], or it counts as stalled (row F34).
const WINDOW: Duration = Duration::from_secs(30);
const WINDOW_BYTES: u64 = 1 << 10;
/// Progress is told when so much has come, or so long after it was told last: often enough to look steady.
const TELL_BYTES: u64 = 1 << 20;
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Counts the bytes of one transfer. What it has not told yet, it tells when it is dropped.
pub(crate) struct Meter<'a> {
    http: &'a Http,
    file: &'a FileName,
    tell: Tell<'a>,
    untold: u64,
    told: Instant,
    window: (Instant, u64),
}

impl<'a> Meter<'a> {
    pub(crate) fn new(http: &'a Http, file: &'a FileName, tell: Tell<'a>) -> Self {
        let now = Instant::now();
        Self { http, file, tell, untold: 0, told: now, window: (now, 0) }
    }

    /// Counts bytes.
    ///
    /// # Errors
    /// A transfer that is too slow to be called one.
    pub(crate) fn received(&mut self, bytes: u64) -> Result<(), Verdict> {
        self.http.received(bytes);
        self.untold += bytes;
        self.window.1 += bytes;
        let now = Instant::now();
        if self.untold >= TELL_BYTES || now.duration_since(self.told) >= TELL_EVERY {
            self.told = now;
            self.tell_rest();
        }
        if now.duration_since(self.window.0) < WINDOW {
            return Ok(());
        }
        if self.window.1 < WINDOW_BYTES {
            let (bytes, span_s) = (WINDOW_BYTES, WINDOW.as_secs());
            return Err(Verdict::Broke(Cause::Slow { bytes, span_s }));
        }
        self.window = (now, 0);
        Ok(())
    }

    fn tell_rest(&mut self) {
        let bytes = std::mem::take(&mut self.untold);
        if bytes > 0 {
            (self.tell)(Event::Received { file: self.file.clone(), bytes });
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.tell_rest();
    }
}
