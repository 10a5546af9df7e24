//! Claims: who is filling, so that the others wait. They save requests to upstream; nothing right depends on them.

use std::{sync::Arc, time::Duration};

use object_store::path::Path;
use tokio::{sync::Mutex, task::JoinHandle, time::Instant};

use crate::{
    content::Object,
    decide::{ClaimFacts, ClaimSeen, ObjectSeen, Settled, Standing, Turn, settle, standing, turn},
    error::Error,
    name::{CLAIMS, ObjectId},
    record::{self, ClaimRecord, RECORD_LIMIT_BYTES},
    store::{Seen, Tag, Written},
    tier::{Tier, nonce},
};

/// The first wait for somebody else's fill; it doubles up to the second.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How often a claim is renewed in the time that it holds.
const RENEWALS: u32 = 3;

/// Whose turn it is, as a node gets to know it.
#[derive(Debug)]
pub enum Begin {
    /// The tier has it.
    Here(Object),
    /// The node brings it from upstream, puts it, and releases the claim.
    Fill(Claim),
    /// Somebody else has been filling for longer than the node wants to wait. It may fill without a claim, which costs one
    /// request to upstream.
    Waited,
}

/// The right to fill, as long as it lives. It renews itself; dropped without a release, it lapses.
#[derive(Debug)]
pub struct Claim {
    tier: Tier,
    key: Path,
    /// The version that is ours; `None` once it is lost.
    tag: Arc<Mutex<Option<Tag>>>,
    renewing: JoinHandle<()>,
}

/// What was seen of somebody's claim, and since when.
struct Watched {
    tag: Tag,
    since: Instant,
}

impl Tier {
    /// Waits until the tier has an object or it is this node's turn to bring it, at most for `patience`.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked; the node then fills without the tier.
    pub async fn begin(&self, id: &ObjectId, patience: Duration) -> Result<Begin, Error> {
        let end = Instant::now() + patience;
        let mut look = FIRST_LOOK;
        let mut watched = None;
        if let Some(object) = self.head(id).await? {
            return Ok(Begin::Here(object));
        }
        loop {
            let claim = self.claim(&id.key(CLAIMS), &mut watched).await?;
            let object = self.head(id).await?;
            let seen = if object.is_some() { ObjectSeen::Present } else { ObjectSeen::Absent };
            let known = match &claim {
                Ok(_) => ClaimSeen::Ours,
                Err(Some(standing)) => ClaimSeen::Theirs(*standing),
                Err(None) => ClaimSeen::Unknown,
            };
            match turn(known, seen) {
                Turn::Read | Turn::ReleaseAndRead => {
                    if let Ok(claim) = claim {
                        claim.release().await;
                    }
                    if let Some(object) = object {
                        return Ok(Begin::Here(object));
                    }
                }
                Turn::Fill => {
                    if let Ok(claim) = claim {
                        return Ok(Begin::Fill(claim));
                    }
                }
                // A lapsed one was taken over by somebody else meanwhile.
                Turn::Claim | Turn::TakeOver | Turn::Wait => {}
            }
            if Instant::now() + look > end {
                return Ok(Begin::Waited);
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LAST_LOOK);
        }
    }

    /// Makes a claim at a key, over nothing or over one that has lapsed. `Err` tells how somebody else's stands, if it does.
    /// One that is watched is read first: it is more likely to be there than not.
    async fn claim(
        &self,
        key: &Path,
        watched: &mut Option<Watched>,
    ) -> Result<Result<Claim, Option<Standing>>, Error> {
        let store = &self.0.store;
        let lives = store.limits.claim_time;
        let lives_ms = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX);
        let mut ours = ClaimRecord::new(1, nonce(), lives_ms);
        if watched.is_none()
            && let Written::Done(tag) = store.create(key, record::write(&ours)).await?
        {
            return Ok(Ok(Claim::new(self, key, tag, ours, lives)));
        }
        let Some((theirs, seen)) = self.standing_claim(key).await? else {
            *watched = None;
            return Ok(Err(None));
        };
        if is_ours(theirs.as_ref(), &ours) {
            return Ok(Ok(Claim::new(self, key, seen.tag, ours, lives)));
        }
        let now = Instant::now();
        let since = match watched {
            Some(known) if known.tag.is(&seen.tag) => known.since,
            Some(_) | None => now,
        };
        *watched = Some(Watched { tag: seen.tag.clone(), since });
        let age = self.store_time().await.and_then(|now| u64::try_from(now - seen.at_ms).ok());
        let facts = ClaimFacts {
            // What can't be read holds as long as ours would.
            lives_ms: theirs.as_ref().map_or(lives_ms, |it| it.lives_ms),
            age_ms: age,
            unchanged_ms: u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX),
        };
        let stands = standing(facts);
        if turn(ClaimSeen::Theirs(stands), ObjectSeen::Absent) != Turn::TakeOver {
            return Ok(Err(Some(stands)));
        }
        ours.sequence = theirs.map_or(1, |it| it.sequence.saturating_add(1));
        if let Written::Done(tag) = store.update(key, &seen.tag, record::write(&ours)).await? {
            return Ok(Ok(Claim::new(self, key, tag, ours, lives)));
        }
        match self.standing_claim(key).await? {
            Some((found, seen)) if is_ours(found.as_ref(), &ours) => {
                Ok(Ok(Claim::new(self, key, seen.tag, ours, lives)))
            }
            Some(_) => Ok(Err(Some(Standing::Live))),
            None => Ok(Err(None)),
        }
    }

    /// Reads a claim; what can't be read is somebody's all the same.
    async fn standing_claim(
        &self,
        key: &Path,
    ) -> Result<Option<(Option<ClaimRecord>, Seen)>, Error> {
        let found = self.0.store.read(key, RECORD_LIMIT_BYTES).await?;
        Ok(found.map(|(bytes, seen)| (record::read(key, bytes.as_deref()).ok(), seen)))
    }

    /// Makes a claim that is not waited for; `None` where somebody else has it.
    pub(crate) async fn claim_once(&self, key: &Path) -> Result<Option<Claim>, Error> {
        Ok(self.claim(key, &mut None).await?.ok())
    }
}

impl Claim {
    fn new(tier: &Tier, key: &Path, tag: Tag, record: ClaimRecord, lives: Duration) -> Self {
        let tag = Arc::new(Mutex::new(Some(tag)));
        let renewing = tokio::spawn(renew(
            tier.clone(),
            key.clone(),
            Arc::clone(&tag),
            record,
            lives / RENEWALS,
        ));
        Self { tier: tier.clone(), key: key.clone(), tag, renewing }
    }

    /// Returns whether the claim is still held, as far as is known. One that is lost to another node is no reason to stop:
    /// what is put twice is the same.
    pub async fn is_held(&self) -> bool {
        self.tag.lock().await.is_some()
    }

    /// Gives the claim back. That this fails costs the others the time until it lapses, so no error comes of it.
    pub async fn release(self) {
        // A renewal that is broken off may be written all the same, by a tag that nobody knows then.
        let tag = self.tag.lock().await.take();
        self.renewing.abort();
        let Some(tag) = tag else { return };
        let store = &self.tier.0.store;
        let released = match store.head(&self.key).await {
            Ok(Some(seen)) if seen.tag.is(&tag) => store.delete(&self.key).await,
            Ok(Some(_) | None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            tracing::debug!(key = %self.key, %error, "a claim could not be given back; it lapses");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Tells whether the claim that stands there is the one that was to be written: then only the answer was lost.
fn is_ours(standing: Option<&ClaimRecord>, ours: &ClaimRecord) -> bool {
    let identity = |claim: &ClaimRecord| (claim.sequence, claim.holder.clone());
    settle(standing.map(identity), identity(ours)) == Settled::Ours
}

async fn renew(
    tier: Tier,
    key: Path,
    tag: Arc<Mutex<Option<Tag>>>,
    mut record: ClaimRecord,
    every: Duration,
) {
    loop {
        tokio::time::sleep(every).await;
        record.sequence = record.sequence.saturating_add(1);
        let mut held = tag.lock().await;
        let Some(known) = held.as_ref() else { return };
        match tier.0.store.update(&key, known, record::write(&record)).await {
            Ok(Written::Done(now)) => *held = Some(now),
            Ok(Written::Refused) => {
                match tier.standing_claim(&key).await {
                    Ok(Some((found, seen))) if is_ours(found.as_ref(), &record) => {
                        *held = Some(seen.tag);
                    }
                    Ok(Some(_) | None) => *held = None,
                    // The next renewal finds out.
                    Err(error) => tracing::debug!(%key, %error, "a claim could not be read"),
                }
            }
            // The next renewal may get through before it lapses.
            Err(error) => tracing::debug!(%key, %error, "a claim could not be renewed"),
        }
    }
}
