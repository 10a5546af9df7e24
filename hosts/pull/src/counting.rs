//! A transport that counts what it sends and receives.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use hubstow_client::{Body, BoxFuture, Request, Response, Transport, TransportError};

/// What is counted of upstream.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) fills_done: AtomicU64,
    pub(crate) fills_failed: AtomicU64,
    pub(crate) waits: AtomicU64,
    pub(crate) stale: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A transport that counts.
pub(crate) struct Counting {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) counts: Arc<Counts>,
}

struct CountedBody {
    body: Box<dyn Body>,
    counts: Arc<Counts>,
}

impl Transport for Counting {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        count(&self.counts.requests);
        Box::pin(async {
            let mut response = self.transport.send(request).await?;
            let counts = Arc::clone(&self.counts);
            response.body = Box::new(CountedBody { body: response.body, counts });
            Ok(response)
        })
    }

    fn connections(&self) -> usize {
        self.transport.connections()
    }
}

impl Body for CountedBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async {
            let chunk = self.body.chunk().await?;
            let len = chunk.as_ref().map_or(0, Bytes::len) as u64;
            self.counts.received_bytes.fetch_add(len, Ordering::Relaxed);
            Ok(chunk)
        })
    }
}
