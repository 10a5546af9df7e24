//! Plans that keep a cache within a number of bytes, against what may go said once more: by who can read what.

use std::collections::{BTreeMap, BTreeSet};

use hubstow_core::care::{Bounds, Held, Hold, Id, Plan, Role, evict};

use crate::world::World;

/// Everything was used at a moment of its own between 0 and this.
const NOW: u64 = 1000;

/// A small cache whose entries were used in an order that has nothing to do with where they are.
fn used(world: &World) -> Held {
    let (mut held, _) = world.held();
    for (place, entry) in held.entries.iter_mut().enumerate() {
        entry.used = (place as u64 * 37 + 11) % 101;
    }
    held
}

/// Who can read each file by its number, and the file's length: pointers, blobs, payloads, unfinished files.
fn readers(held: &Held) -> BTreeMap<u64, (u64, Vec<Id>)> {
    let mut readers: BTreeMap<u64, (u64, Vec<Id>)> = BTreeMap::new();
    for (id, entry) in held.iter() {
        if !matches!(entry.role, Role::Pointer | Role::Blob | Role::Payload | Role::Staged) {
            continue;
        }
        let mut at = entry;
        while at.content.is_none() && !at.leads_to.is_empty() {
            at = held.get(at.leads_to[0]).unwrap();
        }
        if let Some(content) = at.content {
            readers.entry(content.file).or_insert((content.len_bytes, vec![])).1.push(id);
        }
    }
    readers
}

fn is_free(held: &Held, id: Id) -> bool {
    let is_pointer = held.get(id).unwrap().role == Role::Pointer;
    held.around(id).all(|(_, entry)| match entry.hold {
        Hold::Free => true,
        Hold::Pinned => !is_pointer,
        Hold::InUse | Hold::Unsure => false,
    })
}

fn gone(plan: &Plan) -> BTreeSet<Id> {
    plan.steps.iter().map(|step| step.id).collect()
}

#[test]
fn a_cache_is_kept_within_its_bounds_by_what_was_used_least_recently() {
    let (mut tried, mut tight) = (0, 0);
    for world in World::all().step_by(3) {
        let held = used(&world);
        let total = world.total_bytes();
        for (max_bytes, used_before) in
            [(0, NOW), (total / 2, NOW), (total - 400, NOW), (total / 2, 50), (total, NOW)]
        {
            let said = format!("{max_bytes} before {used_before} of {world:?}");
            let plan = evict(&held, &Bounds { max_bytes, used_before });
            assert_eq!(plan.check(&held), Ok(()), "{said}");
            let gone = gone(&plan);
            let readers = readers(&held);
            let last_used =
                |ids: &[Id]| ids.iter().map(|id| held.get(*id).unwrap().used).max().unwrap();
            let revision_of = |id: &Id| {
                held.around(*id).find(|(_, it)| it.role == Role::Revision).map(|(id, _)| id)
            };
            // Half of it is the file's own age, and half that of what it belongs to.
            let rank = |ids: &[Id]| {
                let revisions: Vec<Id> = ids.iter().filter_map(revision_of).collect();
                let own = last_used(ids);
                let around = if revisions.is_empty() { own } else { last_used(&revisions) };
                own + around.max(own)
            };
            let mut may_go: Vec<(u64, Id, u64, &[Id])> = readers
                .values()
                .filter(|(_, ids)| {
                    last_used(ids) < used_before && ids.iter().all(|id| is_free(&held, *id))
                })
                .map(|(len, ids)| (rank(ids), ids[0], *len, ids.as_slice()))
                .collect();
            may_go.sort_unstable();
            let (mut left, mut expected) = (total, 0);
            while left > max_bytes && expected < may_go.len() {
                left -= may_go[expected].2;
                expected += 1;
            }
            for (place, (_, _, _, ids)) in may_go.iter().enumerate() {
                let went = |id: &&Id| gone.contains(*id);
                if place < expected {
                    assert!(ids.iter().all(|id| went(&id)), "{said}");
                } else {
                    // What no pointer leads to goes with the last revision of its repo as well.
                    let mut went = ids.iter().filter(went);
                    assert!(went.all(|id| held.get(*id).unwrap().role != Role::Pointer), "{said}");
                }
            }
            let kept = readers.values().flat_map(|(_, ids)| ids).filter(|id| !is_free(&held, **id));
            assert!(kept.clone().all(|id| !gone.contains(id)), "{said}");
            assert!(total - plan.freed_bytes <= left, "{said}");
            assert!(left <= max_bytes || expected == may_go.len(), "{said}");
            tight += usize::from(left > max_bytes);
            check_revisions(&held, &gone, &said);
            tried += 1;
        }
    }
    assert!(tried > 1000 && tight > 100, "{tried}, {tight} of them too tight");
}

/// No ref is left without its revision, and no revision that has lost a file without any.
fn check_revisions(held: &Held, gone: &BTreeSet<Id>, said: &str) {
    for (id, entry) in held.iter().filter(|(id, _)| !gone.contains(id)) {
        match entry.role {
            Role::Ref => {
                assert!(entry.leads_to.iter().all(|to| !gone.contains(to)), "{said}");
            }
            Role::Revision => {
                let inside = held.iter().filter(|(_, inner)| inner.within == Some(id));
                let (lost, left): (Vec<_>, Vec<_>) =
                    inside.partition(|(inner, _)| gone.contains(inner));
                assert!(lost.is_empty() || !left.is_empty(), "{said}");
            }
            Role::Repo
            | Role::Frame
            | Role::Folder
            | Role::Pointer
            | Role::Blob
            | Role::Staged
            | Role::Companion
            | Role::Payload
            | Role::Stranger => {}
        }
    }
}

#[test]
fn what_has_another_name_elsewhere_frees_nothing_and_stays() {
    for world in World::all().step_by(101) {
        let mut held = used(&world);
        for entry in &mut held.entries {
            if let Some(content) = &mut entry.content {
                content.names += 1;
            }
        }
        let plan = evict(&held, &Bounds { max_bytes: 0, used_before: NOW });
        assert_eq!(plan.steps, [], "{world:?}");
    }
}
