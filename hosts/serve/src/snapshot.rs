//! One snapshot of a cache, as any tool has left it: what it holds, with the etags that the cache knows already.
//!
//! The link of a pointer names its blob, and a blob's name is its etag. A regular file in a link's place (a degraded cache) has
//! its etag from the kept listing of the commit, from what hubstow has proved of it, from the blob that it is another name of, or
//! else it is hashed. Names that are unfinished are passed over, and so is what can't be what it should be, which is told.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{Commit, ContentHash, Etag, Repo, RepoKind},
};

use crate::{
    hash::{Stamp, Storage},
    left_out::LeftOut,
    listing::{Entry, Listing},
    proved::Proved,
    reader::Reader,
    tree_file::{self, Listed},
    walk::{Confines, FolderLinks, Found, Walked},
};

/// The etags of nothing.
const OF_NOTHING: [&str; 2] = [
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// A snapshot of a cache.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The cache directory, canonical.
    cache: PathBuf,
    /// The repo folder, canonical.
    repo: PathBuf,
    commit: Commit,
    path: PathBuf,
}

impl Snapshot {
    /// Names a snapshot of a repo folder, whose path is canonical; `None` where there is none.
    pub(crate) fn of(cache: &Path, repo: &Path, commit: Commit) -> Option<Self> {
        let path = repo.join("snapshots").join(commit.as_str());
        // A link in its place, or on the way to it, could lead anywhere.
        let is_itself = path.canonicalize().ok()? == path;
        let (cache, repo) = (cache.to_owned(), repo.to_owned());
        (is_itself && path.is_dir()).then_some(Self { cache, repo, commit, path })
    }

    /// Recognizes the snapshot that a link leads to, by the shape of its path and what is beside it.
    pub(crate) fn behind(link: &Path) -> Option<Self> {
        let end = link.canonicalize().ok()?;
        let commit = Commit::parse(end.file_name()?.to_str()?).ok()?;
        let snapshots = end.parent()?;
        let repo = snapshots.parent()?;
        let is_one = snapshots.file_name()?.to_str()? == "snapshots"
            && RepoKind::of_folder(repo.file_name()?.to_str()?).is_some()
            && repo.join("blobs").is_dir();
        if !is_one {
            return None;
        }
        Self::of(repo.parent()?, repo, commit)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the confines of what it may lead to: its cache, since blobs may be in the store that repos share.
    ///
    /// # Errors
    /// The cache directory can't be read.
    pub(crate) fn confines(&self) -> io::Result<Confines> {
        Confines::of(&self.cache)
    }

    /// Reads what it holds.
    ///
    /// # Errors
    /// A folder can't be read.
    pub(crate) fn read(&self, reader: &Reader) -> io::Result<Listing> {
        let confines = self.confines()?.with_folder_links(FolderLinks::LeftOut);
        let Walked { files, mut left_out } = confines.files_below(&self.path)?;
        let listed = tree_file::read(&self.repo, &self.commit).unwrap_or_default();
        let others = Others { snapshot: self, proved: OnceCell::new(), blobs: OnceCell::new() };
        let mut entries = Vec::new();
        for found in files {
            if is_unfinished(found.name.base()) {
                continue;
            }
            let path = self.path.join(found.name.as_str());
            let name = found.name.as_str().to_owned();
            let told = listed.get(&name);
            match self.entry(reader, found, told, &others) {
                Ok(entry) => entries.push(entry),
                Err(why) => left_out.push(LeftOut { path, why: format!("`{name}` {why}") }),
            }
        }
        reader.leave_out(&left_out);
        let here: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let absent = listed.into_keys().filter(|name| !here.contains(name.as_str())).collect();
        Ok(Listing::at(self.commit.clone(), entries).without(absent))
    }

    /// Makes the entry of a file; `Err` says what is wrong with it.
    fn entry(
        &self,
        reader: &Reader,
        found: Found,
        told: Option<&Listed>,
        others: &Others<'_>,
    ) -> Result<Entry, &'static str> {
        let linked = found.link.as_ref().map(|text| self.etag_of_link(&found, text));
        let etag = match linked {
            Some(None) => return Err("is a link to something that is no blob of its repo"),
            Some(Some(etag)) => Some(etag),
            None => match told {
                Some(listed) => Some(listed.etag.clone()),
                None => others.etag(&found.stat),
            },
        };
        let len_bytes = found.stat.len();
        if told.is_some_and(|listed| listed.len_bytes != len_bytes) {
            return Err("has another size than its commit says; `hubstow cache verify` tells more");
        }
        let Some(etag) = etag else {
            return Ok(reader.entry(found));
        };
        let is_hash = etag.content_hash() != ContentHash::Opaque;
        if len_bytes == 0 && is_hash && !OF_NOTHING.contains(&etag.as_str()) {
            return Err("is empty, which its hash denies; `hubstow cache verify` tells more");
        }
        let stamp = Stamp::of(&found.stat);
        reader.hashes.told(&found.path, &stamp, &etag);
        let Found { name, path, root, .. } = found;
        let storage = Storage::of(&etag);
        Ok(Entry { name, path, root, storage, len_bytes, stamp, etag: Some(etag) })
    }

    /// Reads the etag from a link to a blob of this repo: relative, as all tools write it, or absolute, as some have.
    fn etag_of_link(&self, found: &Found, text: &Path) -> Option<Etag> {
        if text.is_absolute() {
            let blobs = text.parent()?.canonicalize().ok()?;
            let is_ours = blobs == self.repo.join("blobs");
            return Etag::parse(text.file_name()?.to_str()?).ok().filter(|_| is_ours);
        }
        RepoLayout::etag_of_link(&found.name, &text.to_str()?.replace('\\', "/"))
    }

    /// Finds which blob a regular file is another name of.
    fn blobs_by_inode(&self) -> HashMap<u64, Etag> {
        let blobs = fs::read_dir(self.repo.join("blobs")).into_iter().flatten().flatten();
        let blobs = blobs.filter_map(|blob| {
            let etag = Etag::parse(blob.file_name().to_str()?).ok()?;
            // What is unfinished has a name with a dot.
            let is_hash = etag.content_hash() != ContentHash::Opaque;
            let stat = fs::symlink_metadata(blob.path()).ok().filter(fs::Metadata::is_file)?;
            Some((inode(&stat)?, etag)).filter(|_| is_hash)
        });
        blobs.collect()
    }
}

/// What else tells the etag of a regular file, read where it is needed.
struct Others<'a> {
    snapshot: &'a Snapshot,
    proved: OnceCell<Proved>,
    blobs: OnceCell<HashMap<u64, Etag>>,
}

impl Others<'_> {
    fn etag(&self, stat: &fs::Metadata) -> Option<Etag> {
        let Snapshot { cache, repo, commit, .. } = self.snapshot;
        let proved = self.proved.get_or_init(|| {
            let repo = repo.file_name().and_then(|name| Repo::of_folder(name.to_str()?));
            repo.map_or_else(Proved::default, |repo| Proved::read(cache, &repo, commit))
        });
        proved.etag(stat).or_else(|| {
            let blobs = self.blobs.get_or_init(|| self.snapshot.blobs_by_inode());
            inode(stat).and_then(|inode| blobs.get(&inode).cloned())
        })
    }
}

/// Tells which file it is, where it has several names and the system tells.
fn inode(stat: &fs::Metadata) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        (stat.nlink() > 1).then(|| stat.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = stat;
        None
    }
}

fn is_unfinished(name: &str) -> bool {
    RepoLayout::parse_scratch_in(&CachePath::root(), name).is_some()
        || name.ends_with(".incomplete")
}
