//! Having repos alone, so that nobody relies on what they hold.

use hubstow_core::layout::CachePath;

use crate::{
    cache::lease::{Lease, Leased, Share},
    care::{complete::lease_of, inventory::Inventory},
    observe::view::View,
};

impl View {
    /// Has all repos of an inventory alone, without waiting, so that nobody relies on what they hold; where leases are not to be
    /// had, there are fewer.
    ///
    /// # Errors
    /// The repo folder in which somebody works.
    pub fn lease_all_alone(&self, inventory: &Inventory) -> Result<Vec<Lease>, CachePath> {
        let mut leases = Vec::new();
        for held in &inventory.repos {
            let Some(repo) = inventory.get(held.id) else { continue };
            let Some(lease) = lease_of(&repo.at) else { continue };
            match self.cache.try_lease(&lease, Share::Alone) {
                Leased::Held(lease) => leases.push(lease),
                Leased::Busy => return Err(repo.at.clone()),
                Leased::Unavailable => {}
            }
        }
        Ok(leases)
    }
}
