//! What is in the cache, without asking anybody.

use std::{fs, path::PathBuf};

use hubstow_native::{Config, Hub};

use crate::{Repo, repos_by_kind};

/// A cache directory.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
}

impl Cache {
    /// The cache in this directory.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The cache that `HF_HOME`, `HF_HUB_CACHE` and their like say; without a home it is below the present folder.
    #[must_use]
    pub fn from_env() -> Self {
        let told = Config::from_env().map(|config| config.cache_dir);
        Self::new(told.unwrap_or_else(|_| PathBuf::from(".cache/huggingface/hub")))
    }

    /// Returns the directory.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Returns where the token is, beside the cache.
    #[must_use]
    pub fn token_path(&self) -> PathBuf {
        let home = self.path.parent().map(PathBuf::from).unwrap_or_default();
        home.join("token")
    }

    /// Returns the token that is there.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        let token = fs::read_to_string(self.token_path()).ok()?;
        Some(token.trim().to_owned()).filter(|token| !token.is_empty())
    }

    /// What the cache has of a repo.
    #[must_use]
    pub fn repo(&self, repo: Repo) -> CacheRepo {
        CacheRepo { cache: self.clone(), repo }
    }

    repos_by_kind!(CacheRepo);
}

impl Default for Cache {
    fn default() -> Self {
        Self::from_env()
    }
}

/// A repo in a cache.
#[derive(Clone, Debug)]
pub struct CacheRepo {
    cache: Cache,
    repo: Repo,
}

impl CacheRepo {
    /// Returns where a file is, if it is in the cache. What is damaged there, is not.
    #[must_use]
    pub fn get(&self, filename: &str) -> Option<PathBuf> {
        let hub = Hub::new(Config::new(&self.cache.path)).ok()?;
        let (repo, revision) = self.repo.named().ok()?;
        let asked = hub.repo(repo).revision(revision.as_str()).file(filename);
        Some(asked.cached().ok()??.path)
    }
}
