//! A node's disk: what it holds, as the core is told of a cache, and the core's plan of what makes room.

use std::collections::BTreeMap;

use hubstow_core::care::{
    Bounds, Content, Entry, Held, Hold, Id, Plan, Role, Rules, Stamp, evict, prune,
};

use super::trace::Draw;

/// How much is left where something has to go, and what was used so lately stays: as a node has it.
const TENTHS_LEFT: u64 = 9;
const UNUSED_FOR_S: u64 = 300;

/// What goes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Each content for itself: what a node does.
    Content,
    /// A revision with all that only it has: what `cache prune` does.
    Revision,
}

/// A file on the disk.
#[derive(Clone, Copy, Debug)]
struct File {
    content: u64,
    len_bytes: u64,
    used: u64,
}

pub(super) struct Disk {
    limit_bytes: u64,
    by: By,
    /// By repo and file.
    files: BTreeMap<(usize, usize), File>,
    held_bytes: u64,
}

impl Disk {
    pub(super) fn new(limit_bytes: u64, by: By) -> Self {
        Self { limit_bytes, by, files: BTreeMap::new(), held_bytes: 0 }
    }

    /// Asks for a file; tells whether it was here. It is after that, if there is room.
    pub(super) fn ask(&mut self, draw: &Draw, now: u64) -> bool {
        let key = (draw.repo, draw.file);
        if let Some(file) = self.files.get_mut(&key).filter(|file| file.content == draw.content) {
            file.used = now;
            return true;
        }
        self.forget(key);
        if self.held_bytes + draw.len_bytes > self.limit_bytes {
            self.make_room(draw.len_bytes, now);
        }
        if self.held_bytes + draw.len_bytes <= self.limit_bytes {
            let (content, len_bytes) = (draw.content, draw.len_bytes);
            self.files.insert(key, File { content, len_bytes, used: now });
            self.held_bytes += len_bytes;
        }
        false
    }

    fn forget(&mut self, key: (usize, usize)) {
        if let Some(file) = self.files.remove(&key) {
            self.held_bytes -= file.len_bytes;
        }
    }

    fn make_room(&mut self, bytes: u64, now: u64) {
        let (held, pointers) = self.held();
        let max_bytes = (self.limit_bytes / 10 * TENTHS_LEFT).saturating_sub(bytes);
        let plan = match self.by {
            By::Content => {
                let used_before = now.saturating_sub(UNUSED_FOR_S) + 1;
                evict(&held, &Bounds { max_bytes, used_before })
            }
            By::Revision => prune(&held, &Rules { max_bytes: Some(max_bytes), ..Rules::default() }),
        };
        self.carry_out(&plan, &pointers);
    }

    fn carry_out(&mut self, plan: &Plan, pointers: &BTreeMap<Id, (usize, usize)>) {
        let gone = plan.steps.iter().filter_map(|step| pointers.get(&step.id));
        gone.copied().collect::<Vec<_>>().into_iter().for_each(|key| self.forget(key));
    }

    /// Says what the disk holds: a repo with one revision, its ref, and a pointer and a blob for each file.
    fn held(&self) -> (Held, BTreeMap<Id, (usize, usize)>) {
        let (mut held, mut pointers) = (Held::default(), BTreeMap::new());
        let mut last: Option<(usize, Id, Id)> = None;
        for (key, file) in &self.files {
            let (revision, blobs) = match last {
                Some((repo, revision, blobs)) if repo == key.0 => (revision, blobs),
                Some(_) | None => {
                    let repo = push(&mut held, Role::Repo, None, None, 0);
                    let [refs, snapshots, blobs] =
                        [(); 3].map(|()| push(&mut held, Role::Frame, Some(repo), None, 0));
                    let revision = push(&mut held, Role::Revision, Some(snapshots), None, 0);
                    let named = push(&mut held, Role::Ref, Some(refs), None, 0);
                    lead(&mut held, named, revision);
                    last = Some((key.0, revision, blobs));
                    (revision, blobs)
                }
            };
            let blob = push(&mut held, Role::Blob, Some(blobs), Some(file), file.used);
            let pointer = push(&mut held, Role::Pointer, Some(revision), None, file.used);
            lead(&mut held, pointer, blob);
            pointers.insert(pointer, *key);
            if let Some(entry) = held.entries.get_mut(revision.place()) {
                entry.used = entry.used.max(file.used);
            }
        }
        (held, pointers)
    }
}

fn push(held: &mut Held, role: Role, within: Option<Id>, file: Option<&File>, used: u64) -> Id {
    let content =
        file.map(|file| Content { file: file.content, len_bytes: file.len_bytes, names: 1 });
    held.entries.push(Entry {
        role,
        within,
        leads_to: Vec::new(),
        content,
        used,
        modified: used,
        hold: Hold::Free,
        over: Stamp(0),
    });
    Id::at(held.entries.len() - 1)
}

fn lead(held: &mut Held, from: Id, to: Id) {
    if let Some(entry) = held.entries.get_mut(from.place()) {
        entry.leads_to.push(to);
    }
}
