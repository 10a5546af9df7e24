//! What every question has: the settings, the way to the hub, the cache, and who decides.

use hubstow_cache::{Cache, Target};
use hubstow_core::{
    decide::Guarded,
    layout::RepoLayout,
    name::{Repo, Revision},
};

use crate::{
    api::{config::Config, error::Error},
    http::session::{Address, Http},
};

/// Shared by all clones of a hub.
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) http: Http,
    /// Where files are placed.
    pub(crate) cache: Cache,
    /// The shared cache; the same, unless files go to a local folder.
    pub(crate) shared: Cache,
    pub(crate) decider: Guarded,
}

impl Engine {
    /// Returns the layout of a repo where files are placed.
    pub(crate) fn layout(&self, repo: &Repo) -> RepoLayout {
        match self.config.local_dir {
            Some(_) => RepoLayout::local(),
            None => RepoLayout::new(repo),
        }
    }

    /// Returns the address of a target at the hub, by commit.
    pub(crate) fn pinned(&self, repo: &Repo, target: &Target) -> Result<Address, Error> {
        let revision = Revision::from(&target.commit);
        self.http.at_endpoint(&self.config.endpoint.file(repo, &revision, &target.file))
    }
}
