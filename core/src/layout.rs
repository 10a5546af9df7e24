//! The layout of the cache as string work: which path each thing has below the cache root.
//!
//! Paths are built here and nowhere else, and only from parsed names, so a [`CachePath`] can't leave the cache root
//! (invariant I15). Nothing here looks at a disk.

mod access;
mod local;

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt;

pub use self::access::Access;
use crate::name::{Commit, Etag, FileName, Nonce, Repo, Revision};

/// A `/`-separated path below the cache root. It can only be built by a [`RepoLayout`] or from [`CACHE_TAG`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CachePath(String);

impl CachePath {
    /// Returns the path as text, relative to the cache root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the folder that holds this entry; the cache root itself is the empty path.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned()))
    }

    /// Returns the last part.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, base)| base)
    }

    /// Returns the path of a listed `*.incomplete` file in this folder; anybody's, so it is only ever looked at.
    #[must_use]
    pub fn incomplete(&self, name: &str) -> Option<Self> {
        let plain = !name.contains(['/', '\\', '\0']) && name.ends_with(".incomplete");
        plain.then(|| Self(format!("{self}/{name}")))
    }

    /// Returns the path of an entry that was listed in this folder, whoever has named it. A name that is none leads nowhere.
    #[must_use]
    pub fn listed(&self, name: &str) -> Option<Self> {
        let plain = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
        let above = if self.0.is_empty() { "" } else { "/" };
        plain.then(|| Self(format!("{self}{above}{name}")))
    }

    /// Returns the path of the cache directory tag.
    #[must_use]
    pub fn cache_tag() -> Self {
        Self("CACHEDIR.TAG".to_owned())
    }

    /// Returns the cache root itself: the empty path.
    #[must_use]
    pub fn root() -> Self {
        Self(String::new())
    }
}

impl fmt::Display for CachePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The content of `CACHEDIR.TAG`, the same that the Python client writes.
pub const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// Where everything of one repo is.
///
/// ```text
/// models--org--name/
///   refs/<revision>                         one commit, 40 bytes
///   blobs/<etag>                            content
///   blobs/<etag>.<32 hex>.incomplete        a staged file
///   snapshots/<commit>/<file name>          a pointer
///   .no_exist/<commit>/<file name>          proof that the commit has no such file
///   .hubstow/…                              what only we need; peers ignore it
/// .locks/models--org--name/<etag>.lock      the file the Python client locks
/// ```
///
/// A local folder, which users work in, has the files themselves at its root and everything else in one private folder:
///
/// ```text
/// <file name>                                         the pointer: always a regular file
/// .cache/huggingface/download/<file name>.metadata    which commit and etag it is, in the Python client's format
/// .cache/huggingface/trees/<commit>.json              the listing, in the Python client's format
/// .cache/huggingface/hubstow/…                        refs, staged files, locks and what only we need
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoLayout {
    tree: Tree,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    /// A repo folder of a shared cache.
    Shared(String),
    /// A local folder.
    Local,
}

/// The folder of a local folder that belongs to its clients and not to the repo.
const LOCAL_STATE: &str = ".cache/huggingface";

impl RepoLayout {
    /// Makes the layout of a repo.
    #[must_use]
    pub fn new(repo: &Repo) -> Self {
        Self { tree: Tree::Shared(repo.folder()) }
    }

    /// Makes the layout of a local folder, which holds one repo at a time.
    #[must_use]
    pub fn local() -> Self {
        Self { tree: Tree::Local }
    }

    /// Tells whether this is a local folder.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.tree == Tree::Local
    }

    fn below(&self, rest: &str) -> CachePath {
        match &self.tree {
            Tree::Shared(folder) => CachePath(format!("{folder}/{rest}")),
            Tree::Local => CachePath(format!("{LOCAL_STATE}/hubstow/{rest}")),
        }
    }

    /// Returns the repo folder; of a local folder, the one that holds what is not the repo's.
    #[must_use]
    pub fn repo(&self) -> CachePath {
        match &self.tree {
            Tree::Shared(folder) => CachePath(folder.clone()),
            Tree::Local => CachePath(format!("{LOCAL_STATE}/hubstow")),
        }
    }

    /// Returns the folder of blobs and staged files.
    #[must_use]
    pub fn blobs(&self) -> CachePath {
        self.below("blobs")
    }

    /// Returns the path of a blob.
    #[must_use]
    pub fn blob(&self, etag: &Etag) -> CachePath {
        self.below(&format!("blobs/{etag}"))
    }

    /// Returns the path of a staged file; the suffix is the one that the Python client lists and prunes.
    #[must_use]
    pub fn staged(&self, etag: &Etag, nonce: &Nonce) -> CachePath {
        self.below(&format!("blobs/{etag}.{nonce}.incomplete"))
    }

    /// Returns the folder of all snapshots.
    #[must_use]
    pub fn snapshots(&self) -> CachePath {
        self.below("snapshots")
    }

    /// Returns the folder of one snapshot.
    #[must_use]
    pub fn snapshot(&self, commit: &Commit) -> CachePath {
        match self.tree {
            Tree::Shared(_) => self.below(&format!("snapshots/{commit}")),
            Tree::Local => CachePath::root(),
        }
    }

    /// Returns the path of a pointer.
    #[must_use]
    pub fn pointer(&self, commit: &Commit, file: &FileName) -> CachePath {
        match self.tree {
            Tree::Shared(_) => self.below(&format!("snapshots/{commit}/{file}")),
            Tree::Local => CachePath(file.as_str().to_owned()),
        }
    }

    /// Returns each folder on the way to a pointer, from the snapshot down, with the name that is looked for in it.
    pub fn pointer_steps<'a>(
        &self,
        commit: &Commit,
        file: &'a FileName,
    ) -> impl Iterator<Item = (CachePath, &'a str)> {
        let mut folder = self.snapshot(commit);
        file.parts().map(move |part| {
            let above = if folder.0.is_empty() { "" } else { "/" };
            let next = CachePath(format!("{folder}{above}{part}"));
            (core::mem::replace(&mut folder, next), part)
        })
    }

    /// Returns the snapshots folder in capitals: where it answers to that, names are not told apart by case.
    #[must_use]
    pub fn folded_snapshots(&self) -> CachePath {
        match self.tree {
            Tree::Shared(_) => self.below("SNAPSHOTS"),
            Tree::Local => CachePath(LOCAL_STATE.to_ascii_uppercase()),
        }
    }

    /// Returns the folder of which [`folded_snapshots`](Self::folded_snapshots) is the other spelling.
    #[must_use]
    pub fn unfolded_snapshots(&self) -> CachePath {
        match self.tree {
            Tree::Shared(_) => self.snapshots(),
            Tree::Local => CachePath(LOCAL_STATE.to_owned()),
        }
    }

    /// Returns the folder of refs.
    #[must_use]
    pub fn refs(&self) -> CachePath {
        self.below("refs")
    }

    /// Returns the path of a ref file.
    #[must_use]
    pub fn ref_file(&self, revision: &Revision) -> CachePath {
        self.below(&format!("refs/{revision}"))
    }

    /// Returns the path of the marker that a commit has no such file.
    #[must_use]
    pub fn no_exist(&self, commit: &Commit, file: &FileName) -> CachePath {
        self.below(&format!(".no_exist/{commit}/{file}"))
    }

    /// Returns the path of the listing of a commit, in the Python client's format.
    #[must_use]
    pub fn tree(&self, commit: &Commit) -> CachePath {
        match self.tree {
            Tree::Shared(_) => self.below(&format!("trees/{commit}.json")),
            Tree::Local => CachePath(format!("{LOCAL_STATE}/trees/{commit}.json")),
        }
    }

    /// Returns the path of the lock of an etag: the very file that the Python client locks.
    #[must_use]
    pub fn lock(&self, etag: &Etag) -> CachePath {
        match &self.tree {
            Tree::Shared(folder) => CachePath(format!(".locks/{folder}/{etag}.lock")),
            Tree::Local => self.below(&format!("locks/{etag}.lock")),
        }
    }

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

    /// Returns the text of the symlink from a pointer to a blob, relative so that the whole cache can be moved:
    /// `../../blobs/<etag>` for a file at the root of its repo.
    #[must_use]
    pub fn link_text(file: &FileName, etag: &Etag) -> String {
        format!("{}blobs/{etag}", "../".repeat(file.depth() + 2))
    }

    /// Reads the etag from the text of a symlink at a pointer; any other text than [`link_text`](Self::link_text)
    /// writes is not a link to a blob of this repo (row A44 of the attack table). A host whose system writes links with
    /// other separators turns them into slashes first.
    #[must_use]
    pub fn etag_of_link(file: &FileName, text: &str) -> Option<Etag> {
        let etag = Etag::parse(text.rsplit('/').next()?).ok()?;
        (Self::link_text(file, &etag) == text).then_some(etag)
    }

    /// Reads the etag and the nonce from the name of a staged file of ours.
    #[must_use]
    pub fn parse_staged(base: &str) -> Option<(Etag, Nonce)> {
        let (etag, nonce) = base.strip_suffix(".incomplete")?.rsplit_once('.')?;
        Some((Etag::parse(etag).ok()?, Nonce::parse(nonce).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{RepoId, RepoKind};

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
