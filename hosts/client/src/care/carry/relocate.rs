//! Moving a whole cache to another folder or disk.
//!
//! On the same disk it is one rename. Elsewhere everything is copied and proved on the way, and only what is proved there is removed
//! here, by the same executor as any cleaning: it looks again before each step, so what has come or changed meanwhile stays. A run that
//! is killed has lost nothing, and the next one goes on.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use hubstow_cache::{
    Cache, Target,
    care::{
        alone::NotAlone,
        damage::Flaw,
        execute::Skip,
        inventory::{HeldRepo, Inventory, Store},
        summary::RepoSum,
    },
    observe::OwnFacts,
};
use hubstow_core::{
    care::{self, Hold, Id, Role},
    facts::{Blob, Demand, Pointer, Staged},
    layout::{CachePath, RepoLayout},
    name::{Etag, Repo, Revision},
};

use super::{
    Existing, LeftOut, Watch,
    bring::{Bringer, Found, Piece},
    chosen::{Chooser, ChosenRepo},
    guard::not_alone,
    notes::{self, Notes},
    rename::{self, Rename},
    store,
};
use crate::{
    api::error::{Error, FailedFile},
    care::CacheDir,
    engine::Engine,
    handle::CallerBlocks,
};

/// How a cache gets to its new place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// By one rename, on the same disk.
    Rename,
    /// By copying, proving, and removing here what is proved there.
    Copy,
}

/// What becomes of the old place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Old {
    /// What is proved in the new place is removed.
    #[default]
    Remove,
    /// All of it stays.
    Keep,
}

/// What a move does. Nothing was written for it.
#[must_use = "a plan does nothing by itself"]
pub struct MovePlan {
    /// Where to.
    pub to: PathBuf,
    /// How.
    pub way: Way,
    /// The repos that are moved.
    pub repos: Vec<MovedRepo>,
    /// How many bytes of content are to be copied.
    pub bytes: u64,
    /// What stays where it is, and why.
    pub left: Vec<LeftOut>,
    rename: Option<Rename>,
    inventory: Inventory,
    chosen: Vec<ChosenRepo>,
    old: Old,
}

/// A repo that is moved, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedRepo {
    /// Its kind and id, as they are listed.
    pub id: String,
    /// How many files its snapshots have.
    pub files: usize,
    /// How many bytes it takes, each content once.
    pub bytes: u64,
}

/// What came of a move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// How many files were placed there.
    pub placed: usize,
    /// How many were there already.
    pub here: usize,
    /// How many bytes were set free at the old place.
    pub freed_bytes: u64,
    /// What stays at the old place, and why.
    pub left: Vec<LeftOut>,
}

/// The cache that is moved to.
struct There {
    engine: Engine,
}

impl There {
    fn of(engine: &Engine, to: &Path) -> Result<Self, Error> {
        let engine = engine.varied(|config| {
            (config.cache_dir, config.local_dir) = (to.to_owned(), None);
        })?;
        Ok(Self { engine })
    }

    fn cache(&self, watch: &Watch<'_>) -> Cache {
        let blocking = CallerBlocks::its_thread();
        self.engine.shared.blocking(&blocking).stopped_by(watch.cancel.clone())
    }
}

impl CacheDir {
    /// Plans moving the whole cache to another folder.
    ///
    /// # Errors
    /// A folder in the cache itself, or none; a file that can't be read.
    pub fn plan_move(&self, to: &Path, old: Old, watch: &Watch<'_>) -> Result<MovePlan, Error> {
        let from = self.native(&CachePath::root());
        let to = rename::check_places(&from, to)?;
        let inventory = self.inventory()?;
        let rename = match old {
            Old::Remove => Rename::of(&self.engine, &from, &to, &inventory)?,
            Old::Keep => None,
        };
        let repos = inventory.sums().into_iter().map(|sum| MovedRepo {
            id: format!("{}/{}", sum.kind.singular(), sum.name),
            files: sum.revisions.iter().map(|revision| revision.files.len()).sum(),
            bytes: sum.size,
        });
        let (repos, way) = (repos.collect(), Way::Rename);
        let (bytes, left, chosen) = (0, Vec::new(), Vec::new());
        let mut plan = MovePlan { to, way, repos, bytes, left, rename, inventory, chosen, old };
        if plan.rename.is_none() {
            self.plan_copy(&mut plan, watch)?;
        }
        Ok(plan)
    }

    fn plan_copy(&self, plan: &mut MovePlan, watch: &Watch<'_>) -> Result<(), Error> {
        plan.way = Way::Copy;
        let inventory = &plan.inventory;
        let busy: HashSet<Id> = inventory
            .repos
            .iter()
            .map(|held| held.id)
            .filter(|id| inventory.get(*id).is_some_and(|item| item.hold.is_busy()))
            .collect();
        let asked: Vec<Id> =
            inventory.repos.iter().map(|it| it.id).filter(|id| !busy.contains(id)).collect();
        let mut chooser = Chooser::new(self.cache(), inventory, &asked);
        plan.chosen = chooser.repos()?;
        plan.left = chooser.left_out;
        plan.left.extend(left_behind(inventory, &busy));
        let there = There::of(&self.engine, &plan.to)?;
        let cache = there.cache(watch);
        let mut needed: HashSet<(Repo, Etag)> = HashSet::new();
        for chosen in &plan.chosen {
            for (target, _) in targets(chosen) {
                let own = OwnFacts::at_first(Demand::Any, Staged::Absent);
                let facts = cache.observe(&target, own)?.facts;
                let is_there = facts.pointer == Pointer::Holds
                    || matches!(facts.blob, Blob::Existing | Blob::Borrowed);
                if !is_there && needed.insert((chosen.repo.clone(), target.etag.clone())) {
                    plan.bytes += target.size.unwrap_or(0);
                }
            }
        }
        plan.bytes +=
            notes::orphans(inventory, &plan.chosen).map(|orphan| orphan.size).sum::<u64>();
        Ok(())
    }

    /// Carries a move out.
    ///
    /// # Errors
    /// A disk that has no room; a repo in which somebody works, where it would be one rename. Content that is damaged is told
    /// by name when all else is done, and stays.
    pub fn relocate(&self, plan: &MovePlan, watch: &Watch<'_>) -> Result<Moved, Error> {
        if let Some(rename) = &plan.rename {
            let alone = self.cache().lease_all_alone(&plan.inventory).map_err(not_alone)?;
            rename.run()?;
            let files = |sum: &RepoSum| -> usize {
                sum.revisions.iter().map(|revision| revision.files.len()).sum()
            };
            let placed = alone.inventory.sums().iter().map(files).sum();
            return Ok(Moved { placed, ..Moved::default() });
        }
        let there = There::of(&self.engine, &plan.to)?;
        let cache = there.cache(watch);
        let free = cache.disk().free_bytes(&CachePath::root()).ok().flatten();
        super::check_room(&plan.to, plan.bytes, free)?;
        watch.listed(plan.repos.iter().map(|repo| repo.files).sum(), plan.bytes);
        let mut done = Moved { left: plan.left.clone(), ..Moved::default() };
        let (mut failures, mut proved) = (Vec::new(), Vec::new());
        for chosen in &plan.chosen {
            let failed = self.move_repo(plan, &there, &cache, chosen, &mut done, watch)?;
            if failed.is_empty() {
                proved.push(chosen.repo.clone());
            }
            failures.extend(failed);
        }
        if plan.old == Old::Remove && !watch.cancel.is_cancelled() {
            self.remove_moved(plan, &proved, &mut done);
        }
        if failures.is_empty() {
            return Ok(done);
        }
        let wanted = plan.repos.iter().map(|repo| repo.files).sum();
        Err(Error::of_files(failures, wanted, Vec::new()))
    }

    fn move_repo(
        &self,
        plan: &MovePlan,
        there: &There,
        cache: &Cache,
        chosen: &ChosenRepo,
        done: &mut Moved,
        watch: &Watch<'_>,
    ) -> Result<Vec<FailedFile>, Error> {
        let layout = chosen.layout();
        // A lease would make a cache where none is any more.
        if !matches!(self.cache().disk().entry(&layout.repo()), Ok(Some(_))) {
            return Err(not_alone(NotAlone::Changed));
        }
        let _here = self.lease(&chosen.repo)?;
        let _there = super::guard::lease(cache, &chosen.repo)?;
        let cache = &cache.remembering(&layout);
        let mut failed = Vec::new();
        if plan.inventory.store == Store::Marked {
            failed.extend(store::carry(
                self.cache(),
                cache,
                &plan.inventory,
                chosen,
                &watch.cancel,
            )?);
        }
        let (engine, cancel) = (&there.engine, &watch.cancel);
        let bringer = Bringer { engine, cache, cancel, tell: watch.tell, existing: Existing::Keep };
        let (all, from): (Vec<Piece>, Vec<CachePath>) = targets(chosen)
            .map(|(target, file)| {
                let sha256 = file.sha256.clone();
                (Piece { repo: chosen.repo.clone(), target, sha256 }, file.from.clone())
            })
            .unzip();
        let disk = self.cache().disk();
        let source = |number: usize, tried: usize| {
            let at = from.get(number).filter(|_| tried == 0)?;
            Some(disk.open(at).map(|content| {
                let file = store::is_plain(disk, at).then(|| disk.native(at));
                Found { content: Box::new(content), file }
            }))
        };
        for brought in bringer.bring_all(&all, &source) {
            match brought {
                Ok(report) if report.by.is_some() => done.placed += 1,
                Ok(_) => done.here += 1,
                Err(failure) => failed.push(*failure),
            }
        }
        let notes = Notes { from: self.cache(), to: cache, inventory: &plan.inventory, chosen };
        failed.extend(notes.orphan_blobs(cancel)?);
        if failed.is_empty() {
            done.left.extend(notes.carry()?);
        }
        let mut of_commit: BTreeMap<_, Vec<Target>> = BTreeMap::new();
        for piece in all {
            of_commit.entry(piece.target.commit.clone()).or_default().push(piece.target);
        }
        for (commit, targets) in &of_commit {
            cache.record_proofs(&layout, commit, targets);
        }
        Ok(failed)
    }

    /// Removes what is proved in the new place from the old one, but for repos of which something can't be carried.
    fn remove_moved(&self, plan: &MovePlan, proved: &[Repo], done: &mut Moved) {
        let inventory = &plan.inventory;
        let stays = notes::with_strangers(inventory);
        let moved: Vec<Id> = inventory
            .repos
            .iter()
            .filter(|held| held.repo().is_some_and(|repo| proved.contains(&repo)))
            .map(|held| held.id)
            .filter(|id| !stays.contains(id) && !is_named_in(&plan.left, inventory.repo_of(*id)))
            .collect();
        let mut all = inventory.held();
        // What is pinned is pinned there as well.
        for entry in all.entries.iter_mut().filter(|entry| entry.hold == Hold::Pinned) {
            entry.hold = Hold::Free;
        }
        let removal = care::remove(&all, &moved);
        let executed = self.cache().execute(inventory, &removal, &mut |_| {});
        done.freed_bytes = executed.freed_bytes;
        let is_content = |role: Role| matches!(role, Role::Pointer | Role::Blob | Role::Payload);
        for step in &executed.steps {
            let why = match &step.skipped {
                None | Some(Skip::Gone) => continue,
                Some(Skip::Refused(said)) => said,
                Some(Skip::Changed | Skip::InUse | Skip::Needed | Skip::Holds) => {
                    "it has changed or is in use; the same command moves it later"
                }
            };
            if let Some(item) = inventory.get(step.id).filter(|item| is_content(item.role)) {
                done.left.push(LeftOut::new(item.at.as_str(), why));
            }
        }
    }

    /// Makes the old place a link to the new one, where nothing of worth is left in it.
    ///
    /// # Errors
    /// What is in the way; links that are not to be had.
    pub fn link_old(&self, plan: &MovePlan) -> Result<(), Error> {
        rename::link_old(&self.engine, &self.native(&CachePath::root()), &plan.to)
    }
}

/// Returns what is to be placed of a repo.
fn targets(chosen: &ChosenRepo) -> impl Iterator<Item = (Target, &super::chosen::ChosenFile)> {
    let layout = chosen.layout();
    chosen.revisions.iter().flat_map(move |revision| {
        let layout = layout.clone();
        revision.files.iter().map(move |file| {
            let target = Target {
                layout: layout.clone(),
                revision: Revision::from(&revision.commit),
                commit: revision.commit.clone(),
                file: file.name.clone(),
                etag: file.etag.clone(),
                size: Some(file.size),
            };
            (target, file)
        })
    })
}

/// Tells whether something of a repo is left out.
fn is_named_in(left: &[LeftOut], held: Option<&HeldRepo>) -> bool {
    let Some(repo) = held.and_then(HeldRepo::repo) else { return true };
    let (by_name, by_path) =
        (format!("{}@", repo.id), format!("{}/", RepoLayout::new(&repo).repo()));
    left.iter().any(|left| left.what.starts_with(&by_name) || left.what.starts_with(&by_path))
}

/// Says what of a cache is not carried at all.
fn left_behind(inventory: &Inventory, busy: &HashSet<Id>) -> Vec<LeftOut> {
    let mut left = Vec::new();
    for stranger in &inventory.strangers {
        left.push(LeftOut::new(stranger.as_str(), "it is nothing of a cache"));
    }
    for damage in &inventory.damage {
        if matches!(damage.flaw, Flaw::RepoIsLink | Flaw::RepoIsFile) {
            left.push(LeftOut::new(damage.at.as_str(), damage.flaw.to_string()));
        }
    }
    for (id, item) in inventory.iter() {
        let outer = inventory.outermost(id);
        if busy.contains(&id) {
            let why = match item.hold {
                Hold::Unsure => "not all of it can be read",
                Hold::InUse | Hold::Pinned | Hold::Free => "another process works with it",
            };
            left.push(LeftOut::new(item.at.as_str(), why));
        } else if item.role == Role::Stranger && !busy.contains(&outer) {
            let above = item.within.and_then(|id| inventory.get(id));
            if above.is_none_or(|above| above.role != Role::Stranger) {
                left.push(LeftOut::new(item.at.as_str(), "it is nothing of a cache"));
            }
        }
    }
    left
}
