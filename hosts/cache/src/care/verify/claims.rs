//! What is said of the files of a cache: which content each should hold, and who says so.

use std::collections::HashMap;

use hubstow_core::{
    care::{Id, Role},
    layout::RepoLayout,
    name::{Etag, FileName},
};

use super::{
    listed::{Listings, Word},
    scope::Covered,
};
use crate::{
    care::{
        inventory::{Inventory, Item},
        leads::Leads,
    },
    disk::Kind,
    observe::cached::Promised,
};

/// That a file should hold some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The entry of which it is said: a blob, or a file of a snapshot.
    pub(super) by: Id,
    /// The content.
    pub(super) promised: Promised,
}

/// A file that is to be read, once.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// One of its names.
    pub(super) id: Id,
    pub(super) len_bytes: u64,
    pub(super) claims: Vec<Claim>,
}

/// All files that are to be read, and what is said of each.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) jobs: Vec<Job>,
    /// The job of each name of a file.
    of_entry: HashMap<Id, usize>,
    of_file: HashMap<(u64, u128), usize>,
}

impl Claims {
    pub(super) fn gather(inventory: &Inventory, covered: &Covered, listings: &Listings) -> Self {
        let mut claims = Self::default();
        let in_scope = |id: &Id| covered.has(inventory, *id);
        let of = |role: Role| inventory.iter().filter(move |(_, item)| item.role == role);
        for (id, item) in of(Role::Blob).filter(|(id, _)| in_scope(id)) {
            let promised =
                Etag::parse(item.at.base()).ok().map(|etag| Promised { etag, size: None });
            claims.add(inventory, id, promised);
        }
        for (id, item) in of(Role::Pointer).filter(|(id, _)| in_scope(id)) {
            let promised = listed(inventory, listings, id);
            match (promised, blob_of(inventory, item)) {
                // Who says the same as the blob's name adds no more than the size.
                (Some(promised), Some(blob))
                    if item.kind == Kind::Symlink && is_named(inventory, blob, &promised.etag) =>
                {
                    claims.add(inventory, blob, Some(promised));
                }
                // Another name of a blob is healed by itself.
                (None, Some(blob)) if item.kind == Kind::File => {
                    claims.add(inventory, id, by_name(inventory, blob));
                }
                (promised, _) => claims.add(inventory, id, promised),
            }
        }
        for (id, _) in of(Role::Payload).filter(|(id, _)| in_scope(id)) {
            claims.add(inventory, id, None);
        }
        claims
    }

    fn add(&mut self, inventory: &Inventory, by: Id, promised: Option<Promised>) {
        let Some((id, item)) = content_at(inventory, by) else { return };
        let Some(entry) = &item.entry else { return };
        let key = (entry.identity.device, entry.identity.file);
        let has_more_names = entry.names > 1 && entry.identity.device != 0;
        let same = if has_more_names { self.of_file.get(&key) } else { self.of_entry.get(&id) };
        let at = match same {
            Some(at) => *at,
            None => {
                self.jobs.push(Job { id, len_bytes: entry.len_bytes, claims: Vec::new() });
                self.jobs.len() - 1
            }
        };
        self.of_entry.insert(id, at);
        if has_more_names {
            self.of_file.insert(key, at);
        }
        let (Some(job), Some(promised)) = (self.jobs.get_mut(at), promised) else { return };
        let is_same = |claim: &&mut Claim| claim.by == by && claim.promised.etag == promised.etag;
        match job.claims.iter_mut().find(is_same) {
            Some(claim) => claim.promised.size = claim.promised.size.or(promised.size),
            None => job.claims.push(Claim { by, promised }),
        }
    }

    /// Returns the job of the file that an entry leads to.
    pub(super) fn job_of(&self, inventory: &Inventory, id: Id) -> Option<usize> {
        let (id, _) = content_at(inventory, id)?;
        self.of_entry.get(&id).copied()
    }
}

/// How many links are followed one after the other.
const LINKS: usize = 8;

/// Follows links to the entry with the content.
pub(super) fn content_at(inventory: &Inventory, id: Id) -> Option<(Id, &Item)> {
    let mut id = id;
    for _ in 0..LINKS {
        let item = inventory.get(id)?;
        match item.leads {
            None => return Some((id, item)).filter(|(_, item)| item.kind == Kind::File),
            Some(Leads::To(next)) => id = next,
            Some(Leads::Nowhere | Leads::Outside) => return None,
        }
    }
    None
}

/// Says what the name of a blob promises.
fn by_name(inventory: &Inventory, blob: Id) -> Option<Promised> {
    let etag = Etag::parse(inventory.get(blob)?.at.base()).ok()?;
    Some(Promised { etag, size: None })
}

/// Returns the blob that a file of a snapshot leads to, or is another name of.
pub(super) fn blob_of(inventory: &Inventory, item: &Item) -> Option<Id> {
    let is_blob = |id: &&Id| inventory.get(**id).is_some_and(|item| item.role == Role::Blob);
    item.leads_to.iter().find(is_blob).copied()
}

pub(super) fn is_named(inventory: &Inventory, blob: Id, etag: &Etag) -> bool {
    inventory.get(blob).is_some_and(|blob| blob.at.base() == etag.as_str())
}

/// Returns the name in its repo of an entry of a snapshot, whatever it is.
pub(super) fn name_in_repo(inventory: &Inventory, id: Id) -> Option<(Id, &str)> {
    let revision = inventory.revision_of(id)?;
    let above = inventory.get(revision)?.at.as_str();
    let below = inventory.get(id)?.at.as_str().strip_prefix(above)?;
    // A local folder is a revision at the root.
    let name = if above.is_empty() { Some(below) } else { below.strip_prefix('/') };
    Some((revision, name.filter(|name| !name.is_empty())?))
}

/// Says what the listing has of a file of a snapshot.
pub(super) fn listed(inventory: &Inventory, listings: &Listings, id: Id) -> Option<Promised> {
    let (revision, name) = name_in_repo(inventory, id)?;
    listings.get(&revision)?.files.get(name)?.clone()
}

/// Says what the text of a link promises, whether or not it leads anywhere.
pub(super) fn named_by_link(inventory: &Inventory, id: Id) -> Option<Promised> {
    let text = inventory.get(id)?.link.as_deref()?;
    let (_, name) = name_in_repo(inventory, id)?;
    let own = FileName::parse(name).ok().and_then(|file| RepoLayout::etag_of_link(&file, text));
    let etag = own.or_else(|| Etag::parse(text.rsplit_once("blobs/")?.1).ok())?;
    Some(Promised { etag, size: None })
}

/// Says whose word the listing of an entry's revision is.
pub(super) fn word_of(inventory: &Inventory, listings: &Listings, id: Id) -> Word {
    let revision = inventory.revision_of(id);
    revision.and_then(|id| listings.get(&id)).map(|listed| listed.word).unwrap_or_default()
}
