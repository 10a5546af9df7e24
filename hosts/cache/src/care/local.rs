//! A local folder as an inventory: one revision with all the files that are a repo's.

use hubstow_core::{
    care::{Hold, Id, Role},
    layout::{CachePath, RepoLayout},
    name::FileName,
};

use crate::{
    care::{
        damage::{Damage, Flaw},
        inventory::{Inventory, Item},
        role::Owner,
        walk::{Listed, walk},
    },
    disk::{Kind, failure::FsError},
    observe::view::View,
};

/// The entry of the folder itself.
pub const FOLDER: Id = Id(0);

impl View {
    /// Looks at the files of a local folder. What belongs to its clients, and to programs such as git, is left out.
    ///
    /// # Errors
    /// That the work was cancelled.
    pub fn local_inventory(&self) -> Result<Inventory, FsError> {
        let (mut inventory, root) = (Inventory::default(), CachePath::root());
        let listed = walk(&*self.cache.disk, root.clone(), &self.cancel, &mut inventory.damage);
        self.cancel.check().map_err(|error| FsError::io("look at", &root, error))?;
        let mut ids: Vec<Option<Id>> = Vec::with_capacity(listed.len());
        for (place, Listed { at, within, kind, entry, link }) in listed.into_iter().enumerate() {
            let outer = within.and_then(|place| ids.get(place).copied().flatten());
            let is_of_repo = place == 0 || (outer.is_some() && is_of_repo(&at));
            let next = Id::at(inventory.items.len());
            ids.push(is_of_repo.then_some(next));
            if !is_of_repo {
                continue;
            }
            let role = match kind {
                Kind::Directory if place == 0 => Role::Revision,
                Kind::Directory => Role::Folder,
                Kind::File | Kind::Symlink | Kind::Other => Role::Pointer,
            };
            match kind {
                // A client puts no link here, and nobody knows where one leads.
                Kind::Symlink => inventory.damage.push(Damage::new(&at, Flaw::LinkLeadsOutside)),
                Kind::Other => inventory.damage.push(Damage::new(&at, Flaw::NotAFile)),
                Kind::File | Kind::Directory => {}
            }
            let (leads_to, hold, owner) = (Vec::new(), Hold::Free, Owner::Nothing);
            let leads = None;
            inventory.items.push(Item {
                at,
                kind,
                role,
                within: outer,
                leads_to,
                link,
                leads,
                entry,
                hold,
                owner,
            });
        }
        inventory.damage.retain(|damage| is_of_repo(&damage.at));
        Ok(inventory)
    }
}

fn is_of_repo(at: &CachePath) -> bool {
    let Ok(file) = FileName::parse(at.as_str()) else { return false };
    RepoLayout::local().admit(&file).is_ok()
}
