//! Where what is wrong can be healed from: by which file of a snapshot, and from which content that is here.

use std::collections::HashMap;

use hubstow_core::{
    care::{Id, Ill, Role},
    name::ContentHash,
};

use super::{
    claims::{Claims, content_at, name_in_repo, word_of},
    found::Fault,
    listed::{Listings, Word},
    read::Shown,
    scope::Covered,
};
use crate::{
    care::{damage::Flaw, inventory::Inventory},
    disk::Kind,
};

pub(super) struct Sources<'a> {
    inventory: &'a Inventory,
    covered: &'a Covered,
    listings: &'a Listings,
    /// Where each content is, by its hash, as far as it was read.
    good: HashMap<&'a str, Vec<Id>>,
    /// Blobs that were not read now, by their names: what they hold is proved when it is copied.
    unread: HashMap<&'a str, Vec<Id>>,
}

impl<'a> Sources<'a> {
    pub(super) fn of(
        inventory: &'a Inventory,
        covered: &'a Covered,
        listings: &'a Listings,
        claims: &'a Claims,
        readings: &'a [Shown],
    ) -> Self {
        let mut good: HashMap<&str, Vec<Id>> = HashMap::new();
        for (job, shown) in claims.jobs.iter().zip(readings) {
            for hash in [&shown.sha256, &shown.git].into_iter().flatten() {
                good.entry(hash.as_str()).or_default().push(job.id);
            }
        }
        let mut unread: HashMap<&str, Vec<Id>> = HashMap::new();
        let blobs = inventory.iter().filter(|(_, item)| item.role == Role::Blob);
        for (id, item) in blobs.filter(|(id, _)| !covered.has(inventory, *id)) {
            let content = content_at(inventory, id).map(|(id, _)| id);
            unread.entry(item.at.base()).or_default().extend(content);
        }
        Self { inventory, covered, listings, good, unread }
    }

    /// Adds to a fault what would heal it.
    pub(super) fn complete(&self, fault: &mut Fault) {
        let Some(id) = fault.id else { return };
        let own = self.inventory.get(id).map(|item| item.role);
        fault.readers = self.covered.readers(id).to_vec();
        fault.through = self.through(id, &fault.readers);
        if fault.ill == Ill::Content && fault.through.is_none() && own == Some(Role::Blob) {
            fault.ill = if fault.readers.is_empty() { Ill::Astray } else { Ill::Strange };
        }
        let Some(expected) = fault.expected.as_ref().filter(|_| fault.ill == Ill::Content) else {
            return;
        };
        if expected.etag.content_hash() == ContentHash::Opaque {
            return;
        }
        let of = |contents: &HashMap<&str, Vec<Id>>| {
            contents.get(expected.etag.as_str()).cloned().unwrap_or_default()
        };
        let good = [of(&self.good), of(&self.unread)].concat();
        if self.is_doubtful(fault, &good) {
            fault.ill = Ill::Unnamed;
        } else {
            fault.good = good;
        }
    }

    /// Returns the file of a snapshot by which an entry is healed: itself, or one that is read through it.
    fn through(&self, id: Id, readers: &[Id]) -> Option<Id> {
        let has_name = |id: &Id| self.inventory.file_of(*id).is_some();
        match self.inventory.get(id)?.role {
            Role::Pointer | Role::Folder => Some(id).filter(has_name),
            Role::Repo
            | Role::Frame
            | Role::Ref
            | Role::Revision
            | Role::Blob
            | Role::Staged
            | Role::Companion
            | Role::Payload
            | Role::Stranger => {
                let repo = self.inventory.outermost(id);
                let named = || readers.iter().copied().filter(has_name);
                let own = named().find(|reader| self.inventory.outermost(*reader) == repo);
                own.or_else(|| named().next())
            }
        }
    }

    /// Tells whether a copy may be right, and the listing that is kept of it wrong: it looks like any file, and what the listing
    /// has for it is, of all that is here, another file's of the same revision. Only the hub can tell then.
    fn is_doubtful(&self, fault: &Fault, good: &[Id]) -> bool {
        let Some(id) = fault.id else { return false };
        let is_copy = self
            .inventory
            .get(id)
            .is_some_and(|item| item.role == Role::Pointer && item.kind == Kind::File);
        let looks_whole =
            matches!(fault.damage.flaw, Flaw::WrongHash | Flaw::Truncated | Flaw::TooLong);
        let is_kept = word_of(self.inventory, self.listings, id) == Word::Kept;
        is_copy
            && looks_whole
            && is_kept
            && !good.is_empty()
            && good.iter().all(|source| self.is_of_another_name(id, *source))
    }

    /// Tells whether a content is, in a revision, only that of files of other names.
    fn is_of_another_name(&self, id: Id, source: Id) -> bool {
        let Some((revision, name)) = name_in_repo(self.inventory, id) else { return false };
        let users = self.covered.readers(source).iter().chain([&source]);
        let users: Vec<(Id, &str)> =
            users.filter_map(|user| name_in_repo(self.inventory, *user)).collect();
        users.iter().any(|(of, _)| *of == revision) && users.iter().all(|(_, of)| *of != name)
    }
}
