//! Plans of what goes.

use alloc::collections::BTreeMap;

use super::{Unfit, is_so};
use crate::care::{
    held::{Entry, Held, Hold, Id, Role},
    plan::{Plan, rank},
};

impl Plan {
    /// Checks that carrying this plan out would take nothing that is held, nothing that what stays leads to, and nothing before
    /// what has to go first.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, held: &Held) -> Result<(), Unfit> {
        let mut places: BTreeMap<Id, usize> = BTreeMap::new();
        let mut so_far = 0;
        for (place, step) in self.steps.iter().enumerate() {
            is_so(held, step.id, step.role, step.over)?;
            if places.insert(step.id, place).is_some() {
                return Err(Unfit::Twice(step.id));
            }
            if is_held(held, step.id) {
                return Err(Unfit::Held(step.id));
            }
            if rank(step.role) < so_far {
                return Err(Unfit::OutOfOrder(step.id));
            }
            so_far = rank(step.role);
        }
        for (id, entry) in held.iter() {
            check_needs(id, entry, &places)?;
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
    held.around(id).any(|(_, entry)| entry.hold.is_busy() || (named && entry.hold == Hold::Pinned))
}
