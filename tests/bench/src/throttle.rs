//! A connection whose sending side is slowed down, however many answers it carries.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
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
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// What rules how a connection sends.
pub(crate) trait Toll: Unpin {
    /// Says how much may be sent at once; it is pending where nothing will ever be sent again.
    fn poll_room(&mut self) -> Poll<io::Result<usize>>;
    /// Takes note of what was sent just now, and returns when it is through.
    fn pay(&mut self, sent_bytes: u64, now: Instant) -> Instant;
}

/// A connection.
pub(crate) struct Throttled<T> {
    stream: TcpStream,
    toll: T,
    wait: Option<Pin<Box<Sleep>>>,
}

impl<T: Toll> Throttled<T> {
    /// Throttles a connection.
    pub(crate) fn new(stream: TcpStream, toll: T) -> Self {
        // Otherwise the body of a small file waits until the client has acknowledged its head.
        drop(stream.set_nodelay(true));
        Self { stream, toll, wait: None }
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
        let room = ready!(self.toll.poll_room())?;
        let sent = ready!(send(Pin::new(&mut self.stream), cx, room))?;
        let now = Instant::now();
        let until = self.toll.pay(sent as u64, now);
        if until > now {
            self.wait = Some(Box::pin(tokio::time::sleep_until(until)));
        }
        Poll::Ready(Ok(sent))
    }
}

/// When what one connection has sent is through, at a rate of its own.
pub(crate) struct Pace(Instant);

impl Pace {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// Pays for what was sent just now at so many bytes a second, and returns when it is through; at once where the rate is
    /// 0, which is no limit.
    pub(crate) fn pay(&mut self, sent_bytes: u64, rate: u64, now: Instant) -> Instant {
        if let Some(nanos) = (sent_bytes * 1_000_000_000).checked_div(rate) {
            let from = now.checked_sub(BURST).map_or(now, |earliest| self.0.max(earliest));
            self.0 = from + Duration::from_nanos(nanos);
        }
        self.0
    }
}

impl<T: Toll> AsyncRead for Throttled<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: Toll> AsyncWrite for Throttled<T> {
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
