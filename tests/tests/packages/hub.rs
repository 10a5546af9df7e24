//! What the programs and the command download from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use axum::{Router, http::StatusCode};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

pub(crate) const CONFIG: &str = r#"{"layers": 2}"#;
pub(crate) const WORDS: &str = "one two three";
pub(crate) const WEIGHTS_BYTES: usize = 300_000;

/// A hub that serves one model, and an empty cache.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) hub: RunningServer,
}

impl Stage {
    /// Serves `acme/tiny`.
    pub(crate) fn open() -> Result<Self> {
        Self::with(None)
    }

    /// Serves it to those who have this token.
    pub(crate) fn closed(token: &str) -> Result<Self> {
        Self::with(Some(token))
    }

    /// Refuses everything, as a hub does with a model that people must be let in to.
    pub(crate) fn gated() -> Result<Self> {
        let refusal = (StatusCode::FORBIDDEN, [("x-error-code", "GatedRepo")]);
        let hub = RunningServer::start_on_loopback(Router::new().fallback(async move || refusal))?;
        Ok(Self { folder: tempfile::tempdir()?, hub })
    }

    fn with(token: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let served = folder.path().join("hub");
        let server = Server::builder(model(&served)?);
        let server = match token {
            Some(token) => server.token(token),
            None => server,
        };
        Ok(Self { folder, hub: server.build().spawn_on_loopback()? })
    }

    /// Returns the cache directory.
    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }
}

/// Makes a folder to be served, with the model in it.
pub(crate) fn model(folder: &Path) -> Result<&Path> {
    let repo = folder.join("acme/tiny");
    fs::create_dir_all(&repo)?;
    fs::write(repo.join("config.json"), CONFIG)?;
    fs::write(repo.join("words.txt"), WORDS)?;
    fs::write(repo.join("model.bin"), vec![7; WEIGHTS_BYTES])?;
    Ok(folder)
}
