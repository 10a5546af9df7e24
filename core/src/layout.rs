//! The layout of the cache as string work: which path each thing has below the cache root.
//!
//! Paths are built here and nowhere else, and only from parsed names, so a [`CachePath`] can't leave the cache root
//! (invariant I15). Nothing here looks at a disk.

mod access;
mod local;
mod private;

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
