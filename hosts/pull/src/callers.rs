//! Who asks, told apart without keeping any token, and the hub as each of them is let in.
//!
//! A token is held by the connections of whoever has sent it, for as long as they are in use and a minute more. What is remembered
//! longer is remembered by a hash of it, with a key that this process has made and tells nobody.

use std::{path::Path, sync::Arc};

use hubstow_client::{Config, DiskOf, Error, ErrorKind, Hub, Parts, Token, Transport, XetStore};
use hubstow_core::{decide::Decider, facts::Reach};
use hubstow_serve::{Caller, Refusal};
use sha2::{Digest as _, Sha256};

use crate::{
    bounded::Bounded,
    counting::{Counting, Counts},
    limits::{CALLER_FOR, CALLERS},
    tier::{Readings, Tiered},
};

/// Who asks, as a hash of the token. It says nothing of the token to anybody who has not this process's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CallerKey([u8; 32]);

impl std::fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallerKey(…)")
    }
}

/// Who asks, and the hub as upstream lets that one in.
#[derive(Clone)]
pub(crate) struct KnownCaller {
    pub(crate) key: CallerKey,
    pub(crate) hub: Hub,
}

/// Whose token goes upstream.
enum Whose {
    /// The one of whoever asks.
    Callers,
    /// The node's own, whoever asks.
    Own,
}

/// All who ask.
pub(crate) struct Callers {
    config: Config,
    parts: SharedParts,
    whose: Whose,
    secret: [u8; 32],
    anonymous: KnownCaller,
    /// The cache directory alone, without upstream.
    offline: Hub,
    known: Bounded<CallerKey, Hub>,
}

/// The parts of a host, to be shared by the hubs of all callers.
struct SharedParts {
    decider: Arc<dyn Decider>,
    transport: Arc<dyn Transport>,
    disk: Arc<DiskOf>,
    workers: Arc<dyn hubstow_client::Workers>,
    descriptors: Option<usize>,
    store: Option<Arc<dyn XetStore>>,
}

/// The descriptors of a process are shared by as many hubs as are busy at once, most of which need few.
const SHARE_OF_DESCRIPTORS: usize = 8;
const FEW_DESCRIPTORS: usize = 64;

impl SharedParts {
    fn of(parts: Parts, counts: &Arc<Counts>, readings: &Arc<Readings>) -> Self {
        let counting = Counting { transport: parts.transport, counts: Arc::clone(counts) };
        let (transport, readings) = (Arc::new(counting), Arc::clone(readings));
        let share = |all: usize| (all / SHARE_OF_DESCRIPTORS).max(FEW_DESCRIPTORS);
        Self {
            decider: parts.decider,
            transport: Arc::new(Tiered { transport, readings }),
            disk: Arc::new(parts.disk),
            workers: parts.workers,
            descriptors: parts.descriptors.map(share),
            store: parts.store,
        }
    }

    fn hub(&self, config: Config) -> Result<Hub, Error> {
        let disk = Arc::clone(&self.disk);
        let disk: DiskOf = Box::new(move |directory: &Path| disk(directory));
        let mut parts = Parts::new(Arc::clone(&self.transport), disk, Arc::clone(&self.workers));
        parts.decider = Arc::clone(&self.decider);
        parts.descriptors = self.descriptors;
        parts.store.clone_from(&self.store);
        Hub::with_parts(config, parts)
    }
}

impl Callers {
    /// Makes the hubs of callers from these settings. A token among them is the node's own: it goes upstream whoever asks.
    pub(crate) fn new(
        config: Config,
        parts: Parts,
        counts: &Arc<Counts>,
        readings: &Arc<Readings>,
    ) -> Result<Self, Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| unrandom(&error))?;
        let parts = SharedParts::of(parts, counts, readings);
        let whose = if config.token.is_some() { Whose::Own } else { Whose::Callers };
        let hub = parts.hub(config.clone())?;
        let mut alone = config.clone();
        alone.reach = Reach::Offline;
        let offline = parts.hub(alone)?;
        let anonymous = KnownCaller { key: hashed(&secret, None), hub };
        let known = Bounded::new(CALLERS, CALLER_FOR);
        Ok(Self { config, parts, whose, secret, anonymous, offline, known })
    }

    /// Returns whoever asks without a token.
    pub(crate) fn anonymous(&self) -> &KnownCaller {
        &self.anonymous
    }

    /// Returns what looks into the cache directory and asks nobody.
    pub(crate) fn offline(&self) -> &Hub {
        &self.offline
    }

    /// Returns whoever asks.
    ///
    /// # Errors
    /// What can't be a token.
    pub(crate) fn known(&self, caller: &Caller) -> Result<KnownCaller, Refusal> {
        let (Some(token), Whose::Callers) = (caller.reveal_token(), &self.whose) else {
            return Ok(self.anonymous.clone());
        };
        let key = hashed(&self.secret, Some(token));
        let hub = match self.known.recall(&key, CALLER_FOR) {
            Some(hub) => hub,
            None => self.let_in(token)?,
        };
        self.known.learn(key, hub.clone());
        Ok(KnownCaller { key, hub })
    }

    fn let_in(&self, token: &str) -> Result<Hub, Refusal> {
        let token = Token::new(token)
            .map_err(|_| Refusal::new(401, "Invalid credentials in Authorization header"))?;
        let mut config = self.config.clone();
        config.token = Some(token);
        self.parts.hub(config).map_err(|error| {
            tracing::error!(%error, "a caller could not be let in");
            Refusal::new(500, "The cache directory of this server can't be reached")
        })
    }
}

/// Says that the system gives no randomness.
pub(crate) fn unrandom(error: &getrandom::Error) -> Error {
    let what = "the system gives no random bytes, without which callers can't be told apart";
    Error::new(ErrorKind::Other, what).caused_by(std::io::Error::from(*error))
}

fn hashed(secret: &[u8; 32], token: Option<&str>) -> CallerKey {
    let mut hasher = Sha256::new_with_prefix(secret);
    // Nobody's token is empty.
    hasher.update(token.unwrap_or_default());
    CallerKey(hasher.finalize().into())
}
