//! The Xet store through `hf-xet`: one group of streams for each grant, as long as somebody holds the grant.
//!
//! `hf-xet` reads no environment, keeps no cache, logs into no file and reports nothing. It makes empty folders for
//! uploads, which are removed as soon as a group has been made. INVARIANT (I23): it gets the store's token, never the
//! hub's, and no address to fetch another one from.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::USER_AGENT};
use hubstow_client::{BoxFuture, Config, XetAsked, XetGrant, XetStore, XetStoreError, XetStream};
use hubstow_core::name::Nonce;
use tokio::{runtime, sync::Mutex};
use xet::{
    XetError,
    xet_session::{
        XetConfig, XetDownloadStream, XetDownloadStreamGroup, XetFileInfo, XetSession,
        XetSessionBuilder,
    },
};

/// How much all files together may hold of what has not been written yet: one file has [`BUFFER_BYTES`] and
/// [`FILE_BUFFER_BYTES`], each further one the latter.
const BUFFER_LIMIT_BYTES: u64 = 256 << 20;
const BUFFER_BYTES: u64 = 128 << 20;
const FILE_BUFFER_BYTES: u64 = 32 << 20;
/// How much of a file is planned at once. What occurs in it twice is held in between.
const PLAN_BYTES: u64 = 64 << 20;
/// How much is planned ahead: a plan takes little room, and planning takes a request.
const PLAN_AHEAD_BYTES: u64 = 256 << 20;

/// Receives content with `hf-xet`. Nothing of it is started before the first file is asked for.
pub(crate) struct HfXet {
    user_agent: String,
    stall_timeout: Duration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    session: Option<Session>,
    groups: Vec<(Weak<XetGrant>, XetDownloadStreamGroup)>,
}

/// A session of `hf-xet`; it belongs to the runtime in which it was made.
#[derive(Clone)]
struct Session {
    runtime: runtime::Id,
    xet: XetSession,
    /// The folder that it makes its own in.
    folder: PathBuf,
}

impl HfXet {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            user_agent: config.user_agent.clone(),
            stall_timeout: config.stall_timeout,
            open: Mutex::default(),
        }
    }

    /// Returns what streams are made with for whoever holds this grant.
    async fn group(&self, asked: &XetAsked<'_>) -> Result<XetDownloadStreamGroup, XetError> {
        // One connects and the others wait for what comes of it.
        let mut open = self.open.lock().await;
        let session = self.session(&mut open, asked.scratch)?;
        open.groups.retain(|(grant, _)| grant.strong_count() > 0);
        let theirs = Arc::downgrade(asked.grant);
        if let Some((_, group)) = open.groups.iter().find(|(grant, _)| grant.ptr_eq(&theirs)) {
            return Ok(group.clone());
        }
        let group = self.connect(&session, asked).await?;
        open.groups.push((theirs, group.clone()));
        Ok(group)
    }

    fn session(&self, open: &mut Open, scratch: &Path) -> Result<Session, XetError> {
        let runtime = runtime::Handle::current().id();
        if let Some(session) = open.session.as_ref().filter(|session| session.runtime == runtime) {
            return Ok(session.clone());
        }
        open.groups.clear();
        // `hf-xet` can't be given a provider; one that the program has installed stays.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let folder = scratch.join(format!("{}.tmp", Nonce::from_bits(fastrand::u128(..))));
        let xet = XetSessionBuilder::new_with_config(settings(self.stall_timeout))
            .with_cache_dir(&folder)
            .build()?;
        let session = Session { runtime, xet, folder };
        open.session = Some(session.clone());
        Ok(session)
    }

    async fn connect(
        &self,
        session: &Session,
        asked: &XetAsked<'_>,
    ) -> Result<XetDownloadStreamGroup, XetError> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&self.user_agent) {
            headers.insert(USER_AGENT, value);
        }
        let group = session
            .xet
            .new_download_stream_group()?
            .with_endpoint(asked.grant.url())
            .with_custom_headers(headers)
            // The store says when a token is not good any more; this machine's clock may be wrong.
            .with_token_info(asked.grant.reveal_token(), u64::MAX)
            .build()
            .await;
        remove(&session.folder, asked.scratch);
        group
    }

    async fn open_stream(&self, asked: XetAsked<'_>) -> Result<Box<dyn XetStream>, XetStoreError> {
        let group = self.group(&asked).await.map_err(sorted)?;
        let info = XetFileInfo::new(asked.hash.to_owned(), asked.range.end);
        let stream = group.download_stream(info, Some(asked.range)).await.map_err(sorted)?;
        Ok(Box::new(Stream(stream)))
    }
}

impl XetStore for HfXet {
    fn open<'a>(
        &'a self,
        asked: XetAsked<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn XetStream>, XetStoreError>> {
        Box::pin(self.open_stream(asked))
    }
}

struct Stream(XetDownloadStream);

impl XetStream for Stream {
    fn piece(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, XetStoreError>> {
        Box::pin(async { self.0.next().await.map_err(sorted) })
    }
}

/// Says whether it may go better next time.
fn sorted(error: XetError) -> XetStoreError {
    let is_lasting = matches!(
        error,
        XetError::NotFound(_) | XetError::DataIntegrity(_) | XetError::Configuration(_)
    );
    if is_lasting {
        XetStoreError::Lasting(error.into())
    } else {
        XetStoreError::Passing(error.into())
    }
}

/// Removes the empty folders that were made for a group. They would do no harm.
fn remove(folder: &Path, scratch: &Path) {
    let _ = fs::remove_dir_all(folder).and_then(|()| fs::remove_dir(scratch));
}

/// Makes the settings of `hf-xet`, from its defaults and not from the environment.
fn settings(stall_timeout: Duration) -> XetConfig {
    let mut config = XetConfig::default();
    config.telemetry.enabled = false;
    config.client.connect_timeout = stall_timeout;
    config.client.read_timeout = stall_timeout;
    config.client.retry_max_attempts = 2;
    config.client.retry_base_delay = Duration::from_millis(500);
    config.client.retry_max_duration = stall_timeout;
    config.reconstruction.download_buffer_size = BUFFER_BYTES.into();
    config.reconstruction.download_buffer_perfile_size = FILE_BUFFER_BYTES.into();
    config.reconstruction.download_buffer_limit = BUFFER_LIMIT_BYTES.into();
    config.reconstruction.min_reconstruction_fetch_size = PLAN_BYTES.into();
    config.reconstruction.max_reconstruction_fetch_size = PLAN_BYTES.into();
    config.reconstruction.min_prefetch_buffer = PLAN_AHEAD_BYTES.into();
    config
}
