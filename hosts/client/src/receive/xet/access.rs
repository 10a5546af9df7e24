//! The sessions and connections of `hf-xet`: one group for each repo and commit, as long as its token is good.
//!
//! `hf-xet` reads no environment, keeps no cache, logs into no file and reports nothing. It makes empty folders for
//! uploads, which are removed as soon as a group has been made. INVARIANT (I23): it gets the store's token, never the
//! hub's, and no address to fetch another one from.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue, header::USER_AGENT};
use hubstow_core::{
    hub::Retry,
    layout::RepoLayout,
    name::{Commit, Nonce, Repo},
};
use tokio::{runtime, sync::Mutex};
use xet::xet_session::{XetConfig, XetDownloadStreamGroup, XetSession, XetSessionBuilder};

use super::{super::fetch::Fetch, store::Trouble};
use crate::lookup::xet_token::Grant;
use crate::{
    api::config::{Config, Xet},
    http::session::Http,
};

/// A token that is good for less than this is not used for another file.
const EXPIRY_MARGIN_S: u64 = 60;
/// After so long a store that could not be used is tried again.
const CLOSED_S: u64 = 300;
/// How much all files together may hold of what has not been written yet: one file has [`BUFFER_BYTES`] and
/// [`FILE_BUFFER_BYTES`], each further one the latter.
const BUFFER_LIMIT_BYTES: u64 = 256 << 20;
const BUFFER_BYTES: u64 = 128 << 20;
const FILE_BUFFER_BYTES: u64 = 32 << 20;
/// How much of a file is planned at once. What occurs in it twice is held in between.
const PLAN_BYTES: u64 = 64 << 20;
/// How much is planned ahead: a plan takes little room, and planning takes a request.
const PLAN_AHEAD_BYTES: u64 = 256 << 20;

/// What is known of the stores.
pub(crate) struct Cas {
    allowed: Xet,
    user_agent: String,
    stall_timeout: Duration,
    /// Where files are placed.
    root: PathBuf,
    /// A folder below it for private files, of which there are none when nothing runs.
    folder: PathBuf,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    session: Option<Session>,
    stores: HashMap<(Repo, Commit), Store>,
}

/// A session of `hf-xet`; it belongs to the runtime in which it was made.
#[derive(Clone)]
struct Session {
    runtime: runtime::Id,
    xet: XetSession,
    /// The folder that it makes its own in.
    folder: PathBuf,
}

/// What is known of the store of a commit, until then.
enum Store {
    Usable { group: XetDownloadStreamGroup, until_s: u64 },
    Closed { cause: String, until_s: u64 },
}

impl Store {
    fn until_s(&self) -> u64 {
        match self {
            Self::Usable { until_s, .. } | Self::Closed { until_s, .. } => *until_s,
        }
    }
}

impl Cas {
    pub(crate) fn new(config: &Config) -> Self {
        let (root, private) = match &config.local_dir {
            Some(local) => (local.clone(), RepoLayout::local().private()),
            None => (config.cache_dir.clone(), RepoLayout::probe_folder()),
        };
        Self {
            allowed: config.xet,
            user_agent: config.user_agent.clone(),
            stall_timeout: config.stall_timeout,
            folder: root.join(private.as_str()),
            root,
            open: Mutex::default(),
        }
    }

    pub(crate) fn allowed(&self) -> Xet {
        self.allowed
    }

    /// The next file asks for a new token and connects anew.
    pub(crate) async fn forget(&self, fetch: &Fetch<'_>) {
        self.open.lock().await.stores.remove(&key(fetch));
    }

    /// The store is left alone for a while.
    pub(crate) async fn close(&self, fetch: &Fetch<'_>, cause: &str) {
        let closed = Store::Closed { cause: cause.to_owned(), until_s: now_s() + CLOSED_S };
        self.open.lock().await.stores.insert(key(fetch), closed);
    }

    fn session(&self, open: &mut Open) -> Result<Session, Trouble> {
        let runtime = runtime::Handle::current().id();
        if let Some(session) = open.session.as_ref().filter(|session| session.runtime == runtime) {
            return Ok(session.clone());
        }
        open.stores.clear();
        // `hf-xet` can't be given a provider; one that the program has installed stays.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let folder = self.folder.join(format!("{}.tmp", Nonce::from_bits(fastrand::u128(..))));
        let xet = XetSessionBuilder::new_with_config(settings(self.stall_timeout))
            .with_cache_dir(&folder)
            .build()?;
        let session = Session { runtime, xet, folder };
        open.session = Some(session.clone());
        Ok(session)
    }

    async fn group(
        &self,
        session: &Session,
        grant: &Grant,
    ) -> Result<XetDownloadStreamGroup, Trouble> {
        // INVARIANT (I15): no folder is made beyond a link.
        let inside = self.folder.ancestors().take_while(|folder| **folder != self.root);
        if let Some(link) = inside.into_iter().find(|folder| folder.is_symlink()) {
            return Err(Trouble::lasting(format!("`{}` is a link", link.display())));
        }
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&self.user_agent) {
            headers.insert(USER_AGENT, value);
        }
        let group = session
            .xet
            .new_download_stream_group()?
            .with_endpoint(&grant.url)
            .with_custom_headers(headers)
            // The store says when a token is not good any more; this machine's clock may be wrong.
            .with_token_info(grant.token.reveal(), u64::MAX)
            .build()
            .await;
        self.remove(&session.folder);
        Ok(group?)
    }

    /// Removes the empty folders that were made for a group. They would do no harm.
    fn remove(&self, folder: &Path) {
        let removed = fs::remove_dir_all(folder).and_then(|()| fs::remove_dir(&self.folder));
        if let Err(error) = removed {
            tracing::trace!(folder = %folder.display(), %error, "not all was removed");
        }
    }
}

impl Http {
    /// Returns what streams of a commit's files are made with.
    pub(crate) async fn store(&self, fetch: &Fetch<'_>) -> Result<XetDownloadStreamGroup, Trouble> {
        // One asks and the others wait for what comes of it.
        let mut open = self.cas.open.lock().await;
        let session = self.cas.session(&mut open)?;
        let now_s = now_s();
        open.stores.retain(|_, store| store.until_s() > now_s);
        match open.stores.get(&key(fetch)) {
            Some(Store::Usable { group, .. }) => return Ok(group.clone()),
            Some(Store::Closed { cause, .. }) => {
                return Err(Trouble { told: true, ..Trouble::lasting(cause.clone()) });
            }
            None => {}
        }
        let grant = match self.grant(fetch).await {
            Ok(grant) => grant,
            Err(trouble) => {
                if trouble.retry == Retry::No {
                    let until_s = now_s + CLOSED_S;
                    let closed = Store::Closed { cause: trouble.cause.clone(), until_s };
                    open.stores.insert(key(fetch), closed);
                }
                return Err(trouble);
            }
        };
        let group = self.cas.group(&session, &grant).await?;
        let until_s = grant.expires_s.saturating_sub(EXPIRY_MARGIN_S);
        open.stores.insert(key(fetch), Store::Usable { group: group.clone(), until_s });
        Ok(group)
    }
}

fn key(fetch: &Fetch<'_>) -> (Repo, Commit) {
    (fetch.repo.clone(), fetch.metadata.commit.clone())
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
