//! Plans of conversions: what becomes what, by which method, why, and over what that was decided.

use alloc::vec::Vec;

use crate::{
    care::held::{Id, Role, Stamp},
    cases,
    policy::Method,
};

cases! {
    /// What is done in a step. In one repo they come in this order.
    pub enum Act {
        /// A private file goes that a run of ours has left which was broken off.
        Clear = "clear",
        /// The content of a pointer gets its blob, which is not there. The step names the pointer.
        Make = "make",
        /// A blob becomes the same file as another repo's. Where an earlier step makes it, the step names the pointer of that.
        Share = "share",
        /// A pointer is placed anew over what it is.
        Place = "place",
        /// A blob goes that nothing leads to after the steps before.
        Drop = "drop",
    }
}

cases! {
    /// Why something is converted.
    pub enum Why {
        /// It is a copy of what is there once more.
        Copied = "copied",
        /// It is the only file with its content, and lies in a snapshot.
        Alone = "alone",
        /// It is a link of a kind that the policy makes none of.
        Linked = "linked",
        /// A link leads to nothing, and its content is elsewhere in the repo.
        Dangling = "dangling",
        /// Another repo has a blob of the same bytes.
        Elsewhere = "elsewhere",
        /// Nothing leads to it any more.
        Useless = "useless",
        /// Nobody who lives writes it.
        Dead = "dead",
    }
}

cases! {
    /// Why something is left as it is.
    pub enum Because {
        /// Somebody works in its repo.
        InUse = "in-use",
        /// Not all of its repo can be read.
        Unsure = "unsure",
        /// Its bytes are not what its name or the listing says.
        Damaged = "damaged",
        /// What it holds can't be told.
        Unproved = "unproved",
        /// Every method of the policy is refused here.
        NoMethod = "no-method",
    }
}

/// Whose bytes a step uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Source {
    /// Those of an entry, as it was when it was looked at.
    Entry {
        /// Which.
        id: Id,
        /// What it was.
        over: Stamp,
    },
    /// Those of the blob that an earlier step has made of this pointer, or has put in the place of this blob.
    Made(Id),
}

impl Source {
    /// Returns the entry.
    #[must_use]
    pub fn id(self) -> Id {
        match self {
            Self::Entry { id, .. } | Self::Made(id) => id,
        }
    }
}

/// One entry that is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// Which entry.
    pub id: Id,
    /// What comes to be, or goes.
    pub role: Role,
    /// By which method, unless it goes.
    pub by: Option<Method>,
    /// Whose bytes are used, where they are not its own.
    pub from: Option<Source>,
    /// Why.
    pub why: Why,
    /// What the entry was when this was decided.
    pub over: Stamp,
}

/// Something that is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Left {
    /// Which: a repo, a blob or a pointer.
    pub id: Id,
    /// Why.
    pub because: Because,
}

/// What is converted, in an order that leaves a cache which every client reads, wherever it is broken off: repo by repo,
/// blobs before the pointers to them, and what goes last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a plan does nothing by itself"]
pub struct Plan {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What is left as it is.
    pub left: Vec<Left>,
    /// How many bytes of regular files are free when all steps are done, each file once; fewer than none where copies are made.
    pub freed_bytes: i64,
}
