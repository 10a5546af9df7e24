//! Finding the same content as a regular file elsewhere in the repo, so that it is not fetched again.
//!
//! Nothing on the disk says which etag a regular pointer has, so candidates are found by size and proved by hash: at
//! 1.8 GB/s that costs less than any line (rows D41 and the second revision of a degraded cache).

use std::collections::HashMap;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{Commit, ContentHash, FileName},
};

use crate::{
    cache::{Cache, target::Target},
    disk::Kind,
    observe::proof::Verdict,
};

/// The most entries that are looked at in one search.
const ENTRY_LIMIT: usize = 100_000;
/// The most candidates of the right size that are hashed in one search.
const HASH_LIMIT: usize = 8;
/// How deep folders are searched, as deep as file names may be in practice.
const DEPTH_LIMIT: usize = 32;

impl Cache {
    /// Finds a regular pointer of this repo, other than the target's own, that is proved to hold the content.
    pub(crate) fn find_twin(&self, target: &Target) -> Option<CachePath> {
        if target.etag.content_hash() == ContentHash::Opaque {
            return None;
        }
        if let (Some(bulk), Some(size)) = (self.bulk_of(&target.layout), target.size) {
            let [same_name, any_name] = bulk.like(self, target, size);
            return self
                .first_twin(target, same_name)
                .or_else(|| self.first_twin(target, any_name));
        }
        let commits: Vec<Commit> = self
            .disk
            .names(&target.layout.snapshots())
            .unwrap_or_default()
            .iter()
            .filter_map(|name| Commit::parse(name).ok())
            .collect();
        let same_name = commits
            .iter()
            .filter(|commit| **commit != target.commit)
            .map(|commit| target.layout.pointer(commit, &target.file))
            .filter(|at| self.could_be_twin(target, at))
            .take(HASH_LIMIT)
            .find(|at| self.is_twin(target, at));
        if same_name.is_some() {
            return same_name;
        }
        // Without a size every file would have to be hashed.
        let size = target.size?;
        let mut search = Search { cache: self, target, size, entries: 0, hashed: 0 };
        commits.iter().find_map(|commit| search.in_folder(commit, "", 0))
    }

    fn first_twin(&self, target: &Target, candidates: Vec<CachePath>) -> Option<CachePath> {
        candidates
            .into_iter()
            .filter(|at| self.could_be_twin(target, at))
            .find(|at| self.is_twin(target, at))
    }

    fn could_be_twin(&self, target: &Target, at: &CachePath) -> bool {
        matches!(self.disk.entry(at), Ok(Some(entry))
            if entry.kind == Kind::File && target.size.is_none_or(|size| size == entry.len_bytes))
    }

    fn is_twin(&self, target: &Target, at: &CachePath) -> bool {
        matches!(self.proves(&target.layout, at, &target.etag, target.size), Ok(Verdict::Holds))
    }
}

/// The regular files of a repo's snapshots, by size, so that many targets need one search only.
#[derive(Default)]
pub(crate) struct TwinIndex {
    by_size: HashMap<u64, Vec<(Commit, FileName)>>,
}

impl TwinIndex {
    /// Looks for all of them. Links are not looked at one by one where the listing tells what they are.
    pub(crate) fn of(cache: &Cache, layout: &RepoLayout) -> Self {
        let mut index = Self::default();
        let mut entries_left = ENTRY_LIMIT;
        for name in cache.disk.names(&layout.snapshots()).unwrap_or_default() {
            if let Ok(commit) = Commit::parse(&name) {
                index.add_folder(cache, layout, &commit, "", DEPTH_LIMIT, &mut entries_left);
            }
        }
        index
    }

    fn add_folder(
        &mut self,
        cache: &Cache,
        layout: &RepoLayout,
        commit: &Commit,
        folder: &str,
        depth_left: usize,
        entries_left: &mut usize,
    ) {
        let at = match FileName::parse(folder) {
            Ok(name) => layout.pointer(commit, &name),
            Err(_) => layout.snapshot(commit),
        };
        for (name, kind) in cache.disk.kinds(&at).unwrap_or_default() {
            let left = entries_left.checked_sub(1).filter(|_| !cache.cancel.is_cancelled());
            let Some(left) = left else { return };
            *entries_left = left;
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let Ok(file) = FileName::parse(&path) else { continue };
            match kind {
                Kind::Directory if depth_left > 0 => {
                    self.add_folder(cache, layout, commit, &path, depth_left - 1, entries_left);
                }
                Kind::File => {
                    let entry = cache.disk.entry(&layout.pointer(commit, &file));
                    if let Ok(Some(entry)) = entry
                        && entry.kind == Kind::File
                    {
                        self.insert(entry.len_bytes, commit, &file);
                    }
                }
                Kind::Directory | Kind::Symlink | Kind::Other => {}
            }
        }
    }

    pub(crate) fn insert(&mut self, size: u64, commit: &Commit, file: &FileName) {
        self.by_size.entry(size).or_default().push((commit.clone(), file.clone()));
    }

    /// Returns files that may hold a target's content: those that have its name, and those that have any.
    pub(crate) fn like(&self, target: &Target, size: u64) -> [Vec<CachePath>; 2] {
        let all = || self.by_size.get(&size).into_iter().flatten();
        let pointer = |(commit, file): &(Commit, FileName)| target.layout.pointer(commit, file);
        let same_name =
            all().filter(|(commit, file)| *commit != target.commit && *file == target.file);
        let any_name =
            all().filter(|(commit, file)| *commit != target.commit || *file != target.file);
        [
            same_name.take(HASH_LIMIT).map(pointer).collect(),
            any_name.take(HASH_LIMIT).map(pointer).collect(),
        ]
    }
}

struct Search<'a> {
    cache: &'a Cache,
    target: &'a Target,
    size: u64,
    entries: usize,
    hashed: usize,
}

impl Search<'_> {
    fn in_folder(&mut self, commit: &Commit, folder: &str, depth: usize) -> Option<CachePath> {
        let layout = &self.target.layout;
        let at = match FileName::parse(folder) {
            Ok(name) => layout.pointer(commit, &name),
            Err(_) => layout.snapshot(commit),
        };
        for name in self.cache.disk.names(&at).unwrap_or_default() {
            self.entries += 1;
            let cancelled = self.cache.cancel.is_cancelled();
            if cancelled || self.entries > ENTRY_LIMIT || self.hashed >= HASH_LIMIT {
                return None;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let Ok(file) = FileName::parse(&path) else {
                continue;
            };
            let candidate = layout.pointer(commit, &file);
            let Ok(Some(entry)) = self.cache.disk.entry(&candidate) else {
                continue;
            };
            let own = *commit == self.target.commit && file == self.target.file;
            match entry.kind {
                Kind::Directory if depth < DEPTH_LIMIT => {
                    if let Some(twin) = self.in_folder(commit, &path, depth + 1) {
                        return Some(twin);
                    }
                }
                Kind::File if entry.len_bytes == self.size && !own => {
                    self.hashed += 1;
                    if self.cache.is_twin(self.target, &candidate) {
                        return Some(candidate);
                    }
                }
                Kind::Directory | Kind::File | Kind::Symlink | Kind::Other => {}
            }
        }
        None
    }
}
