//! Whether the cache holds what it says: against names, kept listings, and the hub's own where it was asked.

use std::{collections::HashMap, ops::ControlFlow};

use futures_util::{StreamExt as _, stream};
use hubstow_cache::{
    Cache,
    care::verify::{
        Reading, Scope, Verified,
        listed::{Kept, Listed, Listings, Word},
    },
    observe::cached::Promised,
};
use hubstow_core::{
    care::{self, Id, Repair, Role},
    layout::RepoLayout,
    name::{Commit, Repo, Revision},
};

use super::{CacheDir, Inventory, Weight};
use crate::{
    api::error::Error,
    lookup::{
        entry::OfCommit,
        listing::{Listing, ToKeep},
        patience::Patience,
    },
};

/// How many revisions the hub is asked for at once.
const QUESTIONS: usize = 4;

/// What is said of the files of revisions, and of which of them the hub would not say it.
#[derive(Default)]
pub struct Told {
    /// The listings, by revision.
    pub listings: Listings,
    /// The revisions whose listing the hub was asked for in vain; what is kept counts for them.
    pub unasked: Vec<(Id, Error)>,
}

impl CacheDir {
    /// Reads the listings that are kept of revisions in scope. Nothing is sent.
    #[must_use]
    pub fn kept_listings(&self, inventory: &Inventory, scope: &Scope) -> Listings {
        let mut listings = Listings::new();
        for (id, repo, commit) in revisions(inventory, scope) {
            let layout = RepoLayout::new(&repo);
            if let Some(listed) = kept(self.cache(), &layout, &commit) {
                listings.insert(id, listed);
            }
        }
        listings
    }

    /// Returns the revisions in which something is wrong that a listing has a say in.
    #[must_use]
    pub fn doubtful(&self, inventory: &Inventory, verified: &Verified) -> Vec<Id> {
        let of_commit: HashMap<(Repo, Commit), Id> = revisions(inventory, &Scope::All)
            .into_iter()
            .map(|(id, repo, commit)| ((repo, commit), id))
            .collect();
        let faults = verified.faults.iter().filter(|fault| fault.weight == Weight::Harm);
        let faults = faults.filter_map(|fault| fault.through.or(fault.id));
        let mut doubtful: Vec<Id> =
            faults.filter_map(|id| of_commit.get(&inventory.commit_of(id)?).copied()).collect();
        doubtful.sort();
        doubtful.dedup();
        doubtful
    }

    /// Asks the hub what revisions in scope hold; where it does not say, what is kept counts.
    ///
    /// # Errors
    /// A thread on which no request can be waited for.
    pub async fn ask_listings(&self, inventory: &Inventory, scope: &Scope) -> Result<Told, Error> {
        self.engine.check()?;
        let mut told = Told { listings: self.kept_listings(inventory, scope), unasked: Vec::new() };
        let revisions = revisions(inventory, scope);
        let (lasting, brief) =
            (Patience::lasting(&self.engine.config), Patience::brief(&self.engine.config));
        let asked: Vec<_> = revisions
            .into_iter()
            .map(|(id, repo, commit)| {
                // With something to fall back on, nobody has to wait long.
                let is_kept = told.listings.get(&id).is_some_and(|kept| kept.kept == Kept::Whole);
                let patience = if is_kept { brief } else { lasting };
                async move { (id, self.ask_listing(&repo, &commit, patience).await) }
            })
            .collect();
        let mut answers = stream::iter(asked).buffer_unordered(QUESTIONS);
        while let Some((id, answer)) = answers.next().await {
            match answer {
                Ok((listing, _)) => {
                    let before = told.listings.remove(&id);
                    told.listings.insert(id, of_hub(&listing, before));
                }
                Err(error) => told.unasked.push((id, error)),
            }
        }
        told.unasked.sort_by_key(|(id, _)| *id);
        Ok(told)
    }

    pub(super) async fn ask_listing(
        &self,
        repo: &Repo,
        commit: &Commit,
        patience: Patience,
    ) -> Result<(Listing, ToKeep), Error> {
        let revision = Revision::from(commit);
        let of = OfCommit { repo, revision: &revision, commit };
        let tell = |event| self.engine.tell(event);
        let asked = self.engine.http.files(of, patience, &tell).await;
        asked.map_err(|unlisted| self.engine.unlisted(repo, &revision, unlisted))
    }

    /// Reads every byte of what is in scope, whatever has been proved before, and says what is wrong. Nothing is changed; what is
    /// right is written down as proved where that is allowed.
    ///
    /// It blocks, and reads on several threads. Whoever is told how far it has come ends it by
    /// [`ControlFlow::Break`].
    ///
    /// ```no_run
    /// # fn run(hub: &hubstow_client::Hub) -> Result<(), hubstow_client::Error> {
    /// use std::ops::ControlFlow;
    ///
    /// use hubstow_client::care::Scope;
    ///
    /// let cache = hub.cache();
    /// let inventory = cache.inventory()?;
    /// let listings = cache.kept_listings(&inventory, &Scope::All);
    /// let verified = cache.verify(&inventory, &Scope::All, &listings, |_| ControlFlow::Continue(()))?;
    /// for fault in &verified.faults {
    ///     println!("{}: {}", fault.damage.at, fault.damage.flaw);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// That the work was cancelled.
    pub fn verify(
        &self,
        inventory: &Inventory,
        scope: &Scope,
        listings: &Listings,
        tell: impl Fn(Reading) -> ControlFlow<()> + Sync,
    ) -> Result<Verified, Error> {
        Ok(self.cache().verify(inventory, scope, listings, None, &tell)?)
    }

    /// Judges what was found once more, by other listings: what was read of this inventory is not read again.
    ///
    /// # Errors
    /// That the work was cancelled.
    pub fn judge_again(
        &self,
        inventory: &Inventory,
        scope: &Scope,
        listings: &Listings,
        before: &Verified,
    ) -> Result<Verified, Error> {
        let go_on = |_| ControlFlow::Continue(());
        Ok(self.cache().verify(inventory, scope, listings, Some(before), &go_on)?)
    }

    /// Plans how what was found is healed. Where the hub may not be asked, what is not here stays as it is.
    pub fn plan_repair(&self, inventory: &Inventory, verified: &Verified) -> Repair {
        care::repair(&inventory.held(), &verified.wounds(inventory), self.engine.config.reach)
    }
}

/// Returns the revisions in scope that have names.
fn revisions(inventory: &Inventory, scope: &Scope) -> Vec<(Id, Repo, Commit)> {
    let is_in_scope = |id: Id| match scope {
        Scope::All => true,
        Scope::Of(ids) => {
            let is_asked = |id: Id| inventory.around(id).any(|(id, _)| ids.contains(&id));
            is_asked(id) || ids.iter().any(|asked| inventory.revision_of(*asked) == Some(id))
        }
    };
    let all = inventory.iter().filter(|(_, item)| item.role == Role::Revision);
    all.filter(|(id, _)| is_in_scope(*id))
        .filter_map(|(id, _)| inventory.commit_of(id).map(|(repo, commit)| (id, repo, commit)))
        .collect()
}

/// Reads the listing that is kept of a commit, if one is.
fn kept(cache: &Cache, layout: &RepoLayout, commit: &Commit) -> Option<Listed> {
    let at = layout.tree(commit);
    match Listing::of_cache(cache, layout, commit) {
        Some(listing) => {
            Some(Listed { files: files_of(&listing), word: Word::Kept, kept: Kept::Whole })
        }
        // Nobody knows whether one that can't be read is whole.
        None => cache.disk().open(&at).ok().map(|_| Listed {
            files: HashMap::new(),
            word: Word::Kept,
            kept: Kept::Damaged,
        }),
    }
}

/// Takes the hub's word for what was kept before.
fn of_hub(listing: &Listing, before: Option<Listed>) -> Listed {
    let files = files_of(listing);
    let kept = match before {
        None => Kept::None,
        Some(before) if before.kept == Kept::Damaged => Kept::Damaged,
        Some(before) if before.files == files => Kept::Whole,
        Some(_) => Kept::Differs,
    };
    Listed { files, word: Word::Hub, kept }
}

/// Says what a listing promises of each file.
pub(super) fn files_of(listing: &Listing) -> HashMap<String, Option<Promised>> {
    let each = listing.files.iter().map(|listed| {
        let content = listed.content.clone();
        let promised = content.map(|(etag, size)| Promised { etag, size: Some(size) });
        (listed.file.as_str().to_owned(), promised)
    });
    each.collect()
}
