//! What hubstow has written down of a snapshot that it had proved: which etag a regular file has.
//!
//! One line for each file: etag, disk, inode, size, and the times of the last changes. It counts only where the file is still
//! the same by all of that but its disk, which is the record's own.

use std::{
    collections::HashMap,
    fs::{File, Metadata},
    io::Read as _,
    path::Path,
};

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, Repo},
};

/// The most bytes that are read.
const LIMIT_BYTES: u64 = 16 << 20;
/// As which the record names the disk that it is on itself.
const HERE: &str = ".";

/// What was proved of a snapshot, by which file it is.
#[derive(Debug, Default)]
pub(crate) struct Proved(HashMap<String, Etag>);

impl Proved {
    /// Reads what was written down; nothing where there is nothing that can be understood.
    pub(crate) fn read(cache: &Path, repo: &Repo, commit: &Commit) -> Self {
        let mut content = Vec::new();
        let at = cache.join(RepoLayout::new(repo).snapshot_proofs(commit).as_str());
        let file = File::open(at).ok();
        let read = file.and_then(|file| file.take(LIMIT_BYTES).read_to_end(&mut content).ok());
        let text = read.and_then(|_| str::from_utf8(&content).ok()).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let (etag, rest) = line.split_once(' ')?;
            let (disk, identity) = rest.split_once(' ')?;
            let etag = Etag::parse(etag).ok().filter(|_| disk == HERE)?;
            Some((identity.to_owned(), etag))
        });
        Self(lines.collect())
    }

    /// Returns the etag of a file.
    pub(crate) fn etag(&self, stat: &Metadata) -> Option<Etag> {
        self.0.get(&identity_of(stat)?).cloned()
    }
}

/// Writes down which file it is, as the records do.
fn identity_of(stat: &Metadata) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let nanos =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let modified = nanos(stat.mtime(), stat.mtime_nsec());
        let changed = nanos(stat.ctime(), stat.ctime_nsec());
        Some(format!("{} {} {modified} {changed}", stat.ino(), stat.size()))
    }
    #[cfg(not(unix))]
    {
        let _ = stat;
        None
    }
}
