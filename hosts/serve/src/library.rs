//! Repos as folders: which folder a revision is, what it holds, and its files opened for reading.
//!
//! It blocks: callers run it off the async threads. Folders are looked at anew for every request, unless the library is
//! frozen; what is remembered are digests and the listings of recent commits, and both are checked against the disk
//! before they are used.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use hubstow_core::name::{Commit, FileName, Repo, RepoKind, Revision};
use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

use crate::{
    fault::Fault,
    hash::{Backlog, Hashes, Opened, Storage},
    left_out::Teller,
    listing::{Entry, Listing},
    repos::{self, Held},
    walk::{Confines, Found, Walked},
};

/// The name of the revision that a folder without `@` holds.
pub(crate) const MAIN: &str = "main";
/// What is written percent-encoded in the name of a revision's folder; `%` so that every name has one meaning.
const IN_FOLDER_NAME: &AsciiSet = &AsciiSet::EMPTY.add(b'/').add(b'%');
/// How many commits are remembered: a few repos in use at the same time.
const KNOWN_LIMIT: usize = 64;
/// How often a file that changes between being listed and being opened is looked up again.
const TRIES: usize = 3;

/// Whether the folders that are served may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Folders {
    /// They may, so each request looks at them anew.
    #[default]
    Living,
    /// They don't: each is looked at once.
    Frozen,
}

/// A folder that can't be read, as the error that the system's is told with.
#[derive(Debug, thiserror::Error)]
#[error("`{}` can't be read", folder.display())]
struct Unreadable {
    folder: PathBuf,
    source: io::Error,
}

/// Which files count as LFS files.
#[derive(Clone, Debug)]
pub(crate) struct LfsRules {
    pub(crate) from_bytes: u64,
    pub(crate) globs: Vec<String>,
}

impl LfsRules {
    fn storage(&self, name: &FileName, len_bytes: u64) -> Storage {
        let named =
            || self.globs.iter().any(|glob| matches(glob.as_bytes(), name.as_str().as_bytes()));
        if len_bytes >= self.from_bytes || named() { Storage::Lfs } else { Storage::Git }
    }
}

/// Matches `*` (any run, slashes too) and `?` (any byte); everything else stands for itself.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    // After a mismatch only the latest `*` needs to take one byte more, so this ends after |glob| * |name| steps.
    let (mut at, mut pos) = (0, 0);
    let mut latest_star = None;
    while pos < name.len() {
        match glob.get(at) {
            Some(b'*') => {
                latest_star = Some((at, pos));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == name.get(pos) => {
                at += 1;
                pos += 1;
            }
            Some(_) | None => {
                let Some((star, taken)) = latest_star else {
                    return false;
                };
                latest_star = Some((star, taken + 1));
                (at, pos) = (star + 1, taken + 1);
            }
        }
    }
    glob.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// A file of a commit, opened.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    pub(crate) commit: Commit,
    pub(crate) opened: Opened,
}

/// The folder that is served.
#[derive(Debug)]
pub(crate) struct Library {
    root: PathBuf,
    rules: LfsRules,
    hashes: Hashes,
    folders: Folders,
    /// Who hears of what is left out.
    teller: Teller,
    /// The listings of recent commits, oldest first.
    known: Mutex<VecDeque<Known>>,
}

/// A listing that was read once, and where from.
#[derive(Debug)]
struct Known {
    repo: Repo,
    folder: PathBuf,
    listing: Arc<Listing>,
}

impl Library {
    pub(crate) fn new(root: PathBuf, rules: LfsRules, folders: Folders, teller: Teller) -> Self {
        let (hashes, known) = (Hashes::default(), Mutex::default());
        Self { root, rules, hashes, folders, teller, known }
    }

    /// Checks that the folder can be read.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn check(&self) -> io::Result<()> {
        Confines::of(&self.root).map(drop)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns what a revision holds.
    ///
    /// # Errors
    /// There is no such repo or revision, or it can't be read.
    pub(crate) fn listing(
        &self,
        repo: &Repo,
        revision: Option<&Revision>,
    ) -> Result<Arc<Listing>, Fault> {
        let confines = Confines::of(&self.root)?;
        let folders = folders(&confines, repo)?;
        let revision = revision.ok_or(Fault::RevisionMissing)?;
        if let Some(commit) = revision.as_commit() {
            for (_, folder) in &folders {
                let listing = self.read(&confines, repo, folder)?;
                if *listing.commit() == commit {
                    return Ok(listing);
                }
            }
            return Err(Fault::RevisionMissing);
        }
        let folder = folders.iter().find(|(at, _)| at == revision);
        let (_, folder) = folder.ok_or(Fault::RevisionMissing)?;
        Ok(self.read(&confines, repo, folder)?)
    }

    /// Opens a file of a revision.
    ///
    /// # Errors
    /// As [`Library::listing`], and where the revision has no such file.
    pub(crate) fn open(
        &self,
        repo: &Repo,
        revision: Option<&Revision>,
        file: Option<&FileName>,
    ) -> Result<OpenedFile, Fault> {
        if let (Some(revision), Some(file)) = (revision, file)
            && let Some(commit) = revision.as_commit()
            && let Some(listing) = self.known(repo, &commit)
            && let Some(entry) = listing.file(file)
            && let Some(opened) = self.open_entry(entry)?
        {
            return Ok(OpenedFile { commit, opened });
        }
        for _ in 0..TRIES {
            let listing = self.listing(repo, revision)?;
            let commit = listing.commit().clone();
            let Some(entry) = file.and_then(|file| listing.file(file)) else {
                return Err(Fault::EntryMissing(commit));
            };
            if let Some(opened) = self.open_entry(entry)? {
                return Ok(OpenedFile { commit, opened });
            }
        }
        Err(io::Error::other("the folder changes while it is read").into())
    }

    /// Returns the revisions of a repo, each with its commit.
    ///
    /// # Errors
    /// There is no such repo, or it can't be read.
    pub(crate) fn revisions(&self, repo: &Repo) -> Result<Vec<(Revision, Commit)>, Fault> {
        let confines = Confines::of(&self.root)?;
        let with_commit = |(revision, folder): (Revision, PathBuf)| {
            let listing = self.read(&confines, repo, &folder)?;
            Ok((revision, listing.commit().clone()))
        };
        folders(&confines, repo)?.into_iter().map(with_commit).collect()
    }

    /// Tells whether there is such a repo.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub(crate) fn contains(&self, repo: &Repo) -> Result<(), Fault> {
        folders(&Confines::of(&self.root)?, repo).map(drop)
    }

    /// Returns all repos, by kind and id.
    ///
    /// # Errors
    /// A folder can't be read.
    pub(crate) fn repos(&self) -> io::Result<Vec<Held>> {
        let confines = Confines::of(&self.root)?;
        let found = repos::below(&confines, named_revision)?;
        found.into_iter().map(|(repo, folders)| repos::summed(&confines, repo, folders)).collect()
    }

    /// Returns what is not hashed yet, as far as known.
    pub(crate) fn backlog(&self) -> Backlog {
        self.hashes.backlog()
    }

    fn entries(&self, confines: &Confines, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let Walked { files, left_out } = confines.files_below(folder)?;
        left_out.iter().for_each(|left_out| self.teller.tell(left_out));
        for found in files {
            match self.entry(found) {
                Ok(entry) => entries.push(entry),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn read(&self, confines: &Confines, repo: &Repo, folder: &Path) -> io::Result<Arc<Listing>> {
        let named = |source: io::Error| {
            io::Error::new(source.kind(), Unreadable { folder: folder.to_owned(), source })
        };
        if self.folders == Folders::Frozen
            && let Some(listing) = self.find(|known| known.folder == folder)
        {
            return Ok(listing);
        }
        let entries = self.entries(confines, folder).map_err(named)?;
        let listing = Arc::new(Listing::new(entries).map_err(io::Error::other)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|old| old.repo != *repo || old.listing.commit() != listing.commit());
        known.push_back(Known {
            repo: repo.clone(),
            folder: folder.to_owned(),
            listing: Arc::clone(&listing),
        });
        if known.len() > KNOWN_LIMIT {
            known.pop_front();
        }
        Ok(listing)
    }

    fn entry(&self, Found { name, path, stat }: Found) -> io::Result<Entry> {
        let storage = self.rules.storage(&name, stat.len());
        let (len_bytes, etag) = self.hashes.digest(&path, &stat, storage)?;
        Ok(Entry { name, path, storage, len_bytes, etag, modified: stat.modified().ok() })
    }

    fn known(&self, repo: &Repo, commit: &Commit) -> Option<Arc<Listing>> {
        self.find(|known| known.repo == *repo && known.listing.commit() == commit)
    }

    fn find(&self, which: impl Fn(&Known) -> bool) -> Option<Arc<Listing>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| which(known)).map(|known| Arc::clone(&known.listing))
    }

    /// Opens the file that was listed; `None` where something else is there by now.
    fn open_entry(&self, entry: &Entry) -> io::Result<Option<Opened>> {
        let confines = Confines::of(&self.root)?;
        if confines.enter(&entry.path).as_ref() != Some(&entry.path) {
            return Ok(None);
        }
        match self.hashes.open(&entry.path, entry.storage) {
            Ok(opened) => Ok(Some(opened).filter(|opened| opened.etag == entry.etag)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Finds the folders of a repo by revision: `main` first, the others in order.
fn folders(confines: &Confines, repo: &Repo) -> Result<Vec<(Revision, PathBuf)>, Fault> {
    let named = confines.root().join(repo.kind.plural());
    let bases = match repo.kind {
        RepoKind::Model => vec![confines.root().to_owned(), named],
        RepoKind::Dataset | RepoKind::Space | RepoKind::Kernel => vec![named],
    };
    for base in bases {
        let (parent, name) = match repo.id.as_str().split_once('/') {
            Some((org, name)) => (base.join(org), name),
            None => (base, repo.id.as_str()),
        };
        let Some(parent) = confines.enter(&parent).filter(|parent| parent.is_dir()) else {
            continue;
        };
        let folders = folders_in(confines, &parent, name)?;
        if !folders.is_empty() {
            return Ok(folders);
        }
    }
    Err(Fault::RepoMissing)
}

fn folders_in(
    confines: &Confines,
    parent: &Path,
    name: &str,
) -> io::Result<Vec<(Revision, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let Some(revision) = entry.file_name().to_str().and_then(|at| revision_of(at, name)) else {
            continue;
        };
        if let Some(folder) = confines.enter(&entry.path()).filter(|folder| folder.is_dir()) {
            folders.push((revision, folder));
        }
    }
    folders.sort_by(|(a, _), (b, _)| {
        (a.as_str() != MAIN, a.as_str()).cmp(&(b.as_str() != MAIN, b.as_str()))
    });
    Ok(folders)
}

/// Reads name and revision from the name of a folder.
fn named_revision(folder: &str) -> Option<(&str, Revision)> {
    let name = folder.split('@').next()?;
    Some((name, revision_of(folder, name)?))
}

/// Reads the revision from a folder's name: `name` or `name@REV`. A commit is found by content and never by name.
fn revision_of(folder: &str, name: &str) -> Option<Revision> {
    let rest = folder.strip_prefix(name)?;
    if rest.is_empty() {
        return Revision::parse(MAIN).ok();
    }
    let encoded = rest.strip_prefix('@')?;
    let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
    let canonical = utf8_percent_encode(&decoded, IN_FOLDER_NAME).to_string() == encoded;
    let revision = Revision::parse(&decoded).ok()?;
    (canonical && decoded != MAIN && revision.as_commit().is_none()).then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(folder: &str, expected: Option<&str>) {
        let revision = revision_of(folder, "name");
        assert_eq!(revision.as_ref().map(Revision::as_str), expected, "{folder}");
    }

    #[test]
    fn a_folder_name_means_one_revision_or_none() {
        check("name", Some("main"));
        check("name@v1.0", Some("v1.0"));
        check("name@refs%2Fpr%2F1", Some("refs/pr/1"));
        check("name@100%25", Some("100%"));
        for none in ["other", "name2", "name@", "name@main", "name@..", "name@a%2fb", "name@a%62"] {
            check(none, None);
        }
        check("name@%2Fx", None);
        check("name@0123456789012345678901234567890123456789", None);
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, expected) in [
            ("*.bin", "a/b.bin", true),
            ("*.bin", "a.bin.txt", false),
            ("data/*", "data/x/y", true),
            ("d?ta", "data", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab ab a", false),
            ("", "", true),
            ("*", "", true),
            ("x", "", false),
        ] {
            assert_eq!(matches(glob.as_bytes(), name.as_bytes()), expected, "{glob} {name}");
        }
    }
}
