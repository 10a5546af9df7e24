//! With async, on tokio.

use std::{future::Future, path::PathBuf};

use futures_util::{StreamExt as _, future::join};
use hubstow_native::{Event, Hub, RepoPath, Revision};

use super::{Metadata, RepoInfo, bars::Bars, url};
use crate::{Cache, Repo, repos_by_kind};

super::error::api_error!();

/// Settings of a hub.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::api::tokio::ApiBuilder;
///
/// let api = ApiBuilder::new()
///     .with_endpoint(here.url())
///     .with_cache_dir(here.place("cache"))
///     .with_token(None)
///     .with_progress(false)
///     .with_user_agent("my-program", "1.0")
///     .with_max_files(4)
///     .with_retries(3)
///     .with_chunk_size(None)
///     .build()?;
/// let path = api.model("org/model".to_owned()).get("config.json").await?;
/// println!("{}", path.display());
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Default)]
pub struct ApiBuilder(super::builder::ApiBuilder);

/// Hands a setting on.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident($($of:ident: $what:ty),*);)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(self, $($of: $what),*) -> Self {
            Self(self.0.$name($($of),*))
        })*
    };
}

impl ApiBuilder {
    /// The default settings, with the environment's cache and token.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::api::tokio::ApiBuilder;
    ///
    /// let api = ApiBuilder::new().with_endpoint(here.url()).with_cache_dir(here.place("cache")).build()?;
    /// println!("{}", api.space("org/show".to_owned()).url("app.py"));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings that the environment says.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::api::tokio::ApiBuilder;
    ///
    /// let api = ApiBuilder::from_env().high().with_endpoint(here.url()).build()?;
    /// println!("{}", api.dataset("org/rows".to_owned()).url("train.csv"));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        Self(super::builder::ApiBuilder::from_env())
    }

    /// The settings of a cache that is there.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::{Cache, api::tokio::ApiBuilder};
    ///
    /// let cache = Cache::new(here.place("home/hub"));
    /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).build()?;
    /// let path = api.dataset("org/rows".to_owned()).get("train.csv").await?;
    /// assert!(path.starts_with(here.place("home/hub")));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn from_cache(cache: Cache) -> Self {
        Self(super::builder::ApiBuilder::from_cache(cache))
    }

    settings! {
        /// Many connections for machines and lines that have room for them.
        high();
        /// Whether bars are shown.
        with_progress(progress: bool);
        /// Another hub.
        with_endpoint(endpoint: String);
        /// Another cache.
        with_cache_dir(cache_dir: PathBuf);
        /// Another token, or none.
        with_token(token: Option<String>);
        /// Has no meaning here.
        with_retries(max_retries: usize);
        /// Has no meaning here.
        with_chunk_size(chunk_size: Option<usize>);
        /// How many connections large files are received on at most.
        with_max_files(max_files: usize);
        /// Adds a word to the `User-Agent`.
        with_user_agent(key: &str, value: &str);
    }

    /// Makes the hub.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn build(self) -> Result<Api, ApiError> {
        let super::builder::ApiBuilder { config, progress } = self.0;
        Ok(Api { hub: Hub::new(config?)?, progress })
    }
}

/// Progress of one file, told with async.
///
/// ```
/// use hubstow_hf_hub::api::tokio::Progress;
///
/// /// Counts what has come.
/// #[derive(Clone)]
/// struct Counted(usize);
///
/// impl Progress for Counted {
///     async fn init(&mut self, size: usize, filename: &str) {
///         println!("{filename}: {size} bytes");
///     }
///
///     async fn update(&mut self, size: usize) {
///         self.0 += size;
///     }
///
///     async fn finish(&mut self) {
///         println!("{} bytes have come", self.0);
///     }
/// }
/// ```
pub trait Progress: Clone + Send + Sync + 'static {
    /// A transfer of so many bytes begins.
    fn init(&mut self, size: usize, filename: &str) -> impl Future<Output = ()> + Send;
    /// So many more bytes have come.
    fn update(&mut self, size: usize) -> impl Future<Output = ()> + Send;
    /// It has ended.
    fn finish(&mut self) -> impl Future<Output = ()> + Send;
}

impl Progress for () {
    async fn init(&mut self, _size: usize, _filename: &str) {}

    async fn update(&mut self, _size: usize) {}

    async fn finish(&mut self) {}
}

impl Progress for indicatif::ProgressBar {
    async fn init(&mut self, size: usize, filename: &str) {
        super::Progress::init(self, size, filename);
    }

    async fn update(&mut self, size: usize) {
        super::Progress::update(self, size);
    }

    async fn finish(&mut self) {
        super::Progress::finish(self);
    }
}

/// A hub.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, Repo, RepoType, api::tokio::ApiBuilder};
///
/// let cache = Cache::new(here.place("home/hub"));
/// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
/// let config = api.model("org/model".to_owned()).get("config.json").await?;
/// let rows = api.dataset("org/rows".to_owned()).get("train.csv").await?;
/// let show = api.space("org/show".to_owned()).get("app.py").await?;
/// let main = Repo::with_revision("org/model".to_owned(), RepoType::Model, "main".to_owned());
/// let words = api.repo(main).get("data/words.txt").await?;
/// let said = api.metadata(&api.model("org/model".to_owned()).url("config.json")).await?;
/// assert_eq!(said.size(), 2);
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Api {
    hub: Hub,
    progress: bool,
}

impl Api {
    /// The hub that the environment says.
    ///
    /// # Errors
    /// A setting that can't be.
    ///
    /// ```no_run
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// let api = hubstow_hf_hub::api::tokio::Api::new()?;
    /// let path = api.model("openai-community/gpt2".to_owned()).get("config.json").await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn new() -> Result<Self, ApiError> {
        ApiBuilder::new().build()
    }

    /// A repo of it.
    #[must_use]
    pub fn repo(&self, repo: Repo) -> ApiRepo {
        ApiRepo { api: self.clone(), repo }
    }

    repos_by_kind!(ApiRepo);

    /// Asks what the hub says of the file at an address, as [`ApiRepo::url`] gives it.
    ///
    /// # Errors
    /// What is no address of a file; a hub that refuses or can't be reached.
    pub async fn metadata(&self, url: &str) -> Result<Metadata, ApiError> {
        let path = RepoPath::parse(url, &self.hub.config().endpoint)?;
        let revision = path.revision.as_ref().map_or("main", Revision::as_str);
        let repo = self.hub.repo(path.repo.clone()).revision(revision);
        let commit = repo.info().await?.commit;
        let files = repo.revision(commit.as_str()).list_files().await?;
        Ok(Metadata::of(&path, commit.as_str(), files)?)
    }
}

/// A repo of a hub.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, api::tokio::ApiBuilder};
///
/// let cache = Cache::new(here.place("home/hub"));
/// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
/// let model = api.model("org/model".to_owned());
/// for file in model.info().await?.siblings {
///     println!("{} is at {}", file.rfilename, model.get(&file.rfilename).await?.display());
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct ApiRepo {
    api: Api,
    repo: Repo,
}

impl ApiRepo {
    /// Returns the address of a file.
    #[must_use]
    pub fn url(&self, filename: &str) -> String {
        url(self.api.hub.config().endpoint.as_str(), &self.repo, filename)
    }

    /// Returns where a file is: in the cache as it is there, without asking the hub, and otherwise downloaded.
    ///
    /// # Errors
    /// What kept it from coming.
    pub async fn get(&self, filename: &str) -> Result<PathBuf, ApiError> {
        let cache = Cache::new(self.api.hub.config().cache_dir.clone());
        match cache.repo(self.repo.clone()).get(filename) {
            Some(path) => Ok(path),
            None => self.download(filename).await,
        }
    }

    /// Downloads a file unless the cache holds what the hub has now.
    ///
    /// # Errors
    /// What kept it from coming.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::{Cache, api::tokio::ApiBuilder};
    ///
    /// let cache = Cache::new(here.place("home/hub"));
    /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
    /// let path = api.model("org/model".to_owned()).download("config.json").await?;
    /// println!("{} came from {}", path.display(), api.model("org/model".to_owned()).url("config.json"));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download(&self, filename: &str) -> Result<PathBuf, ApiError> {
        let question = self.asked(filename)?;
        let question = if self.api.progress {
            let bars = Bars::new(Bars::bar());
            question.on_event(move |event| bars.show(event))
        } else {
            question
        };
        Ok(question.await?.path)
    }

    /// Downloads a file, and tells of its progress.
    ///
    /// # Errors
    /// What kept it from coming.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::{Cache, api::tokio::ApiBuilder};
    ///
    /// let cache = Cache::new(here.place("home/hub"));
    /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).build()?;
    /// // `()` shows nothing; a bar of `indicatif` shows itself, and so does whatever is a `Progress`.
    /// let path = api.model("org/model".to_owned()).download_with_progress("config.json", ()).await?;
    /// println!("{}", path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn download_with_progress<P: Progress>(
        &self,
        filename: &str,
        mut progress: P,
    ) -> Result<PathBuf, ApiError> {
        let (question, mut events) = self.asked(filename)?.with_events();
        let telling = async {
            while let Some(event) = events.next().await {
                tell(&mut progress, &event).await;
            }
        };
        let (report, ()) = join(question.download(), telling).await;
        Ok(report?.path)
    }

    /// Asks what the repo holds.
    ///
    /// # Errors
    /// A hub that refuses or can't be reached.
    pub async fn info(&self) -> Result<RepoInfo, ApiError> {
        let (repo, revision) = self.repo.named()?;
        Ok(self.api.hub.repo(repo).revision(revision.as_str()).info().await?.into())
    }

    fn asked(&self, filename: &str) -> Result<hubstow_native::FileDownload, ApiError> {
        let (repo, revision) = self.repo.named()?;
        Ok(self.api.hub.repo(repo).revision(revision.as_str()).file(filename))
    }
}

async fn tell<P: Progress>(progress: &mut P, event: &Event) {
    let len = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    if let Event::Started { file, size, already } = event {
        progress.init(len(size.unwrap_or(0)), file.as_str()).await;
        if *already > 0 {
            progress.update(len(*already)).await;
        }
    } else if let Event::Received { bytes, .. } = event {
        progress.update(len(*bytes)).await;
    } else if let Event::Finished { .. } = event {
        progress.finish().await;
    }
}
