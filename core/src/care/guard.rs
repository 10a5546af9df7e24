//! Whether a plan may be carried out: what a host asks of one that it has not made itself.

mod relink;
mod removal;
mod repair;

use core::fmt;

use super::held::{Held, Id, Role, Stamp};

/// Why a plan is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfit {
    /// A step names no entry, or one by another role or stamp than its own.
    NoSuchEntry(Id),
    /// Two steps name one entry.
    Twice(Id),
    /// The entry, or what it is in, is pinned, in use or unsure.
    Held(Id),
    /// Something that stays leads to it, or is in it.
    Needed(Id),
    /// It comes before something that has to go first.
    OutOfOrder(Id),
    /// It frees another number of bytes than it says.
    Miscounted,
    /// Nothing that is so of the entry leads to such a step.
    Unfounded(Id),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEntry(id) => write!(f, "step over entry {}, which is not so", id.0),
            Self::Twice(id) => write!(f, "entry {} is named twice", id.0),
            Self::Held(id) => write!(f, "entry {} is held", id.0),
            Self::Needed(id) => write!(f, "entry {} is needed by what stays", id.0),
            Self::OutOfOrder(id) => write!(f, "entry {} comes too early", id.0),
            Self::Miscounted => f.write_str("it frees another number of bytes than it says"),
            Self::Unfounded(id) => write!(f, "a step for entry {} without a reason", id.0),
        }
    }
}

impl core::error::Error for Unfit {}

/// Checks that an entry is what a step says of it.
fn is_so(held: &Held, id: Id, role: Role, over: Stamp) -> Result<(), Unfit> {
    let entry = held.get(id).filter(|entry| (entry.role, entry.over) == (role, over));
    entry.map(drop).ok_or(Unfit::NoSuchEntry(id))
}
