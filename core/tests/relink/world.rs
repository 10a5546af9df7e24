//! All small caches with one content: two repos with a blob and three pointers each, a store that repos share, and a
//! stranger; and what a host tells of them.

use std::collections::{BTreeMap, BTreeSet};

use hubstow_core::care::{
    Content, Entry, Held, Hold, Id, Role, Stamp,
    relink::{Known, State},
};

/// The length of every file.
pub(crate) const LEN: u64 = 100;
pub(crate) const POINTERS: usize = 3;

/// An entry by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    Payload,
    Stranger,
    Repo(usize),
    Revision(usize),
    Pointer(usize, usize),
    Blob(usize),
}

/// What is at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Folder,
    /// Which file, and whether its bytes are right.
    File(u64, bool),
    Link(Name),
    /// A link that its owner has made, by a way of his own.
    Foreign(Name),
}

/// What a blob is at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobIs {
    Absent,
    File,
    /// The same file as the first repo's.
    Shared,
    Borrowed,
    Damaged,
}

/// What a pointer is at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PointerIs {
    Absent,
    Link,
    Own,
    /// The same file as the blob.
    Twin,
    /// The same file as the pointer before it.
    Alike,
    Damaged,
    Foreign,
}

pub(crate) const BLOBS: [BlobIs; 4] =
    [BlobIs::Absent, BlobIs::File, BlobIs::Borrowed, BlobIs::Damaged];
pub(crate) const KINDS: [PointerIs; 7] = [
    PointerIs::Absent,
    PointerIs::Link,
    PointerIs::Own,
    PointerIs::Twin,
    PointerIs::Alike,
    PointerIs::Damaged,
    PointerIs::Foreign,
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Repo {
    pub(crate) blob: BlobIs,
    pub(crate) pointers: [PointerIs; POINTERS],
    pub(crate) hold: Hold,
}

/// A cache as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) nodes: BTreeMap<Name, Node>,
    pub(crate) holds: [Hold; 2],
    /// Files that have a name elsewhere as well.
    pub(crate) elsewhere: BTreeSet<u64>,
    pub(crate) next_file: u64,
}

impl World {
    pub(crate) fn new(repos: [Repo; 2], has_stranger: bool, has_name_elsewhere: bool) -> Self {
        let mut world = Self {
            nodes: BTreeMap::from([(Name::Payload, Node::File(0, true))]),
            holds: repos.map(|repo| repo.hold),
            elsewhere: BTreeSet::new(),
            next_file: 1,
        };
        for (at, repo) in repos.into_iter().enumerate() {
            world.nodes.insert(Name::Repo(at), Node::Folder);
            world.nodes.insert(Name::Revision(at), Node::Folder);
            let blob = match repo.blob {
                BlobIs::Absent => None,
                BlobIs::File => Some(Node::File(world.fresh(), true)),
                BlobIs::Shared => match world.nodes.get(&Name::Blob(0)) {
                    Some(node @ Node::File(..)) => Some(*node),
                    Some(_) | None => Some(Node::File(world.fresh(), true)),
                },
                BlobIs::Borrowed => Some(Node::Link(Name::Payload)),
                BlobIs::Damaged => Some(Node::File(world.fresh(), false)),
            };
            if let Some(blob) = blob {
                world.nodes.insert(Name::Blob(at), blob);
            }
            for (number, kind) in repo.pointers.into_iter().enumerate() {
                world.add_pointer(at, number, kind);
            }
        }
        if has_stranger {
            world.nodes.insert(Name::Stranger, Node::Link(Name::Blob(0)));
        }
        if has_name_elsewhere {
            let files = world.nodes.values().filter_map(|node| match node {
                Node::File(file, _) => Some(*file),
                Node::Folder | Node::Link(_) | Node::Foreign(_) => None,
            });
            world.elsewhere = files.max().into_iter().collect();
        }
        world
    }

    fn add_pointer(&mut self, repo: usize, number: usize, kind: PointerIs) {
        let blob = self.nodes.get(&Name::Blob(repo)).copied();
        let before = number.checked_sub(1).and_then(|it| self.nodes.get(&Name::Pointer(repo, it)));
        let node = match (kind, blob, before.copied()) {
            (PointerIs::Absent, ..) => return,
            (PointerIs::Link, ..) => Node::Link(Name::Blob(repo)),
            (PointerIs::Foreign, ..) => Node::Foreign(Name::Blob(repo)),
            (PointerIs::Damaged, ..) => Node::File(self.fresh(), false),
            (PointerIs::Twin, Some(node @ Node::File(..)), _)
            | (PointerIs::Alike, _, Some(node @ Node::File(..))) => node,
            (PointerIs::Own | PointerIs::Twin | PointerIs::Alike, ..) => {
                Node::File(self.fresh(), true)
            }
        };
        self.nodes.insert(Name::Pointer(repo, number), node);
    }

    pub(crate) fn fresh(&mut self) -> u64 {
        let file = self.next_file;
        self.next_file += 1;
        file
    }

    /// What reading a name brings: whether the bytes are right, and which file they are of.
    pub(crate) fn read(&self, name: Name) -> Option<(u64, bool)> {
        match self.nodes.get(&name)? {
            Node::Folder => None,
            Node::File(file, right) => Some((*file, *right)),
            Node::Link(to) | Node::Foreign(to) => self.read(*to),
        }
    }

    pub(crate) fn pointers(&self) -> impl Iterator<Item = (usize, Name)> + '_ {
        self.nodes.keys().filter_map(|name| match name {
            Name::Pointer(repo, _) => Some((*repo, *name)),
            Name::Payload | Name::Stranger | Name::Repo(_) | Name::Revision(_) | Name::Blob(_) => {
                None
            }
        })
    }

    /// The bytes of all files that have a name, here or elsewhere.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.nodes.values().filter_map(|node| match node {
            Node::File(file, _) => Some(*file),
            Node::Folder | Node::Link(_) | Node::Foreign(_) => None,
        });
        let all: BTreeSet<u64> = files.chain(self.elsewhere.iter().copied()).collect();
        all.len() as u64 * LEN
    }

    /// What a host tells of it.
    pub(crate) fn told(&self) -> (Held, Vec<Option<Known>>, Vec<Name>) {
        // What is outside has a smaller number.
        let mut order: Vec<Name> = self.nodes.keys().copied().collect();
        order.sort_by_key(|name| match name {
            Name::Payload | Name::Stranger => (0, 0, *name),
            Name::Repo(repo) => (1, *repo, *name),
            Name::Revision(repo) => (2, *repo, *name),
            Name::Pointer(repo, _) | Name::Blob(repo) => (3, *repo, *name),
        });
        let id = |name: Name| order.iter().position(|it| *it == name).map(Id::at);
        let mut entries = Vec::new();
        let mut known = Vec::new();
        for name in &order {
            let node = self.nodes[name];
            let (role, within) = match name {
                Name::Payload => (Role::Payload, None),
                Name::Stranger => (Role::Stranger, None),
                Name::Repo(_) => (Role::Repo, None),
                Name::Revision(repo) => (Role::Revision, Some(Name::Repo(*repo))),
                Name::Pointer(repo, _) => (Role::Pointer, Some(Name::Revision(*repo))),
                Name::Blob(repo) => (Role::Blob, Some(Name::Repo(*repo))),
            };
            let mut leads_to = match node {
                Node::Link(to) | Node::Foreign(to) => id(to).into_iter().collect(),
                Node::Folder | Node::File(..) => Vec::new(),
            };
            let content = match node {
                Node::File(file, _) => {
                    let here = self
                        .nodes
                        .values()
                        .filter(|it| matches!(it, Node::File(f, _) if *f == file));
                    let names = here.count() as u64 + u64::from(self.elsewhere.contains(&file));
                    if let Name::Pointer(repo, _) = name
                        && matches!(self.nodes.get(&Name::Blob(*repo)), Some(Node::File(f, _)) if *f == file)
                    {
                        leads_to.extend(id(Name::Blob(*repo)));
                    }
                    Some(Content { file, len_bytes: LEN, names })
                }
                Node::Folder | Node::Link(_) | Node::Foreign(_) => None,
            };
            let hold = match name {
                Name::Repo(repo) => self.holds[*repo],
                Name::Payload
                | Name::Stranger
                | Name::Revision(_)
                | Name::Pointer(..)
                | Name::Blob(_) => Hold::Free,
            };
            let over = Stamp(entries.len() as u128);
            let within = within.and_then(id);
            entries.push(Entry {
                role,
                within,
                leads_to,
                content,
                used: 0,
                modified: 0,
                hold,
                over,
            });
            known.push(self.known(*name));
        }
        (Held { entries }, known, order)
    }

    fn known(&self, name: Name) -> Option<Known> {
        let (repo, node) = match name {
            Name::Pointer(repo, _) | Name::Blob(repo) => (repo, self.nodes[&name]),
            Name::Payload | Name::Stranger | Name::Repo(_) | Name::Revision(_) => return None,
        };
        if matches!(node, Node::Foreign(_)) {
            return None;
        }
        let state = match self.read(name) {
            Some((_, false)) => State::Damaged,
            Some((_, true)) | None => State::Proved(7),
        };
        Some(Known { blob: repo as u64, state })
    }
}
