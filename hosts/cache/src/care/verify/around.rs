//! What is wrong that no hash tells: links, refs, markers, listings, leftovers, lists of users.

use std::collections::{HashMap, HashSet};

use hubstow_core::{
    care::{Hold, Id, Ill, Role},
    layout::CachePath,
    name::Commit,
};

use super::{
    claims::{listed, name_in_repo, named_by_link},
    found::{Fault, Verified},
    listed::{Kept, Listings},
    scope::Covered,
};
use crate::{
    care::{
        damage::{Damage, Flaw, Weight},
        inventory::{Inventory, Item},
    },
    disk::Kind,
    observe::{REF_LIMIT_BYTES, view::View},
};

/// The longest list of a shared content's users that is read.
const USERS_LIMIT_BYTES: u64 = 16 << 20;

pub(super) struct Around<'a> {
    pub(super) view: &'a View,
    pub(super) inventory: &'a Inventory,
    pub(super) covered: &'a Covered,
    pub(super) listings: &'a Listings,
}

impl Around<'_> {
    pub(super) fn look(&self, verified: &mut Verified) {
        let items = self.inventory.iter();
        let places: HashMap<&str, Id> = items.map(|(id, item)| (item.at.as_str(), id)).collect();
        let empty = self.empty_folders();
        self.take_damage(&places, &empty, verified);
        self.compare_listings(&places, &empty, verified);
        for (id, item) in self.inventory.iter().filter(|(id, _)| self.has(*id)) {
            let (flaw, ill) = match item.role {
                Role::Companion if self.is_wrong_marker(item, &places) => {
                    (Flaw::MarkerWrong, Ill::Void)
                }
                Role::Staged if item.hold == Hold::Free => (Flaw::Leftover, Ill::Litter),
                Role::Repo
                | Role::Frame
                | Role::Ref
                | Role::Revision
                | Role::Folder
                | Role::Pointer
                | Role::Blob
                | Role::Staged
                | Role::Companion
                | Role::Payload
                | Role::Stranger => continue,
            };
            verified.faults.extend(Fault::new(self.inventory, id, flaw, ill));
        }
        self.check_users(&places, verified);
        self.find_names_that_clash(verified);
    }

    fn has(&self, id: Id) -> bool {
        self.covered.has(self.inventory, id)
    }

    fn empty_folders(&self) -> HashSet<Id> {
        let full: HashSet<Id> = self.inventory.iter().filter_map(|(_, item)| item.within).collect();
        let folders = self.inventory.iter().filter(|(_, item)| item.kind == Kind::Directory);
        folders.map(|(id, _)| id).filter(|id| !full.contains(id)).collect()
    }

    /// Takes over what the inventory has found.
    fn take_damage(
        &self,
        places: &HashMap<&str, Id>,
        empty: &HashSet<Id>,
        verified: &mut Verified,
    ) {
        for damage in &self.inventory.damage {
            let id = places.get(damage.at.as_str()).copied();
            if !id.map_or(self.covered.is_all(), |id| self.has(id)) || !self.is_still_so(damage) {
                continue;
            }
            let expected = id.and_then(|id| {
                let listed = listed(self.inventory, self.listings, id);
                listed.or_else(|| named_by_link(self.inventory, id))
            });
            let is_litter = damage.flaw.weight() == Weight::Litter
                || (damage.flaw == Flaw::RefLeadsNowhere
                    && (self.is_in_empty_repo(damage) || self.is_in_use(id)));
            let is_empty_blob =
                damage.flaw == Flaw::BlobIsFolder && id.is_some_and(|id| empty.contains(&id));
            let ill = match (is_link(damage.flaw), &expected) {
                _ if is_litter => Ill::Litter,
                (true, Some(_)) => Ill::Content,
                (true, None) => Ill::Unnamed,
                (false, _) if is_empty_blob => Ill::Void,
                (false, _) => ill_of(damage.flaw),
            };
            let mut fault = Fault::of(damage.clone(), id, ill);
            if ill == Ill::Litter {
                fault.weight = Weight::Litter;
            }
            fault.expected = expected;
            verified.faults.push(fault);
        }
    }

    /// Looks again at what may have been on its way while the cache was listed: a link whose blob came after the blobs were
    /// listed, a ref whose snapshot did, a folder that was being removed.
    fn is_still_so(&self, damage: &Damage) -> bool {
        let (disk, at) = (self.view.disk(), &damage.at);
        let entry = disk.entry(at);
        if matches!(entry, Ok(None)) {
            return false;
        }
        if damage.flaw == Flaw::LinkLeadsNowhere {
            let is_link = matches!(entry, Ok(Some(it)) if it.kind == Kind::Symlink);
            return is_link && !matches!(disk.through(at), Ok(Some(_)));
        }
        let is_there =
            |at: Option<CachePath>| at.is_some_and(|at| !matches!(disk.entry(&at), Ok(None)));
        damage.flaw != Flaw::RefLeadsNowhere || !is_there(self.snapshot_of_ref(at))
    }

    /// Returns the snapshot that a ref leads to, whether or not it is there.
    fn snapshot_of_ref(&self, at: &CachePath) -> Option<CachePath> {
        let commit = Commit::from_ref_file(&self.view.cache.read(at, REF_LIMIT_BYTES)?)?;
        let repo = CachePath::root().listed(at.as_str().split('/').next()?)?;
        repo.listed("snapshots")?.listed(commit.as_str())
    }

    /// Tells whether somebody works in the repo: the Python client writes the ref first.
    fn is_in_use(&self, id: Option<Id>) -> bool {
        let repo = id.and_then(|id| self.inventory.get(self.inventory.outermost(id)));
        repo.is_some_and(|repo| repo.hold == Hold::InUse)
    }

    /// Tells whether something is of a repo without snapshots: a download into a folder leaves its ref behind.
    fn is_in_empty_repo(&self, damage: &Damage) -> bool {
        let top = damage.at.as_str().split('/').next();
        let mut empty = self.inventory.damage.iter().filter(|it| it.flaw == Flaw::NoSnapshots);
        empty.any(|repo| Some(repo.at.as_str()) == top)
    }

    /// Compares what is there with the listings.
    fn compare_listings(
        &self,
        places: &HashMap<&str, Id>,
        empty: &HashSet<Id>,
        verified: &mut Verified,
    ) {
        let mut here: HashMap<Id, HashSet<&str>> = HashMap::new();
        for (id, item) in self.inventory.iter().filter(|(id, _)| self.has(*id)) {
            let Some((revision, name)) = name_in_repo(self.inventory, id) else { continue };
            let listing = self.listings.get(&revision).filter(|listing| listing.tells());
            let Some(listing) = listing else { continue };
            let is_listed = listing.files.get(name);
            match (item.role, is_listed) {
                (Role::Pointer, None) => verified.extra.push(id),
                (Role::Folder, Some(promised)) => {
                    let ill = match promised {
                        _ if !empty.contains(&id) => Ill::Strange,
                        Some(_) => Ill::Content,
                        None => Ill::Unnamed,
                    };
                    let fault = Fault::new(self.inventory, id, Flaw::FileIsFolder, ill);
                    let expected = promised.clone();
                    verified.faults.extend(fault.map(|fault| Fault { expected, ..fault }));
                }
                (_, _) => {}
            }
            here.entry(revision).or_default().insert(name);
        }
        for (revision, listing) in self.listings {
            let Some(item) = self.inventory.get(*revision).filter(|_| self.has(*revision)) else {
                continue;
            };
            let none = HashSet::new();
            let here = here.get(revision).unwrap_or(&none);
            let mut missing: Vec<&String> =
                listing.files.keys().filter(|name| !here.contains(name.as_str())).collect();
            missing.sort();
            verified.missing.extend(missing.into_iter().map(|name| (*revision, name.clone())));
            let flaw = match listing.kept {
                Kept::None | Kept::Whole => continue,
                Kept::Damaged => Flaw::ListingDamaged,
                Kept::Differs => Flaw::ListingDiffers,
            };
            let kept = item.at.parent().parent().listed("trees");
            let kept = kept.and_then(|it| it.listed(&format!("{}.json", item.at.base())));
            let id = kept.and_then(|at| places.get(at.as_str()).copied());
            let fault = id.and_then(|id| Fault::new(self.inventory, id, flaw, Ill::Listing));
            verified.faults.extend(fault);
        }
    }

    /// Tells whether a marker says of a file that it does not exist, and it is here.
    fn is_wrong_marker(&self, item: &Item, places: &HashMap<&str, Id>) -> bool {
        let Some((repo, file)) = item.at.as_str().split_once("/.no_exist/") else { return false };
        let file = places.get(format!("{repo}/snapshots/{file}").as_str());
        file.is_some_and(|id| self.inventory.content_of(*id).is_some())
    }

    /// Compares the lists of shared contents' users with who leads to them.
    fn check_users(&self, places: &HashMap<&str, Id>, verified: &mut Verified) {
        let mut users: HashMap<Id, Vec<(Id, &str)>> = HashMap::new();
        for (id, item) in self.inventory.iter().filter(|(_, item)| item.role == Role::Blob) {
            for to in &item.leads_to {
                users.entry(*to).or_default().push((id, item.at.as_str()));
            }
        }
        let payloads = self.inventory.iter().filter(|(_, item)| item.role == Role::Payload);
        for (payload, item) in payloads.filter(|(id, _)| self.has(*id)) {
            // Without a list nobody removes it.
            let Some(list) = places.get(format!("{}.refs", item.at).as_str()).copied() else {
                continue;
            };
            let Some(at) = self.inventory.get(list).map(|item| &item.at) else { continue };
            let Some(content) = self.view.cache.read(at, USERS_LIMIT_BYTES) else { continue };
            let content = String::from_utf8_lossy(&content);
            let said: HashSet<&str> = content.lines().collect();
            let of_payload = users.get(&payload).map_or(&[][..], Vec::as_slice);
            let lacks = of_payload.iter().filter(|(_, user)| !said.contains(user));
            let lacks: Vec<Id> = lacks.map(|(id, _)| *id).collect();
            if !lacks.is_empty() {
                let fault = Fault::new(self.inventory, list, Flaw::UserMissing, Ill::Unlisted);
                verified.faults.extend(fault.map(|fault| Fault { good: lacks, ..fault }));
            }
            if !said.iter().all(|line| is_user(line)) {
                let fault = Fault::new(self.inventory, list, Flaw::UsersDamaged, Ill::Litter);
                verified.faults.extend(fault);
            }
        }
    }

    /// Finds repos, and files of one snapshot, whose names some disks take for one. Files that the listing has are what the
    /// repo has.
    fn find_names_that_clash(&self, verified: &mut Verified) {
        let mut seen: HashMap<String, Id> = HashMap::new();
        let named = self.inventory.iter().filter(|(id, item)| {
            matches!(item.role, Role::Repo | Role::Pointer)
                && self.has(*id)
                && listed(self.inventory, self.listings, *id).is_none()
        });
        for (id, item) in named {
            if seen.insert(item.at.as_str().to_lowercase(), id).is_some() {
                let fault = Fault::new(self.inventory, id, Flaw::NamesClash, Ill::Litter);
                verified.faults.extend(fault);
            }
        }
    }
}

/// Tells whether a file of a snapshot leads to no file at all.
fn is_link(flaw: Flaw) -> bool {
    matches!(
        flaw,
        Flaw::LinkLeadsNowhere
            | Flaw::LinkLeadsOutside
            | Flaw::LinkGoesRound
            | Flaw::LinkLeadsToFolder
            | Flaw::NotAFile
    )
}

/// Says what else an inventory finds is as far as healing goes.
fn ill_of(flaw: Flaw) -> Ill {
    if matches!(flaw, Flaw::RefLeadsNowhere | Flaw::RefDamaged | Flaw::RefIsFolder) {
        Ill::Void
    } else if flaw == Flaw::RefUntidy {
        Ill::Untidy
    } else if flaw == Flaw::Unreadable {
        Ill::Closed
    } else {
        Ill::Strange
    }
}

/// Tells whether a line can name a user of a shared content: who it names may have gone, which harms nobody.
fn is_user(line: &str) -> bool {
    let parts: Vec<&str> = line.split('/').collect();
    matches!(parts[..], [repo, "blobs", name]
        if repo.contains("--") && ![".", "..", ""].contains(&name))
}
