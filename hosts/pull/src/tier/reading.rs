//! Reading from the tier as the engine reads from anywhere: by an address.
//!
//! The addresses are of a host that is nowhere, by a name that only this process knows, and each is good for one fill. Whatever is
//! wrong with the tier is a refusal, after which the engine asks the hub for what is still missing.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE},
};
use hubstow_client::{
    Body, BoxFuture, Request, Response, Transport, TransportError, TransportErrorKind,
};
use hubstow_core::name::Nonce;
use hubstow_tier::{Content, Object, ObjectId, Tier};
use tokio::time::timeout;
use url::Url;

use super::counts::Counts;
use crate::limits::ANSWER_FOR;

/// All that is being read from the tier.
pub(crate) struct Readings {
    /// Where it is read from.
    origin: Url,
    by_path: Mutex<HashMap<String, Arc<Reading>>>,
}

/// One object that is being read.
pub(crate) struct Reading {
    tier: Tier,
    id: ObjectId,
    object: Object,
    /// It could not be read to its end.
    has_failed: AtomicBool,
    counts: Arc<Counts>,
}

/// An address that is good as long as the value lives.
pub(crate) struct Lent {
    readings: Arc<Readings>,
    path: String,
    reading: Arc<Reading>,
}

impl Readings {
    /// Begins with nothing. Whoever does not know the random number can't name anything that is read here.
    pub(crate) fn new(random: u64) -> Arc<Self> {
        let text = format!("http://{}.tier.invalid/", Nonce::from_bits(random.into()));
        // A name of hexadecimal digits is one.
        let origin = Url::parse(&text).unwrap_or_else(|_| unreachable!("{text} is an address"));
        Arc::new(Self { origin, by_path: Mutex::default() })
    }

    /// Gives an object an address.
    pub(crate) fn lend(self: &Arc<Self>, reading: Reading) -> Lent {
        let reading = Arc::new(reading);
        let mut by_path = self.by_path();
        // A content may be read for two repos at once.
        let free = (0..).map(|number: u64| format!("/{}/{number}", reading.id));
        let path = free.into_iter().find(|path| !by_path.contains_key(path)).unwrap_or_default();
        by_path.insert(path.clone(), Arc::clone(&reading));
        Lent { readings: Arc::clone(self), path, reading }
    }

    fn by_path(&self) -> MutexGuard<'_, HashMap<String, Arc<Reading>>> {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    pub(crate) fn url(&self) -> Url {
        let mut url = self.readings.origin.clone();
        url.set_path(&self.path);
        url
    }

    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.readings.by_path().remove(&self.path);
    }
}

impl Reading {
    pub(crate) fn new(tier: &Tier, id: &ObjectId, object: Object, counts: &Arc<Counts>) -> Self {
        let (tier, id, counts) = (tier.clone(), id.clone(), Arc::clone(counts));
        Self { tier, id, object, has_failed: AtomicBool::new(false), counts }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    fn fail(&self, why: &dyn fmt::Display) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            tracing::info!(object = %self.id, %why, "what the tier does not give comes from upstream");
        }
    }

    /// Answers a request for all of it or for a range.
    async fn answer(self: Arc<Self>, range: Option<Range<u64>>) -> Response {
        if self.has_failed() {
            return refusal();
        }
        let asked = timeout(ANSWER_FOR, self.tier.get(&self.id, range.clone())).await;
        let content = match asked {
            Ok(Ok(Some(content))) if content.object().size_bytes == self.object.size_bytes => {
                content
            }
            Ok(Ok(Some(_))) => {
                self.fail(&"it has another size by now");
                return refusal();
            }
            Ok(Ok(None)) => {
                self.fail(&"it was taken away");
                return refusal();
            }
            Ok(Err(error)) => {
                self.fail(&error);
                return refusal();
            }
            Err(_) => {
                self.fail(&"the tier does not answer");
                return refusal();
            }
        };
        let (got, size) = (content.range(), self.object.size_bytes);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, got.end.saturating_sub(got.start).into());
        let mut status = StatusCode::OK;
        if range.is_some() {
            status = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {}-{}/{size}", got.start, got.end.saturating_sub(1));
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(CONTENT_RANGE, value);
            }
        }
        Response::new(status, headers, Box::new(Received { content, reading: self }))
    }
}

/// What ends the use of an address.
fn refusal() -> Response {
    Response::new(StatusCode::GONE, HeaderMap::new(), Box::new(Nothing))
}

struct Nothing;

impl Body for Nothing {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

struct Received {
    content: Content,
    reading: Arc<Reading>,
}

impl Body for Received {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async {
            match self.content.chunk().await {
                Ok(chunk) => {
                    let len = chunk.as_ref().map_or(0, Bytes::len) as u64;
                    self.reading.counts.received_bytes.fetch_add(len, Ordering::Relaxed);
                    Ok(chunk)
                }
                Err(error) => {
                    self.reading.fail(&error);
                    Err(TransportError::of(TransportErrorKind::Broken).caused_by(error))
                }
            }
        })
    }
}

/// A transport that reads addresses of the tier from there, and sends all other requests.
pub(crate) struct Tiered {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) readings: Arc<Readings>,
}

impl Transport for Tiered {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        if request.url.host_str() != self.readings.origin.host_str() {
            return self.transport.send(request);
        }
        let reading = self.readings.by_path().get(request.url.path()).map(Arc::clone);
        Box::pin(async move {
            let Some(reading) = reading else { return Ok(refusal()) };
            let range = asked_range(&request.headers, reading.object.size_bytes);
            Ok(reading.answer(range).await)
        })
    }

    fn connections(&self) -> usize {
        self.transport.connections()
    }
}

/// Reads `bytes=<first>-` and `bytes=<first>-<last>`, which is all that the engine asks for.
fn asked_range(headers: &HeaderMap, size: u64) -> Option<Range<u64>> {
    let (first, last) =
        headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let start = first.parse().ok()?;
    let end = last.parse().map_or(size, |last: u64| last.saturating_add(1)).min(size);
    Some(start..end)
}
