//! A line on which each connection has a rate of its own, which counts what is sent.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
};

use tokio::{net::TcpStream, time::Instant};

use super::throttle::{PIECE_BYTES, Pace, Throttled, Toll};

/// What all connections share.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Bytes per second and connection; 0 where nothing limits them.
    pub(crate) rate: AtomicU64,
    /// Bytes sent, heads of answers included.
    pub(crate) sent: AtomicU64,
}

/// The toll of one connection.
pub(crate) struct Rated {
    line: Arc<Line>,
    pace: Pace,
}

/// Throttles a connection.
pub(crate) fn throttled(stream: TcpStream, line: Arc<Line>) -> Throttled<Rated> {
    Throttled::new(stream, Rated { line, pace: Pace::new() })
}

impl Toll for Rated {
    fn poll_room(&mut self) -> Poll<io::Result<usize>> {
        let is_free = self.line.rate.load(Relaxed) == 0;
        Poll::Ready(Ok(if is_free { usize::MAX } else { PIECE_BYTES }))
    }

    fn pay(&mut self, sent_bytes: u64, now: Instant) -> Instant {
        self.line.sent.fetch_add(sent_bytes, Relaxed);
        self.pace.pay(sent_bytes, self.line.rate.load(Relaxed), now)
    }
}
