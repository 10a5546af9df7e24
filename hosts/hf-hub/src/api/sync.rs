//! Without async.

use std::{panic::resume_unwind, path::PathBuf, sync::mpsc, thread};

use hubstow_native::{RepoPath, Revision, blocking};

use super::{Metadata, Progress, RepoInfo, bars::Bars, url};
use crate::{Cache, Repo, repos_by_kind};

pub use super::builder::ApiBuilder;

super::error::api_error!();

impl ApiBuilder {
    /// Makes the hub.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn build(self) -> Result<Api, ApiError> {
        let progress = self.progress;
        let hub = blocking::Hub::new(self.config?)?;
        Ok(Api { hub, progress })
    }
}

/// A hub.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, Repo, RepoType, api::sync::ApiBuilder};
///
/// let cache = Cache::new(here.place("home/hub"));
/// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
/// let config = api.model("org/model".to_owned()).get("config.json")?;
/// let rows = api.dataset("org/rows".to_owned()).get("train.csv")?;
/// let show = api.space("org/show".to_owned()).get("app.py")?;
/// let main = Repo::with_revision("org/model".to_owned(), RepoType::Model, "main".to_owned());
/// let words = api.repo(main).get("data/words.txt")?;
/// let said = api.metadata(&api.model("org/model".to_owned()).url("config.json"))?;
/// assert_eq!(said.size(), 2);
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Api {
    hub: blocking::Hub,
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
    /// let api = hubstow_hf_hub::api::sync::Api::new()?;
    /// let path = api.model("openai-community/gpt2".to_owned()).get("config.json")?;
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
    pub fn metadata(&self, url: &str) -> Result<Metadata, ApiError> {
        let path = RepoPath::parse(url, &self.hub.config().endpoint)?;
        let revision = path.revision.as_ref().map_or("main", Revision::as_str);
        let repo = self.hub.repo(path.repo.clone()).revision(revision);
        let commit = repo.info()?.commit;
        let files = repo.revision(commit.as_str()).list_files()?;
        Ok(Metadata::of(&path, commit.as_str(), files)?)
    }
}

/// A repo of a hub.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
///
/// let cache = Cache::new(here.place("home/hub"));
/// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
/// let model = api.model("org/model".to_owned());
/// for file in model.info()?.siblings {
///     println!("{} is at {}", file.rfilename, model.get(&file.rfilename)?.display());
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
    pub fn get(&self, filename: &str) -> Result<PathBuf, ApiError> {
        let cache = Cache::new(self.api.hub.config().cache_dir.clone());
        match cache.repo(self.repo.clone()).get(filename) {
            Some(path) => Ok(path),
            None => self.download(filename),
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
    /// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
    ///
    /// let cache = Cache::new(here.place("home/hub"));
    /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).with_progress(false).build()?;
    /// let path = api.model("org/model".to_owned()).download("config.json")?;
    /// println!("{} came from {}", path.display(), api.model("org/model".to_owned()).url("config.json"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn download(&self, filename: &str) -> Result<PathBuf, ApiError> {
        let question = self.asked(filename)?;
        let question = if self.api.progress {
            let bars = Bars::new(Bars::bar());
            question.on_event(move |event| bars.show(event))
        } else {
            question
        };
        Ok(question.download()?.path)
    }

    /// Downloads a file, and shows progress in another way.
    ///
    /// # Errors
    /// What kept it from coming.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
    ///
    /// let cache = Cache::new(here.place("home/hub"));
    /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).build()?;
    /// // `()` shows nothing; a bar of `indicatif` shows itself, and so does whatever is a `Progress`.
    /// let path = api.model("org/model".to_owned()).download_with_progress("config.json", ())?;
    /// println!("{}", path.display());
    /// # Ok(())
    /// # });
    /// ```
    pub fn download_with_progress<P: Progress>(
        &self,
        filename: &str,
        progress: P,
    ) -> Result<PathBuf, ApiError> {
        let bars = Bars::new(progress);
        let (tell, told) = mpsc::channel();
        let question = self.asked(filename)?.on_event(move |event| drop(tell.send(event.clone())));
        // What shows progress may belong to this thread.
        thread::scope(|scope| {
            let asked = scope.spawn(|| question.download());
            told.iter().for_each(|event| bars.show(&event));
            let report = asked.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok(report.path)
        })
    }

    /// Asks what the repo holds.
    ///
    /// # Errors
    /// A hub that refuses or can't be reached.
    pub fn info(&self) -> Result<RepoInfo, ApiError> {
        let (repo, revision) = self.repo.named()?;
        Ok(self.api.hub.repo(repo).revision(revision.as_str()).info()?.into())
    }

    fn asked(&self, filename: &str) -> Result<blocking::FileDownload, ApiError> {
        let (repo, revision) = self.repo.named()?;
        Ok(self.api.hub.repo(repo).revision(revision.as_str()).file(filename))
    }
}
