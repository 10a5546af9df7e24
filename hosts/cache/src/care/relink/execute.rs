//! Carrying out a plan of conversions. Each step looks again at both ends, proves the bytes that it relies on, and is one
//! atomic change; what is no longer as it was decided over is left alone.
//!
//! Who converts something of a repo has it alone: nobody who holds its lease relies on it meanwhile. All steps of a content
//! are done under the lock of its etag, which other tools hold while they place it.

mod change;
mod clear;

use std::collections::{BTreeMap, HashSet};

use hubstow_core::{
    care::{
        Id, Stamp,
        relink::{Act, Plan, Source, Step},
    },
    layout::CachePath,
    name::{Commit, Revision},
    policy::Method,
};

use self::change::Change;
use crate::{
    Target,
    cache::{
        folders::KnownFolders,
        lease::{Leased, Share},
        proofs::Verdict,
    },
    care::{
        again::look_again,
        complete::lease_of,
        execute::{Kept, Skip},
        inventory::{Inventory, Item},
        locks::{LOCKS, PeerLock},
        relink::contents::{Contents, Slot},
    },
    disk::{
        Entry, Kind,
        failure::{ErrorGroup, FsError, with_causes},
    },
    observe::view::View,
};

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// Why it was not done, if it was not.
    pub skipped: Option<Skip>,
}

/// What came of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relinked {
    /// What became of each step.
    pub steps: Vec<Done>,
    /// How many bytes of regular files are free, each file once; fewer than none where copies were made.
    pub freed_bytes: i64,
    /// Whether others could be kept out.
    pub others: Kept,
}

impl View {
    /// Carries out a plan that was made of this inventory and these contents, telling what becomes of each step.
    pub fn relink(
        &self,
        inventory: &Inventory,
        contents: &Contents,
        plan: &Plan,
        tell: &mut dyn FnMut(&Done),
    ) -> Relinked {
        let mut of_repo: BTreeMap<Id, Vec<Step>> = BTreeMap::new();
        for step in &plan.steps {
            of_repo.entry(inventory.outermost(step.id)).or_default().push(*step);
        }
        let (steps, known) = (Vec::new(), KnownFolders::remembering());
        let (freed_bytes, others) = (0, Kept::default());
        let view = &self.recording_apart();
        let mut work = Work { view, inventory, contents, known, tell, steps, freed_bytes, others };
        for (repo, steps) in of_repo {
            work.convert(repo, &steps);
        }
        let Work { steps, freed_bytes, others, .. } = work;
        Relinked { steps, freed_bytes, others }
    }
}

struct Work<'a> {
    view: &'a View,
    inventory: &'a Inventory,
    contents: &'a Contents,
    known: KnownFolders,
    tell: &'a mut dyn FnMut(&Done),
    steps: Vec<Done>,
    freed_bytes: i64,
    others: Kept,
}

impl Work<'_> {
    fn end(&mut self, step: &Step, skipped: Option<Skip>) {
        let done = Done { step: *step, skipped };
        (self.tell)(&done);
        self.steps.push(done);
    }

    /// Converts one repo.
    fn convert(&mut self, repo: Id, steps: &[Step]) {
        let inventory = self.inventory;
        let Some(at) = inventory.get(repo).map(|item| &item.at) else { return };
        let leases = match self.lease(at, steps) {
            Ok(leases) => leases,
            Err(skip) => {
                steps.iter().for_each(|step| self.end(step, Some(skip.clone())));
                return;
            }
        };
        let (dead, steps): (Vec<Step>, Vec<Step>) =
            steps.iter().partition(|step| step.act == Act::Clear);
        for step in &dead {
            let skipped = self.clear(step).err();
            self.end(step, skipped);
        }
        let mut of_blob: BTreeMap<CachePath, (&Slot, Vec<Step>)> = BTreeMap::new();
        for step in &steps {
            match self.contents.slot_of(step.id) {
                Some((_, slot)) => {
                    let at = slot.layout.blob(&slot.etag);
                    of_blob.entry(at).or_insert((slot, Vec::new())).1.push(*step);
                }
                None => self.end(step, Some(Skip::Changed)),
            }
        }
        let of_blob: Vec<_> = of_blob.into_iter().collect();
        for some in of_blob.chunks(LOCKS) {
            self.convert_some(some);
        }
        self.tidy(at);
        self.record(repo);
        drop(leases);
    }

    /// Writes down what is proved of the pointers of a repo, for the next run.
    fn record(&self, repo: Id) {
        let mut of_commit: BTreeMap<&Commit, Vec<Target>> = BTreeMap::new();
        for (id, (commit, _)) in &self.contents.pointers {
            let slot = self.contents.slot_of(*id);
            if let Some((_, slot)) = slot.filter(|_| self.inventory.outermost(*id) == repo) {
                of_commit.entry(commit).or_default().extend(self.target(*id, slot));
            }
        }
        for (commit, targets) in of_commit {
            if let Some(target) = targets.first() {
                self.view.record_proofs(&target.layout, commit, &targets);
            }
        }
    }

    /// Takes the lease of a repo alone, and relies on the repos that its blobs are taken from.
    fn lease(&mut self, repo: &CachePath, steps: &[Step]) -> Result<Vec<Leased>, Skip> {
        let cache = &self.view.cache;
        let sources = steps.iter().filter(|step| step.act == Act::Share);
        let sources = sources.filter_map(|step| Some(self.inventory.outermost(step.from?.id())));
        let sources: HashSet<Id> = sources.collect();
        let mut wanted: Vec<(CachePath, Share)> = sources
            .into_iter()
            .filter_map(|id| Some((self.inventory.get(id)?.at.clone(), Share::Common)))
            .chain([(repo.clone(), Share::Alone)])
            .collect();
        wanted.sort_by(|one, other| one.0.cmp(&other.0));
        let mut leases = Vec::new();
        for (at, share) in wanted {
            let Some(lease) = lease_of(&at) else { continue };
            match cache.try_lease(&lease, share) {
                Leased::Busy => return Err(Skip::InUse),
                Leased::Unavailable => self.others = Kept::Nobody,
                held @ Leased::Held(_) => leases.push(held),
            }
        }
        Ok(leases)
    }

    /// Converts the contents of some blobs under their locks, which are taken in order.
    fn convert_some(&mut self, some: &[(CachePath, (&Slot, Vec<Step>))]) {
        let cache = &self.view.cache;
        let locks: Vec<PeerLock> =
            some.iter().map(|(at, _)| cache.lock_as_peers(at, &self.known)).collect();
        let mut drops = Vec::new();
        for ((_, (slot, steps)), lock) in some.iter().zip(&locks) {
            if matches!(lock, PeerLock::Unavailable) {
                self.others = Kept::Nobody;
            }
            for step in steps {
                if matches!(lock, PeerLock::Busy) {
                    self.end(step, Some(Skip::InUse));
                } else if self.view.cancel.is_cancelled() {
                    self.end(step, Some(Skip::Refused("it was cancelled".to_owned())));
                } else if step.act == Act::Drop {
                    drops.push(*step);
                } else {
                    let skipped = self.step(step, slot).err();
                    self.end(step, skipped);
                }
            }
        }
        self.drop_blobs(&drops);
    }

    /// Does one step, over what it was decided on.
    fn step(&mut self, step: &Step, slot: &Slot) -> Result<(), Skip> {
        let item = self.inventory.get(step.id).ok_or(Skip::Changed)?;
        if step.act != Act::Share || !self.is_made(step) {
            self.still(item, step.over)?;
        }
        let target = self.target(step.id, slot).ok_or(Skip::Changed)?;
        let by = step.by.ok_or(Skip::Changed)?;
        match step.act {
            Act::Make => self.make(&target, by, &item.at, None),
            Act::Share => {
                let from = self.source(step)?;
                self.make(&target, by, &from, Some(Kind::File))
            }
            Act::Place => self.place(step, &target, by, item),
            Act::Clear | Act::Drop => Ok(()),
        }
    }

    /// Tells whether the blob that a step names is one that an earlier step has made.
    fn is_made(&self, step: &Step) -> bool {
        self.inventory.get(step.id).is_some_and(|item| item.role != step.role)
    }

    fn target(&self, id: Id, slot: &Slot) -> Option<Target> {
        let own = self.contents.pointers.get(&id).or(slot.pointer.as_ref());
        let (commit, file) = own.cloned()?;
        let (layout, etag) = (slot.layout.clone(), slot.etag.clone());
        let revision = Revision::from(&commit);
        Some(Target { layout, revision, commit, file, etag, size: None })
    }

    /// Returns where the bytes of a step are, if they are what they were.
    fn source(&self, step: &Step) -> Result<CachePath, Skip> {
        let from = step.from.ok_or(Skip::Changed)?;
        let item = self.inventory.get(from.id()).ok_or(Skip::Changed)?;
        match from {
            Source::Entry { over, .. } => {
                self.still(item, over)?;
                Ok(item.at.clone())
            }
            Source::Made(id) => {
                let (_, slot) = self.contents.slot_of(id).ok_or(Skip::Changed)?;
                Ok(slot.layout.blob(&slot.etag))
            }
        }
    }

    /// Makes the blob of a target of what lies elsewhere; where a second name is refused after all, by a copy.
    fn make(
        &mut self,
        target: &Target,
        by: Method,
        from: &CachePath,
        over: Option<Kind>,
    ) -> Result<(), Skip> {
        let ways = [Method::Hardlink, Method::Reflink, Method::Copy];
        let first = ways.iter().position(|way| *way == by).unwrap_or(ways.len());
        // What repos share is shared by the method that was told, or not at all.
        let last = if over.is_none() { ways.len() } else { first + 1 };
        let mut refused = Skip::Changed;
        for by in ways.get(first..last).unwrap_or_default() {
            let at = target.blob();
            let change = Change::before(self.view, &at, from)?;
            match self.view.convert(target, &at, *by, from, over) {
                Ok(()) => {
                    self.freed_bytes += change.after(self.view, *by);
                    return Ok(());
                }
                Err(error) => {
                    let again = is_about_the_method(&error);
                    refused = skip(&error);
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(refused)
    }

    fn place(&mut self, step: &Step, target: &Target, by: Method, item: &Item) -> Result<(), Skip> {
        let from = self.source(step)?;
        let proved = self.view.proves(&target.layout, &from, &target.etag, None);
        match proved {
            Ok(Verdict::Holds) => {}
            Ok(Verdict::Torn) => return Err(Skip::Changed),
            Err(error) => return Err(Skip::Refused(error.to_string())),
        }
        let change = Change::before(self.view, &item.at, &from)?;
        let converted = self.view.convert(target, &item.at, by, &from, Some(item.kind));
        converted.map_err(|error| skip(&error))?;
        self.freed_bytes += change.after(self.view, by);
        Ok(())
    }

    /// Looks at an entry, if it is still what it was.
    fn still(&self, item: &Item, over: Stamp) -> Result<Option<Entry>, Skip> {
        look_again(self.view, item, over, &self.known)
    }
}

fn is_about_the_method(error: &FsError) -> bool {
    matches!(error, FsError::Method { .. })
        && !matches!(
            error.group(),
            Some(ErrorGroup::Raced | ErrorGroup::NoSpace | ErrorGroup::ReadOnly)
        )
}

fn skip(error: &FsError) -> Skip {
    match error.group() {
        Some(ErrorGroup::Raced) => Skip::Changed,
        _ => Skip::Refused(with_causes(error)),
    }
}
