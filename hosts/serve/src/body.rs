//! A part of some content as the body of an answer.
//!
//! It holds one piece at most of what arrives, and two of a file, and asks for more only when the client has taken it. Where the
//! content fails, the connection is broken off: the length was announced, so no client takes what it has for the whole. Content that
//! grew is cut there.

use std::{
    fmt,
    fs::File,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    piece::Pieces,
    stats::OpenFile,
    upstream::{Arriving, BoxFuture},
};

/// The most bytes of a piece of what arrives.
const CHUNK_BYTES: u64 = 256 * 1024;

/// The bytes of some content from one offset to another.
pub(crate) struct ContentBody {
    content: Content,
    sent_to: u64,
    end: u64,
}

/// Where content is read from.
enum Content {
    File { pieces: Pieces, _counted: OpenFile },
    Arriving { from: Arc<dyn Arriving>, reading: Option<BoxFuture<'static, io::Result<Bytes>>> },
}

impl Content {
    /// Reads what is at an offset: up to so many bytes.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (at, most_bytes): (u64, u64),
    ) -> Poll<io::Result<Bytes>> {
        match self {
            Self::File { pieces, .. } => pieces.poll(cx, (at, most_bytes)),
            Self::Arriving { from, reading } => {
                let read = || Arc::clone(from).read(at, CHUNK_BYTES.min(most_bytes));
                let read = ready!(reading.get_or_insert_with(read).as_mut().poll(cx));
                *reading = None;
                Poll::Ready(read)
            }
        }
    }
}

impl ContentBody {
    /// Makes a body of `len_bytes` of a file from `start`; nothing is read before it is polled.
    pub(crate) fn of_file(file: File, start: u64, len_bytes: u64, counted: OpenFile) -> Self {
        let content = Content::File { pieces: Pieces::of(file), _counted: counted };
        Self::new(content, start, len_bytes)
    }

    /// Makes a body of `len_bytes` of what arrives from `start`; nothing is waited for before it is polled.
    pub(crate) fn of_arriving(from: Arc<dyn Arriving>, start: u64, len_bytes: u64) -> Self {
        Self::new(Content::Arriving { from, reading: None }, start, len_bytes)
    }

    fn new(content: Content, start: u64, len_bytes: u64) -> Self {
        Self { content, sent_to: start, end: start.saturating_add(len_bytes) }
    }
}

impl Body for ContentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let (at, left) = (self.sent_to, self.end - self.sent_to);
        let read = ready!(self.content.poll(cx, (at, left)));
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

impl fmt::Debug for ContentBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ContentBody");
        shown.field("sent_to", &self.sent_to).field("end", &self.end).finish_non_exhaustive()
    }
}
