//! Receiving a body: on one connection, or on several where one is slower than the line.

use std::{ops::Range, sync::Arc};

use http::header::ACCEPT_RANGES;

use super::{
    accept::FromHub,
    clock::Clock,
    custody::{Custody, Holding, Order},
    meter::Meter,
    ranges::{
        climb::Climb,
        early::worth_all,
        run::{Begun, Proof, Ranges},
    },
    transfer::{Transfer, next_piece},
    verdict::Verdict,
    writer::{Place, Writer},
};
use crate::http::{
    address::text,
    connections::{Each, Share},
    transport::{Body, Response},
};

/// Where less than this is missing, more connections would not pay.
pub(crate) const SPLIT_FROM_BYTES: u64 = 16 << 20;

/// What an answer brings, of what is missing.
pub(crate) struct Brought<'a> {
    pub(crate) holding: Holding,
    /// The hole that was asked for; `None` for all the rest.
    pub(crate) hole: Option<Range<u64>>,
    /// What has been asked for besides.
    pub(crate) early: Option<Ranges<'a>>,
    /// Nothing could be asked for besides, because the answer came ahead of the fetch.
    pub(crate) is_ahead: bool,
}

impl<'a> Transfer<'a> {
    /// Receives a body: pieces go through a bounded queue to threads that write and hash them.
    ///
    /// # Errors
    /// How it ended before the end of the body. What was received is in the staged file.
    pub(crate) async fn receive(
        self,
        answer: Response,
        brought: Brought<'a>,
        staged: &mut Custody,
    ) -> Result<(), Verdict> {
        let (http, fetch) = (self.http, self.fetch);
        let missing = fetch.metadata.size.map(|size| size.saturating_sub(staged.received_bytes()));
        let is_splittable = brought.holding.order == Order::Any
            && (brought.hole.is_some() || self.is_splittable(&answer, missing));
        let mut writer = Writer::start(staged, missing, &self.http.room)?;
        let mut meter = Meter::new(http, fetch.file, self.tell);
        let received = if is_splittable {
            self.receive_large(answer.body, brought, &mut writer, &mut meter).await
        } else {
            self.receive_whole(answer.body, &mut writer, &mut meter).await
        };
        drop(meter);
        writer.end().await?;
        received
    }

    /// Tells whether more than one connection may be of use, and nothing but the hash of the whole is needed to notice a
    /// range of other content.
    fn is_splittable(&self, answer: &Response, missing: Option<u64>) -> bool {
        let is_compared = FromHub::of(self.http, &self.from) == FromHub::Yes;
        self.connections > 1
            && missing.is_some_and(|missing| missing >= SPLIT_FROM_BYTES)
            && (is_compared || self.fetch.is_hashed())
            && text(&answer.headers, &ACCEPT_RANGES) != Some("none")
    }

    async fn receive_whole(
        &self,
        mut body: Box<dyn Body>,
        writer: &mut Writer<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Verdict> {
        while let Some(piece) = next_piece(self.http, &self.from, &mut *body).await? {
            meter.received(piece.len() as u64)?;
            if !writer.write(Place::Next, piece).await {
                break;
            }
        }
        Ok(())
    }

    /// Receives on one connection until that turns out to be slow.
    async fn receive_large(
        self,
        mut body: Box<dyn Body>,
        brought: Brought<'a>,
        writer: &mut Writer<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Verdict> {
        if let Some(mut ranges) = brought.early {
            return ranges.receive(body, writer, meter).await;
        }
        let share: Share = Arc::clone(&self.http.connections).join();
        let size = self.fetch.metadata.size.unwrap_or(0);
        let mut clock = Clock::start();
        if let Some(hole) = brought.hole {
            let missing = brought.holding.intervals.missing(size).collect();
            let climb = Climb::new(self.connections, clock.now(), 0);
            let (answer_end, proof) = (hole.end, Proof::Given);
            let begun = Begun { share, climb, clock, received: 0, missing, answer_end, proof };
            return Ranges::new(self, begun).receive(body, writer, meter).await;
        }
        let from = brought.holding.intervals.prefix_bytes();
        if brought.is_ahead
            && let Some(missing) = worth_all(&self, &brought.holding)
        {
            let climb = Climb::begin(share.connections(), self.connections, clock.now());
            let (answer_end, proof) = (size, Proof::Missing);
            let begun = Begun { share, climb, clock, received: 0, missing, answer_end, proof };
            return Ranges::new(self, begun).receive(body, writer, meter).await;
        }
        let mut received = 0;
        let mut climb: Option<Climb> = None;
        while let Some(piece) = next_piece(self.http, &self.from, &mut *body).await? {
            received += piece.len() as u64;
            meter.received(piece.len() as u64)?;
            if !clock.write(writer, Place::Next, piece).await {
                return Ok(());
            }
            let (now, most) = (clock.now(), self.connections.min(share.limit(Each::Fast)));
            let climb = climb.get_or_insert_with(|| Climb::new(self.connections, now, received));
            let left = size.saturating_sub(from + received);
            if left >= SPLIT_FROM_BYTES && climb.look(now, received, 1, self.delay).min(most) > 1 {
                let (climb, missing) =
                    (climb.clone(), std::iter::once(from + received..size).collect());
                let (answer_end, proof) = (size, Proof::Missing);
                let begun = Begun { share, climb, clock, received, missing, answer_end, proof };
                let mut ranges = Ranges::new(self, begun);
                return ranges.receive(body, writer, meter).await;
            }
        }
        Ok(())
    }
}
