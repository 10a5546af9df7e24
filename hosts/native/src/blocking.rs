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

use std::{
    ops::Range,
    path::PathBuf,
    sync::{Arc, OnceLock, mpsc},
};

use bytes::Bytes;
use hubstow_client::{
    Config, Error, ErrorKind, Event, Explanation, FileReport, ListedFile, Refs, RepoInfo,
    SnapshotReport,
};
use hubstow_core::{facts::Stale, name::Repo, policy::Policy};
use tokio::runtime::Runtime;

pub use crate::threads::runtime;

/// A hub and the cache that its files go to. Cloning is cheap.
#[derive(Clone)]
pub struct Hub {
    hub: crate::Hub,
    driver: Arc<Driver>,
}

/// What drives the questions.
#[derive(Default)]
struct Driver(OnceLock<Runtime>);

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
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// Makes a hub. Nothing is sent, looked at or written yet.
    ///
    /// # Errors
    /// As [`crate::Hub::new`].
    pub fn new(config: Config) -> Result<Self, Error> {
        crate::Hub::new(config).map(Self::from)
    }
}

impl Hub {
    /// Begins a hub, setting by setting; it ends in [`build_blocking`](crate::HubBuilder::build_blocking).
    pub fn builder() -> crate::HubBuilder {
        crate::Hub::builder()
    }

    /// Sets the function that is told of every event.
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
    pub fn repo(&self, repo: Repo) -> RepoHandle {
        self.of(self.hub.repo(repo))
    }

    /// Begins a question about what an address names: a file, a folder, or a whole repo.
    pub fn open(&self, address: impl Into<String>) -> OpenDownload {
        self.of(self.hub.open(address))
    }

    /// Returns the cache directory as a whole, to look at it and to clean it.
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

/// A question, and what drives it.
#[derive(Clone)]
struct Driven<Q> {
    question: Q,
    driver: Arc<Driver>,
}

impl<Q> Driven<Q> {
    fn map<R>(self, change: impl FnOnce(Q) -> R) -> Driven<R> {
        Driven { question: change(self.question), driver: self.driver }
    }
}

/// Makes the blocking face of a question, with the settings that it may have of its own.
macro_rules! blocking {
    ($(#[$doc:meta])* $name:ident of $question:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        #[must_use = "nothing is asked yet"]
        pub struct $name(Driven<$question>);

        impl From<Driven<$question>> for $name {
            fn from(driven: Driven<$question>) -> Self {
                Self(driven)
            }
        }

        impl $name {
            /// At this revision: a branch, a tag, `refs/pr/N` or a commit. `main` where none is said.
            pub fn revision(self, revision: impl Into<String>) -> Self {
                Self(self.0.map(|question| question.revision(revision)))
            }

            /// Fetches files although they are here.
            pub fn force(self) -> Self {
                Self(self.0.map(|question| question.force()))
            }

            /// Sends no request (`local_files_only` of the Python client).
            pub fn offline(self) -> Self {
                Self(self.0.map(|question| question.offline()))
            }

            /// Says when a cached file may be served that the hub has not confirmed.
            pub fn stale(self, stale: Stale) -> Self {
                Self(self.0.map(|question| question.stale(stale)))
            }

            /// Places files by this policy.
            pub fn policy(self, policy: Policy) -> Self {
                Self(self.0.map(|question| question.policy(policy)))
            }

            /// Puts the files themselves into a folder instead of the cache.
            pub fn local_dir(self, dir: impl Into<PathBuf>) -> Self {
                Self(self.0.map(|question| question.local_dir(dir)))
            }

            /// Tells a function of every event of this question, instead of the one that the hub tells.
            pub fn on_event(self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
                Self(self.0.map(|question| question.on_event(observer)))
            }
        }
    };
}

/// Makes the ways in which a question for files ends.
macro_rules! downloads {
    ($name:ident -> $report:ty, planned as $plan:ty) => {
        impl $name {
            /// Downloads what is missing, and returns what was done. What the cache answers alone starts no runtime.
            ///
            /// # Errors
            /// As the question of that name in [`hubstow_client`].
            pub fn download(self) -> Result<$report, Error> {
                let Driven { question, driver } = self.0;
                match question.without_request()? {
                    Some(report) => Ok(report),
                    None => driver.run(question.download()),
                }
            }

            /// Returns what the cache has; `None` where anything is missing.
            ///
            /// # Errors
            /// As the question of that name in [`hubstow_client`].
            pub fn cached(self) -> Result<Option<$report>, Error> {
                self.0.question.cached()
            }

            /// Says what [`download`](Self::download) would do, without writing anything.
            ///
            /// # Errors
            /// As the question of that name in [`hubstow_client`].
            pub fn plan(self) -> Result<$plan, Error> {
                self.0.driver.run(self.0.question.plan())
            }
        }
    };
}

blocking! {
    /// A repo of a hub: what is asked of it begins here.
    RepoHandle of hubstow_client::RepoHandle
}
blocking! {
    /// One file that is asked for.
    FileDownload of hubstow_client::FileDownload
}
blocking! {
    /// The files of a repo that are asked for.
    SnapshotDownload of hubstow_client::SnapshotDownload
}
blocking! {
    /// What an address names.
    OpenDownload of hubstow_client::OpenDownload
}

downloads!(FileDownload -> FileReport, planned as Explanation);
downloads!(SnapshotDownload -> SnapshotReport, planned as SnapshotReport);
downloads!(OpenDownload -> SnapshotReport, planned as SnapshotReport);

impl RepoHandle {
    /// Begins a question about one file, by its path in the repo.
    pub fn file(&self, path: impl Into<String>) -> FileDownload {
        FileDownload(self.0.clone().map(|repo| repo.file(path)))
    }

    /// Begins a question about all files, or those that patterns choose.
    pub fn snapshot(&self) -> SnapshotDownload {
        SnapshotDownload(self.0.clone().map(|repo| repo.snapshot()))
    }

    /// Asks what the repo is at its revision.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::info`].
    pub fn info(&self) -> Result<RepoInfo, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.info().await })
    }

    /// Lists the files of the revision with their sizes and hashes.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::list_files`].
    pub fn list_files(&self) -> Result<Vec<ListedFile>, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.list_files().await })
    }

    /// Tells whether the hub has the repo and its revision, and shows them to this user.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::exists`].
    pub fn exists(&self) -> Result<bool, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.exists().await })
    }

    /// Asks which branches and tags the repo has.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::refs`].
    pub fn refs(&self) -> Result<Refs, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.refs().await })
    }
}

impl FileDownload {
    /// Returns the content of the whole file, proved by its hash.
    ///
    /// # Errors
    /// As [`hubstow_client::FileDownload::read`].
    pub fn read(self) -> Result<Bytes, Error> {
        self.0.driver.run(self.0.question.read())
    }

    /// Returns some bytes of the file.
    ///
    /// # Errors
    /// As [`hubstow_client::FileDownload::read_range`].
    pub fn read_range(self, range: Range<u64>) -> Result<Bytes, Error> {
        self.0.driver.run(self.0.question.read_range(range))
    }

    /// Tells whether the revision has the file.
    ///
    /// # Errors
    /// As [`hubstow_client::FileDownload::exists`].
    pub fn exists(self) -> Result<bool, Error> {
        self.0.driver.run(self.0.question.exists())
    }
}

impl SnapshotDownload {
    /// Wants the files that one of these patterns matches; said again, these too.
    pub fn include<P: Into<String>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        Self(self.0.map(|question| question.include(patterns)))
    }

    /// Wants none of the files that one of these patterns matches.
    pub fn exclude<P: Into<String>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        Self(self.0.map(|question| question.exclude(patterns)))
    }
}
