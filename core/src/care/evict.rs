//! What goes so that a cache stays within a number of bytes, without anybody having named it.
//!
//! It goes content by content and not by revision: of a repo with many files of which few are asked for, the others make
//! room, and a repo may be larger than the cache. How soon each goes follows as much from when its revision was used as from
//! when it was itself: what belongs to something popular is asked for sooner. INVARIANT (roots): a content goes with every
//! pointer that leads to it or not at all, so what is pinned or in use loses nothing.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    draft::{Draft, Sweep},
    held::{Content, Held, Id, Role},
    plan::{Plan, Why},
};

/// How many links are followed to a content: a pointer, a blob and a payload are two.
const LINKS: usize = 8;

/// What may stay, and what may not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many bytes of files may stay.
    pub max_bytes: u64,
    /// Only what was last used before this moment goes, in seconds since 1970.
    pub used_before: u64,
}

/// A file with all that goes when it goes.
struct Unit {
    content: Content,
    /// The entries that lead to it or are names of it.
    entries: Vec<Id>,
    /// How many of its names are among them.
    names: u64,
    /// When any of them was last used.
    used: u64,
    /// When a revision that it belongs to was last used.
    used_around: u64,
    /// Whether something keeps it.
    stays: bool,
}

/// Plans what goes so that no more than so many bytes are left: what was used least recently first, and its revision too, and no more than it takes.
/// Less goes where the rest is pinned, in use, or was used too lately.
pub fn evict(held: &Held, bounds: &Bounds) -> Plan {
    let mut draft = Draft::new(held);
    let mut left = held.len_bytes();
    if left > bounds.max_bytes {
        let mut units: Vec<Unit> = units(held, &draft).into_values().collect();
        units.retain(|unit| unit.goes_before(bounds.used_before));
        units.sort_by_key(|unit| (unit.rank(), unit.entries.first().copied()));
        for unit in units {
            if left <= bounds.max_bytes {
                break;
            }
            left = left.saturating_sub(unit.content.len_bytes);
            unit.entries.iter().for_each(|id| draft.doom_part(*id, Why::Oversize));
        }
        draft.doom_emptied();
        draft.sweep(Sweep::Freed);
    }
    draft.plan()
}

impl Unit {
    /// Returns what says how soon it goes: twice the moment between both uses.
    fn rank(&self) -> u64 {
        self.used.saturating_add(self.used_around.max(self.used))
    }

    /// Tells whether it may go and frees its bytes then.
    fn goes_before(&self, moment: u64) -> bool {
        !self.stays && self.used < moment && self.names >= self.content.names
    }
}

/// Returns the files that pointers, blobs and unfinished downloads are or lead to, by number.
fn units(held: &Held, draft: &Draft<'_>) -> BTreeMap<u64, Unit> {
    let mut units: BTreeMap<u64, Unit> = BTreeMap::new();
    for (id, entry) in held.iter() {
        let stays = match entry.role {
            Role::Pointer => draft.held_by(id).is_some(),
            Role::Blob | Role::Payload | Role::Staged => draft.is_busy(id),
            // Whatever nobody knows keeps what it leads to.
            Role::Stranger => true,
            Role::Repo
            | Role::Frame
            | Role::Ref
            | Role::Revision
            | Role::Folder
            | Role::Companion => continue,
        };
        let Some(content) = content_of(held, id) else { continue };
        let new = || Unit {
            content,
            entries: Vec::new(),
            names: 0,
            used: 0,
            used_around: 0,
            stays: false,
        };
        let unit = units.entry(content.file).or_insert_with(new);
        let revision = held.around(id).find(|(_, outer)| outer.role == Role::Revision);
        unit.used_around = unit.used_around.max(revision.map_or(0, |(_, revision)| revision.used));
        unit.entries.push(id);
        unit.names += u64::from(entry.content.is_some());
        unit.used = unit.used.max(entry.used);
        unit.stays |= stays;
    }
    units
}

/// Returns the content that an entry is, or leads to.
fn content_of(held: &Held, id: Id) -> Option<Content> {
    let mut id = id;
    for _ in 0..LINKS {
        let entry = held.get(id)?;
        if entry.content.is_some() {
            return entry.content;
        }
        id = *entry.leads_to.first()?;
    }
    None
}
