//! Reading what the connections of a file bring.

use std::time::Duration;

use futures_util::stream::StreamExt as _;
use tokio::time::error::Elapsed;

use super::{
    super::transfer::next_piece,
    plan::ConnectionId,
    reading::{ONE_MORE, Room},
    run::{Ranges, Step},
};
use crate::http::transport::Body;

/// How often connections are looked after when nothing comes.
const TICK: Duration = Duration::from_millis(100);

impl Ranges<'_> {
    /// Waits for what comes next on any connection that is read.
    pub(super) async fn next_step(&mut self) -> Result<Option<Step>, Elapsed> {
        if let Some(step) = self.ready.pop_front() {
            return Ok(Some(step));
        }
        let (room, now) = (self.room(), self.clock.now());
        while let Some((id, body)) = self.reading.next(room, now.wall) {
            self.crew.pulses.resumed(id, now);
            self.wait_for_piece(id, body);
        }
        let wait = if self.reading.is_any_parked() { ONE_MORE } else { TICK };
        tokio::time::timeout(wait, self.steps.next()).await
    }

    /// Reads what a connection brings, if there is room for it.
    pub(super) fn read_on(&mut self, id: ConnectionId, body: Box<dyn Body>) {
        let (at, now) = (self.crew.plan.next_offset(id), self.clock.now());
        match self.reading.offer(id, at, body, self.room(), now.wall) {
            Some(body) => self.wait_for_piece(id, body),
            None => self.crew.pulses.parked(id, now),
        }
    }

    fn wait_for_piece(&mut self, id: ConnectionId, mut body: Box<dyn Body>) {
        let (http, at) = (self.http, self.at.clone());
        self.go_on(id, async move {
            let piece = next_piece(http, &at, &mut *body).await;
            Step::Piece { id, body, piece }
        });
    }

    fn room(&self) -> Room {
        Room::of_bytes(self.http.room.available_permits())
    }
}
