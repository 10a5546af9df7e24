//! The interface of `hf-hub` 0.4 and 0.5 on hubstow: a program that uses it changes one line of its manifest.
//!
//! ```toml
//! hf-hub = { package = "hubstow-hf-hub", version = "0.1" }
//! ```
//!
//! Names and shapes are those of `hf-hub`; what happens is hubstow's: every byte is proved by its hash, transfers go on where
//! they broke, and files come to their place where links are refused. `docs/moving-from-hf-hub.md` says call by call what
//! differs.

pub mod api;
mod cache;

pub use self::cache::{Cache, CacheRepo};

use hubstow_core::name::{Repo as Named, RepoId, RepoKind, Revision};

/// The ways to a repo by what it holds, where there is one by `repo`.
macro_rules! repos_by_kind {
    ($what:ty) => {
        /// A model.
        #[must_use]
        pub fn model(&self, model_id: String) -> $what {
            self.repo(Repo::model(model_id))
        }

        /// A dataset.
        #[must_use]
        pub fn dataset(&self, dataset_id: String) -> $what {
            self.repo(Repo::dataset(dataset_id))
        }

        /// A space.
        #[must_use]
        pub fn space(&self, space_id: String) -> $what {
            self.repo(Repo::space(space_id))
        }
    };
}
use repos_by_kind;

/// What a repo holds.
///
/// ```
/// use hubstow_hf_hub::{Repo, RepoType};
///
/// let rows = Repo::new("org/rows".to_owned(), RepoType::Dataset);
/// assert_eq!(rows.url(), "datasets/org/rows");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepoType {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A space.
    Space,
}

impl From<RepoType> for RepoKind {
    fn from(kind: RepoType) -> Self {
        match kind {
            RepoType::Model => Self::Model,
            RepoType::Dataset => Self::Dataset,
            RepoType::Space => Self::Space,
        }
    }
}

/// A repo at a revision.
///
/// ```
/// use hubstow_hf_hub::{Repo, RepoType};
///
/// let rows = Repo::with_revision("org/rows".to_owned(), RepoType::Dataset, "refs/pr/7".to_owned());
/// assert_eq!((rows.revision(), rows.url_revision().as_str()), ("refs/pr/7", "refs%2Fpr%2F7"));
/// assert_eq!(rows.folder_name(), "datasets--org--rows");
/// assert_eq!(rows.api_url(), "datasets/org/rows/revision/refs%2Fpr%2F7");
/// ```
#[derive(Clone, Debug)]
pub struct Repo {
    repo_id: String,
    repo_type: RepoType,
    revision: String,
}

impl Repo {
    /// A repo at `main`.
    ///
    /// ```
    /// use hubstow_hf_hub::{Repo, RepoType};
    ///
    /// let model = Repo::new("org/model".to_owned(), RepoType::Model);
    /// assert_eq!(model.revision(), "main");
    /// ```
    #[must_use]
    pub fn new(repo_id: String, repo_type: RepoType) -> Self {
        Self::with_revision(repo_id, repo_type, "main".to_owned())
    }

    /// A repo at a revision.
    #[must_use]
    pub fn with_revision(repo_id: String, repo_type: RepoType, revision: String) -> Self {
        Self { repo_id, repo_type, revision }
    }

    /// A model at `main`.
    ///
    /// ```
    /// assert_eq!(hubstow_hf_hub::Repo::model("org/name".to_owned()).url(), "org/name");
    /// ```
    #[must_use]
    pub fn model(repo_id: String) -> Self {
        Self::new(repo_id, RepoType::Model)
    }

    /// A dataset at `main`.
    ///
    /// ```
    /// assert_eq!(hubstow_hf_hub::Repo::dataset("org/name".to_owned()).url(), "datasets/org/name");
    /// ```
    #[must_use]
    pub fn dataset(repo_id: String) -> Self {
        Self::new(repo_id, RepoType::Dataset)
    }

    /// A space at `main`.
    ///
    /// ```
    /// assert_eq!(hubstow_hf_hub::Repo::space("org/name".to_owned()).url(), "spaces/org/name");
    /// ```
    #[must_use]
    pub fn space(repo_id: String) -> Self {
        Self::new(repo_id, RepoType::Space)
    }

    /// Returns the name of the repo's folder in the cache.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let kind = RepoKind::from(self.repo_type).plural();
        format!("{kind}--{}", self.repo_id.replace('/', "--"))
    }

    /// Returns the revision.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Returns the path of the repo below the endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        match self.repo_type {
            RepoType::Model => self.repo_id.clone(),
            RepoType::Dataset | RepoType::Space => {
                format!("{}/{}", RepoKind::from(self.repo_type).plural(), self.repo_id)
            }
        }
    }

    /// Returns the revision as it stands in an address.
    #[must_use]
    pub fn url_revision(&self) -> String {
        self.revision.replace('/', "%2F")
    }

    /// Returns the path of what the hub tells of the repo, below `/api/`.
    #[must_use]
    pub fn api_url(&self) -> String {
        let kind = RepoKind::from(self.repo_type).plural();
        format!("{kind}/{}/revision/{}", self.repo_id, self.url_revision())
    }

    /// Parses what the repo and its revision are called.
    pub(crate) fn named(&self) -> Result<(Named, Revision), hubstow_native::Error> {
        let repo = Named::new(self.repo_type.into(), RepoId::parse(&self.repo_id)?);
        Ok((repo, Revision::parse(&self.revision)?))
    }
}
