//! What each connection of the hub pays for what it sends, and how it ends.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    task::Poll,
};

use tokio::{net::TcpStream, time::Instant};

use crate::{
    line::{End, Fate, Line},
    throttle::{PIECE_BYTES, Pace, Throttled, Toll},
};

/// The toll of one connection: it has a rate of its own and a share of that of all, and ends as it is its fate.
pub(crate) struct Fated {
    line: Arc<Line>,
    fate: Fate,
    sent_bytes: u64,
    pace: Pace,
}

/// Throttles a connection as the line behaves now.
pub(crate) fn throttled(stream: TcpStream, line: Arc<Line>) -> Throttled<Fated> {
    let fate = line.accept();
    Throttled::new(stream, Fated { line, fate, sent_bytes: 0, pace: Pace::new() })
}

impl Toll for Fated {
    fn poll_room(&mut self) -> Poll<io::Result<usize>> {
        let left = match self.fate.end {
            None => u64::MAX,
            Some(end) => match (end, end.after_bytes().saturating_sub(self.sent_bytes)) {
                (End::Dies(_), 0) => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                // Nobody wakes it again.
                (End::Stalls(_), 0) => return Poll::Pending,
                (End::Dies(_) | End::Stalls(_), left) => left,
            },
        };
        let is_free = self.fate.rate == 0 && self.fate.rate_of_all == 0;
        let room = if is_free { usize::MAX } else { PIECE_BYTES };
        Poll::Ready(Ok(room.min(usize::try_from(left).unwrap_or(usize::MAX))))
    }

    fn pay(&mut self, sent_bytes: u64, now: Instant) -> Instant {
        self.sent_bytes += sent_bytes;
        self.line.count(sent_bytes);
        let own = self.pace.pay(sent_bytes, self.fate.rate, now);
        own.max(self.line.all.pay(sent_bytes, self.fate.rate_of_all, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
                let mut server = throttled(stream, Arc::clone(&line));
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
