//! Receiving content from the Xet store (the CAS) instead of the hub's own address, through `hf-xet`.
//!
//! The bytes go the way of an HTTP body: written, hashed and verified by the same code, so the store is trusted with
//! nothing. What fails is tried once more and then left to the ordinary GET, which goes on from the bytes that are here.

use bytes::Bytes;
use hubstow_cache::staged::StagedFile;
use hubstow_core::{hub::Retry, name::ContentHash};
use xet::{
    XetError,
    xet_session::{XetDownloadStream, XetFileInfo},
};

use super::super::{
    fetch::{Attempt, Failed, Fetch, State, Tell, disk_error, mismatch_in},
    meter::Meter,
    writer::Writer,
};
use crate::{
    api::{config::Xet, error::ErrorKind},
    http::session::Http,
};

/// How often the store is asked again when it brought nothing new before it failed.
const RETRY_LIMIT: u32 = 1;
/// How many stall timeouts may pass between two pieces. A piece comes when up to 64 MB of it are here, and files wait for
/// each other's buffers; a connection that stands still is noticed much earlier, by `hf-xet` itself.
const PIECE_STALLS: u32 = 30;

/// Where content is received from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The Xet store.
    Store,
    /// The hub, and where it redirects to.
    Hub,
}

impl Way {
    /// The store is asked for what it has under a hash, when size and hash of the whole will tell whether it is right.
    pub(crate) fn of(http: &Http, fetch: &Fetch<'_>) -> Self {
        let metadata = fetch.metadata;
        let known = metadata.size.is_some_and(|size| size > 0)
            && metadata.etag.content_hash() != ContentHash::Opaque
            && metadata.xet_hash.as_deref().is_some_and(is_hash);
        match http.cas.allowed() {
            Xet::On if known => Self::Store,
            Xet::On | Xet::Off => Self::Hub,
        }
    }
}

pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Why the store brought nothing, or not all.
pub(crate) struct Trouble {
    pub(crate) cause: String,
    /// Whether it may go better next time.
    pub(crate) retry: Retry,
    /// Whether it has been warned of.
    pub(crate) told: bool,
}

impl Trouble {
    pub(crate) fn passing(cause: String) -> Self {
        Self { cause, retry: Retry::Yes, told: false }
    }

    pub(crate) fn lasting(cause: String) -> Self {
        Self { cause, retry: Retry::No, told: false }
    }
}

impl From<XetError> for Trouble {
    fn from(error: XetError) -> Self {
        let lasting = matches!(
            error,
            XetError::NotFound(_) | XetError::DataIntegrity(_) | XetError::Configuration(_)
        );
        let cause = error.to_string();
        if lasting { Self::lasting(cause) } else { Self::passing(cause) }
    }
}

impl Http {
    /// Receives what is missing from the store; `None` when the hub is to be asked from now on.
    pub(crate) async fn attempt_from_store(
        &self,
        fetch: &Fetch<'_>,
        staged: StagedFile,
        state: &mut State,
        tell: Tell<'_>,
    ) -> (StagedFile, Option<Result<Attempt, Failed>>) {
        let (have, size) = (staged.received_bytes(), fetch.metadata.size.unwrap_or(0));
        let opened = self.open_stream(fetch, have..size).await;
        let (staged, trouble) = match opened {
            Ok(stream) => {
                let mut writer = Writer::start(staged, Some(size.saturating_sub(have)));
                let mut meter = Meter::new(self, fetch.file, tell);
                let received = self.receive_stream(stream, &mut writer, &mut meter).await;
                drop(meter);
                match (writer.end().await, received) {
                    ((staged, Err(error)), _) => {
                        let attempt = match mismatch_in(&error) {
                            Some(mismatch) => Ok(Attempt::Wrong(mismatch)),
                            None => Err(Failed::Error(disk_error(fetch.file, error))),
                        };
                        return (staged, Some(attempt));
                    }
                    ((staged, Ok(())), Ok(())) if staged.received_bytes() >= size => {
                        return (staged, Some(Ok(Attempt::Ended)));
                    }
                    ((staged, Ok(())), Ok(())) => {
                        let received = staged.received_bytes();
                        let cause = format!("the Xet store ended at {received} of {size} bytes");
                        // `hf-xet` may end a stream before it says why.
                        (staged, Trouble::passing(cause))
                    }
                    ((staged, Ok(())), Err(trouble)) => (staged, trouble),
                }
            }
            Err(trouble) => (staged, trouble),
        };
        let again = self.after(fetch, staged.received_bytes(), state, trouble).await;
        (staged, again.map(Ok))
    }

    /// Says how the store is tried again after it has failed; `None` when it is not.
    async fn after(
        &self,
        fetch: &Fetch<'_>,
        received_bytes: u64,
        state: &mut State,
        trouble: Trouble,
    ) -> Option<Attempt> {
        let Trouble { cause, retry, told } = trouble;
        state.note_progress(received_bytes);
        if retry == Retry::Yes && state.retries < RETRY_LIMIT {
            self.cas.forget(fetch).await;
            let (kind, cause) =
                (ErrorKind::HubUnreachable, format!("{cause}: the Xet store failed"));
            return Some(Attempt::Passing { kind, cause, wait: None });
        }
        if told {
            tracing::debug!(file = %fetch.file, %cause, "fetching from the hub's own address");
        } else {
            tracing::warn!(file = %fetch.file, %cause, "fetching from the hub's own address instead");
        }
        if retry == Retry::Yes {
            self.cas.close(fetch, &cause).await;
        }
        (state.way, state.retries) = (Way::Hub, 0);
        None
    }

    async fn open_stream(
        &self,
        fetch: &Fetch<'_>,
        range: std::ops::Range<u64>,
    ) -> Result<XetDownloadStream, Trouble> {
        let group = self.store(fetch).await?;
        let hash = fetch.metadata.xet_hash.as_deref().unwrap_or_default().to_ascii_lowercase();
        let info = XetFileInfo::new(hash, range.end);
        Ok(group.download_stream(info, Some(range)).await?)
    }

    async fn receive_stream(
        &self,
        mut stream: XetDownloadStream,
        writer: &mut Writer,
        meter: &mut Meter<'_>,
    ) -> Result<(), Trouble> {
        while let Some(piece) = self.next_piece(&mut stream).await? {
            if meter.received(piece.len() as u64).is_err() {
                return Err(Trouble::passing("the Xet store is too slow".to_owned()));
            }
            if !writer.write(piece).await {
                break;
            }
        }
        Ok(())
    }

    async fn next_piece(&self, stream: &mut XetDownloadStream) -> Result<Option<Bytes>, Trouble> {
        let patience = self.stall_timeout() * PIECE_STALLS;
        match tokio::time::timeout(patience, stream.next()).await {
            Ok(piece) => Ok(piece?),
            Err(_) => {
                let cause = format!("nothing came from the Xet store for {} s", patience.as_secs());
                Err(Trouble::passing(cause))
            }
        }
    }
}
