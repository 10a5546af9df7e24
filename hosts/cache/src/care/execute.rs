//! Carrying out a plan. Each step looks again, and leaves alone what is no longer as it was decided over.
//!
//! Who removes something of a repo has it alone: nobody who holds its lease relies on it meanwhile. Blobs go under the locks
//! of their etags, which other tools hold while they place them, and only those that no pointer leads to by then. That
//! something can't be removed is told, and no error: what stays is safe.

mod content;

use std::{
    collections::{BTreeMap, HashSet},
    io,
};

use hubstow_core::{
    care::{Id, Plan, Role, Step},
    layout::RepoLayout,
    name::Commit,
};

use crate::{
    cache::{
        folders::KnownFolders,
        lease::{Leased, Share},
    },
    care::{
        again::look_again,
        complete::{is_ours, lease_of},
        inventory::{Inventory, Item},
        life::Life,
        role::known,
        walk::{Listed, walk},
    },
    disk::Kind,
    observe::view::View,
};

pub use crate::care::again::Skip;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The entry.
    pub id: Id,
    /// Why it stays, if it does.
    pub skipped: Option<Skip>,
}

/// Whether anybody could be kept out while something was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// They were.
    #[default]
    Out,
    /// Locks are not to be had here.
    Nobody,
}

/// What came of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// What became of each step.
    pub steps: Vec<Done>,
    /// How many bytes of files are free.
    pub freed_bytes: u64,
    /// Whether others could be kept out.
    pub others: Kept,
}

impl View {
    /// Carries a plan out that was made of this inventory, telling what becomes of each step.
    pub fn execute(
        &self,
        inventory: &Inventory,
        plan: &Plan,
        tell: &mut dyn FnMut(&Done),
    ) -> Executed {
        let mut groups: BTreeMap<Id, Vec<Step>> = BTreeMap::new();
        for step in &plan.steps {
            groups.entry(inventory.outermost(step.id)).or_default().push(*step);
        }
        let mut all = Executed::default();
        // What repos share goes after what leads to it.
        let is_repo = |id: &Id| inventory.get(*id).is_some_and(|item| item.role == Role::Repo);
        let (repos, store): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(id, _)| is_repo(id));
        for (outer, steps) in repos.into_iter().chain(store) {
            let mut work = Work::new(self, inventory, outer);
            work.run(&steps);
            for step in &work.steps {
                tell(step);
            }
            if work.others == Kept::Nobody {
                all.others = Kept::Nobody;
            }
            all.steps.append(&mut work.steps);
        }
        all.freed_bytes = freed_bytes(inventory, &all.steps);
        all
    }
}

/// Returns how many bytes of files have lost their last name.
fn freed_bytes(inventory: &Inventory, steps: &[Done]) -> u64 {
    let done = steps.iter().filter(|done| done.skipped.is_none());
    let gone: HashSet<Id> = done.map(|done| done.id).collect();
    inventory.held().freed_bytes(|id| gone.contains(&id))
}

/// What is done in one repo, or in the store.
struct Work<'a> {
    view: &'a View,
    inventory: &'a Inventory,
    outer: Id,
    known: KnownFolders,
    steps: Vec<Done>,
    stays: HashSet<Id>,
    others: Kept,
}

impl<'a> Work<'a> {
    fn new(view: &'a View, inventory: &'a Inventory, outer: Id) -> Self {
        let (known, steps) = (KnownFolders::remembering(), Vec::new());
        let (stays, others) = (HashSet::new(), Kept::default());
        Self { view, inventory, outer, known, steps, stays, others }
    }

    fn end(&mut self, id: Id, skipped: Option<Skip>) {
        if skipped.as_ref().is_some_and(|skip| *skip != Skip::Gone) {
            self.stays.insert(id);
        }
        self.steps.push(Done { id, skipped });
    }

    fn run(&mut self, steps: &[Step]) {
        let Some(outer) = self.inventory.get(self.outer) else { return };
        let lease = lease_of(&outer.at).filter(|_| outer.role == Role::Repo);
        let leased = lease.map(|at| self.view.cache.try_lease(&at, Share::Alone));
        let refused = match &leased {
            Some(Leased::Busy) => Some(Skip::InUse),
            Some(Leased::Unavailable) => {
                self.others = Kept::Nobody;
                None
            }
            Some(Leased::Held(_)) | None => None,
        };
        if let Some(skip) = refused.or_else(|| self.pins_have_changed().then_some(Skip::Changed)) {
            steps.iter().for_each(|step| self.end(step.id, Some(skip.clone())));
            return;
        }
        let mut blobs = Vec::new();
        let mut refs_are_gone = false;
        for step in steps {
            if self.view.cancel.is_cancelled() {
                self.end(step.id, Some(Skip::Refused("it was cancelled".to_owned())));
                continue;
            }
            if step.role != Role::Ref && !refs_are_gone {
                refs_are_gone = true;
                self.keep_what_refs_name(steps);
            }
            if step.role == Role::Blob {
                blobs.push(*step);
            } else {
                self.take_blobs(&std::mem::take(&mut blobs));
                self.take_one(step);
            }
        }
        self.take_blobs(&blobs);
        drop(leased);
    }

    /// Tells whether a user has pinned something meanwhile.
    fn pins_have_changed(&self) -> bool {
        let held = self.inventory.repo_of(self.outer);
        let repo = held.and_then(|held| Some((held.repo()?, &held.pins)));
        repo.is_some_and(|(repo, pins)| {
            self.view.pins(&RepoLayout::new(&repo)).ok().as_ref() != Some(pins)
        })
    }

    /// A ref that has come, or has changed, keeps the revision that it leads to.
    fn keep_what_refs_name(&mut self, steps: &[Step]) {
        let revisions = steps.iter().filter(|step| step.role == Role::Revision);
        let revisions: Vec<(Id, String)> = revisions
            .filter_map(|step| Some((step.id, self.inventory.get(step.id)?.at.base().to_owned())))
            .collect();
        let folder = self.inventory.get(self.outer).and_then(|repo| repo.at.listed("refs"));
        let Some(folder) = folder.filter(|_| !revisions.is_empty()) else { return };
        let cache = &self.view.cache;
        let listed = walk(&*cache.disk, folder, &self.view.cancel, &mut Vec::new());
        let unsure = self.inventory.iter().filter(|(id, _)| self.inventory.is_unsure_ref(*id));
        let unsure: HashSet<&str> = unsure.map(|(_, item)| item.at.as_str()).collect();
        let is_ref = |listed: &&Listed| {
            let parts: Vec<&str> = listed.at.as_str().split('/').skip(1).collect();
            known(&parts, listed.kind).role == Role::Ref && !unsure.contains(listed.at.as_str())
        };
        let said: Vec<Option<String>> = listed
            .iter()
            .filter(is_ref)
            .map(|listed| {
                let is_file = listed.kind == Kind::File;
                let text = is_file.then(|| self.view.ref_text(&listed.at).ok().flatten());
                text.flatten().map(|text| text.trim().to_owned())
            })
            .collect();
        // One that can't be told any more may be of any.
        let is_told = |said: &Option<String>| {
            let said = said.as_deref().unwrap_or_default();
            Commit::parse(said).is_ok() || revisions.iter().any(|(_, commit)| commit == said)
        };
        let all_told = said.iter().all(is_told);
        let said: HashSet<String> = said.into_iter().flatten().collect();
        let named = revisions.into_iter().filter(|(_, it)| !all_told || said.contains(it));
        self.stays.extend(named.map(|(id, _)| id));
    }

    /// Tells whether an entry is in something that stays, or belongs to it.
    fn follows_what_stays(&self, step: &Step, item: &Item) -> bool {
        let within = self
            .inventory
            .around(step.id)
            .any(|(id, outer)| outer.role == Role::Revision && self.stays.contains(&id));
        let belongs = step.role == Role::Companion
            && item.leads_to.iter().any(|owner| self.stays.contains(owner));
        within || belongs
    }

    fn take_one(&mut self, step: &Step) {
        let Some(item) = self.inventory.get(step.id) else { return };
        if self.follows_what_stays(step, item) {
            let is_revision = step.role == Role::Revision;
            let skip = if is_revision { Skip::Needed } else { Skip::Holds };
            self.end(step.id, Some(skip));
            return;
        }
        let skipped = match step.role {
            Role::Staged => match self.view.cache.life_of(&item.at, item.kind, is_ours(item)) {
                Life::Lives => Some(Skip::InUse),
                Life::Dead(_held) => self.take(step, item),
            },
            Role::Payload => self.take_payload(step, item),
            Role::Repo
            | Role::Frame
            | Role::Ref
            | Role::Revision
            | Role::Folder
            | Role::Pointer
            | Role::Blob
            | Role::Companion
            | Role::Stranger => self.take(step, item),
        };
        self.end(step.id, skipped);
    }

    /// Removes an entry, if it is still what it was.
    fn take(&self, step: &Step, item: &Item) -> Option<Skip> {
        let (cache, at) = (&self.view.cache, &item.at);
        if let Err(skip) = look_again(self.view, item, step.over, &self.known) {
            return Some(skip);
        }
        let removed = match item.kind {
            Kind::Directory => cache.disk.remove_folder(at),
            Kind::File | Kind::Symlink | Kind::Other => cache.disk.remove(at),
        };
        match removed {
            Ok(()) => None,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && matches!(cache.disk.entry(at), Ok(None)) =>
            {
                Some(Skip::Gone)
            }
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Some(Skip::Holds),
            Err(error) => Some(Skip::Refused(error.to_string())),
        }
    }
}
