//! What was done, and why: the values that programs and `--json` show.

use std::path::PathBuf;

use hubstow_core::{
    name::{Commit, Etag, FileName, Repo, Revision},
    policy::{Method, Policy, Support},
    why::{Reason, Refusal},
};
use serde::Serialize;

/// What was done for a file.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::Done;
///
/// assert_eq!(hub.model("org/model").file("config.json").await?.action, Done::Fetched);
/// assert_eq!(hub.model("org/model").file("config.json").await?.action, Done::Reused);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// Nothing: the pointer served.
    Reused,
    /// The pointer was made, or what it leads to, from bytes that were here.
    Placed,
    /// Bytes were fetched from the hub.
    Fetched,
}

/// Something a user should know, although the download succeeded.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::{Event, Warning};
///
/// let hub = hub.on_event(|event| {
///     if let Event::Warned { warning: Warning::Stale { file, cause, .. } } = event {
///         eprintln!("{file} is the cached one, which may be old: {cause}");
///     }
/// });
/// hub.model("org/model").file("config.json").await?;
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The hub did not confirm the cached file; it was served all the same.
    Stale {
        /// The file.
        file: FileName,
        /// Why the hub did not confirm.
        refusal: Refusal,
        /// The cause, in words.
        cause: String,
    },
    /// The hub did not list the snapshot; what is cached was served all the same.
    StaleSnapshot {
        /// The repo.
        repo: Repo,
        /// Why the hub did not.
        refusal: Refusal,
        /// The cause, in words.
        cause: String,
    },
    /// Files of the repo are not in the local folder: they would change what its clients keep there.
    LeftOut {
        /// The files; never empty.
        files: Vec<FileName>,
    },
    /// The ref could not be written; offline use by that name may not find this commit.
    RefNotWritten {
        /// The revision.
        revision: Revision,
        /// The cause, in words.
        cause: String,
    },
}

/// What was done for one file.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let config = hub.model("org/model").file("config.json").await?;
/// println!("{} bytes at {}", config.size.unwrap_or(0), config.path.display());
/// println!("{:?} by {:?}, because {}", config.action, config.by, config.reason.sentence());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FileReport {
    /// The file's name in the repo.
    pub file: FileName,
    /// Where it is now.
    pub path: PathBuf,
    /// The commit it belongs to.
    #[serde(skip)]
    pub commit: Commit,
    /// Its size in bytes, where known.
    pub size: Option<u64>,
    /// Its content's identity, where known.
    pub etag: Option<Etag>,
    /// What was done.
    pub action: Done,
    /// By which method the pointer was made; `None` where the pointer of before serves.
    pub by: Option<Method>,
    /// The core's reason.
    pub reason: Reason,
}

impl FileReport {
    /// Reports a file of which no more is known; the fields say more where they are set.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::{Done, FileReport};
    /// use hubstow_core::{name::{Commit, FileName}, why::Reason};
    ///
    /// let file = FileName::parse("config.json")?;
    /// let commit = Commit::parse("0123456789012345678901234567890123456789")?;
    /// let report = FileReport::new(file, "/models/config.json", commit, Done::Reused, Reason::Pinned);
    /// assert_eq!(report.size, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(
        file: FileName,
        path: impl Into<PathBuf>,
        commit: Commit,
        action: Done,
        reason: Reason,
    ) -> Self {
        Self { file, path: path.into(), commit, size: None, etag: None, action, by: None, reason }
    }
}

/// What a run has cost so far.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let before = hub.traffic();
/// hub.model("org/model").file("config.json").await?;
/// assert_eq!(hub.traffic().bytes_downloaded - before.bytes_downloaded, 2);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes of content received.
    pub bytes_downloaded: u64,
    /// Requests sent.
    pub requests: u64,
}

/// What was done for a snapshot, or would be.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let snapshot = hub.model("org/model").snapshot().await?;
/// println!("{} at {}", snapshot.path.display(), snapshot.commit);
/// for file in &snapshot.files {
///     println!("{}: {:?}", file.file, file.action);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// The snapshot folder.
    pub path: PathBuf,
    /// The commit.
    pub commit: Commit,
    /// One report a file, in the order of the listing.
    pub files: Vec<FileReport>,
}

impl From<FileReport> for SnapshotReport {
    /// The report of that one file, whose path is the file's.
    fn from(report: FileReport) -> Self {
        Self { path: report.path.clone(), commit: report.commit.clone(), files: vec![report] }
    }
}

/// One question that was put to the core.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// for link in hub.model("org/model").file("config.json").plan().await?.chain {
///     println!("{}? {}, because {}", link.question, link.decision, link.because);
///     for (name, value) in &link.facts {
///         println!("  {name}: {value}");
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ExplanationLink {
    /// `resolve` or `place`.
    pub question: &'static str,
    /// The facts, as (name, value) codes.
    pub facts: Vec<(String, String)>,
    /// The decision, as a code with its details, such as `place move from staged over absent`.
    pub decision: String,
    /// The reason's code; `None` where the decision is a refusal.
    pub reason: Option<Reason>,
    /// The reason in a sentence.
    pub because: String,
}

/// An endpoint that was asked.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// for asked in hub.model("org/model").file("config.json").plan().await?.endpoints {
///     if let Some(why) = asked.left {
///         println!("{} was left: {why}", asked.endpoint);
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AskedEndpoint {
    /// Its URL.
    pub endpoint: String,
    /// Why the next one was asked; `None` of the one that was asked last.
    pub left: Option<String>,
}

/// What would be done for a file now, as a chain of facts and decisions.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let plan = hub.model("org/model").file("config.json").plan().await?;
/// println!("{} bytes, which would be at {:?}", plan.size.unwrap_or(0), plan.path);
/// for link in &plan.chain {
///     println!("{}, because {}", link.decision, link.because);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The file.
    pub file: FileName,
    /// The revision asked for.
    pub revision: Revision,
    /// The commit it means, where known.
    pub commit: Option<Commit>,
    /// The content's identity, where known.
    pub etag: Option<Etag>,
    /// The size in bytes, where known.
    pub size: Option<u64>,
    /// Where the file is or would be.
    pub path: Option<PathBuf>,
    /// The questions and answers, in order.
    pub chain: Vec<ExplanationLink>,
    /// The endpoints that were asked, where the hub has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<AskedEndpoint>,
}

/// What is known of one method in a cache directory.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_core::policy::Support;
///
/// for method in hub.environment()?.methods {
///     if method.support == Support::Refused {
///         println!("no {} here: {:?}", method.method, method.detail);
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MethodSupport {
    /// The method.
    pub method: Method,
    /// What a probe found.
    pub support: Support,
    /// The system's own words where it refused.
    pub detail: Option<String>,
}

/// What a cache directory supports, found by doing.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let environment = hub.environment()?;
/// println!("{}, writable: {}", environment.cache_dir.display(), environment.writable);
/// println!("by {}, locks: {}", environment.policy, environment.locks);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Environment {
    /// The cache root.
    pub cache_dir: PathBuf,
    /// Whether it exists; probing does not create it.
    pub exists: bool,
    /// Whether it can be written.
    pub writable: bool,
    /// The ladder in force.
    pub policy: Policy,
    /// The probe results.
    pub methods: Vec<MethodSupport>,
    /// Whether locks exclude a second holder here.
    pub locks: Support,
    /// Whether two names that differ in case are two files here; `None` where it could not be tried.
    pub case_sensitive: Option<bool>,
}
