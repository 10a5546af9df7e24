//! What a program asks for.

use hubstow_core::{
    facts::Force,
    name::{FileName, NameError, Repo, RepoId, RepoKind, Revision},
};

use crate::api::{error::Error, pattern::Patterns};

/// One file of a repo.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::FileRequest;
/// use hubstow_core::name::Revision;
///
/// let request = FileRequest::parse("org/model", "config.json")?.at(Revision::parse("main")?).forced();
/// let config = hub.download(&request).await?;
/// println!("{}", config.path.display());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileRequest {
    /// The repo.
    pub repo: Repo,
    /// The revision; `main` when none is said.
    pub revision: Revision,
    /// The file.
    pub file: FileName,
    /// Whether to fetch it although it is here.
    pub force: Force,
}

impl FileRequest {
    /// Makes a request for a file at `main`.
    ///
    /// # Errors
    /// Never in practice: `main` is a revision.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::FileRequest;
    /// use hubstow_core::name::{FileName, Repo, RepoId, RepoKind};
    ///
    /// let rows = Repo::new(RepoKind::Dataset, RepoId::parse("org/rows")?);
    /// let request = FileRequest::new(rows, FileName::parse("train.csv")?)?;
    /// assert_eq!(request.revision.as_str(), "main");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(repo: Repo, file: FileName) -> Result<Self, NameError> {
        Ok(Self { repo, revision: Revision::parse("main")?, file, force: Force::Off })
    }

    /// Parses the id of a model and the name of a file, for a request at `main`.
    ///
    /// # Errors
    /// A repo id or a file name that is none.
    ///
    /// ```
    /// use hubstow_client::FileRequest;
    ///
    /// assert!(FileRequest::parse("org/model", "config.json").is_ok());
    /// assert!(FileRequest::parse("org/model", "../config.json").is_err());
    /// ```
    pub fn parse(model: &str, file: &str) -> Result<Self, Error> {
        let repo = Repo::new(RepoKind::Model, RepoId::parse(model)?);
        Ok(Self::new(repo, FileName::parse(file)?)?)
    }

    /// Replaces the revision.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Fetches the file although it is here.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.force = Force::On;
        self
    }
}

/// The files of a repo at one revision.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::{Patterns, SnapshotRequest};
/// use hubstow_core::name::{Repo, RepoId, RepoKind, Revision};
///
/// let repo = Repo::new(RepoKind::Model, RepoId::parse("org/model")?);
/// let wanted = Patterns::new(Some(&["*.json".to_owned()]), &[])?;
/// let request = SnapshotRequest::new(repo, Revision::parse("main")?).of(wanted).forced();
/// assert_eq!(hub.snapshot(&request).await?.files.len(), 1);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnapshotRequest {
    /// The repo.
    pub repo: Repo,
    /// The revision.
    pub revision: Revision,
    /// Which files are wanted.
    pub patterns: Patterns,
    /// Whether to fetch files although they are here.
    pub force: Force,
}

impl SnapshotRequest {
    /// Makes a request for all files of a revision; the fields say otherwise where they are set.
    #[must_use]
    pub fn new(repo: Repo, revision: Revision) -> Self {
        Self { repo, revision, patterns: Patterns::default(), force: Force::Off }
    }

    /// Wants the files that these patterns choose.
    #[must_use]
    pub fn of(mut self, patterns: Patterns) -> Self {
        self.patterns = patterns;
        self
    }

    /// Fetches files although they are here.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.force = Force::On;
        self
    }
}
