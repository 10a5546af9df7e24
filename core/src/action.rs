//! Actions: the one atomic change a host is asked to make next.
//!
//! An action names roles, never paths: a host derives every path from names it has parsed itself, so a wrong or hostile
//! core can't name anything. Each action is atomic (written to a private name, synced, renamed over) and says what it
//! was decided over; where that no longer holds it fails as raced and the host looks again.

use crate::{
    cases,
    facts::{Blob, Demand, Pointer},
    policy::Method,
    why::{Reason, Refusal},
};

cases! {
    /// Where the bytes of an action come from.
    pub enum Source {
        /// The blob; others may use it.
        Blob = "blob",
        /// The staged file of this attempt, complete and verified.
        Staged = "staged",
        /// A regular pointer of another snapshot; others use it.
        Twin = "twin",
    }
}

cases! {
    /// How the hub is asked.
    pub enum Lookup {
        /// With `If-None-Match`: the cached content is here and proved (row D11).
        Conditional = "conditional",
        /// Without.
        Plain = "plain",
    }
}

/// One atomic change, or one look at the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Action {
    /// Ask the hub with a HEAD.
    Lookup(Lookup),
    /// Write the `.no_exist` marker, then the ref.
    Mark,
    /// Find out whether a method works here: make, read through, remove.
    Probe(Method),
    /// Fill the staged file from the hub until it is complete and verified.
    Fetch,
    /// Make the blob: rename the staged file, or a private copy of the twin, to the blob's path.
    Seal {
        /// The staged file or the twin.
        from: Source,
        /// What was at the blob's path when this was decided.
        over: Blob,
    },
    /// Make the pointer.
    Place {
        /// The method.
        by: Method,
        /// The blob, the staged file (only to be moved) or the twin (never to be moved).
        from: Source,
        /// What was at the pointer when this was decided.
        over: Pointer,
    },
    /// Write the ref file, last.
    Point,
}

impl Action {
    /// Returns the demand that is left when this action has been done: what this run has made itself is fresh.
    #[must_use]
    pub fn demand_after(self, demand: Demand) -> Demand {
        match (demand, self) {
            (Demand::Fresh, Self::Seal { .. }) => Demand::FreshPointer,
            (Demand::Fresh | Demand::FreshPointer, Self::Place { .. }) => Demand::Any,
            (Demand::Any | Demand::Fresh | Demand::FreshPointer, _) => demand,
        }
    }
}

/// What is to be done about a file, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[must_use = "a decision does nothing by itself"]
pub enum Decision {
    /// Nothing: the pointer serves.
    Reuse(Reason),
    /// One action; then look again.
    Act(Action, Reason),
    /// Nothing right can be done.
    Refuse(Refusal),
}
