//! Questions that block, in one line: a repo, what of it, and how this one question differs from the settings of the hub.

use std::{ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use hubstow_client::{
    Error, Event, Explanation, FileReport, ListedFile, Refs, RepoInfo, SnapshotReport,
};
use hubstow_core::{facts::Stale, policy::Policy};

use super::Driver;

/// A question, and what drives it.
#[derive(Clone)]
pub(super) struct Driven<Q> {
    pub(super) question: Q,
    pub(super) driver: Arc<Driver>,
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
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// use hubstow_native::{Policy, Stale};
            ///
            /// let question = hub.model("org/model").revision("main").policy(Policy::Portable).stale(Stale::Never);
            /// let config = question.file("config.json").force().download()?;
            /// assert!(!config.path.is_symlink());
            /// # Ok(())
            /// # });
            /// ```
            pub fn revision(self, revision: impl Into<String>) -> Self {
                Self(self.0.map(|question| question.revision(revision)))
            }

            /// Fetches files although they are here.
            pub fn force(self) -> Self {
                Self(self.0.map(|question| question.force()))
            }

            /// Sends no request (`local_files_only` of the Python client).
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// use hubstow_native::ErrorKind;
            ///
            /// let missing = hub.model("org/model").offline().file("config.json").download();
            /// assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotCached);
            /// # Ok(())
            /// # });
            /// ```
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
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// # let here = tempfile::tempdir()?;
            /// let folder = here.path().join("model");
            /// let mine = hub.model("org/model").local_dir(&folder).snapshot().download()?;
            /// assert_eq!(mine.path, folder);
            /// # Ok(())
            /// # });
            /// ```
            pub fn local_dir(self, dir: impl Into<PathBuf>) -> Self {
                Self(self.0.map(|question| question.local_dir(dir)))
            }

            /// Tells a function of every event of this question, instead of the one that the hub tells.
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// let question = hub.model("org/model").on_event(|event| println!("{event:?}"));
            /// question.file("config.json").download()?;
            /// # Ok(())
            /// # });
            /// ```
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
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// let config = hub.model("org/model").file("config.json").download()?;
            /// let folder = hub.open("hf://org/model/data/").download()?;
            /// println!("{} and {}", config.path.display(), folder.path.display());
            /// # Ok(())
            /// # });
            /// ```
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
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// let question = hub.model("org/model").file("config.json");
            /// assert!(question.clone().cached()?.is_none());
            /// question.clone().download()?;
            /// assert!(question.cached()?.is_some());
            /// # Ok(())
            /// # });
            /// ```
            pub fn cached(self) -> Result<Option<$report>, Error> {
                self.0.question.cached()
            }

            /// Says what [`download`](Self::download) would do, without writing anything.
            ///
            /// # Errors
            /// As the question of that name in [`hubstow_client`].
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
            /// # here::ask_blocking(|hub| {
            /// let plan = hub.model("org/model").file("config.json").plan()?;
            /// for link in &plan.chain {
            ///     println!("{}: {}, because {}", link.question, link.decision, link.because);
            /// }
            /// # Ok(())
            /// # });
            /// ```
            pub fn plan(self) -> Result<$plan, Error> {
                self.0.driver.run(self.0.question.plan())
            }
        }
    };
}

blocking! {
    /// A repo of a hub: what is asked of it begins here.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let model = hub.model("org/model");
    /// let config = model.file("config.json").download()?;
    /// let all = model.snapshot().download()?;
    /// assert!(all.files.iter().any(|file| file.path == config.path));
    /// # Ok(())
    /// # });
    /// ```
    RepoHandle of hubstow_client::RepoHandle
}
blocking! {
    /// One file that is asked for.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let config = hub.model("org/model").revision("main").file("config.json").download()?;
    /// assert_eq!(std::fs::read(&config.path)?, b"{}");
    /// # Ok(())
    /// # });
    /// ```
    FileDownload of hubstow_client::FileDownload
}
blocking! {
    /// The files of a repo that are asked for.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let question = hub.model("org/model").snapshot().include(["*.json", "data/"]).exclude(["old/"]);
    /// for file in question.download()?.files {
    ///     println!("{} is at {}", file.file, file.path.display());
    /// }
    /// # Ok(())
    /// # });
    /// ```
    SnapshotDownload of hubstow_client::SnapshotDownload
}
blocking! {
    /// What an address names.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let rows = hub.open("hf://datasets/org/rows@main/train.csv").download()?;
    /// assert_eq!(std::fs::read(&rows.path)?, b"a,b");
    /// # Ok(())
    /// # });
    /// ```
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
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let info = hub.model("org/model").info()?;
    /// println!("{} files at {}", info.files.len(), info.commit);
    /// # Ok(())
    /// # });
    /// ```
    pub fn info(&self) -> Result<RepoInfo, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.info().await })
    }

    /// Lists the files of the revision with their sizes and hashes.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::list_files`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// for listed in hub.model("org/model").list_files()? {
    ///     println!("{} {:?}", listed.file, listed.size);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn list_files(&self) -> Result<Vec<ListedFile>, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.list_files().await })
    }

    /// Tells whether the hub has the repo and its revision, and shows them to this user.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::exists`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// assert!(hub.model("org/model").exists()?);
    /// assert!(!hub.model("org/model").revision("v9").exists()?);
    /// # Ok(())
    /// # });
    /// ```
    pub fn exists(&self) -> Result<bool, Error> {
        let Driven { question, driver } = self.0.clone();
        driver.run(async move { question.exists().await })
    }

    /// Asks which branches and tags the repo has.
    ///
    /// # Errors
    /// As [`hubstow_client::RepoHandle::refs`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// let refs = hub.model("org/model").refs()?;
    /// assert_eq!(refs.branches[0].name, "main");
    /// # Ok(())
    /// # });
    /// ```
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
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// assert_eq!(&hub.model("org/model").file("data/words.txt").read()?[..], b"one");
    /// # Ok(())
    /// # });
    /// ```
    pub fn read(self) -> Result<Bytes, Error> {
        self.0.driver.run(self.0.question.read())
    }

    /// Returns some bytes of the file.
    ///
    /// # Errors
    /// As [`hubstow_client::FileDownload::read_range`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// assert_eq!(&hub.model("org/model").file("data/words.txt").read_range(0..2)?[..], b"on");
    /// # Ok(())
    /// # });
    /// ```
    pub fn read_range(self, range: Range<u64>) -> Result<Bytes, Error> {
        self.0.driver.run(self.0.question.read_range(range))
    }

    /// Tells whether the revision has the file.
    ///
    /// # Errors
    /// As [`hubstow_client::FileDownload::exists`].
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask_blocking(|hub| {
    /// assert!(!hub.model("org/model").file("model.bin").exists()?);
    /// # Ok(())
    /// # });
    /// ```
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
