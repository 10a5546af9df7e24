//! What of a cache is verified, and who is read through what.

use std::collections::{HashMap, HashSet};

use hubstow_core::{
    care::{Id, Role},
    name::{Commit, FileName, Repo},
};

use crate::care::{inventory::Inventory, leads::Leads};

/// What of a cache is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    #[default]
    All,
    /// These repos, revisions and files, and what they lead to.
    Of(Vec<Id>),
}

/// What is in scope, found out.
pub(crate) struct Covered {
    covered: Option<HashSet<Id>>,
    /// What else is read through: blobs and payloads that files in scope lead to.
    led_to: HashSet<Id>,
    /// The files of snapshots that lead to each entry, all of them.
    readers: HashMap<Id, Vec<Id>>,
}

/// How many links are followed one after the other.
const LINKS: usize = 8;

impl Covered {
    pub(crate) fn of(inventory: &Inventory, scope: &Scope) -> Self {
        let covered = match scope {
            Scope::All => None,
            Scope::Of(ids) => Some(ids.iter().copied().collect::<HashSet<Id>>()),
        };
        let mut found = Self { covered, led_to: HashSet::new(), readers: HashMap::new() };
        for (id, item) in inventory.iter().filter(|(_, item)| item.role == Role::Pointer) {
            let is_covered = found.is_covered(inventory, id);
            let mut next = item.leads_to.first().copied();
            for _ in 0..LINKS {
                let Some(to) = next else { break };
                found.readers.entry(to).or_default().push(id);
                if is_covered {
                    found.led_to.insert(to);
                }
                next = match inventory.get(to).and_then(|item| item.leads) {
                    Some(Leads::To(to)) => Some(to),
                    Some(Leads::Nowhere | Leads::Outside) | None => None,
                };
            }
        }
        found
    }

    fn is_covered(&self, inventory: &Inventory, id: Id) -> bool {
        let Some(covered) = &self.covered else { return true };
        inventory.around(id).any(|(id, _)| covered.contains(&id))
    }

    /// Tells whether an entry is verified.
    pub(crate) fn has(&self, inventory: &Inventory, id: Id) -> bool {
        self.is_covered(inventory, id) || self.led_to.contains(&id)
    }

    /// Tells whether all is verified.
    pub(crate) fn is_all(&self) -> bool {
        self.covered.is_none()
    }

    /// Returns the files of snapshots that are read through an entry.
    pub(crate) fn readers(&self, id: Id) -> &[Id] {
        self.readers.get(&id).map_or(&[], Vec::as_slice)
    }
}

impl Inventory {
    /// Returns the repo, the commit and the name in the repo of an entry of a snapshot, where they have names.
    #[must_use]
    pub fn file_of(&self, id: Id) -> Option<(Repo, Commit, FileName)> {
        let item = self.get(id)?;
        let (repo, commit) = self.commit_of(id)?;
        let revision = self.get(self.revision_of(id)?)?;
        let name = item.at.as_str().strip_prefix(revision.at.as_str())?.strip_prefix('/')?;
        Some((repo, commit, FileName::parse(name).ok()?))
    }

    /// Returns the repo and the commit of a revision, of what is in one, or of a listing.
    #[must_use]
    pub fn commit_of(&self, id: Id) -> Option<(Repo, Commit)> {
        let item = self.get(id)?;
        let repo = self.repo_of(id)?.repo()?;
        let revision = self.revision_of(id).and_then(|id| self.get(id));
        let commit = match revision {
            Some(revision) => revision.at.base(),
            None => item.at.base().strip_suffix(".json")?,
        };
        Some((repo, Commit::parse(commit).ok()?))
    }

    /// Tells whether the hub can be asked for an entry.
    pub(crate) fn has_name(&self, id: Id) -> bool {
        let role = self.get(id).map(|item| item.role);
        match role {
            Some(Role::Companion | Role::Revision) => self.commit_of(id).is_some(),
            Some(_) => self.file_of(id).is_some(),
            None => false,
        }
    }
}
