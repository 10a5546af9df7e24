//! Healing what verifying has found: by the ordinary way of files to their places, one file after the other.

mod goal;
mod step;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
};

use futures_util::{StreamExt as _, stream};

use hubstow_cache::{
    Cache, FsError,
    cache::lease::Lease,
    care::{
        execute::Skip,
        heal::Aside,
        verify::{Fault, Verified},
    },
    disk::failure::with_causes,
};
use hubstow_core::{
    care::{Cure, Heal, Id, Ill, Plan, Repair, Step, Why},
    layout::{CachePath, RepoLayout},
    name::Repo,
};

use self::goal::Goal;
use super::{CacheDir, Inventory};
use crate::{
    api::{error::Error, report::FileReport},
    engine::Engine,
    handle::{DiskBound, Worker},
};

/// How a step of a repair has ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// A file is in its place.
    Placed(Box<FileReport>),
    /// It is done.
    Done,
    /// It was left alone.
    Skipped(Skip),
    /// It could not be done.
    Failed(Error),
}

/// What became of a step of a repair.
#[derive(Debug)]
#[non_exhaustive]
pub struct Healed {
    /// The entry.
    pub id: Id,
    /// How it was to be healed.
    pub cure: Cure,
    /// How that ended.
    pub end: End,
}

impl Healed {
    /// Tells whether the entry is as it should be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        match self.end {
            End::Placed(_) | End::Done | End::Skipped(Skip::Gone) => true,
            End::Skipped(_) | End::Failed(_) => false,
        }
    }

    /// Returns what was done for a file that was brought to its place.
    #[must_use]
    pub fn report(&self) -> Option<&FileReport> {
        if let End::Placed(report) = &self.end { Some(report) } else { None }
    }

    /// Returns why it was left alone.
    #[must_use]
    pub fn skipped(&self) -> Option<&Skip> {
        if let End::Skipped(skip) = &self.end { Some(skip) } else { None }
    }

    /// Returns why it could not be done.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        if let End::Failed(error) = &self.end { Some(error) } else { None }
    }
}

impl CacheDir {
    /// Carries out a repair that was planned of what was found in this inventory, telling what becomes of each step. Files get to
    /// their places as in any download, so each is looked at again first, and what is right by then stays.
    ///
    /// ```no_run
    /// # async fn run(hub: &hubstow_client::Hub) -> Result<(), hubstow_client::Error> {
    /// use std::ops::ControlFlow;
    ///
    /// use hubstow_client::care::Scope;
    ///
    /// let cache = hub.cache();
    /// let inventory = cache.inventory()?;
    /// let told = cache.ask_listings(&inventory, &Scope::All).await?;
    /// let go_on = |_| ControlFlow::Continue(());
    /// let verified = cache.verify(&inventory, &Scope::All, &told.listings, go_on)?;
    /// let plan = cache.plan_repair(&inventory, &verified);
    /// for healed in cache.repair(&inventory, &verified, &plan, |_| {}).await? {
    ///     println!("{}: {}", healed.cure, if healed.is_well() { "done" } else { "not done" });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A thread on which no request can be waited for. What fails for one entry stops no other.
    pub async fn repair(
        &self,
        inventory: &Inventory,
        verified: &Verified,
        plan: &Repair,
        mut tell: impl FnMut(&Healed),
    ) -> Result<Vec<Healed>, Error> {
        self.engine.check()?;
        let engine = match self.engine.config.local_dir {
            Some(_) => self.engine.varied(|config| config.local_dir = None)?,
            None => self.engine.clone(),
        };
        let mut work = Work {
            cache: Self::of(engine.clone()),
            engine,
            inventory: Arc::new(inventory.clone()),
            is_away: AtomicBool::new(false),
            faults: HashMap::new(),
            leases: HashMap::new(),
            asides: HashMap::new(),
            healed: Vec::new(),
        };
        for fault in verified.faults.iter().filter(|fault| can_be_healed(fault.ill)) {
            if let Some(id) = fault.id {
                work.faults.entry(id).or_insert(fault);
            }
        }
        work.keep_asides(plan).await?;
        // Only what is fetched gains by being done at once.
        for steps in plan.steps.chunk_by(|one, next| one.cure == next.cure) {
            match steps.first().map(|step| step.cure) {
                Some(Cure::Remove) => work.remove(steps, plan, &mut tell).await?,
                Some(Cure::Fetch) => work.fetch_all(steps, plan, &mut tell).await?,
                Some(Cure::List | Cure::Place | Cure::Enlist | Cure::Point) => {
                    for step in steps {
                        work.one(step, plan, &mut tell).await?;
                    }
                }
                None => {}
            }
        }
        work.forget_asides().await?;
        Ok(work.healed)
    }
}

/// Tells whether there is a cure for what is wrong, in some case.
fn can_be_healed(ill: Ill) -> bool {
    match ill {
        Ill::Content
        | Ill::Unnamed
        | Ill::Astray
        | Ill::Untidy
        | Ill::Void
        | Ill::Listing
        | Ill::Unlisted => true,
        Ill::Closed | Ill::Strange | Ill::Litter => false,
    }
}

/// What a repair has at hand.
struct Work<'a> {
    engine: Engine,
    cache: CacheDir,
    /// A copy, for the workers.
    inventory: Arc<Inventory>,
    /// Whether the hub could not be reached for something before.
    is_away: AtomicBool,
    faults: HashMap<Id, &'a Fault>,
    leases: HashMap<Repo, Option<DiskBound<Lease>>>,
    /// Copies of what is overwritten while others still need it.
    asides: HashMap<Id, (CachePath, DiskBound<Aside>)>,
    healed: Vec<Healed>,
}

impl Work<'_> {
    fn end(&mut self, step: &Heal, end: End, tell: &mut dyn FnMut(&Healed)) {
        let healed = Healed { id: step.id, cure: step.cure, end };
        tell(&healed);
        self.healed.push(healed);
    }

    async fn one(
        &mut self,
        step: &Heal,
        plan: &Repair,
        tell: &mut dyn FnMut(&Healed),
    ) -> Result<(), Error> {
        if self.is_needed(plan, step.id) {
            self.end(step, End::Skipped(Skip::Needed), tell);
            return Ok(());
        }
        self.rely_on(step).await?;
        let end = self.heal(step).await.unwrap_or_else(End::Failed);
        self.end(step, end, tell);
        Ok(())
    }

    /// Fetches files, several at once.
    async fn fetch_all(
        &mut self,
        steps: &[Heal],
        plan: &Repair,
        tell: &mut dyn FnMut(&Healed),
    ) -> Result<(), Error> {
        let (needed, free): (Vec<&Heal>, Vec<&Heal>) =
            steps.iter().partition(|step| self.is_needed(plan, step.id));
        for step in &free {
            self.rely_on(step).await?;
        }
        let at_once = self.engine.config.max_workers.max(1);
        let ends: Vec<_> = {
            let this = &*self;
            let fetch = |step: Heal| async move { (step, this.heal(&step).await) };
            let fetches: Vec<_> = free.into_iter().map(|step| fetch(*step)).collect();
            stream::iter(fetches).buffer_unordered(at_once).collect().await
        };
        for (step, end) in ends {
            self.end(&step, end.unwrap_or_else(End::Failed), tell);
        }
        for step in needed {
            self.end(step, End::Skipped(Skip::Needed), tell);
        }
        Ok(())
    }

    /// Tells whether another step still takes from what stands there, and no copy of it was kept.
    fn is_needed(&self, plan: &Repair, id: Id) -> bool {
        let is_well =
            |step: &Heal| self.healed.iter().any(|healed| healed.id == step.id && healed.is_well());
        let mut users = plan.steps.iter().filter(|step| step.from == Some(id));
        !self.asides.contains_key(&id) && users.any(|step| !is_well(step))
    }

    /// Copies what will be overwritten and is still needed, before anything is.
    async fn keep_asides(&mut self, plan: &Repair) -> Result<(), Error> {
        let overwritten = |id: Id| {
            let mut steps = plan.steps.iter().filter(|step| step.id == id);
            steps.any(|step| matches!(step.cure, Cure::Place | Cure::Fetch))
        };
        for step in &plan.steps {
            let Some(from) = step.from.filter(|from| overwritten(*from)) else { continue };
            let goal = self.faults.get(&step.id).and_then(|fault| Goal::of(&self.inventory, fault));
            let (Some(goal), Some(item)) = (goal, self.inventory.get(from)) else { continue };
            if self.asides.contains_key(&from) {
                continue;
            }
            let (handle, at) = (self.engine.shared.clone(), item.at.clone());
            let kept = self.engine.shared.run(move |cache, _| {
                let layout = RepoLayout::new(&goal.repo);
                let aside = cache.keep_aside(&layout, &at)?;
                Ok::<_, FsError>((aside.at.clone(), handle.keep(aside)))
            });
            // What can't be kept stays as it is until it was taken over.
            match kept.await? {
                Ok(aside) => {
                    self.asides.insert(from, aside);
                }
                Err(error) => tracing::debug!(error = %with_causes(&error), "no copy aside"),
            }
        }
        Ok(())
    }

    async fn forget_asides(&mut self) -> Result<(), Error> {
        let asides: Vec<_> = self.asides.drain().map(|(_, (_, aside))| aside).collect();
        let forget = move |cache: &Cache, worker: &Worker| {
            asides.into_iter().for_each(|aside| cache.forget(aside.open(worker)));
        };
        self.engine.shared.run(forget).await
    }

    /// Removes by the ordinary way of removing, which has a repo alone; what a step that failed was to take from stays.
    async fn remove(
        &mut self,
        steps: &[Heal],
        plan: &Repair,
        tell: &mut dyn FnMut(&Healed),
    ) -> Result<(), Error> {
        // Whoever removes has the repo alone.
        self.leases.clear();
        let (needed, free): (Vec<Heal>, Vec<Heal>) =
            steps.iter().partition(|step| self.is_needed(plan, step.id));
        for step in needed {
            self.end(&step, End::Skipped(Skip::Needed), tell);
        }
        let removal =
            |heal: &Heal| Step { id: heal.id, role: heal.role, why: Why::Asked, over: heal.over };
        let removals = Plan { steps: free.iter().map(removal).collect(), ..Plan::default() };
        let inventory = Arc::clone(&self.inventory);
        let done = self
            .engine
            .shared
            .run(move |cache, _| cache.execute(&inventory, &removals, &mut |_| {}))
            .await?;
        for step in free {
            let of_step = done.steps.iter().find(|done| done.id == step.id);
            let end = match of_step.and_then(|done| done.skipped.clone()) {
                Some(skip) => End::Skipped(skip),
                None => End::Done,
            };
            self.end(&step, end, tell);
        }
        Ok(())
    }
}
