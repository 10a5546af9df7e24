//! Receiving a body: on one lane, or on several where one is slower than the line.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::header::ACCEPT_RANGES;
use hubstow_cache::staged::StagedFile;
use hubstow_core::name::ContentHash;
use tokio::time::Instant;

use super::{
    fetch::{Attempt, Failed, Fetch, Tell, disk_error, mismatch_in},
    meter::Meter,
    ranges::{climb::Climb, run::Parts},
    writer::Writer,
};
use crate::{
    api::error::ErrorKind,
    http::{
        connections::Share,
        session::{Address, Http, is_endpoint, text, transport},
        transport::{Answer, Body},
    },
};

/// Where less than this is missing, more lanes would not pay.
pub(crate) const SPLIT_FROM_BYTES: u64 = 16 << 20;

/// One answer that is to be received.
pub(crate) struct Transfer<'a> {
    pub(crate) fetch: &'a Fetch<'a>,
    /// Where it came from in the end.
    pub(crate) from: Address,
    /// The most lanes that it may be split into.
    pub(crate) lanes: usize,
    pub(crate) tell: Tell<'a>,
}

/// Why a body was not received to its end.
pub(crate) enum Stopped {
    /// The line broke, stood still or hardly moved.
    Line(String),
    Disk(io::Error),
    /// The hub gives no ranges, or wrong ones.
    NoRanges(String),
    /// The hub asks to be left alone for a while.
    Busy {
        cause: String,
        wait: Option<Duration>,
    },
    Failed(Failed),
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

impl Stopped {
    /// Returns how many lanes the next attempt may have.
    pub(crate) fn lanes(&self, before: usize) -> usize {
        match self {
            Self::NoRanges(_) => 1,
            Self::Busy { .. } => (before / 2).max(1),
            Self::Line(_) | Self::Disk(_) | Self::Failed(_) => before,
        }
    }
}

impl Http {
    /// Says what follows when a body was not received to its end.
    pub(crate) fn stopped(&self, fetch: &Fetch<'_>, stopped: Stopped) -> Result<Attempt, Failed> {
        match stopped {
            Stopped::Line(cause) => Ok(Attempt::unreachable(cause)),
            Stopped::NoRanges(cause) => {
                let wait = Some(Duration::ZERO);
                Ok(Attempt::Passing { kind: ErrorKind::HubFailing, cause, wait })
            }
            Stopped::Busy { cause, wait } => {
                Ok(Attempt::Passing { kind: ErrorKind::HubFailing, cause, wait })
            }
            Stopped::Failed(failed) => Err(failed),
            Stopped::Disk(error) => match mismatch_in(&error) {
                Some(mismatch) => Ok(Attempt::Wrong(mismatch)),
                None => Err(Failed::Error(disk_error(fetch.file, error))),
            },
        }
    }

    /// Receives a body: pieces go through a bounded queue to threads that write and hash them.
    pub(crate) async fn receive(
        &self,
        transfer: Transfer<'_>,
        answer: Answer,
        staged: StagedFile,
    ) -> (StagedFile, Result<(), Stopped>) {
        let fetch = transfer.fetch;
        let missing = fetch.metadata.size.map(|size| size.saturating_sub(staged.received_bytes()));
        let splittable = self.splittable(&transfer, &answer, missing);
        let mut writer = Writer::start(staged, missing);
        let mut meter = Meter::new(self, fetch.file, transfer.tell);
        let line = if splittable {
            self.receive_large(transfer, answer.body, &mut writer, &mut meter).await
        } else {
            self.receive_whole(&transfer.from, answer.body, &mut writer, &mut meter).await
        };
        drop(meter);
        match writer.end().await {
            (staged, Ok(())) => (staged, line),
            (staged, Err(error)) => (staged, Err(Stopped::Disk(error))),
        }
    }

    /// Tells whether more than one lane may be of use, and nothing but the hash of the whole is needed to notice a part
    /// of other content.
    fn splittable(&self, transfer: &Transfer<'_>, answer: &Answer, missing: Option<u64>) -> bool {
        let etag = &transfer.fetch.metadata.etag;
        let compared = is_endpoint(self.endpoint(), &transfer.from);
        transfer.lanes > 1
            && missing.is_some_and(|missing| missing >= SPLIT_FROM_BYTES)
            && (compared || etag.content_hash() != ContentHash::Opaque)
            && text(&answer.headers, &ACCEPT_RANGES) != Some("none")
    }

    pub(crate) async fn receive_whole(
        &self,
        from: &Address,
        mut body: Box<dyn Body>,
        writer: &mut Writer,
        meter: &mut Meter<'_>,
    ) -> Result<(), Stopped> {
        while let Some(piece) = self.piece(from, &mut *body).await? {
            meter.received(piece.len() as u64)?;
            if !writer.write(piece).await {
                break;
            }
        }
        Ok(())
    }

    /// Receives on one lane until that turns out to be slow.
    async fn receive_large(
        &self,
        transfer: Transfer<'_>,
        mut body: Box<dyn Body>,
        writer: &mut Writer,
        meter: &mut Meter<'_>,
    ) -> Result<(), Stopped> {
        let share: Share = Arc::clone(&self.lines).join();
        let size = transfer.fetch.metadata.size.unwrap_or(0);
        let (mut clock, from) = (Clock::start(), writer.written_bytes());
        let mut received = 0;
        let mut climb: Option<Climb> = None;
        while let Some(piece) = self.piece(&transfer.from, &mut *body).await? {
            received += piece.len() as u64;
            meter.received(piece.len() as u64)?;
            if !clock.write(writer, piece).await {
                return Ok(());
            }
            let (now, most) = (clock.elapsed(), transfer.lanes.min(share.lanes()));
            let climb = climb.get_or_insert_with(|| Climb::new(transfer.lanes, now, received));
            let missing = size.saturating_sub(from + received);
            if missing >= SPLIT_FROM_BYTES && climb.look(now, received, 1).min(most) > 1 {
                let at = from + received;
                let climb = climb.clone();
                let mut parts = Parts::new(self, transfer, share, climb, (clock, received), at);
                return parts.receive(body, writer, meter).await;
            }
        }
        Ok(())
    }

    /// Receives the next piece of a body; `None` at its end.
    pub(crate) async fn piece(
        &self,
        from: &Address,
        body: &mut dyn Body,
    ) -> Result<Option<Bytes>, Stopped> {
        match tokio::time::timeout(self.stall_timeout(), body.chunk()).await {
            Ok(Ok(Some(piece))) => {
                self.pay(piece.len() as u64).await;
                Ok(Some(piece))
            }
            Ok(Ok(None)) => Ok(None),
            Ok(Err(error)) => Err(Stopped::Line(transport(&from.url, error).to_string())),
            Err(_) => {
                let waited = self.stall_timeout().as_secs();
                Err(Stopped::Line(format!("nothing came for {waited} s")))
            }
        }
    }
}
