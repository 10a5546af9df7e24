//! A repo of a hub, to ask about.

use hubstow_core::name::{Repo, RepoId, RepoKind};

use super::settings::{Settings, with_settings};
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
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let model = hub.model("org/model").revision("main");
/// let config = model.file("config.json").await?;
/// let all = model.snapshot().await?;
/// assert!(all.files.iter().any(|file| file.path == config.path));
/// # Ok(())
/// # });
/// ```
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
}
