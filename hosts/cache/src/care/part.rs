//! What is in one folder at the top of a cache: a repo folder, or the store that repos share.

use hubstow_core::{
    care::{Hold, Id, Role},
    layout::CachePath,
};

use crate::{
    cache::Cache,
    care::{
        damage::Damage,
        inventory::Item,
        leads::{Leads, Places, folder_of},
        role::{Known, known},
        walk::{Listed, walk},
    },
    disk::{Kind, cancel::Cancel},
};

/// The marker of the store that repos share.
pub(crate) const MARKER: &str = ".huggingface-shared-blobs";

/// What kind of folder it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Repo,
    Store,
}

/// All that is in a folder. The numbers of entries are places in this list.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) items: Vec<Item>,
    pub(crate) damage: Vec<Damage>,
    /// The links that do not lead to anything in the same folder.
    pub(crate) loose: Vec<Id>,
}

impl Part {
    /// Looks at a folder. `root` is the path of the cache directory, with slashes.
    pub(crate) fn of(cache: &Cache, folder: &str, of: Of, root: &str, cancel: &Cancel) -> Self {
        let Some(at) = CachePath::root().listed(folder) else { return Self::default() };
        let mut damage = Vec::new();
        let listed = walk(&*cache.disk, at, cancel, &mut damage);
        let mut part = Self { items: Vec::with_capacity(listed.len()), damage, ..Self::default() };
        for listed in listed {
            part.add(folder, of, listed);
        }
        part.follow_links(root);
        part
    }

    fn add(&mut self, folder: &str, of: Of, listed: Listed) {
        let Listed { at, within, kind, entry, link } = listed;
        let below = at.as_str().strip_prefix(folder).unwrap_or_default();
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        let Known { role, owner, flaw } = match of {
            Of::Repo => known(&parts, kind),
            Of::Store => role_in_store(&parts, kind).into(),
        };
        self.damage.extend(flaw.map(|flaw| Damage::new(&at, flaw)));
        // What is in a strange folder is strange.
        let outer = within.and_then(|place| self.items.get(place));
        let is_strange = outer.is_some_and(|outer| outer.role == Role::Stranger);
        let role = if is_strange { Role::Stranger } else { role };
        let (within, leads_to) = (within.map(Id::at), Vec::new());
        let (leads, hold) = (None, Hold::Free);
        self.items.push(Item { at, kind, role, within, leads_to, link, leads, entry, hold, owner });
    }

    fn follow_links(&mut self, root: &str) {
        let places = Places::of(root.to_owned(), &self.items);
        let links = self.items.iter().enumerate().filter_map(|(place, item)| {
            let text = item.link.as_ref()?;
            Some((place, places.leads(folder_of(&item.at), text)))
        });
        let links: Vec<(usize, Leads)> = links.collect();
        for (place, leads) in links {
            match (leads, self.items.get_mut(place)) {
                (Leads::To(to), Some(item)) => item.lead_to(to),
                (Leads::Nowhere | Leads::Outside, Some(_)) => self.loose.push(Id::at(place)),
                (_, None) => {}
            }
        }
    }

    /// Counts the entries from this place on.
    pub(crate) fn from(mut self, base: usize) -> Self {
        let shifted = |id: Id| Id::at(base + id.place());
        for item in &mut self.items {
            item.within = item.within.map(shifted);
            if let Some(Leads::To(to)) = item.leads {
                item.leads = Some(Leads::To(shifted(to)));
            }
            item.leads_to.iter_mut().for_each(|to| *to = shifted(*to));
        }
        self.loose.iter_mut().for_each(|id| *id = shifted(*id));
        self
    }
}

/// Says what an entry of the store that repos share is for.
fn role_in_store(parts: &[&str], kind: Kind) -> Role {
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    match (parts, kind) {
        ([], _) => Role::Frame,
        ([MARKER], Kind::File) => Role::Frame,
        ([prefix], Kind::Directory) if is_hex(prefix, 2) => Role::Frame,
        ([_, name], Kind::File) if is_hex(name, 64) => Role::Payload,
        ([_, name], Kind::File) if name.ends_with(".refs") => Role::Companion,
        ([_, name], Kind::File) if name.ends_with(".lock") => Role::Frame,
        ([..], _) => Role::Stranger,
    }
}
