//! A part of a file as the body of an answer.
//!
//! It reads one chunk ahead on the blocking threads and holds at most two, however slow the client is. A file that
//! became shorter meanwhile breaks the connection off, and one that grew is cut: the length stays what was announced.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::stats::OpenFile;

const CHUNK_BYTES: u64 = 256 * 1024;

/// The bytes of a file from one offset to another.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: Arc<File>,
    sent_to: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    _counted: OpenFile,
}

impl FileBody {
    /// Makes a body of `len_bytes` from `start`; nothing is read before it is polled.
    pub(crate) fn new(file: File, start: u64, len_bytes: u64, counted: OpenFile) -> Self {
        let end = start.saturating_add(len_bytes);
        Self { file: Arc::new(file), sent_to: start, end, reading: None, _counted: counted }
    }

    fn read_next(&self) -> JoinHandle<io::Result<Bytes>> {
        let file = Arc::clone(&self.file);
        let (start, len) = (self.sent_to, CHUNK_BYTES.min(self.end - self.sent_to));
        spawn_blocking(move || {
            let mut file = file.as_ref();
            file.seek(SeekFrom::Start(start))?;
            let mut chunk = Vec::new();
            let read = file.take(len).read_to_end(&mut chunk)?;
            if read as u64 == len {
                Ok(chunk.into())
            } else {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"))
            }
        })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let mut reading = self.reading.take().unwrap_or_else(|| self.read_next());
        let Poll::Ready(joined) = Pin::new(&mut reading).poll(cx) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        Poll::Ready(Some(match joined.map_err(io::Error::other).flatten() {
            Ok(chunk) => {
                self.sent_to += chunk.len() as u64;
                if !self.is_end_stream() {
                    self.reading = Some(self.read_next());
                }
                Ok(Frame::data(chunk))
            }
            Err(error) => {
                tracing::error!(%error, "an answer was broken off");
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
