//! How long one file has been received, with and without the time in which the disk was waited for.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::writer::{Place, Writer};

/// A moment of a transfer, since its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// How long the line has been read. Time in which it had to wait for the disk does not count, so that a slow disk is
    /// not taken for a slow line.
    pub(crate) line: Duration,
    /// The same by the clock on the wall: an answer is on its way while the line waits.
    pub(crate) wall: Duration,
}

impl Now {
    /// Returns the moment at which so much had passed and the line had never waited.
    #[cfg(test)]
    pub(crate) fn free(elapsed: Duration) -> Self {
        Self { line: elapsed, wall: elapsed }
    }

    /// Returns how much has passed since then.
    pub(crate) fn since(self, then: Self) -> Self {
        Self {
            line: self.line.saturating_sub(then.line),
            wall: self.wall.saturating_sub(then.wall),
        }
    }

    /// Returns the moment that is so much later.
    pub(crate) fn later(self, span: Self) -> Self {
        Self { line: self.line + span.line, wall: self.wall + span.wall }
    }

    /// Returns the moment that is so much earlier.
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self { line: self.line.saturating_sub(by), wall: self.wall.saturating_sub(by) }
    }
}

/// The clock of a transfer.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    begin: Instant,
    held_up: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { begin: Instant::now(), held_up: Duration::ZERO }
    }

    pub(crate) fn now(&self) -> Now {
        let wall = self.begin.elapsed();
        Now { line: wall.saturating_sub(self.held_up), wall }
    }

    pub(crate) fn moment(&self, of: Now) -> Instant {
        self.begin + of.wall
    }

    /// Hands a piece to the writer; `false` when that has stopped.
    pub(crate) async fn write(
        &mut self,
        writer: &mut Writer<'_>,
        place: Place,
        piece: Bytes,
    ) -> bool {
        let begin = Instant::now();
        let written = writer.write(place, piece).await;
        self.held_up += begin.elapsed();
        written
    }
}
