//! Having repos alone, so that nobody relies on what they hold.

use hubstow_core::layout::CachePath;

use crate::{
    cache::lease::{Lease, Leased, Share},
    care::{
        complete::lease_of,
        inventory::{Inventory, Item},
    },
    disk::Kind,
    observe::view::View,
};

/// Why repos can't be had alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAlone {
    /// Somebody works in this repo folder.
    Busy(CachePath),
    /// The cache does not hold the repos any more that it held: somebody has moved or removed some, or others have come.
    Changed,
}

/// All repos of a cache, held alone.
pub struct Alone {
    _leases: Vec<Lease>,
    /// What the cache holds now that nobody else works in it.
    pub inventory: Inventory,
}

impl View {
    /// Has all repos of an inventory alone, without waiting, so that nobody relies on what they hold; where leases are not to be
    /// had, there are fewer. Where a cache is gone, none is made for it.
    ///
    /// # Errors
    /// Why they can't be had; nothing is left of the attempt then.
    pub fn lease_all_alone(&self, inventory: &Inventory) -> Result<Alone, NotAlone> {
        let repos: Vec<&Item> =
            inventory.repos.iter().filter_map(|held| inventory.get(held.id)).collect();
        let mut leases = Vec::new();
        for repo in &repos {
            if !self.is_still_there(repo) {
                return Err(NotAlone::Changed);
            }
            let Some(lease) = lease_of(&repo.at) else { continue };
            match self.cache.try_lease(&lease, Share::Alone) {
                Leased::Held(lease) => leases.push(lease),
                Leased::Busy => return Err(NotAlone::Busy(repo.at.clone())),
                Leased::Unavailable => {}
            }
        }
        // Before the leases were had, another may have taken the folders away.
        let now = self.inventory().map_err(|_| NotAlone::Changed)?;
        let names = |inventory: &Inventory| -> Vec<String> {
            inventory.repos.iter().map(|held| format!("{}/{}", held.kind, held.name)).collect()
        };
        if names(&now) == names(inventory) && repos.iter().all(|repo| self.is_still_there(repo)) {
            return Ok(Alone { _leases: leases, inventory: now });
        }
        drop(leases);
        if now.repos.is_empty() {
            self.take_leases_back(&repos);
        }
        Err(NotAlone::Changed)
    }

    /// Tells whether a repo folder is the one that was looked at.
    fn is_still_there(&self, repo: &Item) -> bool {
        let identity = |entry: &crate::disk::Entry| (entry.identity.device, entry.identity.file);
        let was = repo.entry.as_ref().map(identity);
        matches!(self.cache.disk.entry(&repo.at), Ok(Some(now))
            if now.kind == Kind::Directory && was.is_none_or(|was| was == identity(&now)))
    }

    /// Removes the leases that were made where no cache is any more, with the folders that were made for them.
    fn take_leases_back(&self, repos: &[&Item]) {
        let disk = &self.cache.disk;
        let leases: Vec<CachePath> = repos.iter().filter_map(|repo| lease_of(&repo.at)).collect();
        for lease in &leases {
            let _ = disk.remove(lease);
        }
        let mut folder = leases.first().map(CachePath::parent);
        // One that is not empty is somebody's, and stays.
        while let Some(at) = folder {
            let is_gone = disk.remove_folder(&at).is_ok();
            folder = Some(at.parent()).filter(|above| is_gone && *above != at);
        }
    }
}
