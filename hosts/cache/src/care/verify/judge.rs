//! What follows from what was said of files and what reading them has shown.

use std::collections::HashMap;

use hubstow_core::{
    care::{Id, Ill, Role},
    layout::RepoLayout,
    name::{ContentHash, Etag, FileName},
};

use super::{
    claims::{Claim, Claims, Job, blob_of, is_named, listed, name_in_repo, word_of},
    found::{Fault, Verified},
    listed::{Listings, Word},
    read::{End, Shown},
    scope::Covered,
};
use crate::{
    care::{
        damage::{Damage, Flaw},
        inventory::Inventory,
    },
    disk::Kind,
    observe::cached::Promised,
};

/// The beginning of what git keeps in the place of a large file, and its lines.
const LFS: &str = "version https://git-lfs.github.com/spec/v1\n";
const LFS_HASH: &str = "oid sha256:";
const LFS_SIZE: &str = "size ";

/// Contents by their etags, and their sizes where these are known.
type Wanted<'a> = HashMap<&'a str, Option<u64>>;

pub(super) struct Judge<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) covered: &'a Covered,
    pub(super) listings: &'a Listings,
    pub(super) claims: &'a Claims,
    pub(super) readings: &'a [Shown],
}

/// Whether a file is what somebody says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// Nothing tells.
    Untold,
}

impl Judge<'_> {
    pub(super) fn judge(&self, verified: &mut Verified) {
        let wanted = self.wanted();
        for (job, shown) in self.claims.jobs.iter().zip(self.readings) {
            self.judge_file(job, shown, &wanted, verified);
        }
        self.judge_links(verified);
    }

    /// Returns all contents that anything should hold, and what is said of the size of each.
    fn wanted(&self) -> Wanted<'_> {
        let mut wanted = Wanted::new();
        for claim in self.claims.jobs.iter().flat_map(|job| &job.claims) {
            let size = wanted.entry(claim.promised.etag.as_str()).or_default();
            *size = size.or(claim.promised.size);
        }
        wanted
    }

    fn judge_file(&self, job: &Job, shown: &Shown, wanted: &Wanted<'_>, verified: &mut Verified) {
        match &shown.end {
            End::Whole => {}
            End::Refused(said) => {
                let Some(item) = self.inventory.get(job.id) else { return };
                let damage = Damage::new(&item.at, Flaw::Unreadable);
                let damage = Damage { said: Some(said.clone()), ..damage };
                let mut fault = Fault::of(damage, Some(job.id), Ill::Closed);
                fault.expected = job.claims.first().map(|claim| claim.promised.clone());
                verified.faults.push(fault);
                return;
            }
            End::Changed | End::Unread => {
                verified.untold.push(job.id);
                return;
            }
        }
        verified.files += 1;
        verified.bytes += job.len_bytes;
        let holds: Vec<Holds> =
            job.claims.iter().map(|claim| holds(job, shown, &claim.promised)).collect();
        let mut is_told = holds.contains(&Holds::Yes);
        for (claim, _) in job.claims.iter().zip(&holds).filter(|(_, holds)| **holds == Holds::No) {
            is_told = true;
            // A link to content that is whole is judged as a link.
            let is_link_aside = holds.contains(&Holds::Yes) && self.is_link(claim.by);
            if !is_link_aside {
                verified.faults.extend(self.fault(job, shown, claim, wanted));
            }
        }
        if job.claims.is_empty() {
            let stands_in = self.stands_in(job.id, shown);
            is_told = stands_in.is_some();
            verified.faults.extend(stands_in);
        }
        if !is_told {
            verified.untold.push(job.id);
        } else if !holds.contains(&Holds::No) && !job.claims.is_empty() {
            verified.proved += 1;
        }
    }

    fn is_link(&self, id: Id) -> bool {
        let item = self.inventory.get(id);
        item.is_some_and(|item| item.role == Role::Pointer && item.kind == Kind::Symlink)
    }

    /// Makes the fault of an entry whose file is not what was said of it.
    fn fault(&self, job: &Job, shown: &Shown, claim: &Claim, wanted: &Wanted<'_>) -> Option<Fault> {
        let found = shown.hash(&claim.promised.etag);
        // What a listing says of the same content counts for a blob as well.
        let elsewhere = || wanted.get(claim.promised.etag.as_str()).copied().flatten();
        let size = claim.promised.size.or_else(elsewhere);
        let promised = Promised { size, ..claim.promised.clone() };
        let flaw = match promised.size {
            _ if job.len_bytes == 0 => Flaw::Empty,
            _ if self.flattened(claim.by, shown).is_some() => Flaw::FlattenedLink,
            _ if lfs_pointer(shown).is_some() => Flaw::LfsPointer,
            _ if found.is_some_and(|found| wanted.contains_key(found)) => Flaw::HoldsOther,
            Some(size) if job.len_bytes < size => Flaw::Truncated,
            Some(size) if job.len_bytes > size => Flaw::TooLong,
            _ if shown.is_zero => Flaw::Zeros,
            _ => Flaw::WrongHash,
        };
        let mut fault = Fault::new(self.inventory, claim.by, flaw, Ill::Content)?;
        fault.found = found.map(str::to_owned);
        fault.expected = Some(promised);
        Some(fault)
    }

    /// Finds what stands in the place of a file of which nothing else speaks.
    fn stands_in(&self, id: Id, shown: &Shown) -> Option<Fault> {
        let item = self.inventory.get(id).filter(|item| item.role == Role::Pointer)?;
        let (flaw, expected) = match (self.flattened(id, shown), lfs_pointer(shown)) {
            (Some(etag), _) => (Flaw::FlattenedLink, Promised { etag, size: None }),
            (None, Some(promised)) => (Flaw::LfsPointer, promised),
            (None, None) => return None,
        };
        let mut fault = Fault::of(Damage::new(&item.at, flaw), Some(id), Ill::Content);
        fault.expected = Some(expected);
        Some(fault)
    }

    /// Reads the etag out of a file that holds nothing but the text of its own link.
    fn flattened(&self, id: Id, shown: &Shown) -> Option<Etag> {
        let (_, name) = name_in_repo(self.inventory, id)?;
        let text = str::from_utf8(shown.text.as_ref()?).ok()?.trim_end_matches(['\r', '\n']);
        RepoLayout::etag_of_link(&FileName::parse(name).ok()?, &text.replace('\\', "/"))
    }

    /// Judges links by where they lead: nowhere, or to content that is whole and not what the listing says.
    fn judge_links(&self, verified: &mut Verified) {
        let pointers = self.inventory.iter().filter(|(id, item)| {
            item.role == Role::Pointer && self.covered.has(self.inventory, *id)
        });
        for (id, item) in pointers {
            let promised = listed(self.inventory, self.listings, id);
            let other = match (promised, blob_of(self.inventory, item)) {
                (Some(promised), Some(blob))
                    if item.kind == Kind::Symlink
                        && !is_named(self.inventory, blob, &promised.etag) =>
                {
                    promised
                }
                _ => continue,
            };
            let Some(at) = self.claims.job_of(self.inventory, id) else { continue };
            let (Some(job), Some(shown)) = (self.claims.jobs.get(at), self.readings.get(at)) else {
                continue;
            };
            let is_whole =
                job.claims.iter().any(|it| holds(job, shown, &it.promised) == Holds::Yes);
            if is_whole && holds(job, shown, &other) == Holds::No {
                // Who of both is wrong, a listing that is kept can't tell: the hub can.
                let ill = match word_of(self.inventory, self.listings, id) {
                    Word::Hub => Ill::Content,
                    Word::Kept => Ill::Unnamed,
                };
                let fault = Fault::new(self.inventory, id, Flaw::OtherThanListed, ill);
                let found = shown.hash(&other.etag).map(str::to_owned);
                verified.faults.extend(fault.map(|fault| Fault {
                    found,
                    expected: Some(other),
                    ..fault
                }));
            }
        }
    }
}

/// Tells whether a file is what was said of it.
fn holds(job: &Job, shown: &Shown, promised: &Promised) -> Holds {
    match shown.end {
        End::Whole => {}
        End::Unread | End::Changed | End::Refused(_) => return Holds::Untold,
    }
    let fits = promised.size.is_none_or(|size| size == job.len_bytes);
    match shown.hash(&promised.etag) {
        _ if !fits => Holds::No,
        Some(hash) if hash == promised.etag.as_str() => Holds::Yes,
        Some(_) => Holds::No,
        // No hash: a size alone speaks against a file, and not for it.
        None => Holds::Untold,
    }
}

/// Reads what large file git's text stands for.
fn lfs_pointer(shown: &Shown) -> Option<Promised> {
    let text = str::from_utf8(shown.text.as_ref()?).ok()?;
    let lines = text.strip_prefix(LFS)?;
    let value = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name));
    let etag = Etag::parse(value(LFS_HASH)?).ok()?;
    let is_sha256 = etag.content_hash() == ContentHash::Sha256;
    Some(Promised { etag, size: value(LFS_SIZE)?.parse().ok() }).filter(|_| is_sha256)
}
