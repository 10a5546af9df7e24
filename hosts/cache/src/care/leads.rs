//! Where links lead, found out from what was listed, without asking the disk.

use std::collections::HashMap;

use hubstow_core::{care::Id, layout::CachePath};

use crate::care::inventory::Item;

/// How many links are followed one after the other.
const LINK_LIMIT: usize = 40;

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To an entry of the cache, which may be a link itself.
    To(Id),
    /// To a place in the cache where nothing is.
    Nowhere,
    /// Out of the cache.
    Outside,
}

/// All that was listed, by its path.
pub(crate) struct Places<'a> {
    root: String,
    by_path: HashMap<&'a str, Id>,
    items: &'a [Item],
}

impl<'a> Places<'a> {
    pub(crate) fn of(root: String, items: &'a [Item]) -> Self {
        let each = items.iter().enumerate().map(|(place, item)| (item.at.as_str(), Id::at(place)));
        Self { root, by_path: each.collect(), items }
    }

    pub(crate) fn at(&self, path: &str) -> Option<Id> {
        self.by_path.get(path).copied()
    }

    /// Says where a link in a folder leads in one hop.
    pub(crate) fn leads(&self, folder: &str, text: &str) -> Leads {
        let Some(path) = self.inside(folder, text) else { return self.by_its_end(text) };
        match self.walk(&path, LINK_LIMIT) {
            Leads::Outside => self.by_its_end(text),
            found @ (Leads::To(_) | Leads::Nowhere) => found,
        }
    }

    /// A link out of the cache may come back into it by another name of its directory: the last three parts are those of a
    /// file of a repo.
    fn by_its_end(&self, text: &str) -> Leads {
        let parts: Vec<&str> = text.split('/').collect();
        let end = parts.len().checked_sub(3).and_then(|from| parts.get(from..));
        end.and_then(|end| self.at(&end.join("/"))).map_or(Leads::Outside, Leads::To)
    }

    /// Returns the path below the cache directory that a text means; `None` where it leaves it.
    fn inside<'t>(&self, folder: &'t str, text: &'t str) -> Option<Vec<&'t str>> {
        let below_root = text.strip_prefix(&self.root).filter(|below| below.starts_with('/'));
        let (mut path, rest): (Vec<&str>, &str) = match below_root {
            Some(below) => (Vec::new(), below),
            None if text.starts_with('/') || text.contains(':') => return None,
            None => (folder.split('/').collect(), text),
        };
        for part in rest.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    path.pop()?;
                }
                part => path.push(part),
            }
        }
        Some(path)
    }

    /// Finds what is at a path, through links on the way.
    fn walk(&self, path: &[&str], links_left: usize) -> Leads {
        if let Some(id) = self.at(&path.join("/")) {
            return Leads::To(id);
        }
        for len in 1..path.len() {
            let (before, rest) = path.split_at(len);
            let Some(item) = self.at(&before.join("/")).and_then(|id| self.items.get(id.place()))
            else {
                return Leads::Nowhere;
            };
            let Some(text) = &item.link else { continue };
            let Some(left) = links_left.checked_sub(1) else { return Leads::Nowhere };
            let Some(mut to) = self.inside(folder_of(&item.at), text) else {
                return Leads::Outside;
            };
            to.extend(rest);
            return self.walk(&to, left);
        }
        Leads::Nowhere
    }
}

/// Returns the path of the folder that an entry is in.
pub(crate) fn folder_of(at: &CachePath) -> &str {
    at.as_str().rsplit_once('/').map_or("", |(folder, _)| folder)
}
