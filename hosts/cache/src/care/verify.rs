//! Whether a cache holds what it says: every byte is read, whatever has been proved before, and compared with all that speaks
//! of it.
//!
//! A blob is spoken for by its name, a file of a snapshot by its link and by a listing. Each file is read once, however many
//! names it has. What is wrong is told with what would heal it; nothing is changed here but what is written down as proved.

mod around;
mod claims;
mod found;
mod judge;
pub mod listed;
mod read;
mod scope;
mod sources;

use std::ops::ControlFlow;

use hubstow_core::care::Id;

use self::{
    around::Around, claims::Claims, judge::Judge, listed::Listings, read::read_all, scope::Covered,
    sources::Sources,
};
use crate::{
    care::inventory::Inventory,
    disk::{cancel::Cancel, failure::FsError},
    observe::view::View,
};

pub use self::{
    found::{Fault, Verified},
    read::Reading,
    scope::Scope,
};

impl View {
    /// Reads all that is in scope, and says what is wrong.
    ///
    /// Who is told of progress can end it. What was read `before`, of this inventory, is not read again, so that what was found can
    /// be judged once more by other listings.
    ///
    /// # Errors
    /// That the work was cancelled.
    pub fn verify(
        &self,
        inventory: &Inventory,
        scope: &Scope,
        listings: &Listings,
        before: Option<&Verified>,
        tell: &(dyn Fn(Reading) -> ControlFlow<()> + Sync),
    ) -> Result<Verified, FsError> {
        let stop = Cancel::default();
        let tell = |reading: Reading| {
            if self.cancel.is_cancelled() || tell(reading).is_break() {
                stop.cancel();
            }
        };
        let view = &self.stopped_by(stop.clone());
        let covered = Covered::of(inventory, scope);
        let claims = Claims::gather(inventory, &covered, listings);
        let nothing = Verified::default();
        let known = &before.unwrap_or(&nothing).readings;
        let readings = read_all(view, inventory, &claims, known, &tell)?;
        let mut verified = Verified::default();
        Around { view: self, inventory, covered: &covered, listings }.look(&mut verified);
        let judge =
            Judge { inventory, covered: &covered, listings, claims: &claims, readings: &readings };
        judge.judge(&mut verified);
        let sources = Sources::of(inventory, &covered, listings, &claims, &readings);
        verified.faults.iter_mut().for_each(|fault| sources.complete(fault));
        let names = claims.jobs.iter().map(|job| job.id);
        verified.readings = names.zip(readings).collect();
        let path = |id: &Id| inventory.get(*id).map(|item| item.at.clone());
        verified.extra.sort_by_cached_key(path);
        verified.untold.sort_by_cached_key(path);
        verified.missing.sort_by_cached_key(|(id, name)| (path(id), name.clone()));
        verified.faults.sort_by(|one, other| {
            (&one.damage.at, one.damage.flaw).cmp(&(&other.damage.at, other.damage.flaw))
        });
        verified.faults.dedup_by(|one, other| one.damage == other.damage);
        Ok(verified)
    }
}
