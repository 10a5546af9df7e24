//! What the tests put, and how they ask.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hubstow_core::name::{Commit, Etag, Repo, RepoKind, Revision};
use hubstow_tier::{Error, ErrorKind, Limits, ObjectId, Put, Tier};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::faulty::Faulty;

/// A file, and the object that it is.
pub(crate) struct Sample {
    _folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) id: ObjectId,
}

impl Sample {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes)
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("content");
        std::fs::write(&path, &bytes).unwrap();
        let id = ObjectId::of(&Etag::parse(&hash).unwrap()).unwrap();
        Self { _folder: folder, path, bytes, id }
    }

    /// Content of a size that is put in one request, told apart by a number.
    pub(crate) fn small(number: u8) -> Self {
        Self::new(format!("content {number}").into_bytes())
    }

    /// Content of three parts.
    pub(crate) fn large() -> Self {
        Self::new(
            (0..11 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        )
    }

    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn key(&self) -> String {
        format!("objects/{}", self.id)
    }

    pub(crate) async fn put(&self, tier: &Tier) -> Result<Put, Error> {
        tier.put(&self.id, self.size(), &self.path).await
    }
}

/// Limits under which a test ends soon.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.part_bytes = 5 << 20;
    limits
}

/// A tier over a store that fails as it is told.
pub(crate) fn faulty() -> (Tier, Arc<Faulty>) {
    let store = Arc::new(Faulty::default());
    let tier = Tier::with_store(Arc::<Faulty>::clone(&store), limits());
    (tier, store)
}

/// Reads an object, or a range of it, whole.
pub(crate) async fn read(
    tier: &Tier,
    id: &ObjectId,
    range: Option<std::ops::Range<u64>>,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(mut content) = tier.get(id, range).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    while let Some(part) = content.chunk().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(Some(bytes))
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(end: Result<T, Error>) -> ErrorKind {
    end.expect_err("it must not be possible").kind()
}

pub(crate) fn repo(id: &str) -> Repo {
    Repo::new(RepoKind::Model, id.parse().unwrap())
}

pub(crate) fn main() -> Revision {
    Revision::parse("main").unwrap()
}

pub(crate) fn commit(digit: char) -> Commit {
    Commit::parse(&digit.to_string().repeat(40)).unwrap()
}

/// Lets what runs in the background come to an end.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
}
