//! What is found out about entries when all of them have been listed: where links lead, what refs mean, what is pinned, who
//! works where.

use std::collections::{HashMap, HashSet};

use hubstow_core::{
    care::{Hold, Id, Role},
    layout::{CachePath, RepoLayout},
    name::{Etag, Nonce, Repo, RepoId},
};

use crate::{
    care::{
        damage::{Damage, Flaw},
        inventory::{HeldRepo, Inventory, Item},
        leads::{Leads, Places, folder_of},
        life::Life,
        pins::{Pins, damage_of},
        refs::{Refs, read_refs},
        role::Owner,
        uses::take_uses,
    },
    disk::Kind,
    observe::view::View,
};

/// How many links are followed one after the other: a pointer, a blob and a payload are two.
const LINKS: usize = 8;

impl HeldRepo {
    /// Returns the repo, where the folder's name is that of one.
    #[must_use]
    pub fn repo(&self) -> Option<Repo> {
        Some(Repo::new(self.kind, RepoId::parse(&self.name).ok()?))
    }
}

/// Completes an inventory. `root` is the path of the cache directory, and `loose` are the links that do not lead to anything in
/// the same repo.
pub(crate) fn complete(view: &View, inventory: &mut Inventory, root: &str, loose: &[Id]) {
    sort_pointers(inventory);
    follow_links(inventory, root, loose);
    let refs = read_refs(view, inventory);
    follow_owners(inventory, &refs);
    join_names(inventory);
    look_for_life(view, inventory);
    hold_what_is_unsure(inventory);
    take_pins(view, inventory);
    take_uses(view, inventory);
    check_repos(inventory);
}

fn sort_pointers(inventory: &mut Inventory) {
    let pointers = inventory.iter().filter(|(_, item)| item.role == Role::Pointer);
    let pointers = pointers.filter_map(|(id, _)| Some((inventory.revision_of(id)?, id)));
    let pointers: Vec<(Id, Id)> = pointers.collect();
    for (revision, pointer) in pointers {
        inventory.pointers.entry(revision).or_default().push(pointer);
    }
}

fn follow_links(inventory: &mut Inventory, root: &str, loose: &[Id]) {
    let found: Vec<(Id, Leads)> = if loose.is_empty() {
        Vec::new()
    } else {
        let places = Places::of(root.to_owned(), &inventory.items);
        let links = loose.iter().filter_map(|id| {
            let item = inventory.get(*id)?;
            Some((*id, places.leads(folder_of(&item.at), item.link.as_ref()?)))
        });
        links.collect()
    };
    for (id, leads) in found {
        inventory.change(id, |item| match leads {
            Leads::To(to) => item.lead_to(to),
            Leads::Nowhere | Leads::Outside => item.leads = Some(leads),
        });
    }
    let damage = inventory.iter().filter(|(_, item)| item.role == Role::Pointer);
    let damage = damage.filter_map(|(id, item)| match item.leads {
        Some(Leads::Outside) => Some(Damage::new(&item.at, Flaw::LinkLeadsOutside)),
        Some(_) => end_of_link(inventory, id).map(|flaw| Damage::new(&item.at, flaw)),
        None if item.kind == Kind::Other => Some(Damage::new(&item.at, Flaw::NotAFile)),
        None => None,
    });
    let damage: Vec<Damage> = damage.collect();
    inventory.damage.extend(damage);
}

/// Says what is wrong with where a link ends, over however many hops.
fn end_of_link(inventory: &Inventory, id: Id) -> Option<Flaw> {
    let mut next = id;
    for _ in 0..LINKS {
        let item = inventory.get(next)?;
        match (item.leads, item.kind) {
            (Some(Leads::To(to)), _) => next = to,
            (Some(Leads::Nowhere), _) => return Some(Flaw::LinkLeadsNowhere),
            (None, Kind::Directory) => return Some(Flaw::LinkLeadsToFolder),
            (None, Kind::Other) => return Some(Flaw::NotAFile),
            (Some(Leads::Outside), _) | (None, Kind::File | Kind::Symlink) => return None,
        }
    }
    Some(Flaw::LinkGoesRound)
}

/// Finds what listings, markers and records belong to: the snapshot, or else the refs of its commit.
fn follow_owners(inventory: &mut Inventory, refs: &Refs) {
    let mut revisions: HashMap<(Id, String), Id> = HashMap::new();
    let mut staged: HashMap<Nonce, Id> = HashMap::new();
    for (id, item) in inventory.iter() {
        if item.role == Role::Revision {
            revisions.insert((inventory.outermost(id), item.at.base().to_owned()), id);
        } else if item.role == Role::Staged
            && let Some((_, nonce)) = RepoLayout::parse_staged(item.at.base())
        {
            staged.insert(nonce, id);
        }
    }
    let payloads: HashMap<String, Id> = inventory
        .iter()
        .filter(|(_, item)| item.role == Role::Payload)
        .map(|(id, item)| (item.at.as_str().to_owned(), id))
        .collect();
    let companions = inventory.iter().filter(|(_, item)| item.role == Role::Companion);
    let owners: Vec<(Id, Vec<Id>)> = companions
        .map(|(id, item)| {
            let owners = match &item.owner {
                Owner::Commit(commit) => {
                    let key = (inventory.outermost(id), commit.clone());
                    let of_refs = || refs.get(&key).cloned().unwrap_or_default();
                    revisions.get(&key).map_or_else(of_refs, |revision| vec![*revision])
                }
                Owner::Staged(nonce) => staged.get(nonce).copied().into_iter().collect(),
                Owner::Nothing => {
                    let payload = item.at.as_str().strip_suffix(".refs");
                    payload.and_then(|at| payloads.get(at)).copied().into_iter().collect()
                }
            };
            (id, owners)
        })
        .collect();
    for (id, owners) in owners {
        inventory.change(id, |item| item.leads_to.extend(owners));
    }
}

/// Where a pointer is another name of a blob, it leads to that: to the one of its own repo, where repos share a file.
fn join_names(inventory: &mut Inventory) {
    let key = |item: &Item| {
        let entry =
            item.entry.as_ref().filter(|entry| item.kind == Kind::File && entry.names > 1)?;
        Some((entry.identity.device, entry.identity.file))
    };
    let with_role = |role: Role| inventory.iter().filter(move |(_, item)| item.role == role);
    let mut blobs: HashMap<(u64, u128), Vec<Id>> = HashMap::new();
    for (id, item) in with_role(Role::Blob) {
        if let Some(key) = key(item) {
            blobs.entry(key).or_default().push(id);
        }
    }
    let blob_of = |pointer: Id, item: &Item| {
        let all = blobs.get(&key(item)?)?;
        let repo = inventory.outermost(pointer);
        let own = all.iter().find(|blob| inventory.outermost(**blob) == repo);
        own.or(all.last()).copied()
    };
    let twins: Vec<(Id, Id)> =
        with_role(Role::Pointer).filter_map(|(id, item)| Some((id, blob_of(id, item)?))).collect();
    for (pointer, blob) in twins {
        inventory.change(pointer, |item| item.leads_to.push(blob));
    }
}

/// Looks who still writes what is unfinished, and who works in a repo. Where another tool stages a file, it works in the
/// repo: it takes no lease.
fn look_for_life(view: &View, inventory: &mut Inventory) {
    let records = inventory.iter().filter(|(_, item)| matches!(item.owner, Owner::Staged(_)));
    let records = records.map(|(id, _)| id);
    let staged = inventory.iter().filter(|(_, item)| item.role == Role::Staged).map(|(id, _)| id);
    let unfinished: Vec<Id> = staged.chain(records).collect();
    for id in unfinished {
        let Some(item) = inventory.get(id) else { continue };
        let hold = match view.cache.life_of(&item.at, item.kind, is_ours(item)) {
            Life::Lives => Hold::InUse,
            Life::Dead(_) => Hold::Free,
        };
        let by_peer = hold == Hold::InUse && !is_ours(item);
        let repo = inventory.outermost(id);
        inventory.change(id, |item| item.hold = hold);
        if by_peer {
            inventory.change(repo, |item| item.hold = Hold::InUse);
        }
    }
    for HeldRepo { id, .. } in inventory.repos.clone() {
        let Some(repo) = inventory.get(id) else { continue };
        if lease_of(&repo.at).is_some_and(|lease| view.cache.is_leased(&lease)) {
            inventory.change(id, |item| item.hold = Hold::InUse);
        }
    }
}

/// Tells whether an unfinished file is one that we have made, which its writer locks.
pub(crate) fn is_ours(item: &Item) -> bool {
    let base = item.at.base();
    let nonce = base.strip_suffix(".tmp").or_else(|| base.strip_suffix(".map"));
    let nonce = nonce.map(|name| name.strip_prefix(".hubstow-").unwrap_or(name));
    RepoLayout::parse_staged(base).is_some() || nonce.is_some_and(|it| Nonce::parse(it).is_ok())
}

/// Returns the lease of a repo folder, whatever its name is.
pub(crate) fn lease_of(repo: &CachePath) -> Option<CachePath> {
    RepoLayout::probe_folder().listed(&format!("{repo}.lease"))
}

/// Where something can't be read, nobody knows what it leads to: nothing of its repo goes, and nothing of the store that
/// repos share. Without its list of users nobody removes a payload either: whoever publishes one writes that first.
fn hold_what_is_unsure(inventory: &mut Inventory) {
    let unread = inventory.damage.iter().filter(|damage| damage.flaw == Flaw::Unreadable);
    let tops: HashSet<String> = unread.map(|damage| top(&damage.at).to_owned()).collect();
    let outermost = inventory.iter().filter(|(_, item)| item.within.is_none());
    let unsure = outermost.filter(|(_, item)| {
        let is_store = item.role != Role::Repo;
        tops.contains(item.at.as_str()) || (is_store && !tops.is_empty())
    });
    let unsure: Vec<Id> = unsure.map(|(id, _)| id).collect();
    for id in unsure {
        inventory.change(id, |item| item.hold = Hold::Unsure);
    }
    let listed: HashSet<Id> = inventory
        .iter()
        .filter(|(_, item)| item.role == Role::Companion)
        .flat_map(|(_, item)| item.leads_to.clone())
        .collect();
    let payloads = inventory.iter().filter(|(_, item)| item.role == Role::Payload);
    let unsure: Vec<Id> = payloads.map(|(id, _)| id).filter(|id| !listed.contains(id)).collect();
    for id in unsure {
        inventory.change(id, |item| item.hold = Hold::Unsure);
    }
}

/// Returns the first part of a path: the repo folder, or the store.
fn top(at: &CachePath) -> &str {
    at.as_str().split('/').next().unwrap_or_default()
}

fn take_pins(view: &View, inventory: &mut Inventory) {
    let mut repos = inventory.repos.clone();
    for held in &mut repos {
        let Some(repo) = held.repo() else { continue };
        let layout = RepoLayout::new(&repo);
        match view.pins(&layout) {
            Ok(pins) => {
                inventory.hold_pinned(held.id, &repo, &pins);
                held.pins = pins;
            }
            Err(error) => {
                inventory.change(held.id, |item| item.hold = Hold::Unsure);
                inventory.damage.push(damage_of(&layout, &error));
            }
        }
    }
    inventory.repos = repos;
}

impl Inventory {
    /// Holds what is pinned of a repo elsewhere than in the cache: nothing that is planned of this inventory takes it.
    pub fn pin(&mut self, repo: &Repo, pins: &Pins) {
        let held = self.repos.iter().find(|held| held.repo().as_ref() == Some(repo));
        if let Some(id) = held.map(|held| held.id) {
            self.hold_pinned(id, repo, pins);
        }
    }

    /// Holds what somebody is about to use: nothing that is planned of this inventory takes it.
    pub fn hold(&mut self, in_use: &HashSet<CachePath>) {
        for item in self.items.iter_mut().filter(|item| in_use.contains(&item.at)) {
            item.hold = Hold::InUse;
        }
    }

    /// Returns how many bytes are staged of each content that somebody fetches or has left: the folder of the blobs and the etag.
    #[must_use]
    pub fn staged_bytes(&self) -> HashMap<(CachePath, Etag), u64> {
        let mut staged = HashMap::new();
        for item in self.items.iter().filter(|item| item.role == Role::Staged) {
            let (Some((etag, _)), Some(entry)) =
                (RepoLayout::parse_staged(item.at.base()), &item.entry)
            else {
                continue;
            };
            *staged.entry((item.at.parent(), etag)).or_default() += entry.len_bytes;
        }
        staged
    }

    fn hold_pinned(&mut self, id: Id, repo: &Repo, pins: &Pins) {
        if pins.is_empty() {
            return;
        }
        let (folder, prefix) = (format!("{}/", repo.folder()), format!("{}/refs/", repo.folder()));
        let named = |item: &Item| match item.role {
            Role::Revision => {
                item.at.as_str().starts_with(&folder) && pins.revisions.contains(item.at.base())
            }
            Role::Ref | Role::Folder => {
                let name = item.at.as_str().strip_prefix(&prefix);
                name.is_some_and(|name| pins.revisions.contains(name))
            }
            Role::Repo
            | Role::Frame
            | Role::Pointer
            | Role::Blob
            | Role::Staged
            | Role::Companion
            | Role::Payload
            | Role::Stranger => false,
        };
        let mut pinned: Vec<Id> = pins.whole.then_some(id).into_iter().collect();
        for (named, item) in self.iter().filter(|(_, item)| named(item)) {
            if self.is_unsure_ref(named) {
                // Any of them may be the one.
                let all = self.iter().filter(|(_, item)| item.role == Role::Revision);
                pinned.extend(all.map(|(id, _)| id).filter(|it| self.outermost(*it) == id));
            } else if item.role == Role::Ref {
                pinned.extend(&item.leads_to);
            } else if item.role == Role::Revision {
                pinned.push(named);
            }
        }
        for id in pinned {
            self.change(id, |item| {
                if item.hold == Hold::Free {
                    item.hold = Hold::Pinned;
                }
            });
        }
    }
}

fn check_repos(inventory: &mut Inventory) {
    let with_snapshots: Vec<Id> = inventory
        .iter()
        .filter(|(_, item)| item.role == Role::Frame && item.at.base() == "snapshots")
        .filter_map(|(_, item)| item.within)
        .collect();
    let without = inventory.repos.iter().map(|repo| repo.id);
    let without = without.filter(|id| !with_snapshots.contains(id));
    let at = without.filter_map(|id| Some(inventory.get(id)?.at.clone()));
    let damage: Vec<Damage> = at.map(|at| Damage::new(&at, Flaw::NoSnapshots)).collect();
    inventory.damage.extend(damage);
    inventory.damage.sort_by(|one, other| one.at.cmp(&other.at));
}
