//! One answer that is to be received, and what reading it piece by piece takes, on however many connections.

use std::time::Duration;

use bytes::Bytes;

use super::{
    fetch::{Fetch, Tell},
    verdict::{Cause, Verdict},
};
use crate::http::{
    address::{Address, transport},
    session::Http,
    transport::Body,
};

/// One answer that is to be received.
#[derive(Clone)]
pub(crate) struct Transfer<'a> {
    pub(crate) http: &'a Http,
    pub(crate) fetch: &'a Fetch<'a>,
    /// Where it came from in the end.
    pub(crate) from: Address,
    /// The most connections that it may be split over.
    pub(crate) connections: usize,
    pub(crate) tell: Tell<'a>,
    /// How long it took to the answer.
    pub(crate) delay: Duration,
}

/// Receives the next piece of a body; `None` at its end.
///
/// # Errors
/// A body that breaks, or stands still for too long.
pub(crate) async fn next_piece(
    http: &Http,
    from: &Address,
    body: &mut dyn Body,
) -> Result<Option<Bytes>, Verdict> {
    match tokio::time::timeout(http.stall_timeout(), body.chunk()).await {
        Ok(Ok(Some(piece))) => {
            http.pay(piece.len() as u64).await;
            Ok(Some(piece))
        }
        Ok(Ok(None)) => Ok(None),
        Ok(Err(error)) => Err(transport(&from.url, error).into()),
        Err(_) => Err(Verdict::Broke(Cause::Silent(http.stall_timeout().as_secs()))),
    }
}
