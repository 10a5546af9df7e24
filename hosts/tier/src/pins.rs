//! Pins: what eviction never takes, for every node alike.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use hubstow_core::name::{Commit, Repo, Revision};
use object_store::path::Path;

use crate::{
    decide::Word,
    error::{Error, ErrorKind},
    name::{ObjectId, PINS, Pin, TREES, key},
    tier::Tier,
};

/// The objects of commits that were read in one sweep.
#[derive(Default)]
pub(crate) struct Listings(HashMap<(Repo, Commit), Vec<ObjectId>>);

impl Tier {
    /// Pins a revision or a whole repo, for every node that uses this tier.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn pin(&self, pin: &Pin) -> Result<(), Error> {
        self.0.store.overwrite(&pin.key(), Bytes::new()).await
    }

    /// Takes a pin away.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn unpin(&self, pin: &Pin) -> Result<(), Error> {
        self.0.store.delete(&pin.key()).await
    }

    /// Lists the pins.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn pins(&self) -> Result<Vec<Pin>, Error> {
        let all = self.0.store.list(&Path::from(PINS)).await?;
        Ok(all.iter().filter_map(|meta| Pin::of_key(&meta.location)).collect())
    }

    /// Finds all objects that pinned roots have: the pins of the tier, and these. Which commits these are is asked each time;
    /// what a commit has never changes.
    pub(crate) async fn pinned(
        &self,
        others: &[Pin],
        known: &mut Listings,
    ) -> Result<HashSet<ObjectId>, Error> {
        let mut objects = HashSet::new();
        let pins: HashSet<Pin> = self.pins().await?.into_iter().chain(others.to_vec()).collect();
        for pin in pins {
            for commit in self.commits(&pin).await? {
                let root = (pin.repo.clone(), commit);
                if !known.0.contains_key(&root) {
                    let tree = self.tree_or_error(&root.0, &root.1).await?;
                    let named = tree.objects().into_iter().map(|(id, _)| id).collect();
                    known.0.insert(root.clone(), named);
                }
                objects.extend(known.0.get(&root).into_iter().flatten().cloned());
            }
        }
        Ok(objects)
    }

    /// The commits that a pin keeps. A pinned repo keeps every commit that the tier knows of.
    async fn commits(&self, pin: &Pin) -> Result<Vec<Commit>, Error> {
        if let Some(revision) = &pin.revision {
            return Ok(vec![self.commit(pin, revision).await?]);
        }
        let id = pin.repo.id.as_str().replace('/', "--");
        let listed = self.0.store.list(&key(&[TREES, pin.repo.kind.plural(), &id])).await?;
        let commit = |path: &Path| Commit::parse(path.filename()?.strip_suffix(".json")?).ok();
        let mut commits: Vec<_> = listed.iter().filter_map(|meta| commit(&meta.location)).collect();
        for revision in self.refs(&pin.repo).await? {
            match self.meaning(pin, &revision).await? {
                Some(Word::At(commit)) if !commits.contains(&commit) => commits.push(commit),
                Some(Word::At(_) | Word::Gone) | None => {}
            }
        }
        Ok(commits)
    }

    async fn commit(&self, pin: &Pin, revision: &Revision) -> Result<Commit, Error> {
        if let Some(commit) = revision.as_commit() {
            return Ok(commit);
        }
        match self.meaning(pin, revision).await? {
            Some(Word::At(commit)) => Ok(commit),
            Some(Word::Gone) => Err(unfollowed(pin, "upstream has it no more")),
            None => Err(unfollowed(pin, "the tier does not know what it means")),
        }
    }

    /// What the tier knows of a revision, if it has anything there.
    async fn meaning(&self, pin: &Pin, revision: &Revision) -> Result<Option<Word>, Error> {
        let seen = self.read_ref(&pin.repo, revision).await?;
        match seen.word() {
            None if seen.is_unreadable() => Err(unfollowed(pin, "its ref can't be read")),
            word => Ok(word),
        }
    }
}

/// A pin that leads nowhere says nothing of what it is to hold, so everything is held.
fn unfollowed(pin: &Pin, why: &str) -> Error {
    let what = format!("the pin `{}` can't be followed", pin.key());
    let way_out = "nothing is evicted until a node was asked for it, its commit is pinned, or the pin is removed";
    Error::new(ErrorKind::Corrupt, what, format!("{why}; {way_out}"))
}
