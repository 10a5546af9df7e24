//! The hub, with async and without.

#[cfg(feature = "ureq")]
pub mod sync;
#[cfg(feature = "tokio")]
pub mod tokio;

mod bars;
mod builder;
mod error;
mod metadata;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::{error::RequestFailure, metadata::Metadata};

/// One file of a repo.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::api::sync::ApiBuilder;
///
/// let api = ApiBuilder::from_cache(hubstow_hf_hub::Cache::new(here.place("home/hub"))).with_endpoint(here.url()).build()?;
/// let files = api.model("org/model".to_owned()).info()?.siblings;
/// assert!(files.iter().any(|file| file.rfilename == "config.json"));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Siblings {
    /// Its path in the repo.
    pub rfilename: String,
}

/// What the hub tells of a repo at a revision.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
///
/// let api = ApiBuilder::from_cache(Cache::new(here.place("home/hub"))).with_endpoint(here.url()).build()?;
/// let info = api.model("org/model".to_owned()).info()?;
/// println!("{} files at {}", info.siblings.len(), info.sha);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct RepoInfo {
    /// Its files.
    pub siblings: Vec<Siblings>,
    /// The commit.
    pub sha: String,
}

impl From<hubstow_native::RepoInfo> for RepoInfo {
    fn from(info: hubstow_native::RepoInfo) -> Self {
        let siblings = info.files.into_iter().map(|rfilename| Siblings { rfilename }).collect();
        Self { siblings, sha: info.commit.to_string() }
    }
}

/// Progress of one file, as it is shown to a person.
///
/// ```
/// use hubstow_hf_hub::api::Progress;
///
/// /// Counts what has come.
/// struct Counted(usize);
///
/// impl Progress for Counted {
///     fn init(&mut self, size: usize, filename: &str) {
///         println!("{filename}: {size} bytes");
///     }
///
///     fn update(&mut self, size: usize) {
///         self.0 += size;
///     }
///
///     fn finish(&mut self) {
///         println!("{} bytes have come", self.0);
///     }
/// }
/// ```
pub trait Progress {
    /// A transfer of so many bytes begins.
    fn init(&mut self, size: usize, filename: &str);
    /// So many more bytes have come.
    fn update(&mut self, size: usize);
    /// It has ended.
    fn finish(&mut self);
}

impl Progress for () {
    fn init(&mut self, _size: usize, _filename: &str) {}
    fn update(&mut self, _size: usize) {}
    fn finish(&mut self) {}
}

impl Progress for indicatif::ProgressBar {
    fn init(&mut self, size: usize, filename: &str) {
        self.set_length(size as u64);
        self.set_message(filename.to_owned());
    }

    fn update(&mut self, size: usize) {
        self.inc(size as u64);
    }

    fn finish(&mut self) {
        Self::finish(self);
    }
}

/// Returns the address of a file.
fn url(endpoint: &str, repo: &crate::Repo, filename: &str) -> String {
    let revision = repo.url_revision();
    format!("{endpoint}/{}/resolve/{revision}/{filename}", repo.url())
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
