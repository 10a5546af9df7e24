//! The hub and its cache: the library's entry.

use std::sync::Arc;

use hubstow_cache::staged::Arrivals;
use hubstow_core::name::{Commit, Repo};
use tracing::Instrument as _;

use crate::{
    api::{
        config::Config,
        error::Error,
        event::Event,
        report::{Environment, Explanation, FileReport, SnapshotReport, Traffic},
        request::{FileRequest, SnapshotRequest},
    },
    engine::Engine,
    file::found::{FoundFile, Unfound},
    handle::CallerBlocks,
    lookup::{
        head::By,
        patience::Patience,
        raw::{RawAnswer, RawQuestion},
    },
    parts::Parts,
};

/// A hub and the cache that its files go to. Cloning is cheap; clones share connections and what was learned.
///
/// Whoever drops the future of a question gives the question up: what is on its way ends soon, and what has come is kept
/// where it is worth it.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let config = hub.model("org/model").file("config.json").await?;
/// println!("{}, {} requests so far", config.path.display(), hub.traffic().requests);
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Hub {
    engine: Engine,
}

impl Hub {
    /// Makes a hub of the parts that a host brings. Nothing is sent, looked at or written yet.
    ///
    /// # Errors
    /// A cache directory without a name, or one that the host can't reach.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::{Config, Hub};
    ///
    /// // The parts of a native program; another host brings its own.
    /// let config = Config::new("/models");
    /// let hub = Hub::with_parts(config.clone(), hubstow_native::parts(&config))?;
    /// assert_eq!(hub.traffic().requests, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_parts(config: Config, parts: Parts) -> Result<Self, Error> {
        Engine::new(config, parts).map(|engine| Self { engine })
    }

    /// Sets the function that is told of every event.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let hub = hub.on_event(|event| println!("{event:?}"));
    /// hub.model("org/model").file("config.json").await?;
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn on_event(self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self { engine: self.engine.told_to(Arc::new(observer)) }
    }

    /// Returns the same hub with other settings for some questions; connections and what was learned stay common.
    pub(crate) fn varied(&self, change: impl FnOnce(&mut Config)) -> Result<Self, Error> {
        Ok(Self { engine: self.engine.varied(change)? })
    }

    /// Returns what every question has, to somebody who waits for requests.
    pub(crate) fn engine(&self) -> Result<Engine, Error> {
        self.engine.check()?;
        Ok(self.engine.for_one())
    }

    /// Returns the settings.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// println!("{} at {}", hub.config().cache_dir.display(), hub.config().endpoint.as_str());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.engine.config
    }

    /// Returns what has been received and sent so far.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// hub.model("org/model").file("data/words.txt").await?;
    /// assert_eq!(hub.traffic().bytes_downloaded, 3);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.engine.http.traffic()
    }

    /// Downloads one file unless it is here, and returns where it is.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind). Whatever the error, nothing wrong is visible in the cache.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::FileRequest;
    ///
    /// let request = FileRequest::parse("org/model", "config.json")?;
    /// let config = hub.download(&request).await?;
    /// assert!(hub.forecast_cached(&request)?.is_none(), "`main` may have moved meanwhile");
    /// # drop(config);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download(&self, request: &FileRequest) -> Result<FileReport, Error> {
        let FileRequest { repo, revision, file, .. } = request;
        let span = tracing::debug_span!(target: "hubstow", "download", %repo, %revision, %file);
        let engine = self.engine()?;
        engine.download(&engine.cache, request).instrument(span).await
    }

    /// Asks the hub what a file is, whatever the cache has of it, and stores nothing. It takes no longer than a lookup may.
    ///
    /// # Errors
    /// Why the hub does not give the file.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::FileRequest;
    ///
    /// let found = hub.find(&FileRequest::parse("org/model", "config.json")?).await.map_err(|it| it.error)?;
    /// assert_eq!(found.size(), Some(2));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn find(&self, request: &FileRequest) -> Result<FoundFile, Unfound> {
        self.engine()?.find(request, By::Head).await
    }

    /// Asks what a file is as [`Hub::find`] does, by the request that brings it: for whoever calls [`Hub::download_found`] with it at
    /// once, and is sure that the content is not here. Where the hub answers with the content, that is received without
    /// another request. A clone of what was found, and one that is kept for longer than a second, is downloaded as any other.
    ///
    /// # Errors
    /// As [`Hub::find`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::FileRequest;
    ///
    /// let request = FileRequest::parse("org/model", "config.json")?;
    /// let found = hub.find_to_download(&request).await.map_err(|it| it.error)?;
    /// let here = hub.download_found(&found).await?;
    /// assert_eq!(&here.commit, found.commit());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn find_to_download(&self, request: &FileRequest) -> Result<FoundFile, Unfound> {
        self.engine()?.find(request, By::Get).await
    }

    /// Downloads a file that was found, unless it is here. It has to be this hub that has found it, or one with the same
    /// endpoint and cache directory.
    ///
    /// # Errors
    /// As [`Hub::download`]; content that is something else by now.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::FileRequest;
    ///
    /// let found = hub.find(&FileRequest::parse("org/model", "config.json")?).await.map_err(|it| it.error)?;
    /// let here = hub.download_found(&found).await?;
    /// assert_eq!(&here.commit, found.commit());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download_found(&self, found: &FoundFile) -> Result<FileReport, Error> {
        self.engine()?.download_found(found).await
    }

    /// Asks the hub for the whole listing of a commit, and returns it in the format in which caches keep listings
    /// (`trees/<commit>.json`); `None` of one that can't be kept, because it has files without a size, a hash or a name.
    ///
    /// # Errors
    /// Why the hub does not give it.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let info = hub.model("org/model").info().await?;
    /// let listing = hub.listing_to_keep(&info.repo, &info.commit).await?;
    /// assert!(listing.is_some_and(|json| json.starts_with(b"{\"format_version\":1")));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn listing_to_keep(
        &self,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.engine.check()?;
        self.engine.listing_to_keep(repo, commit).await
    }

    /// Asks the hub something that nothing here has a name for, once, and returns its answer whatever it is.
    ///
    /// # Errors
    /// No answer, or one that is too long.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::RawQuestion;
    ///
    /// let answer = hub.ask_raw(RawQuestion::new("/api/models/org/model", 1 << 20)).await?;
    /// assert_eq!(answer.status, 200);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn ask_raw(&self, question: RawQuestion) -> Result<RawAnswer, Error> {
        let engine = self.engine()?;
        engine.http.raw(question, Patience::brief(&engine.config)).await
    }

    /// Sets who reads what is received while it comes. It is meant for one download at a time.
    ///
    /// ```
    /// use std::ops::Range;
    ///
    /// use hubstow_client::{Arrivals, Intervals, StagedReader};
    ///
    /// /// Says how much of a file has come.
    /// struct Counted;
    ///
    /// impl Arrivals for Counted {
    ///     fn begun(&self, _reader: StagedReader, _held: &Intervals) {}
    ///     fn arrived(&self, bytes: Range<u64>) {
    ///         println!("{bytes:?} can be read");
    ///     }
    ///     fn dropped(&self) {}
    ///     fn proved(&self) {}
    /// }
    ///
    /// fn told(hub: &hubstow_client::Hub) -> hubstow_client::Hub {
    ///     hub.clone().read_by(std::sync::Arc::new(Counted))
    /// }
    /// ```
    #[must_use]
    pub fn read_by(self, arrivals: Arc<dyn Arrivals>) -> Self {
        Self { engine: self.engine.read_by(arrivals) }
    }

    /// Answers a request from the cache alone where that is enough (a pinned commit that is cached, offline mode), without
    /// any async runtime. `None` means that the hub must be asked.
    ///
    /// # Errors
    /// As [`Hub::download`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::FileRequest;
    ///
    /// let first = hub.download(&FileRequest::parse("org/model", "config.json")?).await?;
    /// let pinned = FileRequest::parse("org/model", "config.json")?.at((&first.commit).into());
    /// assert!(hub.download_cached(&pinned)?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn download_cached(&self, request: &FileRequest) -> Result<Option<FileReport>, Error> {
        self.engine.download_cached(&self.engine.cache, request, CallerBlocks::its_thread())
    }

    /// Says what [`download_cached`](Self::download_cached) would answer, without writing anything.
    ///
    /// # Errors
    /// As [`Hub::download`].
    pub fn forecast_cached(&self, request: &FileRequest) -> Result<Option<FileReport>, Error> {
        let cache = self.engine.cache.looking_only();
        self.engine.download_cached(&cache, request, CallerBlocks::its_thread())
    }

    /// Says what [`download`](Self::download) would do and why, without writing anything.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind).
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::FileRequest;
    ///
    /// let explained = hub.explain(&FileRequest::parse("org/model", "config.json")?).await?;
    /// assert_eq!(explained.size, Some(2));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn explain(&self, request: &FileRequest) -> Result<Explanation, Error> {
        self.engine()?.explain(request).await
    }

    /// Downloads the files of a snapshot that are missing, and returns what was done for each.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind). A file that fails does not stop the others; all failures are told together, and
    /// the next run goes on from there.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::SnapshotRequest;
    /// use hubstow_core::name::{Repo, RepoId, RepoKind, Revision};
    ///
    /// let repo = Repo::new(RepoKind::Model, RepoId::parse("org/model")?);
    /// let request = SnapshotRequest::new(repo, Revision::parse("main")?);
    /// let foretold = hub.forecast(&request).await?;
    /// let snapshot = hub.snapshot(&request).await?;
    /// assert_eq!(foretold.files.len(), snapshot.files.len());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        let SnapshotRequest { repo, revision, .. } = request;
        let span = tracing::debug_span!(target: "hubstow", "snapshot", %repo, %revision);
        self.engine()?.snapshot(request).instrument(span).await
    }

    /// Answers a request from the cache alone where that is enough (a pinned commit that is cached whole, offline mode),
    /// without any async runtime. `None` means that the hub must be asked.
    ///
    /// # Errors
    /// As [`Hub::snapshot`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_client::SnapshotRequest;
    /// use hubstow_core::name::Revision;
    ///
    /// let first = hub.model("org/model").snapshot().await?;
    /// let repo = hub.model("org/model").info().await?.repo;
    /// let pinned = SnapshotRequest::new(repo, Revision::from(&first.commit));
    /// assert!(hub.snapshot_cached(&pinned)?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn snapshot_cached(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Option<SnapshotReport>, Error> {
        self.engine.snapshot_cached(request, CallerBlocks::its_thread())
    }

    /// Says what [`snapshot`](Self::snapshot) would do, without writing anything.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn forecast(&self, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        self.engine()?.forecast(request).await
    }

    /// Returns the cache directory as a whole, to look at it and to clean it.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// hub.model("org/model").snapshot().await?;
    /// let inventory = hub.cache().inventory()?;
    /// assert_eq!(inventory.repos.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    #[cfg(feature = "care")]
    #[must_use]
    pub fn cache(&self) -> crate::care::CacheDir {
        crate::care::CacheDir::of(self.engine.clone())
    }

    /// Says what the cache directory supports, by probing it.
    ///
    /// # Errors
    /// A cache directory that can't be looked at.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// for method in hub.environment()?.methods {
    ///     println!("{}: {}", method.method, method.support);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn environment(&self) -> Result<Environment, Error> {
        self.engine.environment(CallerBlocks::its_thread())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spawnable<T: Send>(future: T) -> T {
        future
    }

    /// Programs run downloads as tasks of their own, on runtimes that move tasks between threads.
    #[expect(dead_code, reason = "that it compiles is all it says")]
    fn every_question_can_be_spawned(hub: &Hub, file: &FileRequest, snapshot: &SnapshotRequest) {
        drop(spawnable(hub.download(file)));
        drop(spawnable(hub.snapshot(snapshot)));
        drop(spawnable(hub.forecast(snapshot)));
        drop(spawnable(hub.explain(file)));
    }
}
