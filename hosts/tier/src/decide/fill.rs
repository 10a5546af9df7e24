//! Whose turn it is to bring an object.

use super::claim::Standing;

/// What was seen at an object's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectSeen {
    /// Nothing.
    Absent,
    /// The whole of it: nothing else is ever visible.
    Present,
}

/// What is known of the claim, which is always looked at before the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimSeen {
    /// Nothing: nobody has looked, or there was none.
    Unknown,
    /// It is ours.
    Ours,
    /// It is somebody else's.
    Theirs(Standing),
}

/// What a node that wants an object does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Read it: it is there.
    Read,
    /// Give our claim back, then read it.
    ReleaseAndRead,
    /// Make a claim, over nothing.
    Claim,
    /// Make the lapsed claim ours, over exactly what was seen.
    TakeOver,
    /// Bring it from upstream, then put it, then give the claim back.
    Fill,
    /// Look again after a while.
    Wait,
}

/// Says what a node that wants an object does next.
///
/// With a claim of ours the object counts only if it was looked at after the claim was made: who had it before may have
/// finished between.
#[must_use]
pub fn turn(claim: ClaimSeen, object: ObjectSeen) -> Turn {
    match (claim, object) {
        (ClaimSeen::Unknown | ClaimSeen::Theirs(_), ObjectSeen::Present) => Turn::Read,
        (ClaimSeen::Ours, ObjectSeen::Present) => Turn::ReleaseAndRead,
        (ClaimSeen::Unknown, ObjectSeen::Absent) => Turn::Claim,
        (ClaimSeen::Theirs(Standing::Live), ObjectSeen::Absent) => Turn::Wait,
        (ClaimSeen::Theirs(Standing::Lapsed), ObjectSeen::Absent) => Turn::TakeOver,
        (ClaimSeen::Ours, ObjectSeen::Absent) => Turn::Fill,
    }
}
