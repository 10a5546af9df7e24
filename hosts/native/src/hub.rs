//! The hub and its cache: the library's entry.

use std::sync::Arc;

use crate::{
    config::Config,
    error::{Error, ErrorKind},
    event::Event,
    report::{Environment, Explanation, FileReport, SnapshotReport, Traffic},
    request::{FileRequest, SnapshotRequest},
};

/// A hub and the cache that its files go to. Cloning is cheap; clones share connections and what was learned.
#[derive(Clone)]
pub struct Hub {
    config: Arc<Config>,
}

impl Hub {
    /// Makes a hub. Nothing is sent or written yet.
    ///
    /// # Errors
    /// TLS or proxy settings that can't be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Sets the function that is told of every event.
    #[must_use]
    pub fn on_event(self, _observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Downloads one file unless it is here, and returns where it is.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn download(&self, _request: &FileRequest) -> Result<FileReport, Error> {
        Err(Error::new(ErrorKind::Other, "not built yet"))
    }

    /// Downloads the files of a snapshot that are missing.
    ///
    /// # Errors
    /// See [`ErrorKind`]; files that could be placed stay.
    pub async fn snapshot(&self, _request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        Err(Error::new(ErrorKind::Other, "not built yet"))
    }

    /// Says what [`snapshot`](Self::snapshot) would do, without writing anything.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn forecast(&self, _request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        Err(Error::new(ErrorKind::Other, "not built yet"))
    }

    /// Says what [`download`](Self::download) would do and why, without writing anything.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn explain(&self, _request: &FileRequest) -> Result<Explanation, Error> {
        Err(Error::new(ErrorKind::Other, "not built yet"))
    }

    /// Says what the cache directory supports, by probing it.
    ///
    /// # Errors
    /// A cache directory that can't be looked at.
    pub fn environment(&self) -> Result<Environment, Error> {
        Err(Error::new(ErrorKind::Other, "not built yet"))
    }

    /// Returns what has been received and sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
