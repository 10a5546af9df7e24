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
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Siblings {
    /// Its path in the repo.
    pub rfilename: String,
}

/// What the hub tells of a repo at a revision.
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
