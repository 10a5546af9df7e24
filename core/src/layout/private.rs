//! What only hubstow needs: private files, records and what is tried out. Peers ignore it.

use alloc::{borrow::ToOwned, format};

use crate::{
    layout::{CachePath, RepoLayout, Tree},
    name::{Commit, Etag, FileName, Nonce},
};

impl RepoLayout {
    /// Returns the folder of what only hubstow needs: private files and records.
    #[must_use]
    pub fn private(&self) -> CachePath {
        self.below(".hubstow")
    }

    /// Returns a fresh private path. Private names are never in `snapshots/`, where users would see them.
    #[must_use]
    pub fn scratch(&self, nonce: &Nonce) -> CachePath {
        self.below(&format!(".hubstow/{nonce}.tmp"))
    }

    /// Returns the path of the record of which bytes a staged file holds. It has the nonce of that file, so that either is
    /// found by the other.
    #[must_use]
    pub fn map(&self, nonce: &Nonce) -> CachePath {
        self.below(&format!(".hubstow/{nonce}.map"))
    }

    /// Reads the nonce from the name of such a record.
    #[must_use]
    pub fn parse_map(name: &str) -> Option<Nonce> {
        Nonce::parse(name.strip_suffix(".map")?).ok()
    }

    /// Returns the path of the file that says what users have pinned.
    #[must_use]
    pub fn pins(&self) -> CachePath {
        self.below(".hubstow/pins")
    }

    /// Returns the path of the file that says when files of the repo were used by others than programs on this machine.
    #[must_use]
    pub fn uses(&self) -> CachePath {
        self.below(".hubstow/uses")
    }

    /// Returns the path of the manifest that an exported repo carries with it.
    #[must_use]
    pub fn manifest(&self) -> CachePath {
        self.below(".hubstow/export.json")
    }

    /// Returns the path of the lock that says who works in a repo: shared by those who rely on what it holds, and had alone
    /// by whoever removes some of it. It is never removed, so that all lock the same file.
    #[must_use]
    pub fn lease(&self) -> CachePath {
        match &self.tree {
            Tree::Shared(folder) => CachePath(format!(".locks/.hubstow/{folder}.lease")),
            Tree::Local => self.below("lease"),
        }
    }

    /// Returns the folder for probes of the cache root: among the locks, which no peer scans.
    #[must_use]
    pub fn probe_folder() -> CachePath {
        CachePath(".locks/.hubstow".to_owned())
    }

    /// Returns [`probe_folder`](Self::probe_folder) in capitals: where it answers to that, case is folded.
    #[must_use]
    pub fn folded_probe_folder() -> CachePath {
        CachePath(".locks/.HUBSTOW".to_owned())
    }

    /// Returns a fresh private path in [`probe_folder`](Self::probe_folder).
    #[must_use]
    pub fn probe_file(nonce: &Nonce) -> CachePath {
        CachePath(format!(".locks/.hubstow/{nonce}.tmp"))
    }

    /// Returns each folder of a fresh place in which a file name can be tried out, with the name that must be found in it.
    pub fn name_trial<'a>(
        &self,
        file: &'a FileName,
        nonce: &Nonce,
    ) -> impl Iterator<Item = (CachePath, &'a str)> + use<'a> {
        let mut folder = self.below(&format!(".hubstow/{nonce}.names"));
        file.parts().map(move |part| {
            let next = CachePath(format!("{folder}/{part}"));
            (core::mem::replace(&mut folder, next), part)
        })
    }

    /// Returns the path of a name in one of the folders of [`name_trial`](Self::name_trial).
    #[must_use]
    pub fn tried(folder: &CachePath, part: &str) -> Option<CachePath> {
        FileName::parse(part).ok().filter(|part| part.depth() == 0)?;
        Some(CachePath(format!("{folder}/{part}")))
    }

    /// Returns the path of the record of which files are proved to hold the content of an etag.
    #[must_use]
    pub fn proof(&self, etag: &Etag) -> CachePath {
        self.below(&format!(".hubstow/proved/{etag}"))
    }

    /// Returns the folder of the records of what is proved.
    #[must_use]
    pub fn proofs(&self) -> CachePath {
        self.below(".hubstow/proved")
    }

    /// Returns the path of the record of which files of a snapshot are proved. No etag begins with `_`.
    #[must_use]
    pub fn snapshot_proofs(&self, commit: &Commit) -> CachePath {
        self.below(&format!(".hubstow/proved/_snapshot-{commit}"))
    }

    /// Reads the commit from the name of a record of [`snapshot_proofs`](Self::snapshot_proofs).
    #[must_use]
    pub fn parse_snapshot_proofs(name: &str) -> Option<Commit> {
        Commit::parse(name.strip_prefix("_snapshot-")?).ok()
    }

    /// Reads the name of a private file in one of our private folders.
    #[must_use]
    pub fn parse_scratch(folder: &CachePath, name: &str) -> Option<CachePath> {
        Nonce::parse(name.strip_suffix(".tmp")?).ok()?;
        Some(CachePath(format!("{folder}/{name}")))
    }

    /// Returns a fresh private path in the very folder of what it becomes: where no private folder can be used for it.
    #[must_use]
    pub fn scratch_in(folder: &CachePath, nonce: &Nonce) -> CachePath {
        let above = if folder.0.is_empty() { "" } else { "/" };
        CachePath(format!("{folder}{above}.hubstow-{nonce}.tmp"))
    }

    /// Reads the name of such a file.
    #[must_use]
    pub fn parse_scratch_in(folder: &CachePath, name: &str) -> Option<CachePath> {
        let nonce = name.strip_prefix(".hubstow-")?.strip_suffix(".tmp")?;
        Some(Self::scratch_in(folder, &Nonce::parse(nonce).ok()?))
    }

    /// Returns the folder in which symlinks for pointers at the root of the repo are tried.
    #[must_use]
    pub fn links(&self) -> CachePath {
        self.below(".hubstow/links")
    }

    /// Returns the folder for pointers one level deeper.
    #[must_use]
    pub fn deeper_links(folder: &CachePath) -> CachePath {
        CachePath(format!("{folder}/_"))
    }

    /// Returns a fresh private path for a symlink to be tried at before it is renamed to the pointer of `file`: as deep
    /// below the repo folder as that pointer, so that the same relative text leads to the same blob.
    #[must_use]
    pub fn link_scratch(&self, file: &FileName, nonce: &Nonce) -> CachePath {
        self.below(&format!(".hubstow/links/{}{nonce}.tmp", "_/".repeat(file.depth())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Repo, RepoId, RepoKind};

    #[test]
    fn a_map_has_the_nonce_of_its_staged_file() {
        let layout = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("a/b").unwrap()));
        let nonce = Nonce::from_bits(7);
        let at = layout.map(&nonce);
        assert_eq!(at.parent(), layout.private());
        assert_eq!(RepoLayout::parse_map(at.base()).as_ref(), Some(&nonce));
        let staged = layout.staged(&Etag::parse("abc").unwrap(), &nonce);
        assert_eq!(RepoLayout::parse_staged(staged.base()).map(|(_, nonce)| nonce), Some(nonce));
        for name in ["x.map", "0123456789abcdef0123456789abcdef.tmp", ".map", "map"] {
            assert_eq!(RepoLayout::parse_map(name), None, "{name}");
        }
        assert_eq!(RepoLayout::parse_scratch(&layout.private(), at.base()), None);
    }
}
