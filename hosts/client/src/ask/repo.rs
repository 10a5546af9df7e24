//! A repo of a hub, to ask about.

use hubstow_core::name::{Repo, RepoId, RepoKind};

use super::{
    file::FileDownload,
    settings::{Settings, with_settings},
    snapshot::SnapshotDownload,
};
use crate::{api::error::Error, hub::Hub};

/// Which repo is meant.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    Id(RepoKind, String),
    Repo(Repo),
}

impl Named {
    pub(crate) fn repo(&self) -> Result<Repo, Error> {
        match self {
            Self::Id(kind, id) => Ok(Repo::new(*kind, RepoId::parse(id)?)),
            Self::Repo(repo) => Ok(repo.clone()),
        }
    }
}

/// A repo of a hub: what is asked of it begins here. Cloning is cheap.
///
/// Settings that are said here hold for all questions that begin here.
#[derive(Clone)]
#[must_use = "nothing is asked yet"]
pub struct RepoHandle {
    pub(crate) hub: Hub,
    pub(crate) named: Named,
    pub(crate) settings: Settings,
}

with_settings!(RepoHandle);

impl RepoHandle {
    pub(crate) fn new(hub: Hub, named: Named) -> Self {
        Self { hub, named, settings: Settings::default() }
    }

    /// Begins a question about one file, by its path in the repo.
    pub fn file(&self, path: impl Into<String>) -> FileDownload {
        FileDownload::new(self.clone(), path.into())
    }

    /// Begins a question about all files, or those that patterns choose.
    pub fn snapshot(&self) -> SnapshotDownload {
        SnapshotDownload::new(self.clone())
    }
}
