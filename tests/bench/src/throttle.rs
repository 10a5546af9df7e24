//! A connection whose sending side is counted, has a rate of its own and a share of that of all, however many answers it
//! carries, and ends as it is its fate.

use std::{
    future::Future as _,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use crate::line::{End, Fate, Line};

/// How much of its rate a connection may save up: more than the grain of the timer, and too little to matter.
const BURST: Duration = Duration::from_millis(5);
/// The most that is sent at once where there is a rate.
const PIECE_BYTES: usize = 64 << 10;

/// A connection.
pub(crate) struct Throttled {
    stream: TcpStream,
    line: Arc<Line>,
    fate: Fate,
    sent_bytes: u64,
    /// When what was sent so far is sent at the rate of this connection.
    paid_until: Instant,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Throttled {
    /// Throttles a connection as the line behaves now.
    pub(crate) fn new(stream: TcpStream, line: Arc<Line>) -> Self {
        // Otherwise the body of a small file waits until the client has acknowledged its head.
        drop(stream.set_nodelay(true));
        let fate = line.accept();
        Self { stream, line, fate, sent_bytes: 0, paid_until: Instant::now(), wait: None }
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
        let left = match self.fate.end {
            None => u64::MAX,
            Some(end) => match (end, end.after_bytes().saturating_sub(self.sent_bytes)) {
                (End::Dies(_), 0) => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                // Nobody wakes it again.
                (End::Stalls(_), 0) => return Poll::Pending,
                (End::Dies(_) | End::Stalls(_), left) => left,
            },
        };
        let free = self.fate.rate == 0 && self.fate.rate_of_all == 0;
        let limit = if free { usize::MAX } else { PIECE_BYTES };
        let limit = limit.min(usize::try_from(left).unwrap_or(usize::MAX));
        let sent = ready!(send(Pin::new(&mut self.stream), cx, limit))? as u64;
        self.sent_bytes += sent;
        self.line.count(sent);
        if !free {
            let now = Instant::now();
            let until =
                self.pay(sent, now).max(self.line.all.pay(sent, self.fate.rate_of_all, now));
            if until > now {
                self.wait = Some(Box::pin(tokio::time::sleep_until(until)));
            }
        }
        Poll::Ready(Ok(usize::try_from(sent).unwrap_or(usize::MAX)))
    }

    /// Pays for what was sent just now by this connection's own rate, and returns when it is through.
    fn pay(&mut self, sent_bytes: u64, now: Instant) -> Instant {
        if let Some(nanos) = (sent_bytes * 1_000_000_000).checked_div(self.fate.rate) {
            let from = now.checked_sub(BURST).map_or(now, |earliest| self.paid_until.max(earliest));
            self.paid_until = from + Duration::from_nanos(nanos);
        }
        self.paid_until
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::control::{Behaviour, Breaks};

    /// Sends 800 kB over each of some connections in pieces of 100 kB, and returns what each brought and when all ended.
    fn send_over(connections: usize, behaviour: Behaviour) -> (Vec<usize>, Duration, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let line = Arc::new(Line::default());
            line.set(behaviour);
            let begin = Instant::now();
            let mut receiving = Vec::new();
            for _ in 0..connections {
                let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let mut server = Throttled::new(stream, Arc::clone(&line));
                tokio::spawn(async move {
                    for _ in 0..8 {
                        server.write_all(&[7; 100_000]).await?;
                    }
                    io::Result::Ok(())
                });
                receiving.push(tokio::spawn(async move {
                    let mut received = Vec::new();
                    let reading = client.read_to_end(&mut received);
                    // A connection that stalls does not end.
                    drop(tokio::time::timeout(Duration::from_secs(2), reading).await);
                    assert!(received.iter().all(|byte| *byte == 7));
                    received.len()
                }));
            }
            let mut received = Vec::new();
            for task in receiving {
                received.push(task.await.unwrap());
            }
            (received, begin.elapsed(), line.take_sent())
        })
    }

    #[test]
    fn a_connection_keeps_its_rate_over_all_that_it_sends() {
        let (received, spent, sent) =
            send_over(1, Behaviour { rate: 4_000_000, ..Behaviour::default() });
        assert_eq!((received, sent), (vec![800_000], 800_000));
        // The last piece is sent before it is paid for, and the first ones from what was saved up.
        assert!(spent >= Duration::from_millis(170), "800 kB at 4 MB/s in {spent:?}");
    }

    #[test]
    fn connections_share_the_rate_of_all() {
        let behaviour = Behaviour { rate_of_all: 8_000_000, ..Behaviour::default() };
        let (received, spent, _) = send_over(4, behaviour);
        assert_eq!(received, [800_000; 4]);
        assert!(spent >= Duration::from_millis(340), "3.2 MB at 8 MB/s in {spent:?}");
    }

    #[test]
    fn a_connection_dies_where_it_is_to() {
        let breaks = Breaks::DiesAfter { bytes: 250_000 };
        let (received, ..) = send_over(2, Behaviour { breaks, ..Behaviour::default() });
        assert_eq!(received, [250_000; 2]);
    }
}
