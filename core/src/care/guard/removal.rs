//! Plans of what goes.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Unfit, is_so};
use crate::care::{
    held::{Entry, Held, Hold, Id, Role},
    plan::{Plan, Step, Why, rank},
};

impl Plan {
    /// Checks that carrying this plan out would take nothing that is held, nothing that what stays leads to, and nothing before
    /// what has to go first.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, held: &Held) -> Result<(), Unfit> {
        let unsure = held.repos_with_unsure_refs();
        let mut places: BTreeMap<Id, usize> = BTreeMap::new();
        let mut so_far = 0;
        for (place, step) in self.steps.iter().enumerate() {
            is_so(held, step.id, step.role, step.over)?;
            if places.insert(step.id, place).is_some() {
                return Err(Unfit::Twice(step.id));
            }
            let repo = held.repo_of(step.id).filter(|repo| unsure.contains(repo));
            if is_held(held, step.id) || (repo.is_some() && is_by_rule(step)) {
                return Err(Unfit::Held(step.id));
            }
            if rank(step.role) < so_far {
                return Err(Unfit::OutOfOrder(step.id));
            }
            so_far = rank(step.role);
        }
        let struck: BTreeSet<Id> = self
            .steps
            .iter()
            .filter(|step| held.get(step.id).is_some_and(Entry::is_unsure_ref))
            .filter_map(|step| held.repo_of(step.id))
            .collect();
        for (id, entry) in held.iter() {
            check_needs(id, entry, &places)?;
            // A ref that can't be told may be the one of whatever stays.
            let stays = entry.role == Role::Revision && !places.contains_key(&id);
            if stays && held.repo_of(id).is_some_and(|repo| struck.contains(&repo)) {
                return Err(Unfit::Needed(id));
            }
        }
        if self.freed_bytes == held.freed_bytes(|id| places.contains_key(&id)) {
            Ok(())
        } else {
            Err(Unfit::Miscounted)
        }
    }
}

/// What stays keeps what it is in and what it leads to; what goes, goes before what it is in.
fn check_needs(id: Id, entry: &Entry, goes: &BTreeMap<Id, usize>) -> Result<(), Unfit> {
    let outer = entry.within.filter(|outer| *outer < id);
    let outer_goes = outer.and_then(|outer| Some((outer, goes.get(&outer)?)));
    match (goes.get(&id), outer_goes) {
        (None, Some((outer, _))) => return Err(Unfit::Needed(outer)),
        (Some(own), Some((outer, outers))) if own > outers => return Err(Unfit::OutOfOrder(outer)),
        (Some(_), _) => return Ok(()),
        (None, None) => {}
    }
    let keeps = match entry.role {
        Role::Ref | Role::Pointer | Role::Blob | Role::Staged | Role::Payload | Role::Stranger => {
            true
        }
        // What is only known of something does not keep it.
        Role::Companion | Role::Repo | Role::Frame | Role::Revision | Role::Folder => false,
    };
    match entry.leads_to.iter().find(|to| keeps && goes.contains_key(to)) {
        Some(to) => Err(Unfit::Needed(*to)),
        None => Ok(()),
    }
}

/// Tells whether an entry or what it is in is in use or unsure; of what users name, also whether it is pinned.
fn is_held(held: &Held, id: Id) -> bool {
    let named = held
        .get(id)
        .is_some_and(|entry| matches!(entry.role, Role::Repo | Role::Revision | Role::Pointer));
    held.around(id).any(|(at, entry)| {
        let is_busy = entry.hold.is_busy() && !(at == id && entry.is_unsure_ref());
        is_busy || (named && entry.hold == Hold::Pinned)
    })
}

/// Tells whether a step takes a revision that nobody has named.
fn is_by_rule(step: &Step) -> bool {
    match (step.role, step.why) {
        (Role::Revision, Why::Detached | Why::Unused | Why::Surplus) => true,
        (
            Role::Revision,
            Why::Asked | Why::Follows | Why::Oversize | Why::Orphan | Why::Dead | Why::Empty,
        ) => false,
        (
            Role::Repo
            | Role::Frame
            | Role::Ref
            | Role::Folder
            | Role::Pointer
            | Role::Blob
            | Role::Staged
            | Role::Companion
            | Role::Payload
            | Role::Stranger,
            _,
        ) => false,
    }
}
