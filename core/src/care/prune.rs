//! What may go without anybody having named it.

use alloc::{collections::BTreeMap, vec::Vec};
use core::cmp::Reverse;

use super::{
    draft::{Draft, Sweep},
    held::{Entry, Held, Id, Role},
    plan::{Plan, Why},
};

/// What a pruning takes beyond what is useless: revisions without a ref, blobs that nothing leads to, downloads that nobody
/// goes on with, empty folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Revisions that were last used before this moment, in seconds since 1970.
    pub unused_since: Option<u64>,
    /// How many revisions of each repo stay: those that were changed last.
    pub keep_last: Option<usize>,
    /// How many bytes of files may stay. As many revisions go as it takes, the least recently used first.
    pub max_bytes: Option<u64>,
}

/// Plans what may go by these rules.
pub fn prune(held: &Held, rules: &Rules) -> Plan {
    let mut draft = Draft::new(held);
    let revisions: Vec<(Id, &Entry)> =
        held.iter().filter(|(_, entry)| entry.role == Role::Revision).collect();
    for (id, entry) in &revisions {
        if !draft.has_ref(*id) {
            draft.doom_unneeded(*id, Why::Detached);
        } else if rules.unused_since.is_some_and(|since| entry.used < since) {
            draft.doom_unneeded(*id, Why::Unused);
        }
    }
    if let Some(keep) = rules.keep_last {
        doom_surplus(&mut draft, held, &revisions, keep);
    }
    if let Some(max_bytes) = rules.max_bytes {
        doom_oversize(&mut draft, held, &revisions, max_bytes);
    }
    draft.sweep(Sweep::Useless);
    draft.plan()
}

fn doom_surplus(draft: &mut Draft<'_>, held: &Held, revisions: &[(Id, &Entry)], keep: usize) {
    let mut of_repo: BTreeMap<Option<Id>, Vec<(Id, &Entry)>> = BTreeMap::new();
    for (id, entry) in revisions.iter().filter(|(id, _)| !draft.is_doomed(*id)) {
        of_repo.entry(held.repo_of(*id)).or_default().push((*id, entry));
    }
    for mut revisions in of_repo.into_values() {
        revisions.sort_by_key(|(id, entry)| (Reverse(entry.modified), *id));
        for (id, _) in revisions.into_iter().skip(keep) {
            draft.doom_unneeded(id, Why::Surplus);
        }
    }
}

/// Finds by halving how many of the least recently used revisions have to go: the more go, the less stays.
fn doom_oversize(draft: &mut Draft<'_>, held: &Held, revisions: &[(Id, &Entry)], max_bytes: u64) {
    let mut left: Vec<_> = revisions.iter().filter(|(id, _)| !draft.is_doomed(*id)).collect();
    left.sort_by_key(|(id, entry)| (entry.used, *id));
    let total_bytes = held.len_bytes();
    let without = |count: usize| {
        let mut draft = draft.clone();
        for (id, _) in left.iter().take(count) {
            draft.doom_unneeded(*id, Why::Oversize);
        }
        draft
    };
    let fits = |count: usize| {
        let mut draft = without(count);
        draft.sweep(Sweep::Useless);
        total_bytes.saturating_sub(draft.freed_bytes()) <= max_bytes
    };
    let (mut too_few, mut enough) = (0, left.len());
    if fits(0) {
        enough = 0;
    }
    while too_few + 1 < enough {
        let middle = too_few.midpoint(enough);
        if fits(middle) { enough = middle } else { too_few = middle }
    }
    *draft = without(enough);
}
