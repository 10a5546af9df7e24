//! Questions in one line: a repo, what of it, and how this one question differs from the settings of the hub.
//!
//! Names are strings until the question is put; a string that is no name is the error of the question. Nothing is sent,
//! looked at or written before that.

pub(crate) mod file;
pub(crate) mod look;
pub(crate) mod open;
pub(crate) mod progress;
pub(crate) mod repo;
mod settings;
pub(crate) mod snapshot;

use hubstow_core::name::{Repo, RepoKind};

use self::{
    open::OpenDownload,
    repo::{Named, RepoHandle},
};
use crate::hub::Hub;

impl Hub {
    /// Begins a question about a model, such as `org/name`.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let file = hub.model("org/model").file("config.json").await?;
    /// println!("{}", file.path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn model(&self, id: impl Into<String>) -> RepoHandle {
        self.of_kind(RepoKind::Model, id.into())
    }

    /// Begins a question about a dataset.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let file = hub.dataset("org/rows").file("train.csv").await?;
    /// println!("{}", file.path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn dataset(&self, id: impl Into<String>) -> RepoHandle {
        self.of_kind(RepoKind::Dataset, id.into())
    }

    /// Begins a question about a space.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let file = hub.space("org/show").file("app.py").await?;
    /// println!("{}", file.path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn space(&self, id: impl Into<String>) -> RepoHandle {
        self.of_kind(RepoKind::Space, id.into())
    }

    /// Begins a question about a repo of any kind.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_core::name::{Repo, RepoId, RepoKind};
    ///
    /// let rows = Repo::new(RepoKind::Dataset, RepoId::parse("org/rows")?);
    /// let file = hub.repo(rows).file("train.csv").await?;
    /// println!("{}", file.path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn repo(&self, repo: Repo) -> RepoHandle {
        RepoHandle::new(self.clone(), Named::Repo(repo))
    }

    /// Begins a question about what an address names, in any form of [`RepoPath`](crate::RepoPath): a file, a folder, or a
    /// whole repo.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let folder = hub.open("hf://org/model@main/data/").await?;
    /// let asked = format!("{}/org/model/blob/main/config.json", hub.config().endpoint.as_str());
    /// let config = hub.open(asked).await?;
    /// assert!(config.path.ends_with("config.json"));
    /// # assert_eq!(folder.files.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub fn open(&self, address: impl Into<String>) -> OpenDownload {
        OpenDownload::new(self.clone(), address.into())
    }

    fn of_kind(&self, kind: RepoKind, id: String) -> RepoHandle {
        RepoHandle::new(self.clone(), Named::Id(kind, id))
    }
}
