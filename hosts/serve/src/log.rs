//! A bounded record of the requests that a running server has received, for callers that count them.
//!
//! A request is recorded when it arrives and its status when the answer begins, so one that is never answered is seen
//! too. The value of an `Authorization` header is not kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, header},
    middleware::Next,
    response::Response,
};

/// The most requests that are kept; older ones are dropped.
const LIMIT: usize = 10_000;

/// A request that a running server has received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// The path with its query, percent-encoded as it was received.
    pub path: String,
    /// The status of the answer; `None` while there is none.
    pub status: Option<u16>,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `Host` header: which of its names the server was called by.
    pub host: Option<String>,
    /// Whether the request carried an `Authorization` header.
    pub authorized: bool,
}

impl RecordedRequest {
    fn of(request: &Request) -> Self {
        let text = |name: &HeaderName| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            method: request.method().to_string(),
            path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            status: None,
            range: text(&header::RANGE),
            host: text(&header::HOST),
            authorized: request.headers().contains_key(header::AUTHORIZATION),
        }
    }
}

#[derive(Debug, Default)]
struct Records {
    /// The number of requests that are not in `recent` any more.
    dropped: usize,
    recent: VecDeque<RecordedRequest>,
}

/// The record of one server; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Records>>);

impl Log {
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.records().recent.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let mut records = self.records();
        records.dropped += records.recent.len();
        records.recent.clear();
    }

    /// Records a request and returns its number.
    fn arrived(&self, request: RecordedRequest) -> usize {
        let mut records = self.records();
        if records.recent.len() >= LIMIT {
            records.recent.pop_front();
            records.dropped += 1;
        }
        records.recent.push_back(request);
        records.dropped + records.recent.len() - 1
    }

    fn answered(&self, number: usize, status: u16) {
        let mut records = self.records();
        let at = number.checked_sub(records.dropped);
        if let Some(record) = at.and_then(|at| records.recent.get_mut(at)) {
            record.status = Some(status);
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer that records.
pub(crate) async fn record(State(log): State<Log>, request: Request, next: Next) -> Response {
    let number = log.arrived(RecordedRequest::of(&request));
    let response = next.run(request).await;
    log.answered(number, response.status().as_u16());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_a_late_status_finds_its_request() {
        let log = Log::default();
        let request = || RecordedRequest::of(&Request::new(axum::body::Body::empty()));
        let first = log.arrived(request());
        for _ in 1..LIMIT {
            log.arrived(request());
        }
        let last = log.arrived(request());
        log.answered(first, 200);
        log.answered(last, 404);
        let requests = log.requests();
        assert_eq!(requests.len(), LIMIT);
        assert_eq!(requests.iter().filter_map(|at| at.status).collect::<Vec<_>>(), [404]);
        log.clear();
        log.answered(last, 500);
        assert_eq!(log.requests(), []);
    }
}
