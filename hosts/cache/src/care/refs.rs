//! What refs say, and which of them nobody can tell.
//!
//! INVARIANT (unsure refs): what has the place of a ref and names no commit that can be told is held as unsure, so that no rule
//! takes a revision which it may be for. A ref to a commit without a snapshot is told: it is for that one.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use hubstow_core::{
    care::{Hold, Id, Role},
    layout::CachePath,
    name::Commit,
};

use crate::{
    care::{
        damage::{Damage, Flaw},
        inventory::{Inventory, Item},
    },
    disk::Kind,
    observe::{REF_LIMIT_BYTES, view::View},
};

/// The refs that say the same: of one repo, the same text.
pub(crate) type Refs = HashMap<(Id, String), Vec<Id>>;

impl View {
    /// Reads what a ref file says, as it stands there.
    pub(crate) fn ref_text(&self, at: &CachePath) -> io::Result<Option<String>> {
        let content = self.cache.try_read(at, REF_LIMIT_BYTES)?;
        Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()))
    }
}

/// Reads what refs say; returns the refs of each repo by that.
pub(crate) fn read_refs(view: &View, inventory: &mut Inventory) -> Refs {
    let revisions: HashMap<(Id, String), Id> = inventory
        .iter()
        .filter(|(_, item)| item.role == Role::Revision)
        .map(|(id, item)| ((inventory.outermost(id), item.at.base().to_owned()), id))
        .collect();
    let refs = inventory.iter().filter(|(_, item)| item.role == Role::Ref);
    let refs: Vec<(Id, CachePath, io::Result<Option<String>>)> = refs
        .map(|(id, item)| {
            // A link among refs is not followed.
            let is_file = item.kind == Kind::File;
            let text = if is_file { view.ref_text(&item.at) } else { Ok(None) };
            (id, item.at.clone(), text)
        })
        .collect();
    let mut of_commit = Refs::new();
    for (id, at, raw) in refs {
        let repo = inventory.outermost(id);
        let (raw, unread) = match raw {
            Ok(raw) => (raw, None),
            Err(error) => (None, Some(error)),
        };
        let said = raw.as_ref().map(|raw| raw.trim().to_owned()).filter(|text| !text.is_empty());
        let is_tidy = raw == said;
        let revision = said.clone().and_then(|said| revisions.get(&(repo, said)).copied());
        match (said, revision) {
            (Some(said), Some(revision)) => {
                inventory.change(id, |item| item.leads_to.push(revision));
                if !is_tidy {
                    inventory.damage.push(Damage::new(&at, Flaw::RefUntidy));
                }
                of_commit.entry((repo, said)).or_default().push(id);
            }
            (Some(said), None) if Commit::parse(&said).is_ok() => {
                inventory.damage.push(Damage::new(&at, Flaw::RefLeadsNowhere));
                of_commit.entry((repo, said)).or_default().push(id);
            }
            (Some(_) | None, _) => inventory.take_unsure_ref(id, ref_damage(&at, unread)),
        }
    }
    for id in inventory.folders_instead_of_refs() {
        if let Some(at) = inventory.get(id).map(|item| item.at.clone()) {
            inventory.take_unsure_ref(id, Damage::new(&at, Flaw::RefIsFolder));
        }
    }
    of_commit
}

fn ref_damage(at: &CachePath, unread: Option<io::Error>) -> Damage {
    match unread {
        Some(error) if error.kind() != io::ErrorKind::NotFound => {
            Damage { said: Some(error.to_string()), ..Damage::new(at, Flaw::Unreadable) }
        }
        Some(_) | None => Damage::new(at, Flaw::RefDamaged),
    }
}

impl Inventory {
    fn take_unsure_ref(&mut self, id: Id, damage: Damage) {
        self.change(id, |item| item.hold = Hold::Unsure);
        self.damage.push(damage);
    }

    /// Returns the empty folders that have the place of a ref. Those of pull requests are made and left so by every client.
    fn folders_instead_of_refs(&self) -> Vec<Id> {
        let full: HashSet<Id> = self.iter().filter_map(|(_, item)| item.within).collect();
        let has_place = |item: &Item| {
            item.at.base() != "refs"
                && item.at.parent().base() == "refs"
                && item.at.parent().parent().parent() == CachePath::root()
        };
        let folders = self.iter().filter(|(id, item)| {
            item.role == Role::Folder && !full.contains(id) && has_place(item)
        });
        let of_repos = folders.map(|(id, _)| id).filter(|id| self.repo_of(*id).is_some());
        of_repos.collect()
    }

    /// Tells whether an entry has the place of a ref and names nothing that can be told.
    pub(crate) fn is_unsure_ref(&self, id: Id) -> bool {
        let item = self.get(id);
        item.is_some_and(|it| {
            it.hold == Hold::Unsure && matches!(it.role, Role::Ref | Role::Folder)
        })
    }

    /// Returns what keeps it from being told what of the repo of an entry is needed: refs and pins that can't be understood, and
    /// what can't be read.
    #[must_use]
    pub fn doubts(&self, id: Id) -> Vec<&Damage> {
        let Some(repo) = self.get(self.outermost(id)) else { return Vec::new() };
        let within = format!("{}/", repo.at);
        let of_repo = self.damage.iter().filter(|damage| {
            let at = damage.at.as_str();
            at == repo.at.as_str() || at.starts_with(&within)
        });
        of_repo.filter(|damage| damage.flaw.is_doubt()).collect()
    }
}
