//! Receiving one file on several connections: what each asks for, and how long it is waited for.
//!
//! The first connection receives all the rest until others have proved that the hub gives ranges; then it gets ranges like
//! the others. Pieces are written where they belong as they come. How many connections there are, what each is to receive
//! and how long it is waited for, [`Crew`] says; which of them are read is in [`super::listen`], and what follows when one
//! fails in [`super::lost`].

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    future::{AbortHandle, abortable},
    stream::FuturesUnordered,
};
use tokio::time::Instant;

use super::{
    super::{
        accept::{FromHub, accept_range, range_headers},
        clock::Clock,
        fetch::{Fetch, Tell},
        meter::Meter,
        transfer::Transfer,
        verdict::{Cause, Verdict},
        writer::{Place, Writer},
    },
    climb::Climb,
    crew::Crew,
    outage::Outages,
    plan::{ConnectionId, Given, Plan, Taken, Then},
    pulse::Pulses,
    reading::Reading,
};
use crate::http::{
    address::{Address, NoAnswer},
    connections::{ConnectionPermit, Each, Share},
    session::Http,
    transport::{Body, BoxFuture, Connection, Response},
};

/// How long a body that has brought its range may take to end, so that its connection can be used again.
const END_PATIENCE: Duration = Duration::from_millis(20);
/// A body that goes so much further than it is wanted is read to its end: a new connection would cost more.
const READ_ON_BYTES: u64 = 64 << 10;
/// How long is received before it is judged what each connection brings.
const RATE_LOOK: Duration = Duration::from_millis(250);

/// What a connection has come to.
pub(super) enum Step {
    Answered {
        id: ConnectionId,
        range: Range<u64>,
        result: Result<(Address, Response), NoAnswer>,
    },
    Piece {
        id: ConnectionId,
        body: Box<dyn Body>,
        piece: Result<Option<Bytes>, Verdict>,
    },
    Rested,
    /// It was not waited for any longer.
    Abandoned,
}

/// A connection that has reached another one's range, and what it has of that.
pub(super) struct Paused {
    pub(super) id: ConnectionId,
    pub(super) body: Box<dyn Body>,
    pub(super) beyond: Bytes,
}

/// How far a transfer has come on its first connection.
pub(crate) struct Begun {
    pub(crate) share: Share,
    pub(crate) climb: Climb,
    pub(crate) clock: Clock,
    /// How much has come.
    pub(crate) received: u64,
    /// What is missing; the first connection goes on with the first of it, up to `answer_end`.
    pub(crate) missing: Vec<Range<u64>>,
    pub(crate) answer_end: u64,
    pub(crate) proof: Proof,
}

/// Whether a range has been answered as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Given,
    Missing,
}

/// A file that is received on several connections.
pub(crate) struct Ranges<'a> {
    pub(super) http: &'a Http,
    pub(super) fetch: &'a Fetch<'a>,
    pub(super) tell: Tell<'a>,
    pub(super) at: Address,
    pub(super) crew: Crew,
    share: Share,
    each: Each,
    pub(super) steps: FuturesUnordered<BoxFuture<'a, Step>>,
    /// What others have come to while the first connection was waited for.
    pub(super) ready: VecDeque<Step>,
    /// What ends the step that each connection is in.
    pub(super) connections: HashMap<ConnectionId, AbortHandle>,
    permits: Vec<ConnectionPermit>,
    pub(super) reading: Reading<Box<dyn Body>>,
    /// How many connections wait before they are asked for again.
    pub(super) resting: usize,
    /// The first connection, where it has reached another one that has not been answered yet.
    pub(super) paused: Option<Paused>,
    pub(super) proof: Proof,
    pub(super) outages: Outages,
    /// No connection is added until then.
    pub(super) quiet_until: Instant,
    pub(super) clock: Clock,
    pub(super) received: u64,
    next_id: ConnectionId,
}

impl<'a> Ranges<'a> {
    /// Splits what a transfer has still to receive.
    pub(crate) fn new(transfer: Transfer<'a>, begun: Begun) -> Self {
        let (delay, now) = (transfer.delay, begun.clock.now());
        let mut ranges = Self::before_the_answer(transfer, begun);
        ranges.crew.pulses.asked(0, now.earlier(delay));
        ranges.crew.pulses.answered(0, now);
        ranges
    }

    pub(super) fn before_the_answer(transfer: Transfer<'a>, begun: Begun) -> Self {
        let Transfer { http, fetch, from, tell, .. } = transfer;
        let Begun { share, climb, clock, received, missing, answer_end, proof } = begun;
        let (now, pulses) = (Instant::now(), Pulses::default());
        Self {
            http,
            fetch,
            tell,
            at: from,
            crew: Crew::new(Plan::new(missing, 0, answer_end), pulses, climb),
            share,
            each: Each::Fast,
            steps: FuturesUnordered::new(),
            ready: VecDeque::new(),
            connections: HashMap::new(),
            permits: Vec::new(),
            reading: Reading::default(),
            resting: 0,
            paused: None,
            proof,
            outages: Outages::new(http.route().patience(fetch.backoff), now),
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
        self.read_on(0, body);
        while !self.crew.plan.is_done() {
            self.look_after();
            self.fill();
            match self.next_step().await {
                Ok(Some(Step::Answered { id, range, result })) => {
                    if let Some(resumed) = self.answered(id, &range, result)? {
                        self.place(resumed, writer).await;
                    }
                }
                Ok(Some(Step::Piece { id, body, piece: Ok(Some(piece)) })) => {
                    let len = piece.len() as u64;
                    self.reading.has_brought(id);
                    self.received += len;
                    if len > 0 {
                        meter.received(len)?;
                    }
                    self.crew.pulses.brought(id, self.clock.now(), len);
                    if !self.place(Paused { id, body, beyond: piece }, writer).await {
                        return Ok(());
                    }
                }
                Ok(Some(Step::Piece { id, piece, .. })) => {
                    let ended = match piece {
                        Err(verdict) => verdict,
                        Ok(_) => Verdict::Broke(Cause::ShortRange),
                    };
                    if let Some(resumed) = self.lost(id, ended)? {
                        self.place(resumed, writer).await;
                    }
                }
                Ok(Some(Step::Rested)) => self.resting = self.resting.saturating_sub(1),
                Ok(Some(Step::Abandoned)) | Err(_) => {}
                Ok(None) => return Err(Verdict::Broke(Cause::NoConnection)),
            }
        }
        Ok(())
    }

    /// Returns how many connections there should be.
    fn wanted(&mut self) -> usize {
        let now = self.clock.now();
        if self.each == Each::Fast && now.line >= RATE_LOOK.max(self.http.delay(&self.at) * 3) {
            let rate = self.received as f64 / now.line.as_secs_f64();
            self.each = Each::of_rate(rate / self.connections.len().max(1) as f64);
        }
        self.crew.wanted(now, self.received).min(self.share.limit(self.each))
    }

    /// Gives up connections that nobody should wait for; what they had is anybody's.
    fn look_after(&mut self) {
        while let Some(id) = self.crew.pulses.hopeless(self.clock.now()) {
            if self.paused.as_ref().is_some_and(|paused| paused.id == id) {
                return;
            }
            tracing::debug!(file = %self.fetch.file, connection = id, "a connection is abandoned");
            self.abandon(id);
        }
    }

    /// Adds the connections that are missing, as far as there is something for them to do.
    pub(super) fn fill(&mut self) {
        let wanted = self.wanted();
        self.crew.share_anew(wanted, self.clock.now());
        let mut new = Vec::new();
        let ending = self.ending(wanted);
        while self.connections.len() + self.resting < wanted + ending {
            // While some that are there are not read, more would bring nothing.
            let is_enough = self.reading.is_any_parked() || Instant::now() < self.quiet_until;
            if !self.connections.is_empty() && is_enough {
                break;
            }
            // Whoever takes the place of one that ends needs no permit.
            if !self.connections.is_empty() && self.connections.len() < wanted {
                let Some(permit) = self.share.take(self.each) else { break };
                self.permits.push(permit);
            }
            let id = self.next_id;
            self.next_id += 1;
            self.connections.insert(id, AbortHandle::new_pair().0);
            if !self.assign(id, wanted) {
                self.retire(id);
                break;
            }
            new.push(id);
        }
        // Some have taken a part of what others of them were given first.
        new.into_iter().for_each(|id| self.ask(id, None));
    }

    /// Returns how many connections are about to end, whose places can be taken already.
    fn ending(&self, wanted: usize) -> usize {
        match self.proof {
            Proof::Missing => 0,
            Proof::Given => {
                self.crew.ending(wanted, self.clock.now()).min(self.share.successors(self.each))
            }
        }
    }

    /// Gives a connection something to receive, if there is something.
    fn assign(&mut self, id: ConnectionId, wanted: usize) -> bool {
        let is_alone = wanted == 1 && self.connections.len() == 1;
        let connections = if is_alone { 1 } else { wanted.max(2) };
        match self.crew.assign(id, connections, self.clock.now()) {
            Some(Given::Range) => true,
            Some(Given::Instead(owner)) => {
                self.abandon(owner);
                true
            }
            None => false,
        }
    }

    /// Sends the request for what a connection was given; the body of its last range has brought all of that.
    fn ask(&mut self, id: ConnectionId, spent: Option<Box<dyn Body>>) {
        let Some(range) = self.crew.plan.ask(id) else { return };
        self.crew.pulses.asked(id, self.clock.now());
        tracing::trace!(file = %self.fetch.file, connection = id, ?range, of = self.connections.len(), "asking");
        let (http, fetch, at) = (self.http, self.fetch, self.at.clone());
        self.go_on(id, async move {
            if let Some(body) = spent {
                read_to_end(body).await;
            }
            let headers = range_headers(&range, fetch, FromHub::of(http, &at));
            let result = http.get_on(Connection::Own, &at, &headers, None).await;
            Step::Answered { id, range, result }
        });
    }

    pub(super) fn go_on(&mut self, id: ConnectionId, step: impl Future<Output = Step> + Send + 'a) {
        let (step, abort) = abortable(step);
        self.connections.insert(id, abort);
        self.steps.push(Box::pin(async { step.await.unwrap_or(Step::Abandoned) }));
    }

    /// Ends a connection in the middle of what it does.
    fn abandon(&mut self, id: ConnectionId) {
        if let Some(abort) = self.connections.get(&id) {
            abort.abort();
        }
        self.retire(id);
    }

    pub(super) fn retire(&mut self, id: ConnectionId) {
        self.crew.retire(id);
        self.reading.gone(id);
        self.connections.remove(&id);
        self.permits.truncate(self.connections.len().saturating_sub(1));
    }

    /// Takes the answer to a range. Returns the first connection, if it may go on.
    fn answered(
        &mut self,
        id: ConnectionId,
        range: &Range<u64>,
        result: Result<(Address, Response), NoAnswer>,
    ) -> Result<Option<Paused>, Verdict> {
        let (from, answer) = match result {
            Ok(answered) => answered,
            Err(error) => return self.not_answered(id, error),
        };
        if let Err(verdict) = accept_range(self.fetch, answer.status, &answer.headers, range) {
            return self.lost(id, verdict);
        }
        self.at = from;
        self.proof = Proof::Given;
        self.crew.pulses.answered(id, self.clock.now());
        if let Some(Paused { id: first, .. }) = self.paused.take() {
            self.retire(first);
        }
        self.read_on(id, answer.body);
        Ok(None)
    }

    /// Writes a piece where it belongs, and lets the connection go on; `false` when the writer has stopped.
    async fn place(&mut self, held: Paused, writer: &mut Writer<'_>) -> bool {
        let Paused { id, body, beyond: mut piece } = held;
        loop {
            let taken = self.crew.plan.take(id, piece.len());
            let Some(Taken { offset, len_bytes, then }) = taken else { break };
            let some = piece.split_to(len_bytes);
            if !self.clock.write(writer, Place::At(offset), some).await {
                return false;
            }
            match then {
                Then::More if piece.is_empty() => {
                    // Another file has come, whose share this one has. Successors are no part of it.
                    if self.permits.len() >= self.share.limit(self.each) && !self.permits.is_empty()
                    {
                        self.retire(id);
                    } else {
                        self.read_on(id, body);
                    }
                    return true;
                }
                Then::More => {}
                Then::Ended => break,
            }
        }
        if self.proof == Proof::Missing && id == 0 && !self.crew.plan.is_done_but(id) {
            self.paused = Some(Paused { id, body, beyond: piece });
            return true;
        }
        let spent = (self.crew.plan.beyond_bytes(id) <= READ_ON_BYTES).then_some(body);
        let wanted = self.wanted();
        if self.connections.len() <= wanted && self.assign(id, wanted) {
            self.ask(id, spent);
        } else {
            self.retire(id);
            self.steps.extend(spent.map(|body| -> BoxFuture<'a, Step> {
                Box::pin(async {
                    read_to_end(body).await;
                    Step::Abandoned
                })
            }));
        }
        true
    }
}

/// Reads what is left of a body that has brought its range, so that its connection can be used again.
async fn read_to_end(mut body: Box<dyn Body>) {
    let rest = async { while let Ok(Some(_)) = body.chunk().await {} };
    let _ = tokio::time::timeout(END_PATIENCE, rest).await;
}
