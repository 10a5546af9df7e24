//! One answer that is to be received, and what reading it piece by piece takes, on however many connections.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    fetch::{Fetch, Tell},
    verdict::{Cause, Verdict},
    writer::{Place, Writer},
};
use crate::http::{
    address::{Address, transport},
    session::Http,
    transport::Body,
};

/// One answer that is to be received.
#[derive(Clone)]
pub(crate) struct Transfer<'a> {
    pub(crate) http: &'a Http,
    pub(crate) fetch: &'a Fetch<'a>,
    /// Where it came from in the end.
    pub(crate) from: Address,
    /// The most connections that it may be split over.
    pub(crate) connections: usize,
    pub(crate) tell: Tell<'a>,
    /// How long it took to the answer.
    pub(crate) delay: Duration,
}

/// How long the line has been read. Time in which it had to wait for the disk does not count, so that a slow disk is not
/// taken for a slow line.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    begin: Instant,
    held_up: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { begin: Instant::now(), held_up: Duration::ZERO }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed().saturating_sub(self.held_up)
    }

    /// Returns the moment at which so much time had passed, or a later one where the line had to wait since.
    pub(crate) fn moment(&self, elapsed: Duration) -> Instant {
        self.begin + self.held_up + elapsed
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

/// Receives the next piece of a body; `None` at its end.
///
/// # Errors
/// A body that breaks, or stands still for too long.
pub(crate) async fn next_piece(
    http: &Http,
    from: &Address,
    body: &mut dyn Body,
) -> Result<Option<Bytes>, Verdict> {
    match tokio::time::timeout(http.stall_timeout(), body.chunk()).await {
        Ok(Ok(Some(piece))) => {
            http.pay(piece.len() as u64).await;
            Ok(Some(piece))
        }
        Ok(Ok(None)) => Ok(None),
        Ok(Err(error)) => Err(transport(&from.url, error).into()),
        Err(_) => Err(Verdict::Broke(Cause::Silent(http.stall_timeout().as_secs()))),
    }
}
