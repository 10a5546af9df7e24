//! The listing of a commit that a cache keeps, `trees/<commit>.json`: the sizes and hashes of its files.

use std::{collections::HashMap, fs::File, io::Read as _, path::Path};

use hubstow_core::name::{Commit, Etag};
use serde::Deserialize;

/// The most bytes that are read: some five million files.
const LIMIT_BYTES: u64 = 1 << 30;
const VERSION: u64 = 1;

/// A file of a commit.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) etag: Etag,
    pub(crate) len_bytes: u64,
}

#[derive(Deserialize)]
struct Kept {
    format_version: u64,
    files: HashMap<String, KeptFile>,
}

#[derive(Deserialize)]
struct KeptFile {
    size: u64,
    blob_id: String,
    lfs_sha256: Option<String>,
    lfs_size: Option<u64>,
}

/// Reads the listing of a commit; `None` where none is kept that can be understood.
pub(crate) fn read(repo: &Path, commit: &Commit) -> Option<HashMap<String, Listed>> {
    let path = repo.join("trees").join(format!("{commit}.json"));
    let mut content = Vec::new();
    File::open(path).ok()?.take(LIMIT_BYTES).read_to_end(&mut content).ok()?;
    let kept: Kept = serde_json::from_slice(&content).ok()?;
    if kept.format_version != VERSION {
        return None;
    }
    let listed = kept.files.into_iter().map(|(name, file)| {
        let hash = file.lfs_sha256.unwrap_or(file.blob_id);
        let len_bytes = file.lfs_size.unwrap_or(file.size);
        Some((name, Listed { etag: Etag::parse(&hash).ok()?, len_bytes }))
    });
    listed.collect()
}
