//! One file, in one line.

use std::ops::Range;

use bytes::Bytes;
use hubstow_core::name::FileName;

use super::{
    repo::RepoHandle,
    settings::{Settings, with_settings},
};
use crate::{
    api::{
        error::{Error, ErrorKind},
        report::{Explanation, FileReport},
        request::FileRequest,
    },
    http::transport::BoxFuture,
    hub::Hub,
};

/// One file that is asked for. Awaiting it is [`download`](Self::download).
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let config = hub.model("org/model").revision("main").file("config.json").await?;
/// assert_eq!(std::fs::read(&config.path)?, b"{}");
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
#[must_use = "nothing is asked yet"]
pub struct FileDownload {
    repo: RepoHandle,
    path: String,
    settings: Settings,
}

with_settings!(FileDownload);

impl RepoHandle {
    /// Begins a question about one file, by its path in the repo.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let words = hub.model("org/model").file("data/words.txt").await?;
    /// println!("{} at {}", words.path.display(), words.commit);
    /// # Ok(())
    /// # });
    /// ```
    pub fn file(&self, path: impl Into<String>) -> FileDownload {
        let (repo, settings) = (self.clone(), self.settings.clone());
        FileDownload { repo, path: path.into(), settings }
    }
}

impl FileDownload {
    /// Downloads the file unless it is here, and returns where it is.
    ///
    /// # Errors
    /// A name that is none; otherwise as [`Hub::download`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let config = hub.model("org/model").file("config.json").download().await?;
    /// println!("{:?}, because {}", config.action, config.reason.sentence());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download(self) -> Result<FileReport, Error> {
        let (hub, request) = self.prepared()?;
        hub.download(&request).await
    }

    /// Returns where the file is in the cache; `None` where it is not. No request is sent, and no async runtime is needed.
    ///
    /// # Errors
    /// A name that is none, or a cache that can't be read or is damaged.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let question = hub.model("org/model").file("config.json");
    /// assert!(question.clone().cached()?.is_none());
    /// question.clone().await?;
    /// assert!(question.cached()?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn cached(mut self) -> Result<Option<FileReport>, Error> {
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
    /// let question = hub.model("org/model").file("config.json");
    /// let config = match question.without_request()? {
    ///     Some(here) => here,
    ///     None => question.await?,
    /// };
    /// println!("{}", config.path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn without_request(&self) -> Result<Option<FileReport>, Error> {
        let (hub, request) = self.clone().prepared()?;
        hub.download_cached(&request)
    }

    /// Says what [`download`](Self::download) would do and why, without writing anything.
    ///
    /// # Errors
    /// A name that is none; otherwise as [`Hub::explain`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let plan = hub.model("org/model").file("config.json").plan().await?;
    /// for link in &plan.chain {
    ///     println!("{}: {}, because {}", link.question, link.decision, link.because);
    /// }
    /// assert!(hub.model("org/model").file("config.json").cached()?.is_none());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn plan(self) -> Result<Explanation, Error> {
        let (hub, request) = self.prepared()?;
        hub.explain(&request).await
    }

    /// Returns the content of the whole file, from the cache where it is there, and otherwise from the hub without storing
    /// it. Its hash is checked. It is all in memory at once: this is for small files.
    ///
    /// # Errors
    /// As [`download`](Self::download); [`ErrorKind::ContentMismatch`] where the bytes are not what was promised.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let words = hub.model("org/model").file("data/words.txt").read().await?;
    /// assert_eq!(&words[..], b"one");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn read(self) -> Result<Bytes, Error> {
        let (hub, request) = self.prepared()?;
        hub.engine()?.read(&request).await
    }

    /// Returns some bytes of the file, from the cache where the file is there, and otherwise from the hub without storing
    /// them. A part has no hash of its own: what comes from the hub is as true as the connection. A range that ends beyond
    /// the file ends with it.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let head = hub.model("org/model").file("data/words.txt").read_range(0..2).await?;
    /// assert_eq!(&head[..], b"on");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn read_range(self, range: Range<u64>) -> Result<Bytes, Error> {
        let (hub, request) = self.prepared()?;
        hub.engine()?.read_range(&request, range).await
    }

    /// Tells whether the revision has the file. Only the hub knows, unless a commit's listing or the file itself is cached.
    ///
    /// # Errors
    /// As [`download`](Self::download); a file that is missing is no error.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// assert!(hub.model("org/model").file("config.json").exists().await?);
    /// assert!(!hub.model("org/model").file("model.bin").exists().await?);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn exists(self) -> Result<bool, Error> {
        let (hub, request) = self.prepared()?;
        match hub.engine()?.what_is(&request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::EntryNotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the hub as it is for this question, and the question.
    fn prepared(self) -> Result<(Hub, FileRequest), Error> {
        let Self { repo, path, settings } = self;
        let hub = settings.hub(&repo.hub)?;
        let request = FileRequest {
            repo: repo.named.repo()?,
            revision: settings.revision(None)?,
            file: FileName::parse(&path)?,
            force: settings.force(),
        };
        Ok((hub, request))
    }
}

impl IntoFuture for FileDownload {
    type Output = Result<FileReport, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.download())
    }
}

/// What is not in the cache is no error of who only looks.
pub(crate) fn unless_missing<T>(found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(error) if matches!(error.kind(), ErrorKind::NotCached | ErrorKind::EntryNotFound) => {
            Ok(None)
        }
        found => found,
    }
}
