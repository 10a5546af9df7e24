//! Receiving content from the Xet store instead of the hub's own address.
//!
//! The bytes go the way of an HTTP body: written, hashed and verified by the same code. What fails is tried once more and
//! then left to the ordinary GET, which goes on from the bytes that are here.

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use hubstow_cache::disk::failure::with_causes;
use hubstow_core::{
    hub::Retry,
    name::{Commit, Repo},
};

use super::{
    custody::Custody,
    decide::ContentSource,
    fetch::{Fetch, Tell},
    meter::Meter,
    verdict::Verdict,
    writer::{Place, Writer},
};
use crate::http::{
    session::Http,
    xet::{StoreFailure, XetAccess, XetAsked, XetGrant, XetStream},
};

/// How many stall timeouts may pass between two pieces. A piece comes when up to 64 MB of it are here, and files wait for
/// each other's buffers; a connection that stands still is noticed much earlier, by the store's client itself.
const PIECE_STALLS: u32 = 30;

/// Says where a file is received from first: the store is asked for what it has under a hash, when size and hash of the
/// whole will tell whether it is right.
pub(crate) fn source(http: &Http, fetch: &Fetch<'_>) -> ContentSource {
    let metadata = fetch.metadata;
    let is_known = metadata.size.is_some_and(|size| size > 0)
        && fetch.is_hashed()
        && metadata.xet_hash.as_deref().is_some_and(is_hash);
    if is_known && http.xet.is_some() { ContentSource::XetStore } else { ContentSource::Hub }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Receives what is missing.
///
/// # Errors
/// How it ended instead.
pub(crate) async fn receive(
    http: &Http,
    fetch: &Fetch<'_>,
    staged: &mut Custody,
    tell: Tell<'_>,
) -> Result<(), Verdict> {
    let (have, size) = (staged.received_bytes(), fetch.metadata.size.unwrap_or(0));
    let stream = open(http, fetch, have..size).await.map_err(Verdict::Store)?;
    let mut writer = Writer::start(staged, Some(size.saturating_sub(have)), &http.room)?;
    let mut meter = Meter::new(http, fetch.file, tell);
    let received = receive_stream(http, stream, &mut writer, &mut meter).await;
    drop(meter);
    writer.end().await?;
    received.map_err(Verdict::Store)?;
    match staged.received_bytes() {
        received if received >= size => Ok(()),
        // The store may end a stream before it says why.
        received => Err(Verdict::Store(StoreFailure::Short { received, size })),
    }
}

/// The next try asks for a new token.
pub(crate) async fn forget(http: &Http, fetch: &Fetch<'_>) {
    if let Some(xet) = &http.xet {
        xet.grants.lock().await.forget(&key(fetch));
    }
}

/// The file is fetched from the hub from now on. A store that might have gone better is left alone for a while.
pub(crate) async fn leave(http: &Http, fetch: &Fetch<'_>, failure: &StoreFailure) {
    let file = fetch.file;
    if let StoreFailure::Closed(cause) = failure {
        tracing::debug!(%file, %cause, "fetching from the hub's own address");
    } else {
        tracing::warn!(%file, cause = %with_causes(failure), "fetching from the hub's own address instead");
    }
    if failure.retry() == Retry::Yes
        && let Some(xet) = &http.xet
    {
        xet.grants.lock().await.close(key(fetch), failure);
    }
}

async fn open(
    http: &Http,
    fetch: &Fetch<'_>,
    range: Range<u64>,
) -> Result<Box<dyn XetStream>, StoreFailure> {
    let Some(xet) = &http.xet else {
        return Err(StoreFailure::Closed("there is no Xet store".to_owned()));
    };
    let scratch = xet.scratch()?;
    let grant = granted(http, xet, fetch).await?;
    let hash = fetch.metadata.xet_hash.as_deref().unwrap_or_default().to_ascii_lowercase();
    let asked = XetAsked { grant: &grant, hash: &hash, range, scratch };
    Ok(xet.store.open(asked).await?)
}

/// Returns what opens the store, and asks the hub for it once for all files of a commit.
async fn granted(
    http: &Http,
    xet: &XetAccess,
    fetch: &Fetch<'_>,
) -> Result<Arc<XetGrant>, StoreFailure> {
    // One asks and the others wait for what comes of it.
    let mut grants = xet.grants.lock().await;
    if let Some(grant) = grants.get(&key(fetch))? {
        return Ok(grant);
    }
    match http.grant(fetch.repo, &fetch.metadata.commit).await {
        Ok(grant) => {
            let grant = Arc::new(grant);
            grants.granted(key(fetch), &grant);
            Ok(grant)
        }
        Err(failure) => {
            if failure.retry() == Retry::No {
                grants.close(key(fetch), &failure);
            }
            Err(failure)
        }
    }
}

fn key(fetch: &Fetch<'_>) -> (Repo, Commit) {
    (fetch.repo.clone(), fetch.metadata.commit.clone())
}

async fn receive_stream(
    http: &Http,
    mut stream: Box<dyn XetStream>,
    writer: &mut Writer<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), StoreFailure> {
    while let Some(piece) = next_piece(http, &mut *stream).await? {
        meter.received(piece.len() as u64).map_err(|_| StoreFailure::Slow)?;
        if !writer.write(Place::Next, piece).await {
            break;
        }
    }
    Ok(())
}

async fn next_piece(
    http: &Http,
    stream: &mut dyn XetStream,
) -> Result<Option<Bytes>, StoreFailure> {
    let patience = http.stall_timeout() * PIECE_STALLS;
    match tokio::time::timeout(patience, stream.piece()).await {
        Ok(piece) => {
            let piece = piece?;
            http.pay(piece.as_ref().map_or(0, |piece| piece.len() as u64)).await;
            Ok(piece)
        }
        Err(_) => Err(StoreFailure::Silent(patience.as_secs())),
    }
}
