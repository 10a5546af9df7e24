//! Converting the cache to the methods of a policy.

use std::collections::{BTreeSet, HashMap};

pub use hubstow_cache::care::relink::{
    execute::{Done, Relinked},
    told::{Progress, Tell},
};
use hubstow_cache::{
    care::{
        inventory::HeldRepo,
        relink::{contents::Contents, told::Promises},
    },
    disk::Kind,
    observe::cached::Promised,
};
pub use hubstow_core::care::relink::{Act, Because, Left, Plan, Rules, Source, Step, Why};
use hubstow_core::{
    care::{Id, relink::relink},
    layout::RepoLayout,
    name::{Commit, Repo},
    policy::{Method, Methods, Policy},
};

use crate::{
    api::error::Error,
    care::{CacheDir, Inventory},
    lookup::listing::Listing,
};

/// What is to be converted, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelinkRequest {
    /// The methods that there are to be in the end.
    pub policy: Policy,
    /// Whether equal blobs of different repos become one file, where the policy has hard links or reflinks.
    pub across: bool,
    /// The repos; all where none is named.
    pub repos: Vec<Id>,
    /// Whether it will only be looked at: then nothing is written down of what is found out.
    pub dry_run: bool,
}

impl RelinkRequest {
    /// Asks for the whole cache to be converted.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, across: false, repos: Vec::new(), dry_run: false }
    }

    /// Also lets equal blobs of different repos become one file.
    #[must_use]
    pub fn across(self, across: bool) -> Self {
        Self { across, ..self }
    }

    /// Asks for these repos only.
    #[must_use]
    pub fn repos(self, repos: Vec<Id>) -> Self {
        Self { repos, ..self }
    }

    /// Only looks.
    #[must_use]
    pub fn dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }
}

/// A conversion that was planned.
#[derive(Clone, Debug)]
pub struct Relinking {
    /// The plan.
    pub plan: Plan,
    /// What was found out of the methods here.
    pub methods: Methods,
    /// How many bytes were read because nothing had proved them.
    pub hashed_bytes: u64,
    /// How many links become files of which no kept listing says what they should hold. The name of the blob says it, and goes.
    pub unlisted: usize,
    contents: Contents,
    folders_bytes: i64,
}

impl Relinking {
    /// Returns by how many bytes `du -sb` tells less after the plan. It also counts the texts of links and the folders that
    /// are made; one that outgrows its first block is not foreseen.
    #[must_use]
    pub fn apparent_bytes(&self, inventory: &Inventory) -> i64 {
        let texts = self.contents.bytes_of_link_texts(inventory, self.plan.steps.iter());
        self.plan.freed_bytes + texts - self.folders_bytes
    }

    /// Returns the same of what was done.
    #[must_use]
    pub fn apparent_bytes_of(&self, inventory: &Inventory, done: &Relinked) -> i64 {
        let steps = done.steps.iter().filter(|it| it.skipped.is_none()).map(|done| &done.step);
        let texts = self.contents.bytes_of_link_texts(inventory, steps);
        done.freed_bytes + texts - self.folders_bytes
    }
}

/// Counts the links that become files of which no listing tells.
fn unlisted(
    inventory: &Inventory,
    contents: &Contents,
    plan: &Plan,
    promises: Promises<'_>,
) -> usize {
    let mut listings: HashMap<(Repo, Commit), HashMap<String, Promised>> = HashMap::new();
    let becomes_file = |step: &&Step| {
        step.act == Act::Place
            && matches!(step.by, Some(Method::Move | Method::Copy))
            && inventory.get(step.id).is_some_and(|item| item.kind == Kind::Symlink)
    };
    let mut is_unlisted = |step: &&Step| {
        let file = contents.file_of(step.id);
        let repo = inventory.repo_of(step.id).and_then(HeldRepo::repo);
        let Some(((commit, file), repo)) = file.zip(repo) else { return false };
        let layout = RepoLayout::new(&repo);
        let listing = listings.entry((repo, commit.clone()));
        let listing = listing.or_insert_with(|| promises(&layout, commit));
        !listing.contains_key(file.as_str())
    };
    plan.steps.iter().filter(becomes_file).filter(|step| is_unlisted(step)).count()
}

impl CacheDir {
    /// Plans the conversion of what is there to the methods of a policy. Each method is tried first; what nothing has proved
    /// yet is hashed, and `tell` hears how far that has come. Nothing is converted.
    ///
    /// # Errors
    /// A cache directory in which no file can be made, unless it is only looked at; that it was cancelled.
    pub fn plan_relink(
        &self,
        inventory: &Inventory,
        request: &RelinkRequest,
        tell: &Tell,
    ) -> Result<Relinking, Error> {
        let cache = self.cache();
        let cache = if request.dry_run { cache.looking_only() } else { cache.clone() };
        let probed = if inventory.repos.is_empty() {
            // A directory that is not there is not made for this.
            Ok(Methods::UNTRIED)
        } else {
            cache.methods_by_probe()
        };
        let methods = match probed {
            // Where nothing can be tried, nothing can be converted, but it can be said what would be.
            Err(_) if request.dry_run => cache.methods(),
            probed => probed?,
        };
        let all = || inventory.repos.iter().map(|repo| repo.id).collect();
        let repos: BTreeSet<Id> =
            if request.repos.is_empty() { all() } else { request.repos.iter().copied().collect() };
        let (policy, across, dead) =
            (request.policy, request.across, inventory.left_by_dead_runs());
        let rules = Rules { policy, methods, across, repos, dead };
        let promises: Promises<'_> = &|layout, commit| {
            let listing = Listing::of_cache(&cache, layout, commit);
            let files = listing.into_iter().flat_map(|listing| listing.files);
            let promised = files.filter_map(|listed| {
                let (etag, size) = listed.content?;
                Some((listed.file.as_str().to_owned(), Promised { etag, size: Some(size) }))
            });
            promised.collect::<HashMap<_, _>>()
        };
        let contents = cache.contents(inventory, &rules, promises, tell)?;
        let plan = relink(&inventory.held(), &contents.known, &rules);
        let unlisted = unlisted(inventory, &contents, &plan, promises);
        let folders_bytes = cache.bytes_of_new_folders(inventory, &plan.steps);
        let hashed_bytes = contents.hashed_bytes;
        Ok(Relinking { plan, methods, hashed_bytes, unlisted, contents, folders_bytes })
    }

    /// Carries out a conversion that was planned of this inventory, telling what becomes of each step. Each is looked at again
    /// first, and what has changed by now stays.
    pub fn execute_relink(
        &self,
        inventory: &Inventory,
        planned: &Relinking,
        mut tell: impl FnMut(&Done),
    ) -> Relinked {
        self.cache().relink(inventory, &planned.contents, &planned.plan, &mut tell)
    }
}
