//! What the entries of a source are: files of which repo and commit, and by which hash that is proved.
//!
//! Names alone prove nothing. What a file should hold says, in this order, the listing of its commit that this cache keeps,
//! the manifest of an export, the etag that a link names, and the listing that comes along; a plain file is what a kept listing
//! has by the same name and hash. Whatever else there is is left out by name.

mod folder;
mod repo;

use std::collections::{BTreeMap, HashMap};

use hubstow_cache::{Cache, care::inventory::Inventory, disk::cancel::Cancel};
use hubstow_core::{
    care::Role,
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, Revision},
};

use super::{LeftOut, source::Source};
use crate::lookup::listing::Listing;

/// How many copies of a content are tried.
const COPIES: usize = 4;

/// A file that is wanted, what proves it, and where it may be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) repo: Repo,
    pub(super) commit: Commit,
    pub(super) file: FileName,
    pub(super) etag: Etag,
    pub(super) sha256: Option<Etag>,
    pub(super) size: u64,
    /// Entries of the source, the likeliest first.
    pub(super) at: Vec<String>,
}

/// What is known of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) etag: Etag,
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<Etag>,
}

/// The files of a commit, as some listing has them.
pub(super) type Listed = HashMap<FileName, (Etag, u64)>;

/// All that was recognized.
#[derive(Default)]
pub(super) struct Recognized {
    pub(super) wanted: Vec<Wanted>,
    pub(super) refs: BTreeMap<(Repo, Revision), Commit>,
    /// Listings that come along, by where they are in the source.
    pub(super) listings: BTreeMap<(Repo, Commit), String>,
    pub(super) absent: Vec<(Repo, Commit, FileName)>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Recognized {
    /// Joins what is wanted for one file, wherever it was found.
    fn join(&mut self) {
        let mut joined: BTreeMap<(Repo, Commit, FileName), Wanted> = BTreeMap::new();
        for wanted in std::mem::take(&mut self.wanted) {
            let key = (wanted.repo.clone(), wanted.commit.clone(), wanted.file.clone());
            match joined.get_mut(&key) {
                Some(first) if first.etag == wanted.etag => first.at.extend(wanted.at),
                Some(_) => {
                    let what = format!("{}@{}/{}", wanted.repo.id, wanted.commit, wanted.file);
                    self.left_out.push(LeftOut::new(what, "it is there with other content before"));
                }
                None => {
                    joined.insert(key, wanted);
                }
            }
        }
        self.wanted = joined.into_values().collect();
    }
}

/// What the user says of files that do not say it themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The repo that they are of.
    pub repo: Repo,
    /// The revision that they are of.
    pub revision: Option<Revision>,
}

/// Recognizes the entries of a source.
pub(super) struct Recognizer<'a> {
    pub(super) source: &'a Source,
    cache: &'a Cache,
    said: Option<&'a Said>,
    cancel: &'a Cancel,
    /// The repos that this cache knows of by each commit.
    commits: HashMap<Commit, Repo>,
    kept: HashMap<(Repo, Commit), Option<Listed>>,
    pub(super) found: Recognized,
}

impl<'a> Recognizer<'a> {
    pub(super) fn new(
        source: &'a Source,
        (cache, inventory): (&'a Cache, &Inventory),
        said: Option<&'a Said>,
        cancel: &'a Cancel,
    ) -> Self {
        let commits = commits(inventory);
        let found = Recognized { left_out: source.left_out.clone(), ..Recognized::default() };
        Self { source, cache, said, cancel, commits, kept: HashMap::new(), found }
    }

    /// Recognizes all entries.
    pub(super) fn recognize(mut self) -> Recognized {
        let roots = self.repo_roots();
        for (root, repo) in &roots {
            self.repo_folder(root, repo);
        }
        let loose = self.loose(&roots);
        self.loose_files(&loose);
        self.found.join();
        self.found
    }

    fn leave_out(&mut self, what: &str, why: impl Into<String>) {
        self.found.left_out.push(LeftOut::new(what, why));
    }

    /// Finds the folders that are named as repo folders are.
    fn repo_roots(&self) -> BTreeMap<String, Repo> {
        let mut roots = BTreeMap::new();
        for path in self.source.entries.keys() {
            let mut at = 0;
            for part in path.split('/') {
                let end = at + part.len();
                // The last part is that of a file.
                if let Some(repo) = Repo::of_folder(part).filter(|_| end < path.len()) {
                    roots.insert(path.get(..end).unwrap_or_default().to_owned(), repo);
                    break;
                }
                at = end + 1;
            }
        }
        roots
    }

    /// Returns the entries that are in no repo folder, and are not a cache directory's own.
    fn loose(&self, roots: &BTreeMap<String, Repo>) -> Vec<String> {
        let caches: Vec<&str> =
            roots.keys().map(|root| root.rsplit_once('/').map_or("", |(above, _)| above)).collect();
        let below = |path: &'a str, folder: &str| match folder {
            "" => Some(path),
            folder => path.strip_prefix(folder)?.strip_prefix('/'),
        };
        let is_of_cache = |path: &'a str| {
            let own = |below: &str| {
                let first = below.split('/').next().unwrap_or_default();
                matches!(first, ".locks" | "blobs" | "CACHEDIR.TAG" | "version.txt")
                    || Repo::of_folder(first).is_some()
            };
            caches.iter().any(|cache| below(path, cache).is_some_and(own))
        };
        let paths = self.source.entries.keys();
        let paths = paths.filter(|path| !is_of_cache(path) && !is_nobodys(path));
        paths.cloned().collect()
    }

    /// Returns what this cache keeps of the listing of a commit.
    fn kept(&mut self, repo: &Repo, commit: &Commit) -> Option<&Listed> {
        let key = (repo.clone(), commit.clone());
        let cache = self.cache;
        let read = || listed(Listing::of_cache(cache, &RepoLayout::new(repo), commit)?);
        self.kept.entry(key).or_insert_with(read).as_ref()
    }
}

/// Returns the files of a listing by their names.
fn listed(listing: Listing) -> Option<Listed> {
    let files = listing.files.into_iter();
    Some(files.filter_map(|listed| Some((listed.file, listed.content?))).collect())
}

/// Returns which repo each commit is of that a cache knows something of.
fn commits(inventory: &Inventory) -> HashMap<Commit, Repo> {
    let mut commits = HashMap::new();
    let repos: HashMap<_, _> =
        inventory.repos.iter().filter_map(|held| Some((held.id, held.repo()?))).collect();
    for (id, item) in inventory.iter() {
        let name = match item.role {
            Role::Revision => item.at.base(),
            Role::Companion => item.at.base().trim_end_matches(".json"),
            Role::Repo
            | Role::Frame
            | Role::Ref
            | Role::Folder
            | Role::Pointer
            | Role::Blob
            | Role::Staged
            | Role::Payload
            | Role::Stranger => continue,
        };
        if let (Ok(commit), Some(repo)) = (Commit::parse(name), repos.get(&inventory.outermost(id)))
        {
            commits.insert(commit, repo.clone());
        }
    }
    commits
}

/// Tells whether an entry is one that systems and tools leave everywhere, or somebody's unfinished file.
fn is_nobodys(path: &str) -> bool {
    let base = path.rsplit('/').next().unwrap_or_default();
    matches!(base, ".DS_Store" | "Thumbs.db" | "desktop.ini" | "CACHEDIR.TAG")
        || base.ends_with(".incomplete")
        || base.ends_with(".lock")
        || base.starts_with("._")
        || base.starts_with(".hubstow-")
}
