//! The node: what stands between a hub and its clients.

use std::{fmt, sync::Arc, sync::atomic::Ordering, time::Duration};

use hubstow_client::{Config, Error, Parts, care::room::RoomRules};
use hubstow_core::hub::Endpoint;
use hubstow_serve::{
    BoxFuture, FileAsked, PassAsked, Passed, PulledFile, Refusal, Upstream, UpstreamCounts,
};
use tokio::sync::Semaphore;

use hubstow_tier::Tier;

use crate::{
    answers::Answers,
    away::Away,
    callers::{Callers, unrandom},
    counting::Counts,
    fills::Fills,
    kept::Kept,
    limits::{LOOKUP_FOR, REWRITTEN},
    memory::Memory,
    room::Rooms,
    tier::{Readings, TierRules, Tiers},
    turns::Turns,
};

/// What stands between a hub and its clients. Clones are the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) callers: Callers,
    pub(crate) memory: Memory,
    pub(crate) fills: Arc<Fills>,
    pub(crate) rooms: Rooms,
    pub(crate) tiers: Tiers,
    pub(crate) kept: Kept,
    pub(crate) answers: Answers,
    /// Whoever rewrites an answer has one.
    pub(crate) rewriting: Semaphore,
    pub(crate) turns: Turns,
    pub(crate) away: Away,
    pub(crate) counts: Arc<Counts>,
}

impl Node {
    /// Makes a node of settings, which say where the hub and the cache directory are, and of the parts of a host. Nothing is sent,
    /// looked at or written yet. Of several endpoints each is asked when those before it are away or fail, with the same tokens.
    ///
    /// Where the settings have a token it goes upstream whoever asks, so whoever can ask the node has that token's access; without
    /// one everybody's own token does.
    ///
    /// # Errors
    /// A cache directory that can't be reached, or a system without randomness.
    pub fn new(mut config: Config, parts: Parts) -> Result<Self, Error> {
        // While somebody waits here, nobody waits for long there.
        config.lookup_timeout = config.lookup_timeout.min(LOOKUP_FOR);
        config.throttle_patience = config.throttle_patience.min(LOOKUP_FOR);
        let counts = Arc::<Counts>::default();
        let endpoints = config.endpoints().cloned().collect();
        let random = getrandom::u64().map_err(|error| unrandom(&error))?;
        let readings = Readings::new(random);
        let callers = Callers::new(config, parts, &counts, &readings)?;
        let memory = Memory::new(callers.anonymous().key);
        let (kept, turns, away) = (Kept::default(), Turns::default(), Away::default());
        let (rooms, tiers) = (Rooms::default(), Tiers::new(&readings));
        let fills = Fills::new(&counts, &rooms, &tiers);
        let (answers, rewriting) = (Answers::default(), Semaphore::new(REWRITTEN));
        let inner = Inner {
            endpoints,
            callers,
            memory,
            fills,
            rooms,
            tiers,
            kept,
            answers,
            rewriting,
            turns,
            away,
            counts,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Keeps the cache directory within bounds: what is fetched makes room first, from what was used least recently. It is
    /// looked at now, and then by [`tend`](Self::tend). Said once; what is said after that has no effect.
    pub fn keep_within(&self, rules: RoomRules) {
        self.0.rooms.set(self.0.callers.anonymous().hub.cache().room(rules));
    }

    /// Shares content with other nodes by a tier: what it has comes from there, and what it has not is put there once it was
    /// fetched. Said once; what is said after that has no effect. The tier is used once it was [checked](Self::check_tier).
    pub fn share(&self, tier: Tier, rules: TierRules) {
        self.0.tiers.set(tier, rules);
    }

    /// Looks whether the tier is one, where there is any; one that can't be reached is used when it is there.
    ///
    /// # Errors
    /// What a person has to mend: the store lacks what a tier needs, or does not let the node in.
    pub async fn check_tier(&self) -> Result<(), hubstow_tier::Error> {
        match self.0.tiers.member() {
            Some(member) => member.check().await,
            None => Ok(()),
        }
    }

    /// Looks after the tier for as long as it is awaited; at once over where there is none.
    pub async fn tend_tier(&self) {
        if let Some(member) = self.0.tiers.member() {
            member.tend(&self.0.callers.anonymous().hub).await;
        }
    }

    /// Ends the node's part in the tier, when nobody asks it any more: what is still being put has so long, and is given up then.
    pub async fn leave_tier(&self, grace: Duration) {
        if let Some(member) = self.0.tiers.member() {
            member.finish(grace).await;
        }
    }

    /// Looks after the cache directory from time to time, for as long as it is awaited; at once over where nothing bounds it.
    pub async fn tend(&self) {
        self.0.rooms.tend().await;
    }

    /// Looks after the cache directory once, as is due before the end: what was used is written down.
    pub async fn tend_once(&self) {
        self.0.rooms.tend_once().await;
    }
}

impl Upstream for Node {
    fn file(&self, asked: FileAsked) -> BoxFuture<'_, Result<PulledFile, Refusal>> {
        Box::pin(self.0.file(asked))
    }

    fn pass(&self, asked: PassAsked) -> BoxFuture<'_, Result<Passed, Refusal>> {
        Box::pin(self.0.pass(asked))
    }

    fn counts(&self) -> UpstreamCounts {
        let Counts { requests, received_bytes, fills_done, fills_failed, waits, stale } =
            &*self.0.counts;
        let mut counts = UpstreamCounts::default();
        counts.fills_running = self.0.fills.busy() as u64;
        counts.fills_done = fills_done.load(Ordering::Relaxed);
        counts.fills_failed = fills_failed.load(Ordering::Relaxed);
        counts.requests = requests.load(Ordering::Relaxed);
        counts.received_bytes = received_bytes.load(Ordering::Relaxed);
        counts.waits = waits.load(Ordering::Relaxed);
        counts.stale = stale.load(Ordering::Relaxed);
        counts.disk = self.0.rooms.disk();
        counts.tier = self.0.tiers.counts();
        counts
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<&str> = self.0.endpoints.iter().map(Endpoint::as_str).collect();
        f.debug_struct("Node").field("endpoints", &endpoints).finish_non_exhaustive()
    }
}
