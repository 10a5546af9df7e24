//! What an address names, in one line.

use hubstow_core::name::FileName;

use super::{
    file::unless_missing,
    settings::{Settings, with_settings},
};
use crate::{
    api::{
        error::{Error, ErrorKind},
        pattern::Patterns,
        repo_path::RepoPath,
        report::SnapshotReport,
        request::{FileRequest, SnapshotRequest},
    },
    http::transport::BoxFuture,
    hub::Hub,
};

/// What an address names: one file, the files of a folder or of a pattern, or a whole repo. Awaiting it is
/// [`download`](Self::download).
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let rows = hub.open("hf://datasets/org/rows@main/train.csv").await?;
/// assert_eq!(std::fs::read(&rows.path)?, b"a,b");
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
#[must_use = "nothing is asked yet"]
pub struct OpenDownload {
    hub: Hub,
    address: String,
    settings: Settings,
}

with_settings!(OpenDownload);

/// What it comes to.
enum Meant {
    File(FileRequest),
    Files(SnapshotRequest),
}

impl OpenDownload {
    pub(crate) fn new(hub: Hub, address: String) -> Self {
        Self { hub, address, settings: Settings::default() }
    }

    /// Downloads what is missing, and returns what was done for each file. Where the address names one file, the path of
    /// the report is that file's.
    ///
    /// # Errors
    /// An address that is none; otherwise as [`Hub::download`] and [`Hub::snapshot`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let folder = hub.open("hf://org/model/data/").download().await?;
    /// assert_eq!(folder.files.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download(self) -> Result<SnapshotReport, Error> {
        let (hub, meant) = self.prepared()?;
        match meant {
            Meant::File(file) => hub.download(&file).await.map(SnapshotReport::from),
            Meant::Files(files) => hub.snapshot(&files).await,
        }
    }

    /// Returns what the cache has; `None` where anything is missing. No request is sent, and no async runtime is needed.
    ///
    /// # Errors
    /// An address that is none, or a cache that can't be read or is damaged.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// assert!(hub.open("hf://org/model/config.json").cached()?.is_none());
    /// hub.open("hf://org/model/config.json").await?;
    /// assert!(hub.open("hf://org/model/config.json").cached()?.is_some());
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
    /// let question = hub.open("hf://org/model/config.json");
    /// assert!(question.without_request()?.is_none(), "`main` may have moved: the hub has to be asked");
    /// # Ok(())
    /// # });
    /// ```
    pub fn without_request(&self) -> Result<Option<SnapshotReport>, Error> {
        let (hub, meant) = self.clone().prepared()?;
        match meant {
            Meant::File(file) => Ok(hub.download_cached(&file)?.map(SnapshotReport::from)),
            Meant::Files(files) => hub.snapshot_cached(&files),
        }
    }

    /// Says what [`download`](Self::download) would do, without writing anything.
    ///
    /// # Errors
    /// An address that is none; otherwise as [`Hub::forecast`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let plan = hub.open("hf://org/model").plan().await?;
    /// assert_eq!(plan.files.len(), 2);
    /// assert!(!plan.path.exists());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn plan(self) -> Result<SnapshotReport, Error> {
        let (hub, meant) = self.prepared()?;
        match meant {
            Meant::File(FileRequest { repo, revision, file, force }) => {
                let patterns = Patterns::default().with_file(&file);
                let foretold =
                    hub.forecast(&SnapshotRequest { repo, revision, patterns, force }).await?;
                let path = foretold.files.first().map(|file| file.path.clone());
                Ok(SnapshotReport { path: path.unwrap_or_default(), ..foretold })
            }
            Meant::Files(files) => hub.forecast(&files).await,
        }
    }

    fn prepared(self) -> Result<(Hub, Meant), Error> {
        let Self { hub, address, settings } = self;
        let hub = settings.hub(&hub)?;
        let RepoPath { repo, revision, path } = RepoPath::parse(&address, &hub.config().endpoint)?;
        if revision.is_some() && settings.revision.is_some() {
            let what = "the address names a revision, and so does the question";
            return Err(Error::new(ErrorKind::Usage, what));
        }
        let (revision, force) = (settings.revision(revision)?, settings.force());
        let patterns = match path {
            None => Patterns::default(),
            Some(path) if path.ends_with('/') || path.contains(['*', '?']) => {
                Patterns::default().with_name_or_pattern(&path)?
            }
            Some(path) => {
                let file = FileName::parse(&path)?;
                return Ok((hub, Meant::File(FileRequest { repo, revision, file, force })));
            }
        };
        Ok((hub, Meant::Files(SnapshotRequest { repo, revision, patterns, force })))
    }
}

impl IntoFuture for OpenDownload {
    type Output = Result<SnapshotReport, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.download())
    }
}
