//! Listings of commits, in the format that caches keep them in (`trees/<commit>.json`), and the objects that they name.

use std::collections::BTreeMap;

use bytes::Bytes;
use hubstow_core::name::{Commit, Etag, Repo};
use serde::Deserialize;

use crate::{
    error::{Error, ErrorKind},
    name::{ObjectId, tree},
    store::{Seen, Written},
    tier::Tier,
};

/// The most bytes of a listing: ten million files.
const TREE_LIMIT_BYTES: u64 = 1 << 30;

/// A listing as it lies in the tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(Bytes);

#[derive(Deserialize)]
struct Kept {
    format_version: u32,
    files: BTreeMap<String, KeptFile>,
}

#[derive(Deserialize)]
struct KeptFile {
    size: Option<u64>,
    blob_id: Option<String>,
    lfs_sha256: Option<String>,
    lfs_size: Option<u64>,
}

impl Tree {
    /// Reads a listing.
    ///
    /// # Errors
    /// What is no whole listing in the format, version 1: every file has a size and an etag.
    pub fn parse(bytes: Bytes) -> Result<Self, Error> {
        let tree = Self(bytes);
        tree.kept().map(|_| tree)
    }

    /// Returns the listing as JSON, as it is kept.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns the objects that the files of the commit are made of, with their sizes in bytes. A file whose etag proves
    /// nothing has none.
    #[must_use]
    pub fn objects(&self) -> Vec<(ObjectId, u64)> {
        // It was read before, so it can be read.
        let files = self.kept().map(|kept| kept.files).unwrap_or_default();
        let object = |file: KeptFile| {
            let etag = file.lfs_sha256.or(file.blob_id)?;
            let id = ObjectId::of(&Etag::parse(&etag).ok()?)?;
            Some((id, file.lfs_size.or(file.size)?))
        };
        files.into_values().filter_map(object).collect()
    }

    fn kept(&self) -> Result<Kept, Error> {
        let corrupt =
            |why: &str| Error::new(ErrorKind::Corrupt, "this is no listing of a commit", why);
        let kept: Kept =
            serde_json::from_slice(&self.0).map_err(|error| corrupt(&error.to_string()))?;
        if kept.format_version != 1 {
            return Err(corrupt("its `format_version` is not 1"));
        }
        let is_whole = |file: &KeptFile| file.size.is_some() && file.blob_id.is_some();
        if !kept.files.values().all(is_whole) {
            return Err(corrupt("a file lacks its size or its etag"));
        }
        Ok(kept)
    }
}

impl Tier {
    /// Reads the listing of a commit; `None` where the tier has none that can be read.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn tree(&self, repo: &Repo, commit: &Commit) -> Result<Option<Tree>, Error> {
        match self.read_tree(repo, commit).await? {
            Found::Tree(tree) => Ok(Some(tree)),
            Found::Nothing | Found::Unreadable(_) => Ok(None),
        }
    }

    /// Tells whether the tier has a listing of a commit, readable or not.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn has_tree(&self, repo: &Repo, commit: &Commit) -> Result<bool, Error> {
        Ok(self.0.store.head(&tree(repo, commit)).await?.is_some())
    }

    /// Keeps the listing of a commit. A commit has one listing, so one that is there stays.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn put_tree(
        &self,
        repo: &Repo,
        commit: &Commit,
        listing: &Tree,
    ) -> Result<(), Error> {
        let (store, key, bytes) = (&self.0.store, tree(repo, commit), listing.as_bytes());
        if let Written::Done(_) = store.create(&key, bytes.clone()).await? {
            return Ok(());
        }
        match self.read_tree(repo, commit).await? {
            Found::Tree(_) => Ok(()),
            // It was taken away in this moment: the next one who wants it keeps it.
            Found::Nothing => Ok(()),
            Found::Unreadable(seen) => store.update(&key, &seen.tag, bytes.clone()).await.map(drop),
        }
    }

    async fn read_tree(&self, repo: &Repo, commit: &Commit) -> Result<Found, Error> {
        let key = tree(repo, commit);
        let Some((bytes, seen)) = self.0.store.read(&key, TREE_LIMIT_BYTES).await? else {
            return Ok(Found::Nothing);
        };
        let Some(bytes) = bytes else { return Ok(Found::Unreadable(seen)) };
        Ok(Tree::parse(bytes).map_or_else(
            |error| {
                tracing::warn!(%key, %error, "a listing of the tier counts as unknown");
                Found::Unreadable(seen)
            },
            Found::Tree,
        ))
    }

    /// Reads the listing of a commit that must be there and right: what depends on it is not to be deleted by mistake.
    pub(crate) async fn tree_or_error(&self, repo: &Repo, commit: &Commit) -> Result<Tree, Error> {
        let why = match self.read_tree(repo, commit).await? {
            Found::Tree(tree) => return Ok(tree),
            Found::Nothing => "it is not there",
            Found::Unreadable(_) => "it is no listing",
        };
        let what = format!("the listing `{}` of a pinned repo can't be read", tree(repo, commit));
        let way_out = "nothing is evicted until a node writes it again or the pin is removed";
        Err(Error::new(ErrorKind::Corrupt, what, format!("{why}; {way_out}")))
    }
}

enum Found {
    Tree(Tree),
    Nothing,
    Unreadable(Seen),
}
