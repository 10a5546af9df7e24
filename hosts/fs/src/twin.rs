//! Finding the same content as a regular file elsewhere in the repo, so that it is not fetched again.
//!
//! Nothing on the disk says which etag a regular pointer has, so candidates are found by size and proved by hash: at
//! 1.8 GB/s that costs less than any line (rows D41 and the second revision of a degraded cache).

use hubstow_core::{
    layout::CachePath,
    name::{Commit, ContentHash, FileName},
};

use crate::{
    cache::{Cache, Target},
    disk::Kind,
    proof::Verdict,
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

    fn could_be_twin(&self, target: &Target, at: &CachePath) -> bool {
        matches!(self.disk.entry(at), Ok(Some(entry))
            if entry.kind == Kind::File && target.size.is_none_or(|size| size == entry.len_bytes))
    }

    fn is_twin(&self, target: &Target, at: &CachePath) -> bool {
        matches!(self.proves(&target.layout, at, &target.etag, target.size), Ok(Verdict::Holds))
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
            if self.entries > ENTRY_LIMIT || self.hashed >= HASH_LIMIT {
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
