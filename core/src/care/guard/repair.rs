//! Plans of what is healed.

use alloc::collections::BTreeSet;

use super::{Unfit, is_so};
use crate::{
    care::{
        held::Held,
        repair::{Cure, Heal, Ill, Repair, Wound},
    },
    facts::Reach,
};

impl Repair {
    /// Checks that each step is a cure for a wound of its entry, from content that was found good for it, and that the hub is
    /// asked for nothing where it may not be.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, held: &Held, wounds: &[Wound], reach: Reach) -> Result<(), Unfit> {
        let mut healed = BTreeSet::new();
        for step in &self.steps {
            is_so(held, step.id, step.role, step.over)?;
            let is_cured = |wound: &Wound| wound.id == step.id && cures(step, wound, reach);
            if !wounds.iter().any(is_cured) {
                return Err(Unfit::Unfounded(step.id));
            }
            if !healed.insert((step.id, step.cure)) {
                return Err(Unfit::Twice(step.id));
            }
        }
        let stays = self.unhealed.iter().map(|stays| stays.id);
        let mut strange = stays.filter(|id| wounds.iter().all(|wound| wound.id != *id));
        strange.next().map_or(Ok(()), |id| Err(Unfit::Unfounded(id)))
    }
}

fn cures(step: &Heal, wound: &Wound, reach: Reach) -> bool {
    let is_good = step.from.is_none_or(|from| from != step.id && wound.good.contains(&from));
    let may_ask = wound.has_name && reach == Reach::Online && step.from.is_none();
    match (wound.ill, step.cure) {
        (Ill::Content, Cure::Place) => is_good && wound.through.is_some(),
        (Ill::Content, Cure::Fetch) => may_ask && wound.through.is_some(),
        (Ill::Unnamed, Cure::Fetch) | (Ill::Listing, Cure::List) => may_ask,
        (Ill::Astray | Ill::Void, Cure::Remove)
        | (Ill::Untidy, Cure::Point)
        | (Ill::Unlisted, Cure::Enlist) => step.from.is_none(),
        (
            Ill::Content
            | Ill::Unnamed
            | Ill::Astray
            | Ill::Untidy
            | Ill::Void
            | Ill::Listing
            | Ill::Unlisted
            | Ill::Closed
            | Ill::Strange
            | Ill::Litter,
            Cure::List | Cure::Place | Cure::Fetch | Cure::Enlist | Cure::Remove | Cure::Point,
        ) => false,
    }
}
