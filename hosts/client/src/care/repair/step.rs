//! One step of a repair.

use std::sync::{Arc, atomic::Ordering};

use hubstow_cache::{Cache, Target, care::execute::Skip};
use hubstow_core::{
    care::{Cure, Heal, Id, Ill, Role},
    facts::{Force, Reach},
    layout::{CachePath, RepoLayout},
};

use super::{End, Goal, Work};
use crate::{
    api::{
        error::{Error, ErrorKind},
        report::FileReport,
    },
    file::{
        content::Placed,
        here::Here,
        place::{Origin, Placement, report},
        underway::Underway,
    },
    lookup::{listing::Listing, patience::Patience},
};

impl Work<'_> {
    /// Heals an entry.
    pub(super) async fn heal(&self, step: &Heal) -> Result<End, Error> {
        let Some(fault) = self.faults.get(&step.id).copied() else {
            return Ok(End::Skipped(Skip::Changed));
        };
        match step.cure {
            Cure::Place | Cure::Fetch => {
                // Asked for the file alone, the hub would be believed to have said what is kept.
                if fault.ill == Ill::Unnamed && fault.expected.is_some() {
                    let what = "only the hub's listing tells whether the file or the kept listing is wrong";
                    return Err(Error::new(ErrorKind::NotCached, what));
                }
                let Some(goal) = Goal::of(&self.inventory, fault) else {
                    return Ok(End::Skipped(Skip::Changed));
                };
                if step.role == Role::Folder {
                    self.clear(&goal).await?;
                }
                self.bring(step, goal).await.map(|report| End::Placed(Box::new(report)))
            }
            Cure::List => self.list(step.id).await,
            Cure::Enlist => {
                let (inventory, id) = (Arc::clone(&self.inventory), step.id);
                let users = fault.good.clone();
                let enlisted = move |cache: &Cache, _: &_| cache.enlist(&inventory, id, &users);
                let skipped = self.engine.shared.run(enlisted).await??;
                Ok(skipped.map_or(End::Done, End::Skipped))
            }
            Cure::Point => {
                let (inventory, step) = (Arc::clone(&self.inventory), *step);
                let pointed =
                    move |cache: &Cache, _: &_| cache.tidy_ref(&inventory, step.id, step.over);
                let skipped = self.engine.shared.run(pointed).await??;
                Ok(skipped.map_or(End::Done, End::Skipped))
            }
            Cure::Remove => Ok(End::Skipped(Skip::Changed)),
        }
    }

    /// Keeps cleaning away from the repo that a file is brought to, until something of it is removed here.
    pub(super) async fn rely_on(&mut self, step: &Heal) -> Result<(), Error> {
        let fault = self.faults.get(&step.id);
        let goal = fault.and_then(|fault| Goal::of(&self.inventory, fault));
        let Some(Goal { repo, .. }) = goal.filter(|goal| !self.leases.contains_key(&goal.repo))
        else {
            return Ok(());
        };
        let lease = self.engine.lease(&self.engine.shared, &RepoLayout::new(&repo)).await?;
        self.leases.insert(repo, lease);
        Ok(())
    }

    /// Removes an empty folder that has the place of a file.
    async fn clear(&self, goal: &Goal) -> Result<(), Error> {
        let at = RepoLayout::new(&goal.repo).pointer(&goal.commit, &goal.file);
        let cleared = self.engine.shared.run(move |cache, _| cache.clear_empty_folder(&at));
        Ok(cleared.await??)
    }

    /// Brings a file to its place: from what is here, and else from the hub.
    async fn bring(&self, step: &Heal, goal: Goal) -> Result<FileReport, Error> {
        let from = step.from.and_then(|id| self.content_of(id));
        if let Some(target) = &goal.target {
            let target =
                Target { size: target.size.or_else(|| self.size_of(step.from)), ..target.clone() };
            let (repo, from) = (goal.repo.clone(), from.clone());
            let placed = move |here: Here<'_>| {
                let outcome = match (here.place(&repo, &target)?, from) {
                    (None, Some(from)) => here.place_from(&repo, &target, &from)?,
                    (placed, _) => placed,
                };
                Ok(outcome.map(|outcome| report(here.cache, &target, &outcome, Origin::Here)))
            };
            let placed: Result<_, Error> =
                self.engine.run_here(&self.engine.shared, placed).await?;
            if let Some(report) = placed? {
                return Ok(report);
            }
        }
        if self.engine.config.reach == Reach::Offline {
            let what = format!("the content of `{}` is not here", goal.file);
            return Err(Error::new(ErrorKind::NotCached, what));
        }
        if self.is_away.load(Ordering::Relaxed) {
            return Err(Error::new(
                ErrorKind::HubUnreachable,
                "the hub could not be reached before",
            ));
        }
        let fetched = self.fetch(&goal).await;
        if matches!(&fetched, Err(error) if error.kind() == ErrorKind::HubUnreachable) {
            self.is_away.store(true, Ordering::Relaxed);
        }
        fetched
    }

    async fn fetch(&self, goal: &Goal) -> Result<FileReport, Error> {
        let Some(content) = goal.content(&self.engine)? else {
            return self.engine.download(&self.engine.shared, &goal.request()?).await;
        };
        let (engine, cache) = (&self.engine, &self.engine.shared);
        let content = &content;
        let placement = Placement { engine, cache, content, force: Force::Off, slots: None };
        match placement.run(Underway::default()).await? {
            Placed::Done(report) => Ok(report),
            Placed::Doubted(_, error) => Err(error),
        }
    }

    /// Returns where the content of an entry is now: aside, where that is overwritten.
    fn content_of(&self, id: Id) -> Option<CachePath> {
        let aside = self.asides.get(&id).map(|(at, _)| at.clone());
        aside.or_else(|| self.inventory.get(id).map(|item| item.at.clone()))
    }

    fn size_of(&self, id: Option<Id>) -> Option<u64> {
        let entry = self.inventory.get(id?)?.entry.as_ref()?;
        Some(entry.len_bytes)
    }

    /// Writes a listing anew, as the hub says it.
    async fn list(&self, id: Id) -> Result<End, Error> {
        let Some((repo, commit)) = self.inventory.commit_of(id) else {
            return Ok(End::Skipped(Skip::Changed));
        };
        let (_, to_keep) =
            self.cache.ask_listing(&repo, &commit, Patience::lasting(&self.engine.config)).await?;
        let kept = self.engine.shared.run(move |cache, _| {
            let layout = RepoLayout::new(&repo);
            to_keep.keep(cache, &layout, &commit);
            Listing::of_cache(cache, &layout, &commit).is_some()
        });
        if kept.await? {
            return Ok(End::Done);
        }
        Err(Error::new(ErrorKind::Other, "the listing could not be kept"))
    }
}
