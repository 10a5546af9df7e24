//! Ranges that are asked for together with the first one: where the hub is far, waiting for its first answer before anything
//! else is asked costs as long as much of the file.

use std::{ops::Range, pin::pin, sync::Arc};

use futures_util::{
    future::{AbortHandle, Either, select},
    stream::StreamExt as _,
};

use super::{
    super::{
        clock::Clock,
        custody::{Holding, Order},
        transfer::Transfer,
    },
    climb::{Climb, FAR},
    run::{Begun, Proof, Ranges},
};
use crate::http::{address::Address, connections::Share, origins};

/// From here on a file is worth connections of which nobody knows yet what they bring.
const FROM_BYTES: u64 = 64 << 20;

/// Returns what is missing of a file, where that is worth connections of which nobody knows yet what they bring.
pub(crate) fn worth_all(transfer: &Transfer<'_>, holding: &Holding) -> Option<Vec<Range<u64>>> {
    let (http, fetch) = (transfer.http, transfer.fetch);
    let missing: Vec<_> = holding.intervals.missing(fetch.metadata.size?).collect();
    let missing_bytes: u64 = missing.iter().map(|range| range.end - range.start).sum();
    let is_worth_it = transfer.connections > 1
        && holding.order == Order::Any
        && missing_bytes >= FROM_BYTES
        && fetch.is_hashed()
        && http.delay(&transfer.from) >= FAR
        && http.gate.shown(&transfer.from.url).ranges != origins::Ranges::Refused;
    is_worth_it.then_some(missing)
}

/// Ranges under way, of which the first is the caller's to ask for.
pub(crate) struct Early<'a> {
    ranges: Ranges<'a>,
    most: usize,
    begin_with: usize,
}

impl<'a> Early<'a> {
    /// Asks for ranges of a file of which so much is here, if that is worth it.
    pub(crate) fn ask(transfer: Transfer<'a>, holding: &Holding) -> Option<Self> {
        let missing = worth_all(&transfer, holding)?;
        let share: Share = Arc::clone(&transfer.http.connections).join();
        let (most, begin_with) = (transfer.connections, share.connections());
        let (clock, proof) = (Clock::start(), Proof::Given);
        let climb = Climb::begin(begin_with, most, clock.now());
        let answer_end = missing.first()?.end;
        let begun = Begun { share, climb, clock, received: 0, missing, answer_end, proof };
        Some(Self { ranges: Ranges::early(transfer, begun), most, begin_with })
    }

    /// Returns the range that is to be asked for first.
    pub(crate) fn first(&mut self) -> Option<Range<u64>> {
        self.ranges.crew.plan.ask(0)
    }

    /// Waits for the answer to that.
    pub(crate) async fn beside<T>(&mut self, answer: impl Future<Output = T>) -> T {
        self.ranges.beside(answer).await
    }

    /// Goes on when the first range has been answered from there as it was asked for.
    pub(crate) fn answered(self, from: Address) -> Ranges<'a> {
        let Self { mut ranges, most, begin_with } = self;
        let now = ranges.clock.now();
        ranges.at = from;
        ranges.crew.pulses.answered(0, now);
        ranges.crew.climb = Climb::begin(begin_with, most, now);
        ranges
    }
}

impl<'a> Ranges<'a> {
    /// Asks for ranges on all connections but the first, whose request is the caller's to send.
    fn early(transfer: Transfer<'a>, begun: Begun) -> Self {
        let mut ranges = Self::before_the_answer(transfer, begun);
        ranges.crew.pulses.asked(0, ranges.clock.now());
        ranges.connections.insert(0, AbortHandle::new_pair().0);
        ranges.fill();
        ranges
    }

    /// Waits for something of the first connection, while the others go on.
    async fn beside<T>(&mut self, first: impl Future<Output = T>) -> T {
        let mut first = pin!(first);
        loop {
            match select(first.as_mut(), self.steps.next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((Some(step), _)) => self.ready.push_back(step),
                Either::Right((None, _)) => return first.await,
            }
        }
    }
}
