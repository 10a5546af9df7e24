//! A part of some content as the body of an answer.
//!
//! It holds one piece at most, or two where the next is read ahead, and asks for more only when the client has taken it. Where the
//! content fails, the connection is broken off: the length was announced, so no client takes what it has for the whole. Content that
//! grew is cut there.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::spawn_blocking;

use crate::{
    stats::OpenFile,
    upstream::{Arriving, BoxFuture},
};

const CHUNK_BYTES: u64 = 256 * 1024;

/// When the next piece is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// While the client takes the one before it.
    Ahead,
    /// When the client wants it.
    OnDemand,
}

/// The bytes of some content from one offset to another.
pub(crate) struct ContentBody {
    content: Arc<dyn Arriving>,
    next: Next,
    sent_to: u64,
    end: u64,
    reading: Option<BoxFuture<'static, io::Result<Bytes>>>,
}

impl ContentBody {
    /// Makes a body of `len_bytes` of a file from `start`; nothing is read before it is polled.
    pub(crate) fn of_file(file: File, start: u64, len_bytes: u64, counted: OpenFile) -> Self {
        let content = Arc::new(Opened { file, _counted: counted });
        Self::new(content, Next::Ahead, start, len_bytes)
    }

    /// Makes a body of `len_bytes` of what arrives from `start`; nothing is waited for before it is polled.
    pub(crate) fn of_arriving(content: Arc<dyn Arriving>, start: u64, len_bytes: u64) -> Self {
        Self::new(content, Next::OnDemand, start, len_bytes)
    }

    fn new(content: Arc<dyn Arriving>, next: Next, start: u64, len_bytes: u64) -> Self {
        let end = start.saturating_add(len_bytes);
        Self { content, next, sent_to: start, end, reading: None }
    }

    fn read_next(&self) -> BoxFuture<'static, io::Result<Bytes>> {
        let most = CHUNK_BYTES.min(self.end - self.sent_to);
        Arc::clone(&self.content).read(self.sent_to, most)
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
        let left = self.end - self.sent_to;
        let mut reading = self.reading.take().unwrap_or_else(|| self.read_next());
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
                if self.next == Next::Ahead && !self.is_end_stream() {
                    self.reading = Some(self.read_next());
                }
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

/// A file that is read on the blocking threads, from when it is asked for.
#[derive(Debug)]
struct Opened {
    file: File,
    _counted: OpenFile,
}

impl Arriving for Opened {
    fn read(self: Arc<Self>, at: u64, most_bytes: u64) -> BoxFuture<'static, io::Result<Bytes>> {
        let reading = spawn_blocking(move || {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(at))?;
            let mut piece = Vec::new();
            let read = file.take(most_bytes).read_to_end(&mut piece)?;
            if read as u64 == most_bytes {
                Ok(piece.into())
            } else {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"))
            }
        });
        Box::pin(async { reading.await.map_err(io::Error::other).flatten() })
    }
}
