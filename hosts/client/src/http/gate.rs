//! The gate that every request passes: a hub that asks to be left alone is left alone by all.
//!
//! Whoever is refused for now waits here and is sent again from here, so that nobody else counts it as a failure. What each
//! origin has said is kept by [`Throttle`]. INVARIANT (I22): a request waits no longer than its patience after the origin
//! took anything; then it gets the hub's refusal as its answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant as Moment},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hubstow_core::hub::{Retry, retry};
use tokio::{sync::Notify, time::Instant};
use url::{Origin, Url};

use crate::{
    api::event::{Event, Observer},
    http::{
        address::asked_wait,
        origins::{Ranges, Shown},
        throttle::{Entry, Throttle, Ticket},
        transport::{Body, BoxFuture, Connection, Response, TransportError},
    },
};

/// From so many origins on, those are forgotten of which nothing is known.
const ORIGINS: usize = 64;
/// How often people are told at most that an origin asks to be left alone.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The most that is added to what an origin asks for, as a share of it, so that many clients do not come back at once.
const JITTER: u32 = 10;

/// What an [`Observer`] points to.
type Observed = dyn Fn(&Event) + Send + Sync;

/// The gate of one program.
pub(crate) struct Gate {
    patience: Duration,
    origins: Mutex<HashMap<Origin, Arc<Entrance>>>,
    observers: Mutex<Vec<Weak<Observed>>>,
}

/// Where requests to one origin go in.
struct Entrance {
    known: Mutex<Known>,
    changed: Notify,
}

struct Known {
    throttle: Throttle,
    /// What the origin last said when it refused for now.
    refusal: Option<(StatusCode, HeaderMap)>,
    told: Option<Instant>,
    /// When a request or an answer last broke.
    broke: Option<Moment>,
    shown: Shown,
}

/// What a request holds until its answer is dropped.
pub(crate) struct Pass {
    entrance: Arc<Entrance>,
    ticket: Ticket,
    connection: Connection,
}

/// How long a request may wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Until {
    /// Not beyond this, whatever it waits for.
    pub(crate) moment: Option<Instant>,
    /// Not longer than this for an origin that fails, where that is less than the patience of all.
    pub(crate) failing: Option<Duration>,
}

/// What the gate says to a request.
pub(crate) enum Entered {
    Go(Pass),
    /// It has waited for long enough, and gets what the origin said to others.
    Refused(Response),
}

impl Gate {
    /// Makes a gate where requests wait so long without anything being taken by their origin.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, origins: Mutex::default(), observers: Mutex::default() }
    }

    /// Tells of throttling from now on, for as long as the observer exists.
    pub(crate) fn observe(&self, observer: &Observer) {
        let mut observers = locked(&self.observers);
        observers.retain(|known| known.strong_count() > 0);
        observers.push(Arc::downgrade(observer));
    }

    /// Waits until a request may go that was first to be sent `since`, and not beyond `until`.
    pub(crate) async fn enter(
        &self,
        to: &Url,
        connection: Connection,
        since: Instant,
        until: Until,
    ) -> Entered {
        let entrance = self.entrance(to.origin());
        loop {
            // It hears of what changes from here on, so nothing is missed between the look and the wait.
            let changed = entrance.changed.notified();
            let next = {
                let (mut known, now) = (locked(&entrance.known), Instant::now());
                let entry = known.throttle.enter(connection, now);
                let since = known.throttle.taken_at().map_or(since, |taken| taken.max(since));
                let patience = match (until.failing, known.is_failing()) {
                    (Some(failing), true) => failing.min(self.patience),
                    (Some(_) | None, _) => self.patience,
                };
                let patient = since + patience;
                let limit = until.moment.map_or(patient, |until| until.min(patient));
                match entry {
                    Entry::Go(ticket) => {
                        let entrance = Arc::clone(&entrance);
                        return Entered::Go(Pass { entrance, ticket, connection });
                    }
                    Entry::Closed(opens) if opens <= limit => opens,
                    Entry::Crowded(opens) if now < limit => opens.min(limit),
                    Entry::Closed(_) | Entry::Crowded(_) => {
                        return Entered::Refused(known.last_refusal());
                    }
                }
            };
            // Whether the time has come or something has changed, the next look tells.
            let _ = tokio::time::timeout_at(next, changed).await;
        }
    }

    /// The origin refuses a request for now: nobody goes there until then.
    pub(crate) fn refused(&self, pass: &Pass, url: &Url, answer: &Response) {
        let asked = asked_wait(&answer.headers).filter(|asked| !asked.is_zero()).map(prolonged);
        let now = Instant::now();
        let told = {
            let mut known = locked(&pass.entrance.known);
            known.refusal = Some((answer.status, answer.headers.clone()));
            let closed = known.throttle.refused(&pass.ticket, pass.connection, now, asked);
            let is_due = known.told.is_none_or(|told| now.duration_since(told) >= TELL_EVERY);
            let told = closed.filter(|_| is_due);
            known.told = told.map_or(known.told, |_| Some(now));
            told
        };
        pass.entrance.changed.notify_waiters();
        if let Some(wait) = told {
            self.tell(&Event::Throttled { origin: url.origin().ascii_serialization(), wait });
        }
    }

    /// Returns what the answers of an origin have shown.
    pub(crate) fn shown(&self, of: &Url) -> Shown {
        let entrance = locked(&self.origins).get(&of.origin()).cloned();
        entrance.map_or_else(Shown::default, |entrance| locked(&entrance.known).shown)
    }

    /// An origin has answered something else where a range was asked for.
    pub(crate) fn refused_range(&self, at: &Url) {
        locked(&self.entrance(at.origin()).known).shown.ranges = Ranges::Refused;
    }

    fn tell(&self, event: &Event) {
        let observers: Vec<_> = locked(&self.observers).iter().filter_map(Weak::upgrade).collect();
        for observer in observers {
            observer(event);
        }
    }

    fn entrance(&self, origin: Origin) -> Arc<Entrance> {
        let mut origins = locked(&self.origins);
        if origins.len() >= ORIGINS && !origins.contains_key(&origin) {
            origins.retain(|_, entrance| {
                Arc::strong_count(entrance) > 1 || !locked(&entrance.known).throttle.is_open()
            });
        }
        let made = || {
            let known = Known {
                throttle: Throttle::new(),
                refusal: None,
                told: None,
                broke: None,
                shown: Shown::default(),
            };
            Arc::new(Entrance { known: Mutex::new(known), changed: Notify::new() })
        };
        Arc::clone(origins.entry(origin).or_insert_with(made))
    }
}

impl Known {
    /// Tells whether the origin said last that it fails, and not that it limits the rate.
    fn is_failing(&self) -> bool {
        self.refusal.as_ref().is_some_and(|(status, _)| status.is_server_error())
    }

    fn last_refusal(&self) -> Response {
        let said = self.refusal.clone();
        let (status, headers) =
            said.unwrap_or_else(|| (StatusCode::TOO_MANY_REQUESTS, HeaderMap::new()));
        Response { status, headers, body: Box::new(Nothing) }
    }
}

impl Pass {
    /// Returns when something last broke that went to this origin.
    pub(crate) fn broke_at(&self) -> Option<Moment> {
        locked(&self.entrance.known).broke
    }

    /// An answer has begun after so long.
    pub(crate) fn answered(&self, took: Duration) {
        locked(&self.entrance.known).shown.answered(took);
    }

    /// The origin has taken the request.
    pub(crate) fn taken(&self) {
        locked(&self.entrance.known).throttle.taken(&self.ticket, Instant::now());
        self.entrance.changed.notify_waiters();
    }

    /// The request or its answer broke, or stands still.
    pub(crate) fn broke(&self) {
        locked(&self.entrance.known).broke = Some(Moment::now());
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        locked(&self.entrance.known).throttle.give_back(&self.ticket);
        self.entrance.changed.notify_waiters();
    }
}

/// Tells whether an answer says that its origin is to be left alone for a while.
pub(crate) fn is_refusal_for_now(status: StatusCode, headers: &HeaderMap) -> bool {
    is_waited_for(status, asked_wait(headers))
}

/// Tells whether the gate waits after this status and the time that its origin asked for. Who gets such an answer all the
/// same need not try again, unless it has a connection of its own.
pub(crate) fn is_waited_for(status: StatusCode, asked: Option<Duration>) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => asked.is_some(),
        _ => false,
    }
}

/// Tells whether a request may be sent again that was answered so. What the gate has waited for to no end is not.
pub(crate) fn retry_of(status: StatusCode, headers: &HeaderMap) -> Retry {
    if is_refusal_for_now(status, headers) { Retry::No } else { retry(status.as_u16()) }
}

/// The body of an answer that holds the pass of its request.
pub(crate) struct Passed {
    body: Box<dyn Body>,
    pass: Option<Pass>,
    /// Since when a piece is waited for.
    waits_since: Option<Instant>,
    stall_timeout: Duration,
}

impl Passed {
    pub(crate) fn new(body: Box<dyn Body>, pass: Pass, stall_timeout: Duration) -> Self {
        Self { body, pass: Some(pass), waits_since: None, stall_timeout }
    }
}

impl Body for Passed {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        self.waits_since.get_or_insert_with(Instant::now);
        Box::pin(async {
            let piece = self.body.chunk().await;
            self.waits_since = None;
            match (&piece, &self.pass) {
                (Ok(Some(_)), _) => {}
                (Err(_), Some(pass)) => {
                    pass.broke();
                    self.pass = None;
                }
                (Ok(None) | Err(_), _) => self.pass = None,
            }
            piece
        })
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        let waited = self.waits_since.map(|since| since.elapsed());
        if let (Some(pass), Some(waited)) = (&self.pass, waited)
            && waited >= self.stall_timeout
        {
            pass.broke();
        }
    }
}

struct Nothing;

impl Body for Nothing {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

fn prolonged(asked: Duration) -> Duration {
    asked + (asked / JITTER).mul_f64(fastrand::f64())
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
