//! What the hub says of one file, without its content.

use hubstow_native::{Error, ErrorKind, ListedFile, RepoPath};

/// What the hub says of a file.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
///
/// let api = ApiBuilder::from_cache(Cache::new(here.place("home/hub"))).with_endpoint(here.url()).build()?;
/// let url = api.model("org/model".to_owned()).url("config.json");
/// let said = api.metadata(&url)?;
/// assert_eq!(said.size(), 2);
/// println!("{} at {}", said.etag(), said.commit_hash());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    commit_hash: String,
    etag: String,
    size: usize,
}

impl Metadata {
    /// Returns the commit.
    #[must_use]
    pub fn commit_hash(&self) -> &str {
        &self.commit_hash
    }

    /// Returns the identity of the content: the name of its blob.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Finds a file among those that are listed.
    pub(super) fn of(path: &RepoPath, commit: &str, files: Vec<ListedFile>) -> Result<Self, Error> {
        let name = path.path.as_deref().unwrap_or_default();
        let Some(found) = files.into_iter().find(|file| file.file.as_str() == name) else {
            let what = format!("{} has no file `{name}`", path.repo);
            return Err(Error::new(ErrorKind::EntryNotFound, what));
        };
        let (Some(etag), Some(size)) = (found.etag, found.size) else {
            let what = format!("the hub tells neither hash nor size of `{name}`");
            return Err(Error::new(ErrorKind::HubFailing, what));
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Self { commit_hash: commit.to_owned(), etag: etag.to_string(), size })
    }
}
