//! Finding the same content as a regular file elsewhere in the repo, so that it is not fetched again.
//!
//! Nothing on the disk says which etag a regular pointer has, so candidates are found by size and proved by hash: at
//! 1.8 GB/s that costs less than any line (rows D41 and the second revision of a degraded cache).

use hubstow_core::{
    layout::CachePath,
    name::{Commit, ContentHash, FileName},
};

use crate::{
    cache::{proofs::Verdict, target::Target},
    disk::Kind,
    observe::{
        twin_index::{DEPTH_LIMIT, ENTRY_LIMIT, HASH_LIMIT},
        view::View,
    },
};

impl View {
    /// Finds a regular pointer of this repo, other than the target's own, that is proved to hold the content.
    pub(crate) fn find_twin(&self, target: &Target) -> Option<CachePath> {
        if target.etag.content_hash() == ContentHash::Opaque {
            return None;
        }
        if let (Some(memo), Some(size)) = (self.memo_of(&target.layout), target.size) {
            let alike = memo.alike(&self.cache, target, size, &self.cancel);
            return self
                .first_twin(target, alike.same_name)
                .or_else(|| self.first_twin(target, alike.any_name));
        }
        let commits: Vec<Commit> = self
            .cache
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
        let mut search = Search { view: self, target, size, entries: 0, hashed: 0 };
        commits.iter().find_map(|commit| search.in_folder(commit, "", 0))
    }

    fn first_twin(&self, target: &Target, candidates: Vec<CachePath>) -> Option<CachePath> {
        candidates
            .into_iter()
            .filter(|at| self.could_be_twin(target, at))
            .find(|at| self.is_twin(target, at))
    }

    fn could_be_twin(&self, target: &Target, at: &CachePath) -> bool {
        matches!(self.cache.disk.entry(at), Ok(Some(entry))
            if entry.kind == Kind::File && target.size.is_none_or(|size| size == entry.len_bytes))
    }

    fn is_twin(&self, target: &Target, at: &CachePath) -> bool {
        matches!(self.proves(&target.layout, at, &target.etag, target.size), Ok(Verdict::Holds))
    }
}

struct Search<'a> {
    view: &'a View,
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
        for name in self.view.cache.disk.names(&at).unwrap_or_default() {
            self.entries += 1;
            let cancelled = self.view.cancel.is_cancelled();
            if cancelled || self.entries > ENTRY_LIMIT || self.hashed >= HASH_LIMIT {
                return None;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let Ok(file) = FileName::parse(&path) else {
                continue;
            };
            let candidate = layout.pointer(commit, &file);
            let Ok(Some(entry)) = self.view.cache.disk.entry(&candidate) else {
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
                    if self.view.is_twin(self.target, &candidate) {
                        return Some(candidate);
                    }
                }
                Kind::Directory | Kind::File | Kind::Symlink | Kind::Other => {}
            }
        }
        None
    }
}
