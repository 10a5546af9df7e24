//! Many files of one commit, in one line.

use super::{
    file::unless_missing,
    repo::RepoHandle,
    settings::{Settings, with_settings},
};
use crate::{
    api::{error::Error, pattern::Patterns, report::SnapshotReport, request::SnapshotRequest},
    http::transport::BoxFuture,
    hub::Hub,
};

/// The files of a repo that are asked for. Awaiting it is [`download`](Self::download).
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let snapshot = hub.model("org/model").snapshot().include(["*.json", "data/"]).exclude(["old/"]).await?;
/// for file in &snapshot.files {
///     println!("{} is at {}", file.file, file.path.display());
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
#[must_use = "nothing is asked yet"]
pub struct SnapshotDownload {
    repo: RepoHandle,
    include: Option<Vec<String>>,
    exclude: Vec<String>,
    settings: Settings,
}

with_settings!(SnapshotDownload);

impl RepoHandle {
    /// Begins a question about all files, or those that patterns choose.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let snapshot = hub.model("org/model").snapshot().await?;
    /// assert!(snapshot.path.join("data/words.txt").exists());
    /// # Ok(())
    /// # });
    /// ```
    pub fn snapshot(&self) -> SnapshotDownload {
        let (repo, settings) = (self.clone(), self.settings.clone());
        SnapshotDownload { repo, include: None, exclude: Vec::new(), settings }
    }
}

impl SnapshotDownload {
    /// Wants the files that one of these patterns matches (`allow_patterns` of the Python client); said again, these too. `*`
    /// and `?` cross slashes, and `data/` is all that is below.
    pub fn include<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        let include = self.include.get_or_insert_default();
        include.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Wants none of the files that one of these patterns matches (`ignore_patterns`).
    pub fn exclude<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.exclude.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Downloads the files that are missing, and returns what was done for each.
    ///
    /// # Errors
    /// A name that is none; otherwise as [`Hub::snapshot`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let snapshot = hub.model("org/model").snapshot().download().await?;
    /// assert_eq!(snapshot.files.len(), 2);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download(self) -> Result<SnapshotReport, Error> {
        let (hub, request) = self.prepared()?;
        hub.snapshot(&request).await
    }

    /// Returns the snapshot as the cache has it; `None` where a file of it is missing. No request is sent, and no async
    /// runtime is needed.
    ///
    /// # Errors
    /// A name that is none, or a cache that can't be read or is damaged.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// assert!(hub.model("org/model").snapshot().cached()?.is_none());
    /// hub.model("org/model").snapshot().await?;
    /// assert!(hub.model("org/model").snapshot().cached()?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn cached(mut self) -> Result<Option<SnapshotReport>, Error> {
        self.settings.cache_alone();
        unless_missing(self.without_request())
    }

    /// Answers from the cache alone where that is enough; `None` means that the hub must be asked. No async runtime is
    /// needed.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let first = hub.model("org/model").snapshot().await?;
    /// let pinned = hub.model("org/model").revision(first.commit.as_str()).snapshot();
    /// assert!(pinned.without_request()?.is_some(), "a commit never changes");
    /// # Ok(())
    /// # });
    /// ```
    pub fn without_request(&self) -> Result<Option<SnapshotReport>, Error> {
        let (hub, request) = self.clone().prepared()?;
        hub.snapshot_cached(&request)
    }

    /// Says what [`download`](Self::download) would do, without writing anything.
    ///
    /// # Errors
    /// A name that is none; otherwise as [`Hub::forecast`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// for file in hub.model("org/model").snapshot().plan().await?.files {
    ///     println!("{}: {:?}, because {}", file.file, file.action, file.reason.sentence());
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn plan(self) -> Result<SnapshotReport, Error> {
        let (hub, request) = self.prepared()?;
        hub.forecast(&request).await
    }

    fn prepared(self) -> Result<(Hub, SnapshotRequest), Error> {
        let Self { repo, include, exclude, settings } = self;
        let hub = settings.hub(&repo.hub)?;
        let request = SnapshotRequest {
            repo: repo.named.repo()?,
            revision: settings.revision(None)?,
            patterns: Patterns::new(include.as_deref(), &exclude)?,
            force: settings.force(),
        };
        Ok((hub, request))
    }
}

impl IntoFuture for SnapshotDownload {
    type Output = Result<SnapshotReport, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.download())
    }
}
