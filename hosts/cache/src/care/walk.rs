//! Listing all that is in a folder, without following any link.

use hubstow_core::layout::CachePath;

use crate::{
    care::damage::{Damage, Flaw},
    disk::{Disk, Entry, Found, Kind, Looked, cancel::Cancel},
};

/// How deep folders are listed: deeper than any name of a file can be.
const DEPTH_LIMIT: usize = 128;

/// An entry that was listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) at: CachePath,
    /// The place of its folder in the same list, which is before it; the outermost has none.
    pub(crate) within: Option<usize>,
    pub(crate) kind: Kind,
    /// What the system says of a file or a folder.
    pub(crate) entry: Option<Entry>,
    /// The text of a link.
    pub(crate) link: Option<String>,
}

/// Lists a folder and all that is below it, folders before what is in them. What can't be read is told and left out.
pub(crate) fn walk(
    disk: &dyn Disk,
    folder: CachePath,
    cancel: &Cancel,
    damage: &mut Vec<Damage>,
) -> Vec<Listed> {
    let entry = disk.entry(&folder).ok().flatten();
    let outermost = Listed { at: folder, within: None, kind: Kind::Directory, entry, link: None };
    let mut all = vec![outermost];
    let mut folders = vec![(0, 0)];
    while let Some((place, depth)) = folders.pop() {
        let Some(folder) = all.get(place).map(|listed| listed.at.clone()) else { continue };
        let looked = match disk.look_into(&folder) {
            Ok(looked) if depth < DEPTH_LIMIT => looked,
            Ok(_) => {
                damage.push(Damage::new(&folder, Flaw::Unreadable));
                continue;
            }
            Err(error) => {
                let said = Some(error.to_string());
                damage.push(Damage { said, ..Damage::new(&folder, Flaw::Unreadable) });
                continue;
            }
        };
        if cancel.is_cancelled() {
            return all;
        }
        for Looked { name, kind, found } in looked {
            let Some(at) = folder.listed(&name) else { continue };
            let (entry, link) = match found {
                Ok(Found::Entry(entry)) => (Some(entry), None),
                Ok(Found::Link(text)) => (None, Some(text)),
                Err(error) => {
                    let said = Some(error.to_string());
                    damage.push(Damage { said, ..Damage::new(&at, Flaw::Unreadable) });
                    continue;
                }
            };
            if kind == Kind::Directory {
                folders.push((all.len(), depth + 1));
            }
            all.push(Listed { at, within: Some(place), kind, entry, link });
        }
    }
    all
}
