//! All that is served: the sources in order, of which the first that has something answers.
//!
//! It blocks: callers run it off the async threads.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use hubstow_core::name::{Commit, FileName, Repo, Revision};

use crate::{
    ahead::{self, HashProgress},
    cached::{CacheDir, is_cache_dir},
    fault::Fault,
    folders::{Changing, Folders},
    hash::{Backlog, Hashes, Opened},
    kept::Kept,
    left_out::Teller,
    lfs_rules::LfsRules,
    listing::{Entry, Listing},
    reader::Reader,
    repos::Held,
    source::Source,
};

/// How often a file that changes between being listed and being opened is looked up again.
const TRIES: usize = 3;

/// What a folder that is served is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind {
    /// What it looks like when it is first looked at.
    #[default]
    Auto,
    /// A folder of plain folders: `org/name/` is a model.
    Folder,
    /// A cache directory: `models--org--name/` is a model.
    Cache,
}

/// A file of a commit, opened.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    pub(crate) commit: Commit,
    pub(crate) opened: Opened,
}

/// What is served, and how, before it is looked at.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) kind: SourceKind,
    pub(crate) rules: LfsRules,
    pub(crate) changing: Changing,
    pub(crate) teller: Teller,
    /// Where digests are kept.
    pub(crate) digests: Option<PathBuf>,
}

/// All that is served.
#[derive(Debug)]
pub(crate) struct Library {
    roots: Vec<PathBuf>,
    kind: SourceKind,
    changing: Changing,
    reader: Arc<Reader>,
    /// Made when it is first looked at, since only then the folders need be there.
    sources: OnceLock<Vec<Box<dyn Source>>>,
}

impl Library {
    pub(crate) fn new(plan: Plan) -> Self {
        let Plan { roots, kind, rules, changing, teller, digests } = plan;
        let canonical = |root: &PathBuf| root.canonicalize().unwrap_or_else(|_| root.clone());
        let within: Vec<PathBuf> = roots.iter().map(canonical).collect();
        // Nothing is written into what is served.
        let digests = digests.filter(|folder| !within.iter().any(|root| folder.starts_with(root)));
        let hashes =
            digests.map_or_else(Hashes::default, |folder| Hashes::kept(Kept::of(&folder, &within)));
        let reader = Arc::new(Reader::new(hashes, rules, teller));
        Self { roots, kind, changing, reader, sources: OnceLock::new() }
    }

    fn sources(&self) -> &[Box<dyn Source>] {
        self.sources.get_or_init(|| {
            let source = |root: &PathBuf| -> Box<dyn Source> {
                let (root, reader) = (root.clone(), Arc::clone(&self.reader));
                let is_cache = match self.kind {
                    SourceKind::Auto => is_cache_dir(&root),
                    SourceKind::Folder => false,
                    SourceKind::Cache => true,
                };
                if is_cache {
                    Box::new(CacheDir::new(root, reader))
                } else {
                    Box::new(Folders::new(root, self.changing, reader))
                }
            };
            self.roots.iter().map(source).collect()
        })
    }

    /// Tells whether nothing is served.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Checks that all of it can be read.
    ///
    /// # Errors
    /// Which folder can't be, and what the system says.
    pub(crate) fn check(&self) -> Result<(), (PathBuf, io::Error)> {
        self.sources().iter().try_for_each(|source| {
            source.check().map_err(|error| (source.root().to_owned(), error))
        })
    }

    /// Asks one source after the other; what is missing in one may be in the next.
    fn first<T>(&self, ask: impl Fn(&dyn Source) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut missing = Fault::RepoMissing;
        for source in self.sources() {
            match ask(source.as_ref()) {
                Err(Fault::RepoMissing) => {}
                Err(Fault::RevisionMissing) => missing = Fault::RevisionMissing,
                answered => return answered,
            }
        }
        Err(missing)
    }

    /// Tells whether there is such a repo.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub(crate) fn contains(&self, repo: &Repo) -> Result<(), Fault> {
        self.first(|source| source.contains(repo))
    }

    /// Returns what a revision holds. Files that are not hashed yet have no etags.
    ///
    /// # Errors
    /// There is no such repo or revision, or it can't be read.
    pub(crate) fn listing(
        &self,
        repo: &Repo,
        revision: Option<&Revision>,
    ) -> Result<Arc<Listing>, Fault> {
        self.first(|source| match revision {
            Some(revision) => source.listing(repo, revision),
            None => source.contains(repo).and(Err(Fault::RevisionMissing)),
        })
    }

    /// Returns what a revision holds, with the etags of the files that are wanted.
    ///
    /// # Errors
    /// As [`Library::listing`].
    pub(crate) fn hashed_listing(
        &self,
        repo: &Repo,
        revision: Option<&Revision>,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Arc<Listing>, Fault> {
        for _ in 0..TRIES {
            let listing = self.listing(repo, revision)?;
            let is_missing = |entry: &Entry| entry.etag.is_none() && wanted(entry);
            if !listing.entries().iter().any(is_missing) {
                return Ok(listing);
            }
            let hashed = listing.entries().iter().cloned().map(|entry| {
                let stamp = entry.stamp.clone();
                let entry =
                    if is_missing(&entry) { self.reader.hashed(entry)? } else { Some(entry) };
                Ok(entry.filter(|entry| entry.stamp == stamp))
            });
            // A file that is another one by now belongs to another commit.
            if let Some(entries) = hashed.collect::<io::Result<Option<Vec<Entry>>>>()? {
                return Ok(Arc::new(listing.with_entries(entries)));
            }
        }
        Err(changes().into())
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
        let mut missing = Fault::RepoMissing;
        // Sources may each have a part of one commit.
        let mut commit: Option<Revision> = None;
        for source in self.sources() {
            let wanted = commit.as_ref().or(revision);
            match (self.open_in(source.as_ref(), repo, wanted, file), &missing) {
                (Err(Fault::RepoMissing), _) => {}
                (Err(Fault::RevisionMissing), Fault::RepoMissing) => {
                    missing = Fault::RevisionMissing;
                }
                (Err(Fault::RevisionMissing), _) => {}
                (Err(fault @ (Fault::EntryMissing(_) | Fault::EntryAbsent(_))), _) => {
                    if let Fault::EntryMissing(at) | Fault::EntryAbsent(at) = &fault {
                        commit = Some(Revision::from(at));
                    }
                    if !matches!(missing, Fault::EntryAbsent(_)) {
                        missing = fault;
                    }
                }
                (answered, _) => return answered,
            }
        }
        Err(missing)
    }

    fn open_in(
        &self,
        source: &dyn Source,
        repo: &Repo,
        revision: Option<&Revision>,
        file: Option<&FileName>,
    ) -> Result<OpenedFile, Fault> {
        let Some(revision) = revision else {
            return source.contains(repo).and(Err(Fault::RevisionMissing));
        };
        if let Some(file) = file
            && let Some(commit) = source.commit(repo, revision)?
            && let Some(listing) = self.reader.of_commit(repo, &commit)
            && let Some(entry) = listing.file(file)
            && let Some(opened) = self.reader.open(entry)?
        {
            return Ok(OpenedFile { commit, opened });
        }
        for _ in 0..TRIES {
            let mut listing = source.listing(repo, revision)?;
            if let Some(entry) = file.and_then(|file| listing.file(file))
                && entry.etag.is_none()
            {
                // With this hash the commit by content may be known.
                self.reader.hashed(entry.clone())?;
                listing = source.listing(repo, revision)?;
            }
            let commit = listing.commit().clone();
            let Some(entry) = file.and_then(|file| listing.file(file)) else {
                let lacks = file.is_some_and(|file| listing.lacks(file));
                return Err(if lacks {
                    Fault::EntryAbsent(commit)
                } else {
                    Fault::EntryMissing(commit)
                });
            };
            if let Some(opened) = self.reader.open(entry)? {
                return Ok(OpenedFile { commit, opened });
            }
        }
        Err(changes().into())
    }

    /// Returns the revisions of a repo, each with its commit.
    ///
    /// # Errors
    /// There is no such repo, or it can't be read.
    pub(crate) fn revisions(&self, repo: &Repo) -> Result<Vec<(Revision, Commit)>, Fault> {
        let mut all: Vec<(Revision, Commit)> = Vec::new();
        let mut found = false;
        for source in self.sources() {
            match source.revisions(repo) {
                Ok(revisions) => {
                    found = true;
                    let is_new = |(at, _): &(Revision, Commit)| !all.iter().any(|(it, _)| it == at);
                    let new: Vec<_> = revisions.into_iter().filter(is_new).collect();
                    all.extend(new);
                }
                Err(Fault::RepoMissing) => {}
                Err(fault) => return Err(fault),
            }
        }
        if found { Ok(all) } else { Err(Fault::RepoMissing) }
    }

    /// Returns all repos, by kind and id.
    ///
    /// # Errors
    /// A folder can't be read.
    pub(crate) fn repos(&self) -> io::Result<Vec<Held>> {
        let mut all: BTreeMap<Repo, Held> = BTreeMap::new();
        for source in self.sources() {
            for held in source.repos()? {
                match all.get_mut(&held.repo) {
                    Some(known) => known.join(held),
                    None => drop(all.insert(held.repo.clone(), held)),
                }
            }
        }
        Ok(all.into_values().collect())
    }

    /// Hashes all that is not hashed yet, the smallest files first. What can't be read is left for whoever asks for it.
    ///
    /// # Errors
    /// A folder that is served can't be read.
    pub(crate) fn hash_ahead(&self, tell: &dyn Fn(HashProgress)) -> io::Result<()> {
        let mut unhashed = Vec::new();
        for source in self.sources() {
            unhashed.extend(source.unhashed()?);
        }
        ahead::hash(&self.reader, unhashed, tell);
        Ok(())
    }

    /// Returns what is not hashed yet, as far as known.
    pub(crate) fn backlog(&self) -> Backlog {
        self.reader.hashes.backlog()
    }
}

fn changes() -> io::Error {
    io::Error::other("the folder changes while it is read")
}
