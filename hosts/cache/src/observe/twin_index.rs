//! The regular files of a repo's snapshots by size, so that many targets need one search only.

use std::{collections::HashMap, io};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{Commit, FileName},
};

use crate::{
    cache::{Cache, target::Target},
    disk::{FolderName, Kind, cancel::Cancel},
};

/// The most entries that are looked at in one search.
pub(crate) const ENTRY_LIMIT: usize = 100_000;
/// The most candidates of the right size that are hashed in one search.
pub(crate) const HASH_LIMIT: usize = 8;
/// How deep folders are searched, as deep as file names may be in practice.
pub(crate) const DEPTH_LIMIT: usize = 32;

/// The regular files of a repo's snapshots, by size, so that many targets need one search only.
#[derive(Default)]
pub(crate) struct TwinIndex {
    by_size: HashMap<u64, Vec<(Commit, FileName)>>,
}

impl TwinIndex {
    /// Looks for all of them. Links are not looked at one by one where the listing tells what they are.
    ///
    /// # Errors
    /// That it was cancelled.
    pub(crate) fn of(cache: &Cache, layout: &RepoLayout, cancel: &Cancel) -> io::Result<Self> {
        let mut walk =
            Walk { cache, layout, cancel, index: Self::default(), entries_left: ENTRY_LIMIT };
        for name in cache.disk.names(&layout.snapshots()).unwrap_or_default() {
            if let Ok(commit) = Commit::parse(&name) {
                walk.add_folder(&commit, "", DEPTH_LIMIT)?;
            }
        }
        Ok(walk.index)
    }

    pub(crate) fn insert(&mut self, size: u64, commit: &Commit, file: &FileName) {
        self.by_size.entry(size).or_default().push((commit.clone(), file.clone()));
    }

    /// Returns files that may hold a target's content.
    pub(crate) fn alike(&self, target: &Target, size: u64) -> Alike {
        let all = || self.by_size.get(&size).into_iter().flatten();
        let pointer = |(commit, file): &(Commit, FileName)| target.layout.pointer(commit, file);
        let same_name =
            all().filter(|(commit, file)| *commit != target.commit && *file == target.file);
        let any_name =
            all().filter(|(commit, file)| *commit != target.commit || *file != target.file);
        Alike {
            same_name: same_name.take(HASH_LIMIT).map(pointer).collect(),
            any_name: any_name.take(HASH_LIMIT).map(pointer).collect(),
        }
    }
}

/// Files that may hold a target's content.
#[derive(Default)]
pub(crate) struct Alike {
    /// Those of its name in other snapshots.
    pub(crate) same_name: Vec<CachePath>,
    /// Those of any name, but for itself.
    pub(crate) any_name: Vec<CachePath>,
}

/// The search for all of them.
struct Walk<'a> {
    cache: &'a Cache,
    layout: &'a RepoLayout,
    cancel: &'a Cancel,
    index: TwinIndex,
    entries_left: usize,
}

impl Walk<'_> {
    fn add_folder(&mut self, commit: &Commit, folder: &str, depth_left: usize) -> io::Result<()> {
        let at = match FileName::parse(folder) {
            Ok(name) => self.layout.pointer(commit, &name),
            Err(_) => self.layout.snapshot(commit),
        };
        for FolderName { name, kind } in self.cache.disk.kinds(&at).unwrap_or_default() {
            self.cancel.check()?;
            let Some(left) = self.entries_left.checked_sub(1) else { break };
            self.entries_left = left;
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let Ok(file) = FileName::parse(&path) else { continue };
            match kind {
                Kind::Directory if depth_left > 0 => {
                    self.add_folder(commit, &path, depth_left - 1)?;
                }
                Kind::File => {
                    let entry = self.cache.disk.entry(&self.layout.pointer(commit, &file));
                    if let Ok(Some(entry)) = entry
                        && entry.kind == Kind::File
                    {
                        self.index.insert(entry.len_bytes, commit, &file);
                    }
                }
                Kind::Directory | Kind::Symlink | Kind::Other => {}
            }
        }
        Ok(())
    }
}
