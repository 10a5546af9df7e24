//! Ranges that are asked for together with the first one: where the hub is far, waiting for its first answer before anything
//! else is asked costs as long as much of the file.

use std::{ops::Range, sync::Arc, time::Duration};

use super::{
    super::{
        custody::{Holding, Order},
        transfer::{Clock, Transfer},
    },
    climb::{Climb, FAR},
    run::{Begun, Proof, Ranges},
};
use crate::http::{address::Address, connections::Share, origins};

/// From here on a file is worth connections of which nobody knows yet what they bring.
const FROM_BYTES: u64 = 64 << 20;

/// Ranges under way, of which the first is the caller's to ask for.
pub(crate) struct Early<'a> {
    ranges: Ranges<'a>,
    most: usize,
}

impl<'a> Early<'a> {
    /// Asks for ranges of a file of which so much is here, if that is worth it.
    pub(crate) fn ask(transfer: Transfer<'a>, holding: &Holding) -> Option<Self> {
        let (http, fetch) = (transfer.http, transfer.fetch);
        let size = fetch.metadata.size?;
        let missing: Vec<_> = holding.intervals.missing(size).collect();
        let missing_bytes: u64 = missing.iter().map(|range| range.end - range.start).sum();
        if transfer.connections < 2
            || holding.order != Order::Any
            || missing_bytes < FROM_BYTES
            || !fetch.is_hashed()
            || http.delay(&transfer.from) < FAR
            || http.origins.ranges(&transfer.from.url) == origins::Ranges::Refused
        {
            return None;
        }
        let share: Share = Arc::clone(&http.connections).join();
        let most = transfer.connections;
        let climb = Climb::with_all(most.min(share.connections()), Duration::ZERO);
        let answer_end = missing.first()?.end;
        let (clock, proof) = (Clock::start(), Proof::Given);
        let begun = Begun { share, climb, clock, received: 0, missing, answer_end, proof };
        Some(Self { ranges: Ranges::early(transfer, begun), most })
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
        let Self { mut ranges, most } = self;
        let now = ranges.clock.elapsed();
        ranges.at = from;
        ranges.crew.pulses.answered(0, now);
        ranges.crew.climb = Climb::with_all(most, now);
        ranges
    }
}
