//! A hub that answers out of memory, and gives everybody else a turn before each answer and each piece of it.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use hubstow_client::{Body, BoxFuture, Request, Response, Transport, TransportError};
use sha2::{Digest as _, Sha256};

/// The commit that every revision means.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// How much of a body comes at once.
const PIECE_BYTES: usize = 256 << 10;

/// Whether the hub gives parts of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    On,
    Off,
}

/// A hub with one model.
pub(crate) struct ScriptedHub {
    files: BTreeMap<String, Bytes>,
    ranges: Ranges,
    /// Whether it can't be reached.
    pub(crate) is_away: AtomicBool,
    /// The content that is sent instead of the next file's.
    pub(crate) wrong: Mutex<Option<Bytes>>,
    /// How often it was asked for chosen paths, of which it knows nothing.
    pub(crate) asked_for_paths: AtomicUsize,
    /// How many milliseconds each answer takes to begin.
    pub(crate) delay_ms: AtomicU64,
    /// How many requests for one file may be sent at once.
    pub(crate) connections: AtomicUsize,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: AtomicUsize,
}

impl ScriptedHub {
    pub(crate) fn new(files: BTreeMap<String, Bytes>, ranges: Ranges) -> Self {
        Self {
            files,
            ranges,
            is_away: AtomicBool::new(false),
            wrong: Mutex::default(),
            asked_for_paths: AtomicUsize::new(0),
            delay_ms: AtomicU64::new(0),
            connections: AtomicUsize::new(1),
            in_flight: Arc::default(),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    /// Returns how many answers there were at once at most, from the request to the end of the body.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }

    fn answer(&self, request: &Request) -> (StatusCode, HeaderMap, Bytes) {
        let path = request.url.path();
        let json = |text: String| (StatusCode::OK, HeaderMap::new(), Bytes::from(text));
        if path.contains("/revision/") {
            json(format!(r#"{{"sha":"{COMMIT}"}}"#))
        } else if path.contains("/tree/") {
            let entries: Vec<_> =
                self.files.iter().map(|(name, content)| entry(name, content)).collect();
            json(format!("[{}]", entries.join(",")))
        } else if path.contains("/paths-info/") {
            self.asked_for_paths.fetch_add(1, Ordering::SeqCst);
            (StatusCode::NOT_FOUND, HeaderMap::new(), Bytes::new())
        } else {
            self.file(request)
        }
    }

    fn file(&self, request: &Request) -> (StatusCode, HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        };
        set("x-repo-commit", COMMIT.to_owned());
        let name = request.url.path().splitn(6, '/').nth(5).unwrap_or_default();
        let Some(content) = self.files.get(name) else {
            set("x-error-code", "EntryNotFound".to_owned());
            return (StatusCode::NOT_FOUND, headers, Bytes::new());
        };
        let etag = format!("\"{}\"", hash(content));
        set("etag", etag.clone());
        let asked = |name| request.headers.get(name).map(|value| value.to_str().unwrap());
        if asked(header::IF_NONE_MATCH) == Some(&etag) {
            return (StatusCode::NOT_MODIFIED, headers, Bytes::new());
        }
        let range = asked(header::RANGE).filter(|_| self.ranges == Ranges::On);
        let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        if let Some((start, last)) = range {
            let (start, all): (usize, usize) = (start.parse().unwrap(), content.len());
            let last = last.parse().unwrap_or(all - 1);
            set("content-range", format!("bytes {start}-{last}/{all}"));
            set("content-length", (last + 1 - start).to_string());
            return (StatusCode::PARTIAL_CONTENT, headers, content.slice(start..=last));
        }
        set("content-length", content.len().to_string());
        let is_get = request.method == Method::GET;
        let wrong = if is_get { self.wrong.lock().unwrap().take() } else { None };
        let body = if is_get { wrong.unwrap_or_else(|| content.clone()) } else { Bytes::new() };
        (StatusCode::OK, headers, body)
    }
}

fn entry(name: &str, content: &Bytes) -> String {
    let (size, oid) = (content.len(), hash(content));
    format!(
        r#"{{"type":"file","path":"{name}","size":{size},"oid":"{COMMIT}","lfs":{{"oid":"{oid}","size":{size}}}}}"#
    )
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Transport for ScriptedHub {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            turn().await;
            let delay = Duration::from_millis(self.delay_ms.load(Ordering::SeqCst));
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            if self.is_away.load(Ordering::SeqCst) {
                return Err(TransportError::new(
                    hubstow_client::TransportErrorKind::Other,
                    "it is away",
                ));
            }
            let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_in_flight.fetch_max(now, Ordering::SeqCst);
            let (status, headers, left) = self.answer(&request);
            let body = Box::new(Pieces { left, in_flight: Arc::clone(&self.in_flight) });
            Ok(Response::new(status, headers, body))
        })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

struct Pieces {
    left: Bytes,
    in_flight: Arc<AtomicUsize>,
}

impl Body for Pieces {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async {
            turn().await;
            let piece = self.left.split_to(self.left.len().min(PIECE_BYTES));
            Ok((!piece.is_empty()).then_some(piece))
        })
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives everybody else a turn.
async fn turn() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
