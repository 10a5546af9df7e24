//! A body that counts what of it was taken, and says so when it is done with: sent, broken off or given up.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

type AtEnd = Box<dyn FnOnce(u64) + Send>;

/// A body that is counted.
pub(crate) struct Counted {
    body: Body,
    sent_bytes: u64,
    at_end: Option<AtEnd>,
}

impl Counted {
    /// Counts a body, and tells its bytes once at the end.
    pub(crate) fn new(body: Body, at_end: impl FnOnce(u64) + Send + 'static) -> Self {
        Self { body, sent_bytes: 0, at_end: Some(Box::new(at_end)) }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.sent_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(at_end) = self.at_end.take() {
            at_end(self.sent_bytes);
        }
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("sent_bytes", &self.sent_bytes).finish_non_exhaustive()
    }
}
