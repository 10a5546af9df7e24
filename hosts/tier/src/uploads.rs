//! Uploads that were begun and never completed. They are visible to nobody, but they take room until somebody ends them.

use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;

use crate::{
    decide::{Leftover, is_leftover},
    error::{Error, ErrorKind},
    name::{CLOCK, FOLDERS, SWEPT},
};

/// How torn uploads are found and ended in one kind of store.
#[async_trait]
pub(crate) trait Uploads: Send + Sync {
    /// Ends those that are older than `patience_ms` by the store's clock, and returns how many.
    async fn clear(&self, patience_ms: u64, now_ms: i64) -> Result<Cleared, Error>;
}

/// What came of clearing torn uploads away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// So many were ended.
    Count(u64),
    /// This store does not list them, or not to us. A rule of the bucket has to end them.
    ByRule,
}

/// Of stores that keep none: what is not complete is in the memory of whoever uploads.
pub(crate) struct Nothing;

#[async_trait]
impl Uploads for Nothing {
    async fn clear(&self, _: u64, _: i64) -> Result<Cleared, Error> {
        Ok(Cleared::Count(0))
    }
}

/// Of stores that end them by a rule or by themselves.
pub(crate) struct ByRule;

#[async_trait]
impl Uploads for ByRule {
    async fn clear(&self, _: u64, _: i64) -> Result<Cleared, Error> {
        Ok(Cleared::ByRule)
    }
}

/// Of a folder: files beside the objects, with a number behind a `#`.
pub(crate) struct OfFolder(pub(crate) PathBuf);

#[async_trait]
impl Uploads for OfFolder {
    async fn clear(&self, patience_ms: u64, now_ms: i64) -> Result<Cleared, Error> {
        let root = self.0.clone();
        let work = tokio::task::spawn_blocking(move || clear_folder(&root, patience_ms, now_ms));
        let failed = |why: String| {
            Error::new(ErrorKind::Unavailable, "torn uploads can't be cleared away", why)
        };
        let count = work.await.map_err(|error| failed(error.to_string()))?;
        count.map(Cleared::Count).map_err(|error| failed(error.to_string()))
    }
}

/// Looks at what a tier has and at nothing else: whatever lies beside that in the folder is another's.
fn clear_folder(root: &FilePath, patience_ms: u64, now_ms: i64) -> std::io::Result<u64> {
    let mut cleared = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            let Some(name) = name.to_str() else { continue };
            let is_top = folder == root;
            if kind.is_dir() && (!is_top || FOLDERS.contains(&name)) {
                folders.push(entry.path());
            }
            let staged_for = staged_for(name);
            let is_staged = staged_for.is_some_and(|of| !is_top || of == CLOCK || of == SWEPT);
            if !kind.is_file() || !is_staged {
                continue;
            }
            let Ok(modified) = entry.metadata().and_then(|meta| meta.modified()) else { continue };
            let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let at_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            if is_leftover(Leftover::Upload { patience_ms }, at_ms, now_ms) {
                match std::fs::remove_file(entry.path()) {
                    Ok(()) => cleared += 1,
                    // It was completed, or ended, in this moment.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(cleared)
}

/// Returns the name that a file is to have which the store's library still writes; `None` of other files.
fn staged_for(name: &str) -> Option<&str> {
    let (of, number) = name.rsplit_once('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(of)
}
