//! Reading the whole body of an answer that is no content: a listing, a token.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::http::{
    address::{Address, NoAnswer, transport},
    transport::{Response, TransportError, TransportErrorKind},
};

/// In each window of this length so much must come, or the body counts as standing still: else a hub could send a byte now
/// and then for ever.
const WINDOW: Duration = Duration::from_secs(30);
const WINDOW_BYTES: usize = 1 << 10;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    NoAnswer(NoAnswer),
    TooLong,
}

/// Reads a body; nothing may come for no longer than the stall timeout.
pub(crate) async fn whole(
    from: &Address,
    mut answer: Response,
    limit_bytes: usize,
    stall_timeout: Duration,
) -> Result<Vec<u8>, Unread> {
    let stands_still = |what: String| {
        let error = TransportError::new(TransportErrorKind::Timeout, what);
        Err(Unread::NoAnswer(transport(&from.url, error)))
    };
    let mut body = Vec::new();
    let mut window = (Instant::now(), 0);
    loop {
        match timeout(stall_timeout, answer.body.chunk()).await {
            Ok(Ok(None)) => return Ok(body),
            Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
            Ok(Err(error)) => return Err(Unread::NoAnswer(transport(&from.url, error))),
            Err(_) => {
                return stands_still(format!("nothing came for {} s", stall_timeout.as_secs()));
            }
        }
        if body.len() > limit_bytes {
            return Err(Unread::TooLong);
        }
        let (begin, before) = window;
        if begin.elapsed() >= WINDOW {
            if body.len() < before + WINDOW_BYTES {
                let span = WINDOW.as_secs();
                return stands_still(format!("less than {WINDOW_BYTES} bytes came in {span} s"));
            }
            window = (Instant::now(), body.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use hubstow_cache::disk::failure::with_causes;
    use url::Url;

    use super::*;
    use crate::http::{
        address::TokenUse,
        transport::{Body, BoxFuture},
    };

    /// A body that sends so many bytes at a time, each time after a while, and so many times.
    struct Drip {
        bytes: usize,
        every: Duration,
        left: usize,
    }

    impl Body for Drip {
        fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
            Box::pin(async {
                tokio::time::sleep(self.every).await;
                self.left -= 1;
                Ok((self.left > 0).then(|| vec![b' '; self.bytes].into()))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_as_long_as_it_moves() {
        for (bytes, every_s, times, expected) in [
            (1_000, 9, 100, Ok(100_000)),
            (1, 9, 1_000, Err("less than 1024 bytes came in 30 s")),
            (1_000, 11, 10, Err("nothing came for 10 s")),
            (1_000, 0, 1_001, Err("too long")),
            (1_000, 0, 1_000, Ok(1_000_000)),
        ] {
            let every = Duration::from_secs(every_s);
            let body = Box::new(Drip { bytes, every, left: times + 1 });
            let answer = Response { status: StatusCode::OK, headers: HeaderMap::new(), body };
            let url = Url::parse("http://hub/").unwrap();
            let from = Address { url, token: TokenUse::Send };
            let read = whole(&from, answer, 1_000_000, Duration::from_secs(10)).await;
            match (read, expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read.len(), expected),
                (Err(Unread::TooLong), Err("too long")) => {}
                (Err(Unread::NoAnswer(error)), Err(cause)) => {
                    let told = with_causes(&error);
                    assert!(told.contains(cause), "{told}");
                }
                (read, expected) => panic!("{:?} instead of {expected:?}", read.map(|b| b.len())),
            }
        }
    }
}
