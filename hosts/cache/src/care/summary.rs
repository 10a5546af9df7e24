//! What an inventory says of repos, revisions and files: what people and scripts ask for.

use std::collections::{HashMap, HashSet};

use hubstow_core::{
    care::{Hold, Id, Role},
    name::RepoKind,
};

use crate::{
    care::{
        beside::each,
        inventory::{HeldRepo, Inventory, Item},
        leads::Leads,
    },
    disk::{Entry, Kind},
};

const SECOND_NS: i128 = 1_000_000_000;

/// A repo, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoSum {
    /// Its entry.
    pub id: Id,
    /// The kind.
    pub kind: RepoKind,
    /// The id on the hub.
    pub name: String,
    /// How many bytes its snapshots hold, each content once.
    pub size: u64,
    /// How many files its snapshots hold, each content once.
    pub files: usize,
    /// The revisions.
    pub revisions: Vec<RevisionSum>,
    /// When any of its content was last read, in seconds since 1970.
    pub accessed: u64,
    /// When any of its content was last changed.
    pub modified: u64,
    /// The bytes that no snapshot leads to.
    pub orphaned: u64,
    /// The bytes of downloads that are not finished.
    pub unfinished: u64,
    /// The bytes of files that lie in snapshots themselves, and are neither links nor other names of blobs.
    pub copied: u64,
    /// The bytes that lie in the store that repos share.
    pub shared: u64,
    /// What holds it.
    pub hold: Hold,
}

/// A revision, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionSum {
    /// Its entry.
    pub id: Id,
    /// The name of its folder: a commit.
    pub commit: String,
    /// The refs that lead to it.
    pub refs: Vec<String>,
    /// How many bytes it holds, each content once.
    pub size: u64,
    /// Its files.
    pub files: Vec<FileSum>,
    /// When any of its content was last read, in seconds since 1970.
    pub accessed: u64,
    /// When any of its content was last changed.
    pub modified: u64,
    /// What holds it.
    pub hold: Hold,
}

/// A file of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSum {
    /// Its entry.
    pub id: Id,
    /// Its path in the repo.
    pub name: String,
    /// What its entry is.
    pub kind: Kind,
    /// Its size in bytes; `None` where the content is not in the cache.
    pub size: Option<u64>,
    /// When it was last read and changed, in seconds since 1970.
    pub accessed: u64,
    /// When it was last changed.
    pub modified: u64,
    /// Which content it is: the entry that its link leads to in one hop, or itself.
    pub content: Id,
}

fn seconds(ns: i128) -> u64 {
    u64::try_from(ns / SECOND_NS).unwrap_or(0)
}

fn times_of(entry: &Entry) -> (u64, u64) {
    (seconds(entry.accessed_ns), seconds(entry.identity.modified_ns))
}

/// Takes the later of both.
fn later(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0.max(other.0), one.1.max(other.1))
}

impl Inventory {
    /// Returns when an entry was last used and changed, in seconds since 1970; of a revision, when any of its content was.
    /// Where neither the system nor anybody else keeps the first, it is the second.
    pub(crate) fn times(&self, id: Id) -> (u64, u64) {
        let Some(item) = self.get(id) else { return (0, 0) };
        let of_content = |id: Id| {
            let content = self.content_of(id).and_then(|item| item.entry.as_ref());
            let noted = self.uses.get(&id).copied().unwrap_or(0);
            content.map(|entry| later(times_of(entry), (noted, 0)))
        };
        let own = item.entry.as_ref().map_or((0, 0), times_of);
        let (used, modified) = if item.role == Role::Revision {
            let inside = self.inside(id).filter_map(of_content).reduce(later);
            inside.unwrap_or(own)
        } else {
            of_content(id).unwrap_or(own)
        };
        (used.max(modified), modified)
    }

    /// Returns the pointers of a revision.
    fn inside(&self, revision: Id) -> impl Iterator<Item = Id> {
        self.pointers.get(&revision).into_iter().flatten().copied()
    }

    /// Returns the revision that a pointer is in.
    #[must_use]
    pub fn revision_of(&self, id: Id) -> Option<Id> {
        self.around(id).find(|(_, item)| item.role == Role::Revision).map(|(id, _)| id)
    }

    /// Adds up each repo.
    #[must_use]
    pub fn sums(&self) -> Vec<RepoSum> {
        let mut led_to = vec![false; self.items.len()];
        for to in self.items.iter().flat_map(|item| &item.leads_to) {
            if let Some(mark) = led_to.get_mut(to.place()) {
                *mark = true;
            }
        }
        let is_led_to = |id: Id| led_to.get(id.place()) == Some(&true);
        each(&self.repos, |repo| self.sum(repo, &self.all_in(repo.id), &is_led_to))
    }

    /// Returns an outermost entry and all that is in it: they follow each other.
    fn all_in(&self, outer: Id) -> Vec<(Id, &Item)> {
        let (mut all, rest) = (self.get(outer).map(|item| (outer, item)), outer.place() + 1);
        let inside = self.items.iter().enumerate().skip(rest);
        let inside = inside.take_while(|(_, item)| item.within.is_some());
        all.take().into_iter().chain(inside.map(|(place, item)| (Id::at(place), item))).collect()
    }

    fn sum(
        &self,
        repo: &HeldRepo,
        items: &[(Id, &Item)],
        is_led_to: &dyn Fn(Id) -> bool,
    ) -> RepoSum {
        let bytes = |such: &dyn Fn(Id, &Item) -> bool| {
            let such = items.iter().filter(|(id, item)| item.kind == Kind::File && such(*id, item));
            such.filter_map(|(_, item)| item.entry.as_ref()).map(|entry| entry.len_bytes).sum()
        };
        let mut refs: HashMap<Id, Vec<String>> = HashMap::new();
        let outer = self.get(repo.id).map(|item| format!("{}/refs/", item.at)).unwrap_or_default();
        for (_, item) in items.iter().filter(|(_, item)| item.role == Role::Ref) {
            let name = item.at.as_str().strip_prefix(&outer).unwrap_or_default();
            for revision in &item.leads_to {
                refs.entry(*revision).or_default().push(name.to_owned());
            }
        }
        let revisions = items.iter().filter(|(_, item)| item.role == Role::Revision);
        let mut revisions: Vec<RevisionSum> = revisions
            .map(|(id, item)| self.sum_revision(*id, item, refs.remove(id).unwrap_or_default()))
            .collect();
        revisions.sort_by(|one, other| one.commit.cmp(&other.commit));
        let files = || revisions.iter().flat_map(|revision| &revision.files);
        let sizes = sizes(files());
        let own = self.times(repo.id);
        let times = files().filter(|file| file.size.is_some());
        let times = times.map(|file| (file.accessed, file.modified)).reduce(later).unwrap_or(own);
        let payloads: HashSet<Id> = files()
            .filter_map(|file| match self.get(file.content)?.leads {
                Some(Leads::To(to)) => Some(to),
                Some(Leads::Nowhere | Leads::Outside) | None => None,
            })
            .filter(|id| self.get(*id).is_some_and(|item| item.role == Role::Payload))
            .collect();
        let len =
            |id: &Id| self.get(*id).and_then(|it| it.entry.as_ref()).map_or(0, |it| it.len_bytes);
        RepoSum {
            id: repo.id,
            kind: repo.kind,
            name: repo.name.clone(),
            size: sizes.values().sum(),
            files: sizes.len(),
            accessed: times.0,
            modified: times.1,
            orphaned: bytes(&|id, item| item.role == Role::Blob && !is_led_to(id)),
            unfinished: bytes(&|_, item| item.role == Role::Staged),
            copied: bytes(&|_, item| item.role == Role::Pointer && item.leads_to.is_empty()),
            shared: payloads.iter().map(len).sum(),
            hold: self.get(repo.id).map_or(Hold::Free, |item| item.hold),
            revisions,
        }
    }

    fn sum_revision(&self, id: Id, item: &Item, mut refs: Vec<String>) -> RevisionSum {
        let above = format!("{}/", item.at);
        let file = |id: Id| {
            let item = self.get(id)?;
            let content = match item.leads {
                Some(Leads::To(to)) => to,
                Some(Leads::Nowhere | Leads::Outside) | None => id,
            };
            let found = self.content_of(id).and_then(|item| item.entry.as_ref());
            let (accessed, modified) = found.map_or((0, 0), times_of);
            Some(FileSum {
                id,
                name: item.at.as_str().strip_prefix(&above)?.to_owned(),
                kind: item.kind,
                size: found.map(|entry| entry.len_bytes),
                accessed,
                modified,
                content,
            })
        };
        let mut files: Vec<FileSum> = self.inside(id).filter_map(file).collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        refs.sort();
        let (accessed, modified) = self.times(id);
        RevisionSum {
            id,
            commit: item.at.base().to_owned(),
            refs,
            size: sizes(files.iter()).values().sum(),
            files,
            accessed,
            modified,
            hold: item.hold,
        }
    }
}

/// Returns the size of each content, once.
fn sizes<'a>(files: impl Iterator<Item = &'a FileSum>) -> HashMap<Id, u64> {
    files.filter_map(|file| Some((file.content, file.size?))).collect()
}
