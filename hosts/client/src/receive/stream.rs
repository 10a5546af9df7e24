//! Receiving a body: on one connection, or on several where one is slower than the line.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::header::ACCEPT_RANGES;
use tokio::time::Instant;

use super::{
    accept::FromHub,
    custody::Custody,
    fetch::{Fetch, Tell},
    meter::Meter,
    ranges::{
        climb::Climb,
        run::{Begun, Ranges},
    },
    verdict::{Cause, Verdict},
    writer::Writer,
};
use crate::http::{
    address::{Address, text, transport},
    connections::Share,
    session::Http,
    transport::{Answer, Body},
};

/// Where less than this is missing, more connections would not pay.
pub(crate) const SPLIT_FROM_BYTES: u64 = 16 << 20;

/// One answer that is to be received.
pub(crate) struct Transfer<'a> {
    pub(crate) http: &'a Http,
    pub(crate) fetch: &'a Fetch<'a>,
    /// Where it came from in the end.
    pub(crate) from: Address,
    /// The most connections that it may be split over.
    pub(crate) connections: usize,
    pub(crate) tell: Tell<'a>,
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

    /// Hands a piece to the writer; `false` when that has stopped.
    pub(crate) async fn write(&mut self, writer: &mut Writer, piece: Bytes) -> bool {
        let begin = Instant::now();
        let written = writer.write(piece).await;
        self.held_up += begin.elapsed();
        written
    }
}

impl Transfer<'_> {
    /// Receives a body: pieces go through a bounded queue to threads that write and hash them.
    ///
    /// # Errors
    /// How it ended before the end of the body. What was received is in the staged file.
    pub(crate) async fn receive(self, answer: Answer, staged: &mut Custody) -> Result<(), Verdict> {
        let (http, fetch) = (self.http, self.fetch);
        let missing = fetch.metadata.size.map(|size| size.saturating_sub(staged.received_bytes()));
        let is_splittable = self.is_splittable(&answer, missing);
        let mut writer = Writer::start(staged.lend()?, missing);
        let mut meter = Meter::new(http, fetch.file, self.tell);
        let received = if is_splittable {
            self.receive_large(answer.body, &mut writer, &mut meter).await
        } else {
            self.receive_whole(answer.body, &mut writer, &mut meter).await
        };
        drop(meter);
        writer.end(staged).await?;
        received
    }

    /// Tells whether more than one connection may be of use, and nothing but the hash of the whole is needed to notice a
    /// range of other content.
    fn is_splittable(&self, answer: &Answer, missing: Option<u64>) -> bool {
        let is_compared = FromHub::of(self.http, &self.from) == FromHub::Yes;
        self.connections > 1
            && missing.is_some_and(|missing| missing >= SPLIT_FROM_BYTES)
            && (is_compared || self.fetch.is_hashed())
            && text(&answer.headers, &ACCEPT_RANGES) != Some("none")
    }

    async fn receive_whole(
        &self,
        mut body: Box<dyn Body>,
        writer: &mut Writer,
        meter: &mut Meter<'_>,
    ) -> Result<(), Verdict> {
        while let Some(piece) = next_piece(self.http, &self.from, &mut *body).await? {
            meter.received(piece.len() as u64)?;
            if !writer.write(piece).await {
                break;
            }
        }
        Ok(())
    }

    /// Receives on one connection until that turns out to be slow.
    async fn receive_large(
        self,
        mut body: Box<dyn Body>,
        writer: &mut Writer,
        meter: &mut Meter<'_>,
    ) -> Result<(), Verdict> {
        let share: Share = Arc::clone(&self.http.connections).join();
        let size = self.fetch.metadata.size.unwrap_or(0);
        let (mut clock, from) = (Clock::start(), writer.written_bytes());
        let mut received = 0;
        let mut climb: Option<Climb> = None;
        while let Some(piece) = next_piece(self.http, &self.from, &mut *body).await? {
            received += piece.len() as u64;
            meter.received(piece.len() as u64)?;
            if !clock.write(writer, piece).await {
                return Ok(());
            }
            let (now, most) = (clock.elapsed(), self.connections.min(share.connections()));
            let climb = climb.get_or_insert_with(|| Climb::new(self.connections, now, received));
            let missing = size.saturating_sub(from + received);
            if missing >= SPLIT_FROM_BYTES && climb.look(now, received, 1).min(most) > 1 {
                let begun = Begun { share, climb: climb.clone(), clock, received };
                let mut ranges = Ranges::new(self, begun, from + received);
                return ranges.receive(body, writer, meter).await;
            }
        }
        Ok(())
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
