//! Bodies, whole or in the way a fault sends them.

#![expect(clippy::wildcard_enum_match_arm, reason = "few of the faults are about the pace")]

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use anyhow::Result;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;

use super::fault::Fault;

/// How a body is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// The size of the pieces, and the wait before each.
    pub(crate) drip: Option<(usize, Duration)>,
    /// Where the body stops, and how.
    pub(crate) stop: Option<(usize, Stop)>,
}

/// How a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The connection breaks.
    Cut,
    /// Nothing comes any more.
    Stall,
}

/// How long a broken connection stays open, so that what was sent arrives before it breaks.
const FLUSH: Duration = Duration::from_millis(100);
/// The pieces of a body that nothing slows down.
const PIECE: usize = 64 << 10;

impl Pace {
    /// Adds what a fault says about the pace.
    pub(crate) fn with(mut self, fault: &Fault) -> Self {
        match fault {
            Fault::CutBody { after } => self.stop = Some((*after, Stop::Cut)),
            Fault::Stall { after } => self.stop = Some((*after, Stop::Stall)),
            Fault::Drip { bytes, every_ms } => {
                self.drip = Some((*bytes, Duration::from_millis(*every_ms)));
            }
            _ => {}
        }
        self
    }
}

/// Reads a body to its end.
pub(crate) async fn whole(body: Body) -> Result<Vec<u8>> {
    Ok(body.collect().await?.to_bytes().to_vec())
}

/// Makes a body that is sent at a pace; `sending` is held until it is sent or given up.
pub(crate) fn paced(bytes: Vec<u8>, pace: Pace, sending: Arc<()>) -> Body {
    let end = pace.stop.map_or(bytes.len(), |(at, _)| at.min(bytes.len()));
    let (piece, wait) = pace.drip.unwrap_or((PIECE, Duration::ZERO));
    // The pieces share what counts once.
    let (bytes, sending) = (Bytes::from(bytes), Arc::new(sending));
    Body::from_stream(stream::unfold(0, move |at| {
        let (bytes, sending) = (bytes.clone(), Arc::clone(&sending));
        async move {
            let _sending = sending;
            if at < end {
                tokio::time::sleep(wait).await;
                let next = (at + piece).min(end);
                return Some((Ok(bytes.slice(at..next)), next));
            }
            match pace.stop {
                None => None,
                Some((_, Stop::Stall)) => match std::future::pending::<Infallible>().await {},
                Some((_, Stop::Cut)) => {
                    tokio::time::sleep(FLUSH).await;
                    Some((Err(io::Error::other("the connection breaks here")), at))
                }
            }
        }
    }))
}
