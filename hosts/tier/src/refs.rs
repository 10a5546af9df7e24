//! What a revision means: read from the tier, confirmed with upstream, written over exactly what was read.

use hubstow_core::name::{Repo, Revision};
use object_store::path::Path;

use crate::{
    decide::{Base, Settled, Word, next_sequence, settle},
    error::Error,
    name::{reference, references, revision_of},
    record::{self, RECORD_LIMIT_BYTES, RefRecord},
    store::{Tag, Written},
    tier::{Tier, nonce},
};

/// What the tier knows of a revision. Only with this can it be confirmed, so upstream is asked after it was read.
#[derive(Clone, Debug)]
pub struct RefSeen {
    key: Path,
    known: Option<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    tag: Tag,
    /// `None` of what can't be read, which the next confirmation replaces.
    record: Option<RefRecord>,
    at_ms: i64,
    age_ms: Option<u64>,
}

/// What came of a confirmation.
#[derive(Clone, Debug)]
pub enum Confirmed {
    /// It is what the tier says now.
    Recorded(RefSeen),
    /// Another node has confirmed the revision meanwhile. Upstream has to be asked again if this node is to confirm it; what
    /// the tier says now is as new as that node's question.
    AskAgain(RefSeen),
}

impl RefSeen {
    /// Returns what upstream said when it was last asked; `None` where nobody has confirmed the revision.
    #[must_use]
    pub fn word(&self) -> Option<Word> {
        Some(self.known.as_ref()?.record.as_ref()?.word())
    }

    /// Returns how long ago the tier was told, in milliseconds by the store's own clock at the time of reading; `None`
    /// where nobody has confirmed it, or that clock is not known yet (see [`Tier::check`]).
    #[must_use]
    pub fn age_ms(&self) -> Option<u64> {
        self.known.as_ref()?.age_ms
    }

    /// Returns when the tier was told, in milliseconds since 1970 by the store's clock.
    #[must_use]
    pub fn confirmed_at_ms(&self) -> Option<i64> {
        Some(self.known.as_ref()?.at_ms)
    }

    /// Tells whether there is something that can't be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.record.is_none())
    }

    fn sequence(&self) -> Option<u64> {
        Some(self.known.as_ref()?.record.as_ref()?.sequence)
    }
}

impl Tier {
    /// Reads what the tier knows of a revision.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn read_ref(&self, repo: &Repo, revision: &Revision) -> Result<RefSeen, Error> {
        self.read_ref_at(reference(repo, revision)).await
    }

    async fn read_ref_at(&self, key: Path) -> Result<RefSeen, Error> {
        let found = self.0.store.read(&key, RECORD_LIMIT_BYTES).await?;
        let now = self.store_time().await;
        let known = found.map(|(bytes, seen)| {
            let read = record::read::<RefRecord>(&key, bytes.as_deref());
            let unknown = |error: &Error| tracing::warn!(%error, "a ref of the tier is unknown");
            let record = read.inspect_err(unknown).ok();
            let age_ms = now.map(|now| u64::try_from(now - seen.at_ms).unwrap_or(0));
            Known { tag: seen.tag, record, at_ms: seen.at_ms, age_ms }
        });
        Ok(RefSeen { key, known })
    }

    /// Writes down what upstream said after `seen` was read.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked. Whether it was written is not known then; the next confirmation is right
    /// in either case.
    pub async fn confirm_ref(&self, seen: &RefSeen, word: &Word) -> Result<Confirmed, Error> {
        let base = seen.sequence().map_or(Base::Nothing, Base::Version);
        let ours = RefRecord::new(next_sequence(base), nonce(), word);
        let bytes = record::write(&ours);
        let written = match &seen.known {
            None => self.0.store.create(&seen.key, bytes).await?,
            Some(known) => self.0.store.update(&seen.key, &known.tag, bytes).await?,
        };
        if let Written::Done(tag) = written {
            let at_ms = self.0.clock.now_ms().unwrap_or_default();
            let known = Known { tag, record: Some(ours), at_ms, age_ms: Some(0) };
            return Ok(Confirmed::Recorded(RefSeen { key: seen.key.clone(), known: Some(known) }));
        }
        let now = self.read_ref_at(seen.key.clone()).await?;
        let found = now.known.as_ref().and_then(|known| known.record.as_ref());
        let identity = |record: &RefRecord| (record.sequence, record.writer.clone());
        match settle(found.map(identity), identity(&ours)) {
            Settled::Ours => Ok(Confirmed::Recorded(now)),
            Settled::AskAgain => Ok(Confirmed::AskAgain(now)),
        }
    }

    /// Lists the revisions of a repo that the tier knows.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn refs(&self, repo: &Repo) -> Result<Vec<Revision>, Error> {
        let all = self.0.store.list(&references(repo)).await?;
        Ok(all.iter().filter_map(|meta| revision_of(&meta.location)).collect())
    }
}
