//! Receiving one file on several lanes: what each asks for, and what happens when one fails.
//!
//! The first lane receives all the rest until other lanes have proved that the hub gives ranges; then it gets parts like
//! the others. A part that fails is asked for again by itself. How many lanes there are, [`Climb`] says; what each is to
//! receive, and what of it is in order, [`Window`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::{
    super::{
        accept::{accept_part, part_headers},
        fetch::{Attempt, Failed, Fetch, PROGRESS_BYTES, Tell},
        meter::Meter,
        stream::{Clock, Stopped, Transfer},
        writer::Writer,
    },
    climb::Climb,
    window::{Lane, Receipt, Window},
};
use crate::{
    api::{error::ErrorKind, event::Event},
    http::{
        connections::{ConnectionPermit, Share},
        session::{Address, Http, NoAnswer, is_endpoint, jittered},
        transport::{Answer, Body, BoxFuture, Connection},
    },
};

/// The longest part. A longer one would save few requests, and more would be lost with it.
pub(crate) const PART_LIMIT_BYTES: u64 = 4 << 20;
/// How long a body that has brought its part may take to end, so that its connection can be used again.
pub(crate) const END_PATIENCE: Duration = Duration::from_millis(20);

/// What a lane has come to.
pub(crate) enum Step {
    Answered { lane: Lane, part: Range<u64>, result: Result<(Address, Answer), NoAnswer> },
    Piece { lane: Lane, body: Box<dyn Body>, piece: Result<Option<Bytes>, Stopped> },
    Rested,
}

/// Why a lane ends before its part does.
pub(crate) enum Trouble {
    /// It may go better next time.
    Line(String),
    /// The hub refuses it for now.
    Busy(String, Option<Duration>),
    /// The hub gives no ranges, or wrong ones.
    NoRange(String),
    /// The address is not good any more.
    Expired(String),
}

/// A file that is received on several lanes.
pub(crate) struct Parts<'a> {
    http: &'a Http,
    fetch: &'a Fetch<'a>,
    tell: Tell<'a>,
    at: Address,
    size: u64,
    window: Window,
    climb: Climb,
    share: Share,
    steps: FuturesUnordered<BoxFuture<'a, Step>>,
    /// When each lane has sent its last request.
    lanes: BTreeMap<Lane, Instant>,
    /// Those that have brought something.
    bringing: BTreeSet<Lane>,
    held: Vec<ConnectionPermit>,
    /// How many lanes wait before they are asked for again.
    resting: usize,
    /// The first lane, where it has reached another one that has not been answered yet.
    paused: Option<(Lane, Box<dyn Body>, Bytes)>,
    /// Whether a range has been answered as asked.
    proven: bool,
    failures: u32,
    failed: Instant,
    /// How much had been received at the last failure that counted.
    mark: u64,
    /// No lane is added until then.
    quiet_until: Instant,
    clock: Clock,
    received: u64,
    next: Lane,
}

impl<'a> Parts<'a> {
    /// Splits what a transfer has still to receive behind `at`; `since` is how long it has taken, and how
    /// much has come.
    pub(crate) fn new(
        http: &'a Http,
        transfer: Transfer<'a>,
        share: Share,
        climb: Climb,
        since: (Clock, u64),
        at: u64,
    ) -> Self {
        let (fetch, now) = (transfer.fetch, Instant::now());
        let size = fetch.metadata.size.unwrap_or(at);
        Self {
            http,
            fetch,
            tell: transfer.tell,
            at: transfer.from,
            size,
            window: Window::new(size, at, 0),
            climb,
            share,
            steps: FuturesUnordered::new(),
            lanes: BTreeMap::from([(0, now)]),
            bringing: BTreeSet::from([0]),
            held: Vec::new(),
            resting: 0,
            paused: None,
            proven: false,
            failures: 0,
            failed: now,
            mark: since.1,
            quiet_until: now,
            clock: since.0,
            received: since.1,
            next: 1,
        }
    }

    /// Receives all of it; the body is the first lane's.
    pub(crate) async fn receive(
        &mut self,
        body: Box<dyn Body>,
        writer: &mut Writer,
        meter: &mut Meter<'_>,
    ) -> Result<(), Stopped> {
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
                Some(Step::Answered { lane, part, result }) => {
                    self.answered(lane, &part, result)?;
                }
                Some(Step::Piece { lane, body, piece }) => {
                    let bytes =
                        piece.as_ref().map_or(0, |piece| piece.as_ref().map_or(0, Bytes::len));
                    self.received += bytes as u64;
                    if bytes > 0 {
                        meter.received(bytes as u64)?;
                    }
                    self.brought(lane, body, piece, reach)?;
                }
                Some(Step::Rested) => self.resting = self.resting.saturating_sub(1),
                None => return Err(Stopped::Line("no connection is left".to_owned())),
            }
        }
    }

    /// Returns how many lanes there should be.
    fn wanted(&mut self) -> usize {
        let bringing = self.bringing.len();
        let wanted = self.climb.look(self.clock.elapsed(), self.received, bringing);
        wanted.min(self.share.lanes())
    }

    /// Adds the lanes that are missing, as far as there is something for them to do.
    fn fill(&mut self, reach: u64) {
        let wanted = self.wanted();
        while self.lanes.len() + self.resting < wanted {
            if !self.lanes.is_empty() {
                if Instant::now() < self.quiet_until {
                    return;
                }
                let Some(held) = self.share.take() else {
                    return;
                };
                self.held.push(held);
            }
            let lane = self.next;
            self.next += 1;
            self.lanes.insert(lane, Instant::now());
            if !self.assign(lane, wanted, reach, None) {
                self.retire(lane);
                return;
            }
        }
    }

    /// Gives a lane something to receive, if there is something; the body of its last part has brought all of that.
    fn assign(
        &mut self,
        lane: Lane,
        wanted: usize,
        reach: u64,
        spent: Option<Box<dyn Body>>,
    ) -> bool {
        let alone = wanted == 1 && self.lanes.len() == 1;
        let part = if alone {
            self.window.assign_rest(lane).map(|start| start..self.size)
        } else {
            let len = self.share.reach_bytes() / 4 * 3 / wanted.max(1) as u64;
            self.window.assign(lane, len.min(PART_LIMIT_BYTES), reach)
        };
        let Some(part) = part else {
            return false;
        };
        self.lanes.insert(lane, Instant::now());
        let (http, fetch, at) = (self.http, self.fetch, self.at.clone());
        self.steps.push(Box::pin(async move {
            if let Some(mut body) = spent {
                let _ = tokio::time::timeout(END_PATIENCE, body.chunk()).await;
            }
            let headers = part_headers(&part, fetch, is_endpoint(http.endpoint(), &at));
            let result = http.get_on(Connection::Own, &at, &headers, None).await;
            Step::Answered { lane, part, result }
        }));
        true
    }

    fn listen(&mut self, lane: Lane, mut body: Box<dyn Body>) {
        let (http, at) = (self.http, self.at.clone());
        self.steps.push(Box::pin(async move {
            let piece = http.piece(&at, &mut *body).await;
            Step::Piece { lane, body, piece }
        }));
    }

    fn retire(&mut self, lane: Lane) {
        self.window.give_back(lane);
        self.bringing.remove(&lane);
        self.lanes.remove(&lane);
        self.held.truncate(self.lanes.len().saturating_sub(1));
    }

    fn answered(
        &mut self,
        lane: Lane,
        part: &Range<u64>,
        result: Result<(Address, Answer), NoAnswer>,
    ) -> Result<(), Stopped> {
        let (from, answer) = match result {
            Ok(answered) => answered,
            Err(error @ NoAnswer::Transport { .. }) => {
                // Somebody on the way may count connections, and refuse one too many.
                if self.lanes.len() > 1 && self.asked_since_failure(lane) {
                    self.climb.refused(self.clock.elapsed(), Duration::ZERO);
                }
                return self.lost(lane, Trouble::Line(error.to_string()));
            }
            Err(error @ NoAnswer::Redirected { .. }) => {
                return self.lost(lane, Trouble::Expired(error.to_string()));
            }
            Err(error @ NoAnswer::Undecided { .. }) => {
                return Err(Stopped::Failed(Failed::Error(error.into())));
            }
        };
        match accept_part(self.fetch, &answer, part) {
            Ok(()) => {
                self.at = from;
                self.proven = true;
                if let Some((first, ..)) = self.paused.take() {
                    self.retire(first);
                }
                self.listen(lane, answer.body);
                Ok(())
            }
            Err(Ok(Attempt::Passing { cause, wait, kind: ErrorKind::HubFailing })) => {
                self.lost(lane, Trouble::Busy(cause, wait))
            }
            Err(Ok(Attempt::Passing { cause, .. })) => self.lost(lane, Trouble::Line(cause)),
            Err(Ok(Attempt::Unusable { cause })) => self.lost(lane, Trouble::NoRange(cause)),
            Err(Ok(Attempt::Expired(error))) => {
                self.lost(lane, Trouble::Expired(error.to_string()))
            }
            Err(Ok(Attempt::Ended | Attempt::Wrong(_))) => {
                self.lost(lane, Trouble::NoRange("the hub sent something else".to_owned()))
            }
            Err(Err(failed)) => Err(Stopped::Failed(failed)),
        }
    }

    fn brought(
        &mut self,
        lane: Lane,
        body: Box<dyn Body>,
        piece: Result<Option<Bytes>, Stopped>,
        reach: u64,
    ) -> Result<(), Stopped> {
        let piece = match piece {
            Ok(Some(piece)) => piece,
            Ok(None) => return self.lost(lane, Trouble::Line("a part ended too early".to_owned())),
            Err(Stopped::Line(cause)) => return self.lost(lane, Trouble::Line(cause)),
            Err(stopped) => return Err(stopped),
        };
        self.bringing.insert(lane);
        self.place(lane, body, piece, reach);
        Ok(())
    }

    /// Puts a piece where it belongs, and lets the lane go on.
    fn place(&mut self, lane: Lane, body: Box<dyn Body>, piece: Bytes, reach: u64) {
        let spent = match self.window.receive(lane, piece) {
            Receipt::Going => return self.listen(lane, body),
            Receipt::Reached(beyond) if !self.proven => {
                self.paused = Some((lane, body, beyond));
                return;
            }
            Receipt::Reached(_) => {
                self.window.give_back(lane);
                None
            }
            Receipt::Ended => Some(body),
        };
        let wanted = self.wanted();
        if self.lanes.len() > wanted || !self.assign(lane, wanted, reach, spent) {
            self.retire(lane);
        }
    }

    fn asked_since_failure(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_some_and(|asked| *asked >= self.failed)
    }

    /// A lane has failed: what it has stays, and the rest is asked for again.
    fn lost(&mut self, lane: Lane, trouble: Trouble) -> Result<(), Stopped> {
        let fresh = self.asked_since_failure(lane);
        self.retire(lane);
        if let Some((first, body, beyond)) = self.paused.take() {
            self.place(first, body, beyond, 0);
        }
        let others = !self.lanes.is_empty();
        let (cause, asked) = match trouble {
            Trouble::Busy(cause, wait) if others => {
                self.refused(fresh, &cause, wait.unwrap_or_default());
                return Ok(());
            }
            Trouble::NoRange(cause) if !self.proven => {
                self.climb.stay();
                return if others { Ok(()) } else { Err(Stopped::NoRanges(cause)) };
            }
            Trouble::Expired(cause) if self.at == *self.fetch.pinned => {
                return Err(Stopped::NoRanges(cause));
            }
            Trouble::Expired(_) => {
                self.at = self.fetch.pinned.clone();
                return Ok(());
            }
            Trouble::Busy(cause, wait) => (cause, wait),
            Trouble::Line(cause) | Trouble::NoRange(cause) => (cause, None),
        };
        let Some(wait_ms) = self.count_failure(fresh) else {
            return Err(Stopped::Busy { cause, wait: asked });
        };
        let wait = asked.unwrap_or_else(|| jittered(wait_ms));
        if others {
            tracing::debug!(file = %self.fetch.file, %cause, ?wait, "a part is asked for again");
        } else {
            let (subject, retry) = (self.fetch.file.to_string(), self.failures);
            (self.tell)(Event::Retrying { subject, retry, wait, cause });
        }
        self.resting += 1;
        self.steps.push(Box::pin(async move {
            tokio::time::sleep(wait).await;
            Step::Rested
        }));
        Ok(())
    }

    /// The hub takes fewer lanes than it was asked for; the others go on.
    fn refused(&mut self, fresh: bool, cause: &str, wait: Duration) {
        tracing::debug!(file = %self.fetch.file, %cause, ?wait, "fewer lanes");
        let now = Instant::now();
        self.quiet_until = self.quiet_until.max(now + wait);
        if fresh {
            self.failed = now;
            self.climb.refused(self.clock.elapsed(), wait);
        }
    }

    /// Counts a failure and returns how long to wait; `None` when there were too many. One outage that fails many lanes is
    /// one failure.
    fn count_failure(&mut self, fresh: bool) -> Option<u64> {
        if self.received >= self.mark.saturating_add(PROGRESS_BYTES) {
            self.failures = 0;
            self.mark = self.received;
        }
        let wait_ms = self.fetch.backoff.wait_ms(self.failures);
        if fresh {
            self.failures += 1;
            self.failed = Instant::now();
        }
        wait_ms
    }
}
