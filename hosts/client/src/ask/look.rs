//! Looking at a repo without downloading: what it is, what it holds, which revisions it has.

use hubstow_core::name::{Commit, Etag, FileName, NameError, Repo, Revision};
use serde::Deserialize;

use super::repo::RepoHandle;
use crate::{
    api::error::{Error, ErrorKind},
    hub::Hub,
};

/// What the hub tells of a repo at a revision. Hubs that are not the public one may tell less.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let info = hub.model("org/model").info().await?;
/// if info.gated {
///     println!("somebody has to let you in");
/// }
/// println!("{} files at {}", info.files.len(), info.commit);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepoInfo {
    /// The repo that was asked about; a hub may know it by another name since.
    pub repo: Repo,
    /// Its name as the hub writes it.
    pub id: Option<String>,
    /// The commit of the revision.
    pub commit: Commit,
    /// Whether only its owners see it.
    pub private: bool,
    /// Whether users must be let in before they can download.
    pub gated: bool,
    /// Whether the hub has switched it off.
    pub disabled: bool,
    /// What it is labelled with.
    pub tags: Vec<String>,
    /// When it was last changed, as the hub writes it (RFC 3339).
    pub last_modified: Option<String>,
    /// The names of its files.
    pub files: Vec<String>,
}

/// One file of a revision, as the hub lists it.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let files = hub.dataset("org/rows").list_files().await?;
/// let bytes: u64 = files.iter().filter_map(|listed| listed.size).sum();
/// assert_eq!((files.len(), bytes), (1, 3));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedFile {
    /// Its path in the repo.
    pub file: FileName,
    /// Its size in bytes, where the listing has it.
    pub size: Option<u64>,
    /// Its content's identity, where the listing has it: the sha256 of a file in git LFS or Xet, git's own hash otherwise.
    pub etag: Option<Etag>,
}

/// The revisions of a repo that have names.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let refs = hub.model("org/model").refs().await?;
/// assert!(refs.tags.is_empty());
/// assert_eq!(refs.branches[0].name, "main");
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refs {
    /// The branches.
    pub branches: Vec<RefInfo>,
    /// The tags.
    pub tags: Vec<RefInfo>,
}

/// A revision that has a name.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// for branch in hub.model("org/model").refs().await?.branches {
///     let pinned = hub.model("org/model").revision(branch.commit.as_str());
///     println!("{}: {}", branch.name, pinned.file("config.json").await?.path.display());
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefInfo {
    /// Its name, to be asked for.
    pub name: String,
    /// Its commit.
    pub commit: Commit,
}

#[derive(Deserialize)]
struct InfoAnswer {
    #[serde(default)]
    id: Option<String>,
    sha: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    gated: Gated,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, rename = "lastModified")]
    last_modified: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

/// `false`, or by whom users are let in.
#[derive(Deserialize)]
#[serde(untagged)]
enum Gated {
    Flag(bool),
    By(#[expect(dead_code, reason = "that there is one is enough")] String),
}

impl Default for Gated {
    fn default() -> Self {
        Self::Flag(false)
    }
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

#[derive(Deserialize)]
struct RefsAnswer {
    #[serde(default)]
    branches: Vec<RefAnswer>,
    #[serde(default)]
    tags: Vec<RefAnswer>,
}

#[derive(Deserialize)]
struct RefAnswer {
    name: String,
    #[serde(rename = "targetCommit")]
    commit: String,
}

impl RepoHandle {
    /// Asks what the repo is at its revision.
    ///
    /// # Errors
    /// A name that is none, a hub that refuses or can't be reached, or one that may not be asked.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let info = hub.model("org/model").info().await?;
    /// assert!(info.files.contains(&"config.json".to_owned()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn info(&self) -> Result<RepoInfo, Error> {
        let (hub, repo, revision) = self.prepared()?;
        let url = hub.config().endpoint.revision(&repo, &revision);
        let said: InfoAnswer = hub.engine()?.ask_json(&repo, &revision, &url).await?;
        Ok(RepoInfo {
            commit: Commit::parse(&said.sha).map_err(unusable)?,
            repo,
            id: said.id,
            private: said.private,
            gated: !matches!(said.gated, Gated::Flag(false)),
            disabled: said.disabled,
            tags: said.tags,
            last_modified: said.last_modified,
            files: said.siblings.into_iter().map(|sibling| sibling.rfilename).collect(),
        })
    }

    /// Lists the files of the revision with their sizes and hashes: as the hub tells it, or as it is kept in the cache of a
    /// commit. What can't be a file is left out.
    ///
    /// # Errors
    /// As [`info`](Self::info); offline, a revision whose listing is not kept.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// for listed in hub.model("org/model").list_files().await? {
    ///     println!("{} {:?} {:?}", listed.file, listed.size, listed.etag);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_files(&self) -> Result<Vec<ListedFile>, Error> {
        let (hub, repo, revision) = self.prepared()?;
        let (_, listing) = hub.engine()?.list(&repo, &revision).await?;
        let files = listing.files.into_iter().map(|listed| {
            let (etag, size) = listed.content.unzip();
            ListedFile { file: listed.file, size, etag }
        });
        Ok(files.collect())
    }

    /// Tells whether the hub has the repo and its revision, and shows them to this user.
    ///
    /// # Errors
    /// As [`info`](Self::info); what is missing is no error.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// assert!(hub.model("org/model").exists().await?);
    /// assert!(!hub.model("org/model").revision("v9").exists().await?);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn exists(&self) -> Result<bool, Error> {
        match self.info().await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::RepoNotFound | ErrorKind::RevisionNotFound
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks which branches and tags the repo has.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let refs = hub.model("org/model").refs().await?;
    /// let names: Vec<_> = refs.branches.iter().chain(&refs.tags).map(|named| &named.name).collect();
    /// assert_eq!(names, ["main"]);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn refs(&self) -> Result<Refs, Error> {
        let (hub, repo, revision) = self.prepared()?;
        let url = hub.config().endpoint.refs(&repo);
        let said: RefsAnswer = hub.engine()?.ask_json(&repo, &revision, &url).await?;
        let named = |refs: Vec<RefAnswer>| -> Result<Vec<RefInfo>, Error> {
            let named = refs.into_iter().map(|RefAnswer { name, commit }| {
                Ok(RefInfo { name, commit: Commit::parse(&commit).map_err(unusable)? })
            });
            named.collect()
        };
        Ok(Refs { branches: named(said.branches)?, tags: named(said.tags)? })
    }

    fn prepared(&self) -> Result<(Hub, Repo, Revision), Error> {
        let hub = self.settings.hub(&self.hub)?;
        Ok((hub, self.named.repo()?, self.settings.revision(None)?))
    }
}

fn unusable(error: NameError) -> Error {
    Error::new(ErrorKind::HubFailing, "the hub's answer can't be used").caused_by(error)
}
