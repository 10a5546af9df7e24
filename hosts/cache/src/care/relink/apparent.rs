//! What `du -sb` makes of a conversion: besides files, it counts the text of each link and the size of each folder.

use std::collections::BTreeSet;

use hubstow_core::{
    care::relink::{Act, Step},
    layout::{CachePath, RepoLayout},
    policy::Method,
};

use crate::{
    care::{
        inventory::{Inventory, Item},
        relink::contents::Contents,
    },
    disk::Kind,
    observe::view::View,
};

impl View {
    /// Returns how many bytes the folders take that carrying out these steps makes, where each is as small as a folder here
    /// can be.
    #[must_use]
    pub fn bytes_of_new_folders(&self, inventory: &Inventory, steps: &[Step]) -> i64 {
        let mut wanted: BTreeSet<CachePath> = BTreeSet::new();
        let mut want = |folder: Option<CachePath>| wanted.extend(folder);
        for step in steps {
            let Some(repo) = inventory.get(inventory.outermost(step.id)) else { continue };
            let locks = CachePath::root().listed(".locks");
            want(locks.clone());
            want(Some(RepoLayout::probe_folder()));
            if step.act != Act::Clear {
                want(locks.and_then(|locks| locks.listed(repo.at.as_str())));
            }
            if step.act == Act::Make {
                want(repo.at.listed("blobs"));
            }
        }
        let is_folder = |item: &&Item| item.kind == Kind::Directory;
        let folders = inventory.items.iter().filter(is_folder);
        let least = folders.filter_map(|item| Some(item.entry.as_ref()?.len_bytes)).min();
        let missing = wanted.iter().filter(|at| matches!(self.disk().entry(at), Ok(None)));
        let each = i64::try_from(least.unwrap_or_default()).unwrap_or_default();
        missing.map(|_| each).sum()
    }
}

impl Contents {
    /// Returns by how many bytes the texts of links become less by these steps.
    #[must_use]
    pub fn bytes_of_link_texts<'a>(
        &self,
        inventory: &Inventory,
        steps: impl Iterator<Item = &'a Step>,
    ) -> i64 {
        let len = |text: &str| i64::try_from(text.len()).unwrap_or_default();
        let of_step = |step: &Step| {
            let old = inventory.get(step.id).and_then(|item| item.link.as_deref()).map_or(0, len);
            match (step.act, step.by) {
                (Act::Place, Some(Method::Symlink)) => {
                    let etag = self.slot_of(step.id).map(|(_, slot)| &slot.etag);
                    let file = self.pointers.get(&step.id).map(|(_, file)| file);
                    let text = file.zip(etag).map(|(file, etag)| RepoLayout::link_text(file, etag));
                    old - text.as_deref().map_or(0, len)
                }
                (Act::Place | Act::Drop | Act::Clear, _) => old,
                (Act::Make | Act::Share, _) => 0,
            }
        };
        steps.map(of_step).sum()
    }
}
