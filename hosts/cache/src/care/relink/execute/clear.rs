//! Removing what a conversion has made useless, and what broken-off runs have left.

use std::collections::HashSet;

use hubstow_core::{care::relink::Step, layout::CachePath};

use super::{Work, change::freed_with};
use crate::{
    care::{execute::Skip, inventory::Item, life::Life, walk::walk},
    disk::Kind,
};

impl Work<'_> {
    /// Removes what a dead run has left, if it is still dead.
    pub(super) fn clear(&mut self, step: &Step) -> Result<(), Skip> {
        let item = self.inventory.get(step.id).ok_or(Skip::Changed)?;
        // Who makes a link has the lease of the repo, and that is ours now.
        if item.kind == Kind::Symlink {
            return self.remove(step, item);
        }
        match self.view.cache.life_of(&item.at, item.kind, true) {
            Life::Lives => Err(Skip::InUse),
            Life::Dead(_held) => self.remove(step, item),
        }
    }

    /// Removes blobs that no link of their repo names any more.
    pub(super) fn drop_blobs(&mut self, drops: &[Step]) {
        let Some(first) = drops.first() else { return };
        let repo = self.inventory.get(self.inventory.outermost(first.id));
        let folder = repo.and_then(|repo| repo.at.listed("snapshots"));
        let mut damage = Vec::new();
        let disk = &*self.view.cache.disk;
        let listed = folder.map(|at| walk(disk, at, &self.view.cancel, &mut damage));
        let links = listed.iter().flatten().filter_map(|listed| listed.link.as_deref());
        let named: HashSet<String> =
            links.filter_map(|text| text.rsplit('/').next()).map(str::to_owned).collect();
        let is_whole = listed.is_some() && damage.is_empty() && !self.view.cancel.is_cancelled();
        for step in drops {
            let skipped = match self.inventory.get(step.id) {
                Some(item) if is_whole && !named.contains(item.at.base()) => {
                    self.drop_blob(step, item).err()
                }
                Some(_) | None => Some(Skip::Needed),
            };
            self.end(step, skipped);
        }
    }

    /// Removes a blob, and carries over what is proved of the file where a pointer has it now.
    fn drop_blob(&mut self, step: &Step, item: &Item) -> Result<(), Skip> {
        let disk = &*self.view.cache.disk;
        let before = disk.entry(&item.at).ok().flatten();
        self.remove(step, item)?;
        let slot = self.contents.slot_of(step.id).map(|(number, _)| number);
        let pointers = slot.and_then(|slot| self.contents.pointers_of.get(&slot));
        let items = pointers.into_iter().flatten().filter_map(|id| self.inventory.get(*id));
        for now in items.filter_map(|item| disk.entry(&item.at).ok().flatten()) {
            if let Some(before) = &before
                && now.identity.same_content(&before.identity)
            {
                self.view.proofs.carry_over(&before.identity, &now.identity);
            }
        }
        Ok(())
    }

    /// Removes a file or a link, if it is still what it was.
    fn remove(&mut self, step: &Step, item: &Item) -> Result<(), Skip> {
        let entry = self.still(item, step.over)?;
        self.view.cache.disk.remove(&item.at).map_err(|error| Skip::Refused(error.to_string()))?;
        self.freed_bytes += entry.as_ref().map_or(0, freed_with);
        Ok(())
    }

    /// Removes the folders for private files that only this has needed.
    pub(super) fn tidy(&self, repo: &CachePath) {
        let Some(private) = repo.listed(".hubstow") else { return };
        let had: HashSet<&CachePath> = self.inventory.items.iter().map(|item| &item.at).collect();
        let disk = &*self.view.cache.disk;
        let listed = walk(disk, private, &self.view.cancel, &mut Vec::new());
        for folder in listed.iter().rev().filter(|listed| listed.kind == Kind::Directory) {
            if had.contains(&folder.at) {
                continue;
            }
            // What is not empty stays.
            let _ = disk.remove_folder(&folder.at);
        }
        self.view.forget_folders();
    }
}
