//! Where the bytes of a cache are: each file once, by the repo that it lies in and by what needs it.

use std::collections::{BTreeMap, HashMap, HashSet};

use hubstow_core::care::{Id, Role};

use crate::care::inventory::Inventory;

/// What needs bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NeededBy {
    /// One revision alone.
    Revision(Id),
    /// More than one revision of one repo.
    Revisions,
    /// More than one repo.
    Repos,
    /// A download that is not finished.
    Unfinished,
    /// The cache itself: refs, listings, markers and the like.
    Upkeep,
    /// Nobody: no snapshot leads to them.
    Nobody,
}

/// Bytes of one repo, or of the store that repos share, that have one need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// The repo folder, or the store.
    pub outer: Id,
    /// What needs them.
    pub need: NeededBy,
    /// How many bytes.
    pub bytes: u64,
    /// How many files they are.
    pub files: usize,
}

impl Inventory {
    /// Says where the bytes are. Their sum is that of all files that are known, each counted once, in the first repo that has a
    /// name of it.
    #[must_use]
    pub fn portions(&self) -> Vec<Portion> {
        let contents = self.contents();
        let file_of = |id: Id| contents.get(id.place()).copied().flatten();
        let users = self.users(&|id| file_of(id).map(|content| content.file));
        let mut portions: BTreeMap<(Id, NeededBy), (u64, usize)> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (id, item) in self.iter() {
            let Some(content) = file_of(id).filter(|content| seen.insert(content.file)) else {
                continue;
            };
            let none = Vec::new();
            let users = users.get(&content.file).unwrap_or(&none);
            let need = self.need(item.role, users);
            let sum = portions.entry((self.outermost(id), need)).or_default();
            *sum = (sum.0 + content.len_bytes, sum.1 + 1);
        }
        let portion = |((outer, need), (bytes, files))| Portion { outer, need, bytes, files };
        portions.into_iter().map(portion).collect()
    }

    /// Returns how many bytes of files at most are copies of others in their repo: files of snapshots as long as another file of a
    /// snapshot or a blob. Whether they are equal, only reading them tells.
    #[must_use]
    pub fn copied_at_most(&self) -> u64 {
        let mut seen = HashSet::new();
        let mut alike: HashMap<(Id, u64), (u64, u64)> = HashMap::new();
        let files = self.iter().zip(self.contents());
        for ((id, item), content) in
            files.filter(|((_, it), _)| matches!(it.role, Role::Blob | Role::Pointer))
        {
            if let Some(content) = content.filter(|content| seen.insert(content.file)) {
                let of = alike.entry((self.outermost(id), content.len_bytes)).or_default();
                let (blobs, pointers) = (item.role == Role::Blob, item.role == Role::Pointer);
                *of = (of.0 + u64::from(blobs), of.1 + u64::from(pointers));
            }
        }
        let copies = |((_, len), (blobs, pointers)): ((Id, u64), (u64, u64))| {
            len * if blobs == 0 { pointers.saturating_sub(1) } else { pointers }
        };
        alike.into_iter().map(copies).sum()
    }

    /// Returns the revisions that need each file.
    fn users(&self, file_of: &dyn Fn(Id) -> Option<u64>) -> HashMap<u64, Vec<Id>> {
        let mut users: HashMap<u64, Vec<Id>> = HashMap::new();
        for (revision, pointers) in &self.pointers {
            for pointer in pointers {
                let file = self.content_id_of(*pointer).and_then(file_of);
                if let Some(users) = file.map(|file| users.entry(file).or_default())
                    && !users.contains(revision)
                {
                    users.push(*revision);
                }
            }
        }
        users
    }

    fn need(&self, role: Role, users: &[Id]) -> NeededBy {
        match (role, users) {
            (Role::Staged, _) => NeededBy::Unfinished,
            (_, [revision]) => NeededBy::Revision(*revision),
            (_, [first, rest @ ..]) => {
                let repo = self.outermost(*first);
                let one_repo = rest.iter().all(|revision| self.outermost(*revision) == repo);
                if one_repo { NeededBy::Revisions } else { NeededBy::Repos }
            }
            (Role::Blob | Role::Payload | Role::Pointer | Role::Stranger, []) => NeededBy::Nobody,
            (
                Role::Repo
                | Role::Frame
                | Role::Ref
                | Role::Revision
                | Role::Folder
                | Role::Companion,
                [],
            ) => NeededBy::Upkeep,
        }
    }
}
