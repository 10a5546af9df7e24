//! The same without async: questions that block the thread until they are answered.
//!
//! A hub has a runtime of its own, on threads of its own, made when the first request is to be sent: what the cache answers
//! alone costs none. It works on any thread, inside a runtime as well as outside of one; only that a runtime's thread is
//! blocked meanwhile.
//!
//! ```no_run
//! # fn run() -> Result<(), hubstow_native::Error> {
//! let hub = hubstow_native::blocking::Hub::from_env()?;
//! let config = hub.model("openai-community/gpt2").file("config.json").download()?;
//! println!("{}", config.path.display());
//! # Ok(())
//! # }
//! ```

mod ask;

use std::sync::{Arc, OnceLock, mpsc};

use hubstow_client::{Config, Error, ErrorKind, Event};
use hubstow_core::name::Repo;
use tokio::runtime::Runtime;

use self::ask::Driven;
pub use self::ask::{FileDownload, OpenDownload, RepoHandle, SnapshotDownload};
pub use crate::threads::runtime;

/// A hub and the cache that its files go to. Cloning is cheap.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
/// # here::ask_blocking(|hub| {
/// let config = hub.model("org/model").file("config.json").download()?;
/// let rows = hub.dataset("org/rows").snapshot().include(["*.csv"]).download()?;
/// println!("{}, {} files of rows", config.path.display(), rows.files.len());
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Hub {
    hub: crate::Hub,
    driver: Arc<Driver>,
}

/// What drives the questions.
#[derive(Default)]
pub(crate) struct Driver(OnceLock<Runtime>);

impl Driver {
    /// Runs a question to its end, on the runtime's own threads.
    fn run<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = mpsc::sync_channel(1);
        let asked = self.runtime()?.spawn(async move {
            // Nobody is there any more only where the thread has gone.
            drop(tell.send(question.await));
        });
        told.recv().map_err(|_| {
            let ended = if asked.is_finished() { "has failed" } else { "was given up" };
            Error::new(ErrorKind::Other, format!("the question {ended} before it was answered"))
        })?
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime);
        }
        let made = runtime()?;
        if let Err(second) = self.0.set(made) {
            second.shutdown_background();
        }
        self.0.get().ok_or_else(|| Error::new(ErrorKind::Other, "there is no runtime"))
    }
}

impl Drop for Driver {
    /// A runtime must not be waited for on a thread of another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(feature = "reqwest")]
impl Hub {
    /// Makes a hub with the settings that the environment says, as [`Config::from_env`] reads them.
    ///
    /// # Errors
    /// As [`crate::Hub::new`]; no home directory.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::blocking::Hub;
    ///
    /// let hub = Hub::from_env()?;
    /// println!("{}", hub.config().cache_dir.display());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// Makes a hub. Nothing is sent, looked at or written yet.
    ///
    /// # Errors
    /// As [`crate::Hub::new`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{Config, blocking::Hub};
    ///
    /// let hub = Hub::new(Config::new("/models"))?;
    /// assert!(hub.model("org/name").file("config.json").cached()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(config: Config) -> Result<Self, Error> {
        crate::Hub::new(config).map(Self::from)
    }
}

impl Hub {
    /// Begins a hub, setting by setting; it ends in [`build_blocking`](crate::HubBuilder::build_blocking).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::blocking::Hub;
    ///
    /// let hub = Hub::builder().cache_dir("/models").offline().build_blocking()?;
    /// assert!(hub.space("org/show").snapshot().cached()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> crate::HubBuilder {
        crate::Hub::builder()
    }

    /// Sets the function that is told of every event.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// use hubstow_native::Event;
    ///
    /// let hub = hub.on_event(|event| {
    ///     if let Event::Finished { report } = event {
    ///         println!("{} is here", report.file);
    ///     }
    /// });
    /// hub.model("org/model").snapshot().download()?;
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn on_event(self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self { hub: self.hub.on_event(observer), ..self }
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.hub.config()
    }

    /// Begins a question about a model, such as `org/name`.
    pub fn model(&self, id: impl Into<String>) -> RepoHandle {
        self.of(self.hub.model(id))
    }

    /// Begins a question about a dataset.
    pub fn dataset(&self, id: impl Into<String>) -> RepoHandle {
        self.of(self.hub.dataset(id))
    }

    /// Begins a question about a space.
    pub fn space(&self, id: impl Into<String>) -> RepoHandle {
        self.of(self.hub.space(id))
    }

    /// Begins a question about a repo of any kind.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// use hubstow_native::{Repo, RepoId, RepoKind};
    ///
    /// let rows = Repo::new(RepoKind::Dataset, RepoId::parse("org/rows")?);
    /// let file = hub.repo(rows).file("train.csv").download()?;
    /// println!("{}", file.path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn repo(&self, repo: Repo) -> RepoHandle {
        self.of(self.hub.repo(repo))
    }

    /// Begins a question about what an address names: a file, a folder, or a whole repo.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let folder = hub.open("hf://org/model/data/").download()?;
    /// assert_eq!(folder.files.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub fn open(&self, address: impl Into<String>) -> OpenDownload {
        self.of(self.hub.open(address))
    }

    /// Returns the cache directory as a whole, to look at it and to clean it.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// hub.model("org/model").snapshot().download()?;
    /// assert_eq!(hub.cache().inventory()?.repos.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    #[cfg(feature = "care")]
    #[must_use]
    pub fn cache(&self) -> hubstow_client::care::CacheDir {
        self.hub.cache()
    }

    fn of<Q, B: From<Driven<Q>>>(&self, question: Q) -> B {
        B::from(Driven { question, driver: Arc::clone(&self.driver) })
    }
}

impl From<crate::Hub> for Hub {
    /// Drives a hub that was made otherwise.
    fn from(hub: crate::Hub) -> Self {
        Self { hub, driver: Arc::default() }
    }
}
