//! Receiving one file on several connections: what each asks for, and what happens when one fails.
//!
//! The first connection receives all the rest until others have proved that the hub gives ranges; then it gets ranges like
//! the others. A range that fails is asked for again by itself. How many connections there are, [`Climb`] says; what each
//! is to receive, and what of it is in order, [`Window`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hubstow_cache::disk::failure::with_causes;
use tokio::time::Instant;

use super::{
    super::{
        accept::{FromHub, accept_range, range_headers},
        fetch::{Fetch, Tell},
        meter::Meter,
        transfer::{Clock, Transfer, next_piece},
        verdict::{Cause, Verdict},
        writer::Writer,
    },
    climb::Climb,
    outage::{Outage, Outages},
    window::{ConnectionId, Receipt, Window},
};
use crate::{
    api::event::Event,
    http::{
        address::{Address, NoAnswer},
        connections::{ConnectionPermit, Share},
        session::Http,
        transport::{Body, BoxFuture, Connection, Response},
    },
};

/// The longest range. A longer one would save few requests, and more would be lost with it.
const RANGE_LIMIT_BYTES: u64 = 4 << 20;
/// How long a body that has brought its range may take to end, so that its connection can be used again.
const END_PATIENCE: Duration = Duration::from_millis(20);

/// What a connection has come to.
enum Step {
    Answered { id: ConnectionId, range: Range<u64>, result: Result<(Address, Response), NoAnswer> },
    Piece { id: ConnectionId, body: Box<dyn Body>, piece: Result<Option<Bytes>, Verdict> },
    Rested,
}

/// A connection that has reached another one's range, and what it has of that.
struct Paused {
    id: ConnectionId,
    body: Box<dyn Body>,
    beyond: Bytes,
}

/// How far a transfer has come on its first connection.
pub(crate) struct Begun {
    pub(crate) share: Share,
    pub(crate) climb: Climb,
    pub(crate) clock: Clock,
    /// How much has come.
    pub(crate) received: u64,
}

/// A file that is received on several connections.
pub(crate) struct Ranges<'a> {
    http: &'a Http,
    fetch: &'a Fetch<'a>,
    tell: Tell<'a>,
    at: Address,
    size: u64,
    window: Window,
    climb: Climb,
    share: Share,
    steps: FuturesUnordered<BoxFuture<'a, Step>>,
    /// When each connection has sent its last request.
    connections: BTreeMap<ConnectionId, Instant>,
    /// Those that have brought something.
    bringing: BTreeSet<ConnectionId>,
    permits: Vec<ConnectionPermit>,
    /// How many connections wait before they are asked for again.
    resting: usize,
    /// The first connection, where it has reached another one that has not been answered yet.
    paused: Option<Paused>,
    /// Whether a range has been answered as asked.
    is_proven: bool,
    outages: Outages,
    /// No connection is added until then.
    quiet_until: Instant,
    clock: Clock,
    received: u64,
    next_id: ConnectionId,
}

impl<'a> Ranges<'a> {
    /// Splits what a transfer has still to receive behind `at`.
    pub(crate) fn new(transfer: Transfer<'a>, begun: Begun, at: u64) -> Self {
        let Transfer { http, fetch, from, connections: _, tell } = transfer;
        let Begun { share, climb, clock, received } = begun;
        let (size, now) = (fetch.metadata.size.unwrap_or(at), Instant::now());
        Self {
            http,
            fetch,
            tell,
            at: from,
            size,
            window: Window::new(size, at, 0),
            climb,
            share,
            steps: FuturesUnordered::new(),
            connections: BTreeMap::from([(0, now)]),
            bringing: BTreeSet::from([0]),
            permits: Vec::new(),
            resting: 0,
            paused: None,
            is_proven: false,
            outages: Outages::new(fetch.backoff, now),
            quiet_until: now,
            clock,
            received,
            next_id: 1,
        }
    }

    /// Receives all of it; the body is the first connection's.
    ///
    /// # Errors
    /// How it ended before that.
    pub(crate) async fn receive(
        &mut self,
        body: Box<dyn Body>,
        writer: &mut Writer<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Verdict> {
        self.listen(0, body);
        loop {
            for piece in self.window.take() {
                if !self.clock.write(writer, piece).await {
                    return Ok(());
                }
            }
            if self.window.is_done() {
                return Ok(());
            }
            let reach = writer.written_bytes() + self.share.reach_bytes();
            self.fill(reach);
            match self.steps.next().await {
                Some(Step::Answered { id, range, result }) => self.answered(id, &range, result)?,
                Some(Step::Piece { id, body, piece: Ok(Some(piece)) }) => {
                    self.received += piece.len() as u64;
                    if !piece.is_empty() {
                        meter.received(piece.len() as u64)?;
                    }
                    self.bringing.insert(id);
                    self.place(id, body, piece, reach);
                }
                Some(Step::Piece { id, piece: Ok(None), .. }) => {
                    self.lost(id, Verdict::Broke(Cause::ShortRange))?;
                }
                Some(Step::Piece { id, piece: Err(verdict), .. }) => self.lost(id, verdict)?,
                Some(Step::Rested) => self.resting = self.resting.saturating_sub(1),
                None => return Err(Verdict::Broke(Cause::NoConnection)),
            }
        }
    }

    /// Returns how many connections there should be.
    fn wanted(&mut self) -> usize {
        let bringing = self.bringing.len();
        let wanted = self.climb.look(self.clock.elapsed(), self.received, bringing);
        wanted.min(self.share.connections())
    }

    /// Adds the connections that are missing, as far as there is something for them to do.
    fn fill(&mut self, reach: u64) {
        let wanted = self.wanted();
        while self.connections.len() + self.resting < wanted {
            if !self.connections.is_empty() {
                if Instant::now() < self.quiet_until {
                    return;
                }
                let Some(permit) = self.share.take() else {
                    return;
                };
                self.permits.push(permit);
            }
            let id = self.next_id;
            self.next_id += 1;
            self.connections.insert(id, Instant::now());
            if !self.assign(id, wanted, reach, None) {
                self.retire(id);
                return;
            }
        }
    }

    /// Gives a connection something to receive, if there is something; the body of its last range has brought all of that.
    fn assign(
        &mut self,
        id: ConnectionId,
        wanted: usize,
        reach: u64,
        spent: Option<Box<dyn Body>>,
    ) -> bool {
        let is_alone = wanted == 1 && self.connections.len() == 1;
        let range = if is_alone {
            self.window.assign_rest(id).map(|start| start..self.size)
        } else {
            let len = self.share.reach_bytes() / 4 * 3 / wanted.max(1) as u64;
            self.window.assign(id, len.min(RANGE_LIMIT_BYTES), reach)
        };
        let Some(range) = range else {
            return false;
        };
        self.connections.insert(id, Instant::now());
        let (http, fetch, at) = (self.http, self.fetch, self.at.clone());
        self.steps.push(Box::pin(async move {
            if let Some(mut body) = spent {
                let _ = tokio::time::timeout(END_PATIENCE, body.chunk()).await;
            }
            let headers = range_headers(&range, fetch, FromHub::of(http, &at));
            let result = http.get_on(Connection::Own, &at, &headers, None).await;
            Step::Answered { id, range, result }
        }));
        true
    }

    fn listen(&mut self, id: ConnectionId, mut body: Box<dyn Body>) {
        let (http, at) = (self.http, self.at.clone());
        self.steps.push(Box::pin(async move {
            let piece = next_piece(http, &at, &mut *body).await;
            Step::Piece { id, body, piece }
        }));
    }

    fn retire(&mut self, id: ConnectionId) {
        self.window.give_back(id);
        self.bringing.remove(&id);
        self.connections.remove(&id);
        self.permits.truncate(self.connections.len().saturating_sub(1));
    }

    fn answered(
        &mut self,
        id: ConnectionId,
        range: &Range<u64>,
        result: Result<(Address, Response), NoAnswer>,
    ) -> Result<(), Verdict> {
        let (from, answer) = match result {
            Ok(answered) => answered,
            Err(error) => {
                let is_transport = matches!(error, NoAnswer::Transport { .. });
                // Somebody on the way may count connections, and refuse one too many.
                if is_transport && self.connections.len() > 1 && self.outage(id) == Outage::New {
                    self.climb.refused(self.clock.elapsed(), Duration::ZERO);
                }
                return self.lost(id, error.into());
            }
        };
        if let Err(verdict) = accept_range(self.fetch, answer.status, &answer.headers, range) {
            return self.lost(id, verdict);
        }
        self.at = from;
        self.is_proven = true;
        if let Some(Paused { id: first, .. }) = self.paused.take() {
            self.retire(first);
        }
        self.listen(id, answer.body);
        Ok(())
    }

    /// Puts a piece where it belongs, and lets the connection go on.
    fn place(&mut self, id: ConnectionId, body: Box<dyn Body>, piece: Bytes, reach: u64) {
        let spent = match self.window.receive(id, piece) {
            Receipt::Going => return self.listen(id, body),
            Receipt::Reached(beyond) if !self.is_proven => {
                self.paused = Some(Paused { id, body, beyond });
                return;
            }
            Receipt::Reached(_) => {
                self.window.give_back(id);
                None
            }
            Receipt::Ended => Some(body),
        };
        let wanted = self.wanted();
        if self.connections.len() > wanted || !self.assign(id, wanted, reach, spent) {
            self.retire(id);
        }
    }

    fn outage(&self, of: ConnectionId) -> Outage {
        self.outages.of(self.connections.get(&of).copied())
    }

    /// A connection has failed: what it has stays, and the rest is asked for again.
    ///
    /// # Errors
    /// What nothing can be done about here.
    fn lost(&mut self, id: ConnectionId, ended: Verdict) -> Result<(), Verdict> {
        let outage = self.outage(id);
        self.retire(id);
        if let Some(Paused { id: first, body, beyond }) = self.paused.take() {
            self.place(first, body, beyond, 0);
        }
        let are_others = !self.connections.is_empty();
        match ended {
            Verdict::Failing { cause, wait } if are_others => {
                self.refused(outage, &cause, wait.unwrap_or_default());
                Ok(())
            }
            Verdict::NoRange(_) if !self.is_proven && are_others => {
                self.climb.stay();
                Ok(())
            }
            Verdict::NoRange(cause) if !self.is_proven => Err(Verdict::NotSplit(cause)),
            Verdict::Expired(cause) | Verdict::Gone(cause) if self.at == *self.fetch.pinned => {
                Err(Verdict::NotSplit(cause))
            }
            Verdict::Expired(_) | Verdict::Gone(_) => {
                self.at = self.fetch.pinned.clone();
                Ok(())
            }
            Verdict::Failing { cause, wait } => self.rest(outage, cause, wait),
            Verdict::Broke(cause) | Verdict::NoRange(cause) => self.rest(outage, cause, None),
            other @ (Verdict::Received
            | Verdict::Verified
            | Verdict::NotSplit(_)
            | Verdict::Crowded { .. }
            | Verdict::Wrong(_)
            | Verdict::OtherContent
            | Verdict::Unusable(_)
            | Verdict::Disk(_)
            | Verdict::Undecided(_)
            | Verdict::Store(_)) => Err(other),
        }
    }

    /// Lets the place of a lost connection be empty for a while.
    ///
    /// # Errors
    /// There were too many failures.
    fn rest(
        &mut self,
        outage: Outage,
        cause: Cause,
        asked: Option<Duration>,
    ) -> Result<(), Verdict> {
        let counted = self.outages.wait(outage, self.received, Instant::now());
        let Some(wait) = counted else {
            return Err(Verdict::Crowded { cause, wait: asked });
        };
        let wait = asked.unwrap_or(wait);
        if self.connections.is_empty() {
            let (subject, retry) = (self.fetch.file.to_string(), self.outages.count());
            (self.tell)(Event::Retrying { subject, retry, wait, cause: with_causes(&cause) });
        } else {
            tracing::debug!(file = %self.fetch.file, cause = %with_causes(&cause), ?wait, "a range is asked for again");
        }
        self.resting += 1;
        self.steps.push(Box::pin(async move {
            tokio::time::sleep(wait).await;
            Step::Rested
        }));
        Ok(())
    }

    /// The hub takes fewer connections than it was asked for; the others go on.
    fn refused(&mut self, outage: Outage, cause: &Cause, wait: Duration) {
        tracing::debug!(file = %self.fetch.file, cause = %with_causes(cause), ?wait, "fewer connections");
        let now = Instant::now();
        self.quiet_until = self.quiet_until.max(now + wait);
        if outage == Outage::New {
            self.outages.note(now);
            self.climb.refused(self.clock.elapsed(), wait);
        }
    }
}
