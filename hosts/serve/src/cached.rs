//! A cache directory of any tool as a source: repos, refs and commits are what they are there.
//!
//! Nothing is followed to outside of it, and it shows only what is finished: no staged files, no locks, no records.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_core::{
    layout::CACHE_TAG,
    name::{Commit, Repo, RepoKind, Revision},
};

use crate::{
    fault::Fault,
    left_out::LeftOut,
    listing::{Entry, Listing},
    places::MAIN,
    reader::Reader,
    repos::Held,
    snapshot::Snapshot,
    source::Source,
};

/// The most bytes of a ref that are read.
const REF_LIMIT_BYTES: u64 = 1024;
/// How deep names of refs may be nested: longer ones are no revisions.
const DEPTH_LIMIT: usize = 64;

/// Tells whether a folder is a cache directory, by what is in it: a repo folder, or the tag that clients put into an empty one.
pub(crate) fn is_cache_dir(root: &Path) -> bool {
    let tagged = || {
        let tag = fs::read_to_string(root.join("CACHEDIR.TAG"));
        tag.is_ok_and(|tag| tag == CACHE_TAG)
    };
    let is_repo = |entry: fs::DirEntry| {
        let named =
            entry.file_name().to_str().is_some_and(|name| RepoKind::of_folder(name).is_some());
        named
            && ["snapshots", "blobs", "refs"].iter().any(|inner| entry.path().join(inner).is_dir())
    };
    let mut entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries.any(is_repo) || tagged()
}

/// A cache directory.
#[derive(Debug)]
pub(crate) struct CacheDir {
    root: PathBuf,
    reader: Arc<Reader>,
}

/// A repo folder.
struct Folder {
    repo: Repo,
    path: PathBuf,
}

impl CacheDir {
    pub(crate) fn new(root: PathBuf, reader: Arc<Reader>) -> Self {
        Self { root, reader }
    }

    /// Finds all repo folders. A name is never joined to a path, so that no name means another folder where case is folded.
    fn folders(&self) -> io::Result<Vec<Folder>> {
        let root = self.root.canonicalize()?;
        let (mut folders, mut left_out) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some(repo) = Repo::of_folder(&name) else { continue };
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(Folder { repo, path });
            } else {
                let why = format!("`{name}` is no folder, so it is no repo");
                left_out.push(LeftOut { path, why });
            }
        }
        self.reader.leave_out(&left_out);
        folders.sort_by(|one, other| one.repo.cmp(&other.repo));
        Ok(folders)
    }

    fn folder(&self, repo: &Repo) -> Result<Folder, Fault> {
        let found = self.folders()?.into_iter().find(|folder| folder.repo == *repo);
        let found = found.ok_or(Fault::RepoMissing)?;
        // A repo without any snapshot has nothing to be served: what is there is unfinished.
        if fs::read_dir(found.path.join("snapshots")).is_ok() {
            Ok(found)
        } else {
            Err(Fault::RepoMissing)
        }
    }

    fn snapshot(&self, folder: &Folder, revision: &Revision) -> Result<Snapshot, Fault> {
        let commit = match revision.as_commit() {
            Some(commit) => Some(commit),
            None => self.refs(folder)?.into_iter().find(|(at, _)| at == revision).map(|at| at.1),
        };
        let commit = commit.ok_or(Fault::RevisionMissing)?;
        Snapshot::of(&self.root.canonicalize()?, &folder.path, commit).ok_or(Fault::RevisionMissing)
    }

    /// Reads the refs of a repo; those that lead nowhere are left out.
    fn refs(&self, folder: &Folder) -> io::Result<Vec<(Revision, Commit)>> {
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        refs_below(&folder.path.join("refs"), "", 0, &mut found)?;
        let root = self.root.canonicalize()?;
        let mut refs = Vec::new();
        for (name, path) in found {
            let Ok(revision) = Revision::parse(&name) else { continue };
            let content = read_up_to(&path, REF_LIMIT_BYTES).unwrap_or_default();
            let commit = Commit::from_ref_file(&content);
            let is_here =
                |commit: &Commit| Snapshot::of(&root, &folder.path, commit.clone()).is_some();
            match commit {
                Some(commit) if is_here(&commit) => refs.push((revision, commit)),
                Some(_) => {
                    let why = format!("`{name}` of {} leads to no snapshot", folder.repo);
                    left_out.push(LeftOut { path, why });
                }
                None => {
                    let why = format!("`{name}` of {} holds no commit", folder.repo);
                    left_out.push(LeftOut { path, why });
                }
            }
        }
        self.reader.leave_out(&left_out);
        refs.sort_by(|(a, _), (b, _)| {
            (a.as_str() != MAIN, a.as_str()).cmp(&(b.as_str() != MAIN, b.as_str()))
        });
        Ok(refs)
    }

    /// Finds all snapshots of a repo.
    fn snapshots(&self, folder: &Folder) -> io::Result<Vec<Snapshot>> {
        let root = self.root.canonicalize()?;
        let entries = match fs::read_dir(folder.path.join("snapshots")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let commits = entries.flatten().filter_map(|entry| {
            let commit = Commit::parse(entry.file_name().to_str()?).ok()?;
            Snapshot::of(&root, &folder.path, commit)
        });
        Ok(commits.collect())
    }

    fn held(&self, folder: &Folder) -> io::Result<Option<Held>> {
        let snapshots = self.snapshots(folder)?;
        if snapshots.is_empty() {
            return Ok(None);
        }
        let listings: io::Result<Vec<Listing>> =
            snapshots.iter().map(|snapshot| snapshot.read(&self.reader)).collect();
        let listings = listings?;
        let mut held =
            Held::of(folder.repo.clone(), listings.iter().map(|listing| (None, listing.entries())));
        held.revisions = self.refs(folder)?.into_iter().map(|(revision, _)| revision).collect();
        Ok(Some(held))
    }
}

impl Source for CacheDir {
    fn root(&self) -> &Path {
        &self.root
    }

    fn check(&self) -> io::Result<()> {
        fs::read_dir(&self.root).map(drop)
    }

    fn contains(&self, repo: &Repo) -> Result<(), Fault> {
        self.folder(repo).map(drop)
    }

    fn commit(&self, repo: &Repo, revision: &Revision) -> Result<Option<Commit>, Fault> {
        if let Some(commit) = revision.as_commit() {
            return Ok(Some(commit));
        }
        let folder = self.folder(repo)?;
        let found = self.refs(&folder)?.into_iter().find(|(at, _)| at == revision);
        found.map(|(_, commit)| Some(commit)).ok_or(Fault::RevisionMissing)
    }

    fn listing(&self, repo: &Repo, revision: &Revision) -> Result<Arc<Listing>, Fault> {
        let folder = self.folder(repo)?;
        let snapshot = self.snapshot(&folder, revision)?;
        let listing = Arc::new(snapshot.read(&self.reader)?);
        self.reader.remember(repo, snapshot.path(), &listing);
        Ok(listing)
    }

    fn revisions(&self, repo: &Repo) -> Result<Vec<(Revision, Commit)>, Fault> {
        Ok(self.refs(&self.folder(repo)?)?)
    }

    fn repos(&self) -> io::Result<Vec<Held>> {
        let folders = self.folders()?;
        let held = folders
            .iter()
            .filter_map(|folder| self.reader.readable(&folder.path, self.held(folder)).flatten());
        Ok(held.collect())
    }

    fn unhashed(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for folder in self.folders()? {
            let snapshots = self.reader.readable(&folder.path, self.snapshots(&folder));
            for snapshot in snapshots.unwrap_or_default() {
                let listing = snapshot.read(&self.reader);
                let Some(listing) = self.reader.readable(snapshot.path(), listing) else {
                    continue;
                };
                let unhashed = listing.entries().iter().filter(|entry| entry.etag.is_none());
                entries.extend(unhashed.cloned());
            }
        }
        Ok(entries)
    }
}

/// Finds the files below a folder of refs by the names that they have there. Links are not followed.
fn refs_below(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEPTH_LIMIT {
            refs_below(&entry.path(), &format!("{prefix}{name}/"), depth + 1, found)?;
        } else if kind.is_file() && !name.ends_with(".tmp") {
            found.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

fn read_up_to(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    use io::Read as _;

    let mut content = Vec::new();
    fs::File::open(path)?.take(limit_bytes).read_to_end(&mut content)?;
    Ok(content)
}
