//! One file whose content is known: what is to be placed, and where.

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{Commit, Etag, FileName, Revision},
};

/// One file whose content is known: what is to be placed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The layout of its repo.
    pub layout: RepoLayout,
    /// The revision that was asked for.
    pub revision: Revision,
    /// The commit that it means.
    pub commit: Commit,
    /// The file.
    pub file: FileName,
    /// Its content's identity.
    pub etag: Etag,
    /// Its size in bytes, where known.
    pub size: Option<u64>,
}

impl AsRef<Self> for Target {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Target {
    /// Returns the path of the pointer.
    #[must_use]
    pub fn pointer(&self) -> CachePath {
        self.layout.pointer(&self.commit, &self.file)
    }

    /// Returns the path of the blob.
    #[must_use]
    pub fn blob(&self) -> CachePath {
        self.layout.blob(&self.etag)
    }
}
