//! The seam to the Xet store: how content is received from there, and what is known of the store of each commit.
//!
//! The store's requests go past [`Transport`](super::transport::Transport). It is trusted with nothing: its bytes are
//! hashed like any others. INVARIANT (I23): it gets a token of its own, never the hub's.

use std::{
    collections::HashMap,
    error::Error as StdError,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::StatusCode;
use hubstow_cache::disk::failure::with_causes;
use hubstow_core::{
    hub::{Retry, retry},
    layout::RepoLayout,
    name::{Commit, Repo},
};
use tokio::{
    runtime::{self, Handle},
    sync::Mutex,
};

use crate::{
    api::config::{Config, Token, Xet},
    http::{
        address::NoAnswer,
        transport::{BoxFuture, TransportError},
    },
};

/// A token that is good for less than this is not used for another file.
const EXPIRY_MARGIN_S: u64 = 60;
/// After so long a store that could not be used is tried again.
const CLOSED_S: u64 = 300;

/// Receives content from a Xet store.
///
/// Whoever implements it promises: the grant's token goes to the grant's address and nowhere else, and no other token is
/// asked for; nothing is read from the environment, kept in a cache or reported; and what is made in the scratch folder is
/// removed again. What is kept for a grant may be given up as soon as nobody else holds the grant.
///
/// ```
/// use bytes::Bytes;
/// use hubstow_client::{BoxFuture, XetAsked, XetStore, XetStoreError, XetStream};
///
/// /// A store that has nothing.
/// struct Empty;
///
/// impl XetStore for Empty {
///     fn open<'a>(
///         &'a self,
///         asked: XetAsked<'a>,
///     ) -> BoxFuture<'a, Result<Box<dyn XetStream>, XetStoreError>> {
///         let missing = format!("{} has no {}", asked.grant.url(), asked.hash);
///         Box::pin(async { Err(XetStoreError::Lasting(missing.into())) })
///     }
/// }
/// ```
pub trait XetStore: Send + Sync {
    /// Opens a stream of the bytes asked for.
    ///
    /// # Errors
    /// A store that can't be reached, or has not got them.
    fn open<'a>(
        &'a self,
        asked: XetAsked<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn XetStream>, XetStoreError>>;
}

/// Bytes on their way from the store.
///
/// ```
/// use bytes::Bytes;
/// use hubstow_client::{BoxFuture, XetStoreError, XetStream};
///
/// /// Bytes that are here already.
/// struct Whole(Option<Bytes>);
///
/// impl XetStream for Whole {
///     fn piece(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, XetStoreError>> {
///         let next = self.0.take();
///         Box::pin(async { Ok(next) })
///     }
/// }
/// ```
pub trait XetStream: Send {
    /// Returns the next piece; `None` at the end.
    ///
    /// # Errors
    /// A transfer that breaks.
    fn piece(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, XetStoreError>>;
}

/// What is asked of the store.
///
/// ```
/// use hubstow_client::XetAsked;
///
/// fn told(asked: &XetAsked<'_>) -> String {
///     format!("bytes {:?} of {} from {}", asked.range, asked.hash, asked.grant.url())
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct XetAsked<'a> {
    /// Where the store is and what opens it. Files of one commit come with the same grant.
    pub grant: &'a Arc<XetGrant>,
    /// What the store knows the file by, in lower case.
    pub hash: &'a str,
    /// The bytes, up to the end of the file.
    pub range: Range<u64>,
    /// Where private files may be made, by a name of their own. It need not exist, and is no link.
    pub scratch: &'a Path,
}

/// Where a store is, and what it lets us read with until when. It does not show its token.
///
/// ```
/// use hubstow_client::XetGrant;
///
/// fn header(grant: &XetGrant, now_s: u64) -> Option<String> {
///     (grant.expires_s() > now_s).then(|| format!("Bearer {}", grant.reveal_token()))
/// }
///
/// fn told(grant: &XetGrant) -> &str {
///     grant.url()
/// }
/// ```
#[derive(Debug)]
pub struct XetGrant {
    pub(crate) url: String,
    pub(crate) token: Token,
    /// In seconds since 1970.
    pub(crate) expires_s: u64,
}

impl XetGrant {
    /// Returns the address of the store.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the store's token itself.
    #[must_use]
    pub fn reveal_token(&self) -> &str {
        self.token.reveal()
    }

    /// Returns until when the token is good, in seconds since 1970.
    #[must_use]
    pub fn expires_s(&self) -> u64 {
        self.expires_s
    }
}

/// Why a store gave nothing, or not all.
///
/// ```
/// use hubstow_client::XetStoreError;
///
/// let error = XetStoreError::Passing("the store is busy".into());
/// assert_eq!(error.to_string(), "the store is busy");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XetStoreError {
    /// It may go better next time.
    #[error(transparent)]
    Passing(Box<dyn StdError + Send + Sync>),
    /// It would go the same way again.
    #[error(transparent)]
    Lasting(Box<dyn StdError + Send + Sync>),
}

/// Why the Xet store brought nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the hub answered {0} when asked for a token of the Xet store")]
    NotGranted(StatusCode),
    #[error("no token of the Xet store came in time")]
    GrantLate,
    #[error(transparent)]
    GrantBroke(#[from] TransportError),
    #[error("the hub's answer about the Xet store can't be read")]
    GrantUnreadable,
    #[error("the hub's token of the Xet store is none")]
    NoToken,
    #[error("the hub has no address for a token of the Xet store")]
    NoAddress(#[source] crate::Error),
    #[error("`{}` is a link", .0.display())]
    ScratchIsLink(PathBuf),
    #[error(transparent)]
    Store(#[from] XetStoreError),
    #[error("nothing came from the Xet store for {0} s")]
    Silent(u64),
    #[error("the Xet store is too slow")]
    Slow,
    #[error("the Xet store ended at {received} of {size} bytes")]
    Short { received: u64, size: u64 },
    /// It has failed before, which was said then.
    #[error("{0}")]
    Closed(String),
}

impl StoreFailure {
    /// Tells whether it may go better next time.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::NoAnswer(NoAnswer::Transport { .. })
            | Self::GrantLate
            | Self::GrantBroke(_)
            | Self::Store(XetStoreError::Passing(_))
            | Self::Silent(_)
            | Self::Slow
            | Self::Short { .. } => Retry::Yes,
            Self::NotGranted(status) => retry(status.as_u16()),
            Self::NoAnswer(
                NoAnswer::Redirected { .. } | NoAnswer::Unset(_) | NoAnswer::Undecided { .. },
            )
            | Self::GrantUnreadable
            | Self::NoToken
            | Self::NoAddress(_)
            | Self::ScratchIsLink(_)
            | Self::Store(XetStoreError::Lasting(_))
            | Self::Closed(_) => Retry::No,
        }
    }
}

/// What is known of the store of a commit, until then.
#[derive(Debug)]
enum Known {
    Granted { grant: Arc<XetGrant>, until_s: u64 },
    Closed { cause: String, until_s: u64 },
}

impl Known {
    fn until_s(&self) -> u64 {
        match self {
            Self::Granted { until_s, .. } | Self::Closed { until_s, .. } => *until_s,
        }
    }
}

/// Whose store it is.
type Key = (Repo, Commit);

/// What is known of the store of each commit. A program that goes on in another runtime begins anew: what was learned of
/// the line there may come from the end of the first one.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    runtime: Option<runtime::Id>,
    known: HashMap<Key, Known>,
}

impl Grants {
    /// Returns what opens the store of a commit; `None` when the hub must be asked for it.
    ///
    /// # Errors
    /// A store that is to be left alone for a while.
    pub(crate) fn get(&mut self, of: &Key) -> Result<Option<Arc<XetGrant>>, StoreFailure> {
        let (now_s, runtime) = (now_s(), Handle::try_current().ok().map(|runtime| runtime.id()));
        if self.runtime != runtime {
            self.runtime = runtime;
            self.known.clear();
        }
        self.known.retain(|_, known| known.until_s() > now_s);
        match self.known.get(of) {
            Some(Known::Granted { grant, .. }) => Ok(Some(Arc::clone(grant))),
            Some(Known::Closed { cause, .. }) => Err(StoreFailure::Closed(cause.clone())),
            None => Ok(None),
        }
    }

    /// Remembers what the hub has granted. A token whose time is over serves the file that it was asked for.
    pub(crate) fn granted(&mut self, to: Key, grant: &Arc<XetGrant>) {
        let until_s = grant.expires_s.saturating_sub(EXPIRY_MARGIN_S);
        self.known.insert(to, Known::Granted { grant: Arc::clone(grant), until_s });
    }

    /// The next file asks for a new token.
    pub(crate) fn forget(&mut self, of: &Key) {
        self.known.remove(of);
    }

    /// The store is left alone for a while.
    pub(crate) fn close(&mut self, of: Key, failure: &StoreFailure) {
        let (cause, until_s) = (with_causes(failure), now_s() + CLOSED_S);
        self.known.insert(of, Known::Closed { cause, until_s });
    }
}

/// The Xet store of a client that has one.
pub(crate) struct XetAccess {
    pub(crate) store: Arc<dyn XetStore>,
    /// Whoever asks the hub holds it, and the others wait for what comes of it.
    pub(crate) grants: Mutex<Grants>,
    /// Where files are placed.
    root: PathBuf,
    /// A folder below it for private files, of which there are none when nothing runs.
    scratch: PathBuf,
}

impl XetAccess {
    /// Makes it where there is a store that may be used.
    pub(crate) fn new(config: &Config, store: Option<Arc<dyn XetStore>>) -> Option<Self> {
        let store = store.filter(|_| config.xet == Xet::On)?;
        let (root, private) = match &config.local_dir {
            Some(local) => (local.clone(), RepoLayout::local().private()),
            None => (config.cache_dir.clone(), RepoLayout::probe_folder()),
        };
        let scratch = root.join(private.as_str());
        Some(Self { store, grants: Mutex::default(), root, scratch })
    }

    /// Returns the folder for the store's private files. INVARIANT (I15): no folder is made beyond a link.
    ///
    /// # Errors
    /// A link on the way there.
    pub(crate) fn scratch(&self) -> Result<&Path, StoreFailure> {
        let mut inside = self.scratch.ancestors().take_while(|folder| **folder != self.root);
        match inside.find(|folder| is_link(folder)) {
            Some(link) => Err(StoreFailure::ScratchIsLink(link.to_owned())),
            None => Ok(&self.scratch),
        }
    }
}

fn is_link(path: &Path) -> bool {
    let found: io::Result<_> = path.symlink_metadata();
    found.is_ok_and(|found| found.is_symlink())
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use hubstow_core::name::{RepoId, RepoKind};

    use super::*;

    fn key() -> Key {
        let id = RepoId::parse("org/name").unwrap();
        let commit = Commit::parse("0123456789abcdef0123456789abcdef01234567").unwrap();
        (Repo::new(RepoKind::Model, id), commit)
    }

    fn grant(expires_s: u64) -> Arc<XetGrant> {
        let token = Token::new("of_the_store").unwrap();
        Arc::new(XetGrant { url: "https://store".to_owned(), token, expires_s })
    }

    #[test]
    fn a_grant_is_kept_as_long_as_it_is_good_for_another_file() {
        for (left_s, kept) in [(EXPIRY_MARGIN_S + 30, true), (EXPIRY_MARGIN_S, false), (0, false)] {
            let mut grants = Grants::default();
            grants.granted(key(), &grant(now_s() + left_s));
            assert_eq!(grants.get(&key()).unwrap().is_some(), kept, "{left_s} s are left");
        }
    }

    #[test]
    fn a_closed_store_says_why_and_is_not_tried_again() {
        let mut grants = Grants::default();
        grants.granted(key(), &grant(u64::MAX));
        grants.close(key(), &StoreFailure::Slow);
        let failure = grants.get(&key()).unwrap_err();
        assert_eq!(failure.to_string(), StoreFailure::Slow.to_string());
        assert_eq!(failure.retry(), Retry::No);
        grants.forget(&key());
        assert!(grants.get(&key()).unwrap().is_none());
    }

    #[test]
    fn a_grant_does_not_show_its_token() {
        let shown = format!("{:?}", grant(0));
        assert!(!shown.contains("of_the_store"), "{shown}");
    }

    /// A link anywhere below the root could lead what the store makes out of it.
    #[cfg(unix)]
    #[test]
    fn no_folder_is_given_beyond_a_link() {
        struct Nothing;
        impl XetStore for Nothing {
            fn open<'a>(
                &'a self,
                _asked: XetAsked<'a>,
            ) -> BoxFuture<'a, Result<Box<dyn XetStream>, XetStoreError>> {
                Box::pin(std::future::ready(Err(XetStoreError::Lasting("nothing is here".into()))))
            }
        }
        let (cache, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = Config::new(cache.path());
        let access = XetAccess::new(&config, Some(Arc::new(Nothing))).unwrap();
        assert!(access.scratch().unwrap().ends_with(".locks/.hubstow"), "nothing is there yet");
        std::os::unix::fs::symlink(elsewhere.path(), cache.path().join(".locks")).unwrap();
        let failure = access.scratch().unwrap_err();
        assert!(matches!(failure, StoreFailure::ScratchIsLink(_)), "{failure}");
        let off = Config { xet: Xet::Off, ..config };
        assert!(XetAccess::new(&off, Some(Arc::new(Nothing))).is_none());
    }
}
