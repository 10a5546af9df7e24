//! The tier, where the node shares one with others: what they have brought is read from there, and what this one brings is put.
//!
//! A fill asks the disk, then the tier, then upstream. From the tier it comes as from anywhere: through the engine, which proves
//! and places it, so a tier that has the wrong bytes is no more than one that has none.
//!
//! - `reading`: an address of the tier as the engine asks it
//! - `share`: one fill
//! - `keeping`: what is put, after it was answered
//! - `known`: what the tier knows of repos, as far as this node knows; `counts`: what is counted
//! - `roots`, `listing`: listings of commits, and refs
//! - `tending`: whether it is a tier at all, and sweeping it
//!
//! INVARIANT (access): a tier opens nothing. Whoever asks is let in by upstream before the tier is looked at.

mod counts;
mod keeping;
mod known;
mod listing;
mod reading;
mod roots;
mod share;
mod tending;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hubstow_client::{FoundFile, Hub, care::room::PinList};
use hubstow_core::name::{Commit, Repo, Revision};
use hubstow_serve::TierCounts;
use hubstow_tier::{Begin, Claim, Error, ErrorKind, Object, ObjectId, State, Tier};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use self::{
    counts::Counts,
    known::Roots,
    reading::Reading,
    share::{Held, Part, Role},
};
pub(crate) use self::{
    reading::{Readings, Tiered},
    share::Share,
};
use crate::{
    counting::count,
    limits::{ANSWER_FOR, WAITING_PUTS},
};

/// How a node uses its tier.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TierRules {
    /// How long a file is waited for that another node is bringing, before this one brings it as well. Whoever asks for it waits
    /// as long for its first byte, so it should be shorter than what clients wait for that.
    pub wait: Duration,
    /// How many bytes of content the tier may hold; more goes from time to time, the least recently used first. `None` sets no
    /// limit.
    pub max_bytes: Option<u64>,
    /// What never goes, beside the pins of the tier itself.
    pub pins: PinList,
}

impl Default for TierRules {
    fn default() -> Self {
        // The Python client waits for ten.
        Self { wait: Duration::from_secs(8), max_bytes: None, pins: PinList::default() }
    }
}

/// The tier of a node, once somebody has said which. Clones are the same.
#[derive(Clone)]
pub(crate) struct Tiers {
    member: Arc<OnceLock<Arc<Member>>>,
    readings: Arc<Readings>,
}

/// A node as a member of a tier.
pub(crate) struct Member {
    tier: Tier,
    rules: TierRules,
    readings: Arc<Readings>,
    counts: Arc<Counts>,
    /// Whether the store was seen to be one that a tier can be kept in. Nothing is asked of it or put there before.
    is_fit: AtomicBool,
    /// The claims that are held, by number, so that they can be given back however their fills end.
    claims: Mutex<HashMap<u64, Claim>>,
    next_claim: AtomicU64,
    /// Whoever puts, or waits for that, has one.
    puts: Arc<Semaphore>,
    /// Says that the node leaves, so that nothing new is put.
    leaving: watch::Sender<bool>,
    roots: Roots,
}

impl Tiers {
    pub(crate) fn new(readings: &Arc<Readings>) -> Self {
        Self { member: Arc::default(), readings: Arc::clone(readings) }
    }

    pub(crate) fn set(&self, tier: Tier, rules: TierRules) {
        let member = Member {
            tier,
            rules,
            readings: Arc::clone(&self.readings),
            counts: Arc::default(),
            is_fit: AtomicBool::new(false),
            claims: Mutex::default(),
            next_claim: AtomicU64::new(0),
            puts: Arc::new(Semaphore::new(WAITING_PUTS)),
            leaving: watch::Sender::new(false),
            roots: Roots::default(),
        };
        let _ = self.member.set(Arc::new(member));
    }

    pub(crate) fn member(&self) -> Option<&Arc<Member>> {
        self.member.get()
    }

    /// Says where a content that is to be fetched comes from: from the tier if it has it, or soon will.
    pub(crate) async fn begin(&self, found: FoundFile) -> Share {
        let Some((member, id)) = self.member.get().zip(ObjectId::of(found.etag())) else {
            return Share { found, part: None };
        };
        match member.role(&id, &found).await {
            Role::Reading(lent) => {
                let found = found.from_elsewhere(lent.url());
                Share { found, part: Some(Part::new(member, id, Role::Reading(lent))) }
            }
            role @ (Role::Bringing(_) | Role::Alone) => {
                Share { found, part: Some(Part::new(member, id, role)) }
            }
        }
    }

    /// Looks whether the tier has a content, without waiting for anybody.
    pub(crate) async fn has(&self, found: &FoundFile) -> bool {
        let Some((member, id)) = self.member.get().zip(ObjectId::of(found.etag())) else {
            return false;
        };
        if !member.is_fit() {
            return false;
        }
        let looked = timeout(ANSWER_FOR, member.tier.head(&id)).await;
        matches!(looked, Ok(Ok(Some(object))) if is_of_size(&object, found))
    }

    /// Upstream has said that a revision is at a commit.
    pub(crate) fn learned(&self, hub: &Hub, said: (&Repo, &Revision, &Commit)) {
        if let Some(member) = self.member.get() {
            member.learned(hub, said);
        }
    }

    pub(crate) fn counts(&self) -> Option<TierCounts> {
        let member = self.member.get()?;
        let is_away = !member.is_fit() || matches!(member.tier.state(), State::Away { .. });
        Some(member.counts.seen(is_away))
    }
}

impl Member {
    /// Finds out who brings a content. Whatever is wrong with the tier, the node can do without.
    async fn role(self: &Arc<Self>, id: &ObjectId, found: &FoundFile) -> Role {
        if !self.is_fit() {
            count(&self.counts.unasked);
            return Role::Alone;
        }
        let begun = timeout(self.rules.wait + ANSWER_FOR, self.begin(id, found)).await;
        match begun {
            Ok(Ok(Begin::Here(object))) => {
                count(&self.counts.hits);
                let reading = Reading::new(&self.tier, id, object, &self.counts);
                Role::Reading(self.readings.lend(reading))
            }
            Ok(Ok(Begin::Fill(claim))) => {
                count(&self.counts.misses);
                Role::Bringing(self.hold(claim))
            }
            Ok(Ok(Begin::Waited)) => {
                count(&self.counts.waited);
                Role::Alone
            }
            Ok(Err(error)) => {
                count(&self.counts.unasked);
                self.tell(id, &error);
                Role::Alone
            }
            Err(_) => {
                count(&self.counts.unasked);
                tracing::warn!(object = %id, "the tier does not answer; the file comes from upstream");
                Role::Alone
            }
        }
    }

    /// Asks whose turn it is. An object of the wrong size is none, and is taken away.
    async fn begin(&self, id: &ObjectId, found: &FoundFile) -> Result<Begin, Error> {
        let begun = self.tier.begin(id, self.rules.wait).await?;
        let Some(wrong) = wrong_object(&begun, found) else { return Ok(begun) };
        count(&self.counts.wrong);
        self.tier.discard(id, wrong).await?;
        let begun = self.tier.begin(id, self.rules.wait).await?;
        // Somebody puts it again and again; whoever that is, this node brings it for itself.
        Ok(if wrong_object(&begun, found).is_some() { Begin::Waited } else { begun })
    }

    /// Says what is wrong with the tier: to a person where a person has to act.
    fn tell(&self, of: &dyn fmt::Display, error: &Error) {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Closed => {
                tracing::info!(%of, %error, "the node goes on without the tier");
            }
            ErrorKind::Denied
            | ErrorKind::Refused
            | ErrorKind::Corrupt
            | ErrorKind::Mismatch
            | ErrorKind::Unfit
            | ErrorKind::Usage
            | ErrorKind::Source
            | _ => tracing::error!(%of, %error, "the node goes on without the tier"),
        }
    }

    fn is_fit(&self) -> bool {
        self.is_fit.load(Ordering::Acquire)
    }

    fn hold(self: &Arc<Self>, claim: Claim) -> Held {
        let number = self.next_claim.fetch_add(1, Ordering::Relaxed);
        self.claims().insert(number, claim);
        Held { member: Arc::clone(self), number }
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<u64, Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wrong_object<'a>(begun: &'a Begin, found: &FoundFile) -> Option<&'a Object> {
    match begun {
        Begin::Here(object) if !is_of_size(object, found) => Some(object),
        Begin::Here(_) | Begin::Fill(_) | Begin::Waited => None,
    }
}

fn is_of_size(object: &Object, found: &FoundFile) -> bool {
    found.size().is_none_or(|size| size == object.size_bytes)
}

impl fmt::Debug for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tier = self.member.get().map(|member| &member.tier);
        f.debug_struct("Tiers").field("tier", &tier).finish()
    }
}
