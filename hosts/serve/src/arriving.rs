//! Content that is still arriving, as the body of an answer.
//!
//! It holds one piece at most, and asks for the next only when the client has taken it. Where the content fails, the connection
//! is broken off: the length was announced, so no client takes what it has for the whole.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::upstream::{Arriving, BoxFuture};

const CHUNK_BYTES: u64 = 256 * 1024;

/// The bytes of arriving content from one offset to another.
pub(crate) struct ArrivingBody {
    content: Arc<dyn Arriving>,
    sent_to: u64,
    end: u64,
    reading: Option<BoxFuture<'static, io::Result<Bytes>>>,
}

impl ArrivingBody {
    /// Makes a body of `len_bytes` from `start`; nothing is waited for before it is polled.
    pub(crate) fn new(content: Arc<dyn Arriving>, start: u64, len_bytes: u64) -> Self {
        Self { content, sent_to: start, end: start.saturating_add(len_bytes), reading: None }
    }
}

impl Body for ArrivingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let left = self.end - self.sent_to;
        let mut reading = self
            .reading
            .take()
            .unwrap_or_else(|| Arc::clone(&self.content).read(self.sent_to, CHUNK_BYTES.min(left)));
        let Poll::Ready(read) = reading.as_mut().poll(cx) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        let read = read.and_then(|piece| match piece.len() as u64 {
            0 => Err(io::Error::other("no bytes came where some were promised")),
            len if len > left => Err(io::Error::other("more bytes came than were asked for")),
            _ => Ok(piece),
        });
        Poll::Ready(Some(match read {
            Ok(piece) => {
                self.sent_to += piece.len() as u64;
                Ok(Frame::data(piece))
            }
            Err(error) => {
                tracing::warn!(%error, "an answer was broken off");
                self.end = self.sent_to;
                Err(error)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.sent_to >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.sent_to)
    }
}

impl fmt::Debug for ArrivingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ArrivingBody");
        shown.field("sent_to", &self.sent_to).field("end", &self.end).finish_non_exhaustive()
    }
}
