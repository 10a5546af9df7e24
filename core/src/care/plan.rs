//! Plans: what goes, why, and over what that was decided.

use alloc::vec::Vec;

use super::held::{Hold, Id, Role, Stamp};
use crate::cases;

cases! {
    /// Why an entry goes.
    pub enum Why {
        /// It was asked for.
        Asked = "asked",
        /// It is of no use without what goes.
        Follows = "follows",
        /// No ref leads to this revision.
        Detached = "detached",
        /// Nobody has used this revision for as long as was said.
        Unused = "unused",
        /// More revisions of its repo are younger than were to be kept.
        Surplus = "surplus",
        /// The cache is larger than was said, and this was used least recently.
        Oversize = "oversize",
        /// Nothing leads to it.
        Orphan = "orphan",
        /// Nobody who lives writes it.
        Dead = "dead",
        /// There is nothing in it.
        Empty = "empty",
    }
}

/// One entry that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub id: Id,
    /// What it is for.
    pub role: Role,
    /// Why it goes.
    pub why: Why,
    /// What it was when this was decided.
    pub over: Stamp,
}

/// Something that was asked for, or that a rule would take, and that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub id: Id,
    /// What holds it.
    pub by: Hold,
}

/// What goes, in an order that leaves a cache which every client reads, wherever it is broken off: refs before what they
/// lead to, pointers before their blobs, folders after what is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing by itself"]
pub struct Plan {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What stays although it was asked for.
    pub kept: Vec<Kept>,
    /// How many bytes of files are free when all steps are done: the lengths of those that lose their last name.
    pub freed_bytes: u64,
}

/// Returns the place of a role in the order of steps.
pub(super) fn rank(role: Role) -> u8 {
    match role {
        Role::Ref => 0,
        Role::Pointer => 1,
        Role::Staged => 2,
        Role::Blob => 3,
        Role::Payload => 4,
        Role::Companion => 5,
        Role::Stranger => 6,
        Role::Folder | Role::Revision => 7,
        Role::Frame => 8,
        Role::Repo => 9,
    }
}
