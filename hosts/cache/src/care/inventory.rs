//! All that a cache directory holds, as a value.
//!
//! One pass, the repos beside each other. A damaged file or repo is told and hides nothing else.

use std::collections::HashMap;

use hubstow_core::{
    care::{Content, Entry as HeldEntry, Held, Hold, Id, Role, Stamp},
    layout::CachePath,
    name::RepoKind,
};
use sha2::{Digest as _, Sha256};

use crate::{
    care::{damage::Damage, leads::Leads, pins::Pins, role::Owner},
    disk::{Entry, Kind},
};

/// One entry.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it is.
    pub at: CachePath,
    /// What kind of entry it is.
    pub kind: Kind,
    /// What it is for.
    pub role: Role,
    /// The entry that it is in.
    pub within: Option<Id>,
    /// What it leads to: a ref to its revision, a link to its target, another name of a blob to the blob.
    pub leads_to: Vec<Id>,
    /// The text of a link, and where it leads in one hop.
    pub link: Option<String>,
    /// Where the link leads.
    pub leads: Option<Leads>,
    /// What the system says of a file or folder.
    pub entry: Option<Entry>,
    /// What holds it.
    pub hold: Hold,
    pub(crate) owner: Owner,
}

impl Item {
    /// Takes over that a link leads to an entry.
    pub(crate) fn lead_to(&mut self, to: Id) {
        self.leads = Some(Leads::To(to));
        self.leads_to.push(to);
    }
}

/// One repo folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRepo {
    /// Its entry.
    pub id: Id,
    /// The kind, by the folder's name.
    pub kind: RepoKind,
    /// The id, by the folder's name: `org/name`.
    pub name: String,
    /// How many lock files there are for it.
    pub locks: usize,
    /// What is pinned of it.
    pub pins: Pins,
}

/// Whether there is a store that repos share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// There is none.
    #[default]
    None,
    /// There is.
    Marked,
}

/// All that a cache directory holds.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The entries; each is named by its place, and comes after the one that it is in.
    pub items: Vec<Item>,
    /// The repos, by name, which is the order of their entries.
    pub repos: Vec<HeldRepo>,
    /// Whether there is a store that repos share.
    pub store: Store,
    /// Names at the top that are nobody's.
    pub strangers: Vec<CachePath>,
    /// What is wrong.
    pub damage: Vec<Damage>,
    /// The pointers of each revision.
    pub(crate) pointers: HashMap<Id, Vec<Id>>,
    /// When pointers were used, in seconds since 1970, where somebody has noted it.
    pub(crate) uses: HashMap<Id, u64>,
}

impl Inventory {
    /// Returns an entry.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<&Item> {
        self.items.get(id.place())
    }

    pub(crate) fn change(&mut self, id: Id, change: impl FnOnce(&mut Item)) {
        if let Some(item) = self.items.get_mut(id.place()) {
            change(item);
        }
    }

    /// Returns all entries with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Item)> {
        self.items.iter().enumerate().map(|(place, item)| (Id::at(place), item))
    }

    /// Returns the entry and those that it is in, from the inside out.
    pub fn around(&self, id: Id) -> impl Iterator<Item = (Id, &Item)> {
        let mut next = Some(id);
        std::iter::from_fn(move || {
            let id = next?;
            let item = self.get(id)?;
            next = item.within;
            Some((id, item))
        })
    }

    /// Returns the outermost entry that one is in: its repo folder, or the store.
    #[must_use]
    pub fn outermost(&self, id: Id) -> Id {
        self.around(id).last().map_or(id, |(id, _)| id)
    }

    /// Returns the repo that an entry is in, or is.
    #[must_use]
    pub fn repo_of(&self, id: Id) -> Option<&HeldRepo> {
        let outer = self.outermost(id);
        // Entries are numbered repo by repo.
        let place = self.repos.binary_search_by_key(&outer, |held| held.id).ok()?;
        self.repos.get(place)
    }

    /// Follows links to the entry with the content; `None` where there is none in the cache.
    #[must_use]
    pub fn content_of(&self, id: Id) -> Option<&Item> {
        self.content_id_of(id).and_then(|id| self.get(id))
    }

    /// Follows links to the entry with the content, and returns its number.
    pub(crate) fn content_id_of(&self, id: Id) -> Option<Id> {
        /// A pointer, a blob and a payload are two links.
        const LINKS: usize = 8;
        let mut id = id;
        for _ in 0..LINKS {
            let item = self.get(id)?;
            match item.leads {
                None => return Some(id).filter(|_| item.kind == Kind::File),
                Some(Leads::To(next)) => id = next,
                Some(Leads::Nowhere | Leads::Outside) => return None,
            }
        }
        None
    }

    /// Returns the bytes of each entry that is a regular file. Names of one file have one number.
    pub(crate) fn contents(&self) -> Vec<Option<Content>> {
        let mut files: HashMap<(u64, u128), u64> = HashMap::new();
        let contents = self.iter().map(|(id, item)| {
            let entry = item.entry.as_ref().filter(|_| item.kind == Kind::File)?;
            let next = files.len() as u64;
            // Where the system does not tell files apart, each name is one.
            let key = (entry.identity.device, entry.identity.file);
            let key = if entry.names > 1 { key } else { (u64::MAX, u128::from(id.0)) };
            let file = *files.entry(key).or_insert(next);
            Some(Content { file, len_bytes: entry.len_bytes, names: entry.names })
        });
        contents.collect()
    }

    /// Returns what the core is told of it.
    #[must_use]
    pub fn held(&self) -> Held {
        let entries = self.iter().zip(self.contents()).map(|((id, item), content)| {
            let (used, modified) = self.times(id);
            HeldEntry {
                role: item.role,
                within: item.within,
                leads_to: item.leads_to.clone(),
                content,
                used,
                modified,
                hold: item.hold,
                over: stamp(item.kind, item.entry.as_ref(), item.link.as_deref()),
            }
        });
        Held { entries: entries.collect() }
    }
}

/// Returns what an entry is, in one number. Of a folder only that: it changes while it is emptied.
pub(crate) fn stamp(kind: Kind, entry: Option<&Entry>, link: Option<&str>) -> Stamp {
    let text = match (kind, entry, link) {
        (Kind::Symlink, _, link) => format!("link {}", link.unwrap_or_default()),
        // Only an empty one is ever removed.
        (Kind::Directory, ..) => "folder".to_owned(),
        (_, Some(entry), _) => {
            let identity = &entry.identity;
            let (len, modified) = (entry.len_bytes, identity.modified_ns);
            format!("{kind:?} {} {} {len} {modified}", identity.device, identity.file)
        }
        (_, None, _) => String::new(),
    };
    let hash: [u8; 32] = Sha256::digest(text).into();
    let (half, _) = hash.split_at(16);
    Stamp(half.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)))
}
