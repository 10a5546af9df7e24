//! What verifying has found.

use std::collections::HashMap;

use hubstow_core::care::{Id, Ill, Wound};

use super::read::Readings;
use crate::{
    care::{
        damage::{Damage, Flaw, Weight},
        inventory::Inventory,
    },
    observe::cached::Promised,
};

/// Something that is wrong, with what would heal it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where, and what.
    pub damage: Damage,
    /// The entry; `None` of what is no part of any repo.
    pub id: Option<Id>,
    /// How much it matters.
    pub weight: Weight,
    /// What it is as far as healing goes.
    pub ill: Ill,
    /// The content that it should hold, where that is known.
    pub expected: Option<Promised>,
    /// The hash that was found, where one was.
    pub found: Option<String>,
    /// The files of snapshots that are read through it.
    pub readers: Vec<Id>,
    /// The file of a snapshot by which the content would get to its place.
    pub through: Option<Id>,
    /// Where the content is.
    pub good: Vec<Id>,
}

impl Fault {
    pub(crate) fn new(inventory: &Inventory, id: Id, flaw: Flaw, ill: Ill) -> Option<Self> {
        let damage = Damage::new(&inventory.get(id)?.at, flaw);
        Some(Self::of(damage, Some(id), ill))
    }

    pub(crate) fn of(damage: Damage, id: Option<Id>, ill: Ill) -> Self {
        let weight = damage.flaw.weight();
        let (expected, found, readers) = (None, None, Vec::new());
        let (through, good) = (None, Vec::new());
        Self { damage, id, weight, ill, expected, found, readers, through, good }
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Verified {
    /// How many files were read.
    pub files: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of them hold what is said of them.
    pub proved: usize,
    /// Files of which nothing tells what they should hold, or that changed while they were read.
    pub untold: Vec<Id>,
    /// What is wrong, by path.
    pub faults: Vec<Fault>,
    /// Files that a listing has, and that are not here: their revision, and their names.
    pub missing: Vec<(Id, String)>,
    /// Files that are here, and that the listing does not have.
    pub extra: Vec<Id>,
    pub(super) readings: Readings,
}

impl Verified {
    /// Tells whether anybody reads what is wrong, or misses what should be there.
    #[must_use]
    pub fn has_harm(&self) -> bool {
        self.faults.iter().any(|fault| fault.weight == Weight::Harm)
    }

    /// Returns what the core is told of what is wrong.
    #[must_use]
    pub fn wounds(&self, inventory: &Inventory) -> Vec<Wound> {
        let mut contents: HashMap<Promised, u64> = HashMap::new();
        let mut number = |promised: &Promised| {
            let next = contents.len() as u64;
            let content = Promised { size: None, ..promised.clone() };
            *contents.entry(content).or_insert(next)
        };
        let mut wounds = Vec::new();
        for fault in &self.faults {
            let Some(id) = fault.id else { continue };
            let wants = fault.expected.as_ref().map(&mut number);
            let named = fault.through.or(Some(id));
            wounds.push(Wound {
                id,
                ill: fault.ill,
                wants,
                good: fault.good.clone(),
                through: fault.through,
                has_name: named.is_some_and(|id| inventory.has_name(id)),
            });
        }
        wounds
    }
}
