//! Sweeping: what was not used for long goes when there is too much, and so does what dead runs have left.
//!
//! It is safe beside everything. What it takes wrongly, because it was put or read in the very moment, is fetched again.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use object_store::{ObjectMeta, path::Path};

use crate::{
    decide::{Bounds, Candidate, Fresh, Held, Leftover, Recheck, is_leftover, plan, recheck},
    error::Error,
    name::{CLAIMS, OBJECTS, ObjectId, PROBES, Pin, SWEPT, USED, key},
    pins::Listings,
    record::{self, ClaimRecord, RECORD_LIMIT_BYTES},
    store::delete_all,
    tier::Tier,
    uploads::Cleared,
};

/// After how many objects the roots are read again.
const BATCH: usize = 16;

/// What a sweep is to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sweep {
    /// How many bytes of objects may stay; `None` sets no limit.
    pub max_bytes: Option<u64>,
    /// What was used within this time is never taken. Uses are noted every [`Limits::note_every`](crate::Limits::note_every),
    /// so it should be longer than that.
    pub min_age: Duration,
    /// What was not used for this long is taken even where there is room; `None` keeps it.
    pub unused_for: Option<Duration>,
    /// Pins beside those of the tier.
    pub pins: Vec<Pin>,
    /// How long the longest upload may take; one that is older is torn.
    pub upload_time: Duration,
}

impl Default for Sweep {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { max_bytes: None, min_age: DAY, unused_for: None, pins: Vec::new(), upload_time: DAY }
    }
}

/// What a sweep has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// How many objects there were, and their size in bytes together.
    pub objects: u64,
    /// See [`Swept::objects`].
    pub bytes: u64,
    /// How many were evicted, and how many bytes that has freed.
    pub evicted: u64,
    /// See [`Swept::evicted`].
    pub freed_bytes: u64,
    /// How many were planned to go and stayed: used, put again, or pinned meanwhile.
    pub spared: u64,
    /// How many claims that had lapsed were cleared away.
    pub claims: u64,
    /// How many notes and probes that belong to nothing were.
    pub notes: u64,
    /// What became of torn uploads.
    pub uploads: Cleared,
}

impl Tier {
    /// Sweeps the tier. Where another node is at it, nothing is done and `None` comes back.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked, and a pinned root that can't be read: nothing is evicted then. What was
    /// done before an error stays done.
    pub async fn sweep(&self, sweep: &Sweep) -> Result<Option<Swept>, Error> {
        // Without the time, the claim of a sweep that has died would be believed for ever: nobody watches it.
        let now_ms = self.0.clock.learn(&self.0.store).await?;
        let Some(claim) = self.claim_once(&key(&[CLAIMS, "sweep"])).await? else { return Ok(None) };
        let swept = self.sweep_alone(sweep, now_ms).await;
        claim.release().await;
        swept.map(Some)
    }

    /// Sweeps the tier where nobody has for so long. Of the nodes that ask this now and then, one sweeps each time.
    ///
    /// # Errors
    /// As [`sweep`](Self::sweep).
    pub async fn sweep_if_due(
        &self,
        sweep: &Sweep,
        every: Duration,
    ) -> Result<Option<Swept>, Error> {
        let now_ms = self.0.clock.learn(&self.0.store).await?;
        let is_recent =
            |at_ms: i64| milliseconds(every) > u64::try_from(now_ms - at_ms).unwrap_or(0);
        let last = Path::from(SWEPT);
        if self.0.store.head(&last).await?.is_some_and(|seen| is_recent(seen.at_ms)) {
            return Ok(None);
        }
        let swept = self.sweep(sweep).await?;
        if swept.is_some() {
            self.0.store.overwrite(&last, Bytes::new()).await?;
        }
        Ok(swept)
    }

    async fn sweep_alone(&self, sweep: &Sweep, now_ms: i64) -> Result<Swept, Error> {
        let patience_ms = milliseconds(sweep.upload_time);
        let mut swept = Swept {
            objects: 0,
            bytes: 0,
            evicted: 0,
            freed_bytes: 0,
            spared: 0,
            claims: self.clear_claims(now_ms).await?,
            notes: self.clear_probes(now_ms).await?,
            uploads: self.0.torn.clear(patience_ms, now_ms).await?,
        };
        let used = self.listed(USED).await?;
        let objects = self.listed(OBJECTS).await?;
        swept.notes += self.clear_notes(&used, &objects, patience_ms, now_ms).await?;
        self.evict(sweep, &objects, &used, now_ms, &mut swept).await?;
        Ok(swept)
    }

    async fn listed(&self, folder: &str) -> Result<HashMap<ObjectId, ObjectMeta>, Error> {
        let all = self.0.store.list(&Path::from(folder)).await?;
        let named = |meta: ObjectMeta| Some((ObjectId::of_key(&meta.location, folder)?, meta));
        Ok(all.into_iter().filter_map(named).collect())
    }

    async fn clear_claims(&self, now_ms: i64) -> Result<u64, Error> {
        let mut lapsed = Vec::new();
        for meta in self.0.store.list(&Path::from(CLAIMS)).await? {
            let at_ms = meta.last_modified.timestamp_millis();
            // Whatever it says of itself, it holds no longer than any may; only an older one is worth reading.
            let longest = Leftover::Claim { lives_ms: u64::MAX };
            let is_old = is_leftover(longest, at_ms, now_ms);
            if is_old || self.has_lapsed(&meta, now_ms).await? {
                lapsed.push(meta.location);
            }
        }
        delete_all(&self.0.store, lapsed).await
    }

    async fn has_lapsed(&self, meta: &ObjectMeta, now_ms: i64) -> Result<bool, Error> {
        let at_ms = meta.last_modified.timestamp_millis();
        if !is_leftover(Leftover::Claim { lives_ms: 0 }, at_ms, now_ms) {
            return Ok(false);
        }
        let found = self.0.store.read(&meta.location, RECORD_LIMIT_BYTES).await?;
        Ok(found.is_some_and(|(bytes, seen)| {
            // What can't be read goes when the longest would.
            let read = record::read::<ClaimRecord>(&meta.location, bytes.as_deref());
            let lives_ms = read.map_or(u64::MAX, |claim| claim.lives_ms);
            is_leftover(Leftover::Claim { lives_ms }, seen.at_ms, now_ms)
        }))
    }

    async fn clear_probes(&self, now_ms: i64) -> Result<u64, Error> {
        let all = self.0.store.list(&Path::from(PROBES)).await?;
        let is_old = |meta: &ObjectMeta| {
            is_leftover(Leftover::Probe, meta.last_modified.timestamp_millis(), now_ms)
        };
        let old = all.into_iter().filter(is_old).map(|meta| meta.location).collect();
        delete_all(&self.0.store, old).await
    }

    /// Clears away the notes of uses of objects that are not there. The list may be behind, so each is looked at.
    async fn clear_notes(
        &self,
        used: &HashMap<ObjectId, ObjectMeta>,
        objects: &HashMap<ObjectId, ObjectMeta>,
        patience_ms: u64,
        now_ms: i64,
    ) -> Result<u64, Error> {
        let mut orphans = Vec::new();
        for (id, meta) in used.iter().filter(|(id, _)| !objects.contains_key(*id)) {
            let at_ms = meta.last_modified.timestamp_millis();
            let is_old = is_leftover(Leftover::Note { patience_ms }, at_ms, now_ms);
            if is_old && self.0.store.head(&id.key(OBJECTS)).await?.is_none() {
                orphans.push(meta.location.clone());
            }
        }
        delete_all(&self.0.store, orphans).await
    }

    async fn evict(
        &self,
        sweep: &Sweep,
        objects: &HashMap<ObjectId, ObjectMeta>,
        used: &HashMap<ObjectId, ObjectMeta>,
        now_ms: i64,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        let mut listings = Listings::default();
        let pinned = self.pinned(&sweep.pins, &mut listings).await?;
        let all: Vec<_> = objects
            .iter()
            .map(|(id, meta)| Candidate {
                name: id.clone(),
                size_bytes: meta.size,
                used_at_ms: latest(Some(meta), used.get(id)).unwrap_or(i64::MAX),
                held: held(&pinned, id),
            })
            .collect();
        swept.objects = all.len() as u64;
        swept.bytes = all.iter().map(|it| it.size_bytes).sum();
        let bounds = Bounds {
            max_bytes: sweep.max_bytes,
            min_age_ms: milliseconds(sweep.min_age),
            unused_for_ms: sweep.unused_for.map(milliseconds),
        };
        let known: HashMap<_, _> =
            all.iter().map(|it| (it.name.clone(), (it.used_at_ms, it.size_bytes))).collect();
        for batch in plan(&all, bounds, now_ms).chunks(BATCH) {
            // Roots may have moved since the plan was made.
            let pinned = self.pinned(&sweep.pins, &mut listings).await?;
            for id in batch {
                let (planned_ms, size_bytes) = known.get(id).copied().unwrap_or_default();
                match recheck(planned_ms, self.fresh(id, &pinned).await?) {
                    Recheck::Delete => {
                        self.0.store.delete(&id.key(OBJECTS)).await?;
                        self.0.store.delete(&id.key(USED)).await?;
                        swept.evicted += 1;
                        swept.freed_bytes += size_bytes;
                    }
                    Recheck::Gone => {}
                    Recheck::Used | Recheck::Pinned => swept.spared += 1,
                }
            }
        }
        Ok(())
    }

    async fn fresh(&self, id: &ObjectId, pinned: &HashSet<ObjectId>) -> Result<Fresh, Error> {
        let object = self.0.store.head(&id.key(OBJECTS)).await?;
        let note = self.0.store.head(&id.key(USED)).await?;
        let used_at_ms = object.map(|it| it.at_ms.max(note.map_or(i64::MIN, |note| note.at_ms)));
        Ok(Fresh { used_at_ms, held: held(pinned, id) })
    }
}

fn held(pinned: &HashSet<ObjectId>, id: &ObjectId) -> Held {
    if pinned.contains(id) { Held::Pinned } else { Held::Free }
}

fn latest(object: Option<&ObjectMeta>, note: Option<&ObjectMeta>) -> Option<i64> {
    object.into_iter().chain(note).map(|meta| meta.last_modified.timestamp_millis()).max()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
