//! A connection whose sending side is counted and has a rate of its own, however many answers it carries.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

/// How much of its rate a connection may save up: more than the grain of the timer, and too little to matter.
const BURST: Duration = Duration::from_millis(5);
/// The most that is sent at once where there is a rate.
const PIECE_BYTES: usize = 64 << 10;

/// What all connections share.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Bytes per second and connection; 0 where nothing limits them.
    pub(crate) rate: AtomicU64,
    /// Bytes sent, heads of answers included.
    pub(crate) sent: AtomicU64,
}

/// A connection.
pub(crate) struct Throttled {
    stream: TcpStream,
    line: Arc<Line>,
    /// When what was sent so far is sent at the given rate.
    paid_until: Instant,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Throttled {
    /// Throttles a connection.
    pub(crate) fn new(stream: TcpStream, line: Arc<Line>) -> Self {
        // Otherwise the body of a small file waits until the client has acknowledged its head.
        drop(stream.set_nodelay(true));
        Self { stream, line, paid_until: Instant::now(), wait: None }
    }

    /// Sends by `send`, which is told how much it may send at most.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        send: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        let rate = self.line.rate.load(Relaxed);
        let limit = if rate == 0 { usize::MAX } else { PIECE_BYTES };
        let sent = ready!(send(Pin::new(&mut self.stream), cx, limit))?;
        self.line.sent.fetch_add(sent as u64, Relaxed);
        if let Some(nanos) = (sent as u64 * 1_000_000_000).checked_div(rate) {
            let now = Instant::now();
            let from = now.checked_sub(BURST).map_or(now, |earliest| self.paid_until.max(earliest));
            self.paid_until = from + Duration::from_nanos(nanos);
            if self.paid_until > now {
                self.wait = Some(Box::pin(tokio::time::sleep_until(self.paid_until)));
            }
        }
        Poll::Ready(Ok(sent))
    }
}

impl AsyncRead for Throttled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Throttled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream, cx, limit| {
            stream.poll_write(cx, buf.get(..limit).unwrap_or(buf))
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream, cx, limit| {
            let all: usize = bufs.iter().map(|buf| buf.len()).sum();
            match bufs.iter().find(|buf| !buf.is_empty()) {
                Some(first) if all > limit => {
                    stream.poll_write(cx, first.get(..limit).unwrap_or(first))
                }
                Some(_) | None => stream.poll_write_vectored(cx, bufs),
            }
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
