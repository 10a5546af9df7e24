//! What is in the cache, without asking anybody.

use std::{fs, io, path::PathBuf};

use hubstow_native::{Commit, Config, Hub};

use crate::{Repo, repos_by_kind};

/// A cache directory.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, Repo, RepoType};
///
/// let cache = Cache::new(here.place("home/hub"));
/// println!("{}, the token at {}", cache.path().display(), cache.token_path().display());
/// assert!(cache.token().is_none());
/// assert!(cache.model("org/model".to_owned()).get("config.json").is_none());
/// for repo in [cache.dataset("org/rows".to_owned()), cache.space("org/show".to_owned())] {
///     assert!(repo.get("README.md").is_none());
/// }
/// let tagged = Repo::with_revision("org/model".to_owned(), RepoType::Model, "v1".to_owned());
/// assert!(cache.repo(tagged).get("config.json").is_none());
/// # Ok(())
/// # });
/// ```
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
    ///
    /// ```
    /// println!("{}", hubstow_hf_hub::Cache::from_env().path().display());
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        let told = Config::from_env().ok().map(|config| config.cache_dir);
        let named = told.filter(|dir| !dir.as_os_str().is_empty());
        Self::new(named.unwrap_or_else(|| PathBuf::from(".cache/huggingface/hub")))
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
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
///
/// let cache = Cache::new(here.place("home/hub"));
/// let api = ApiBuilder::from_cache(cache.clone()).with_endpoint(here.url()).build()?;
/// let path = api.model("org/model".to_owned()).get("config.json")?;
///
/// let cached = cache.model("org/model".to_owned());
/// assert_eq!(cached.get("config.json"), Some(path));
/// let commit = api.model("org/model".to_owned()).info()?.sha;
/// assert!(cached.pointer_path(&commit).join("config.json").exists());
/// # Ok(())
/// # });
/// ```
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

    /// Returns where the blob with this etag is or would be.
    ///
    /// ```
    /// use hubstow_hf_hub::Cache;
    ///
    /// let cached = Cache::new("/models".into()).model("org/model".to_owned());
    /// assert!(cached.blob_path("etag").ends_with("models--org--model/blobs/etag"));
    /// ```
    #[must_use]
    pub fn blob_path(&self, etag: &str) -> PathBuf {
        self.folder().join("blobs").join(etag)
    }

    /// Returns the snapshot folder of a commit.
    #[must_use]
    pub fn pointer_path(&self, commit_hash: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit_hash)
    }

    /// Lets the revision of this repo mean a commit, for everybody who reads the cache.
    ///
    /// # Errors
    /// What is no commit or no revision; a folder that can't be written.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::Cache;
    ///
    /// let cached = Cache::new(here.place("home/hub")).model("org/model".to_owned());
    /// cached.create_ref("0123456789012345678901234567890123456789")?;
    /// assert!(cached.create_ref("main").is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub fn create_ref(&self, commit_hash: &str) -> Result<(), io::Error> {
        let commit = Commit::parse(commit_hash).map_err(unusable)?;
        let (_, revision) = self.repo.named().map_err(unusable)?;
        let at = self.folder().join("refs").join(revision.as_str());
        fs::create_dir_all(at.parent().unwrap_or(&self.cache.path))?;
        // Whoever reads it meanwhile sees the one or the other.
        let private = self.folder().join(format!(".ref-{}", std::process::id()));
        fs::write(&private, commit.as_str())?;
        fs::rename(&private, at).inspect_err(|_| drop(fs::remove_file(&private)))
    }

    fn folder(&self) -> PathBuf {
        self.cache.path.join(self.repo.folder_name())
    }
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
