//! What of a cache is carried away: repos, revisions and files, with what names and proves each content.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io,
};

use hubstow_cache::{
    Cache,
    care::{
        inventory::{HeldRepo, Inventory, Item},
        leads::Leads,
        summary::{FileSum, RepoSum, RevisionSum},
    },
    disk::{
        Identity,
        content::{Hasher, pass_through},
    },
};
use hubstow_core::{
    care::{Id, Role},
    layout::{CachePath, RepoLayout},
    name::{Commit, Etag, FileName, Repo, Revision},
};

use super::{
    LeftOut,
    guard::is_hash,
    manifest::{Manifest, ManifestFile, ManifestRevision},
};
use crate::{
    api::error::{Error, from_io},
    lookup::listing::Listing,
};

/// A repo of which something is carried.
#[derive(Clone, Debug)]
pub(super) struct ChosenRepo {
    pub(super) repo: Repo,
    pub(super) refs: BTreeMap<Revision, Commit>,
    pub(super) revisions: Vec<ChosenRevision>,
}

/// A revision of it.
#[derive(Clone, Debug)]
pub(super) struct ChosenRevision {
    pub(super) commit: Commit,
    /// The kept listing, as it is.
    pub(super) listing: Option<CachePath>,
    pub(super) files: Vec<ChosenFile>,
    pub(super) absent: BTreeSet<FileName>,
}

/// A file of it.
#[derive(Clone, Debug)]
pub(super) struct ChosenFile {
    pub(super) name: FileName,
    pub(super) etag: Etag,
    pub(super) sha256: Option<Etag>,
    pub(super) size: u64,
    /// Where it is read.
    pub(super) from: CachePath,
}

/// Looks up what the chosen entries are. What can't be carried is told.
pub(super) struct Chooser<'a> {
    cache: &'a Cache,
    inventory: &'a Inventory,
    asked: HashSet<Id>,
    pub(super) left_out: Vec<LeftOut>,
}

/// What names the content of the files of a revision.
struct Names {
    listed: HashMap<FileName, Etag>,
    proved: HashMap<Identity, Etag>,
}

impl<'a> Chooser<'a> {
    /// Chooses these entries: repos, revisions and pointers.
    pub(super) fn new(cache: &'a Cache, inventory: &'a Inventory, asked: &[Id]) -> Self {
        let asked = asked.iter().copied().collect();
        Self { cache, inventory, asked, left_out: Vec::new() }
    }

    /// Tells whether something is asked for itself, or because what it is in is.
    fn is_asked(&self, id: Id) -> bool {
        self.inventory.around(id).any(|(id, _)| self.asked.contains(&id))
    }

    fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(LeftOut::new(what, why));
    }

    /// Looks up all that was chosen.
    ///
    /// # Errors
    /// A file that can't be read although nothing else names its content.
    pub(super) fn repos(&mut self) -> Result<Vec<ChosenRepo>, Error> {
        let mut chosen = Vec::new();
        for sum in self.inventory.sums() {
            let repo = self.inventory.repo_of(sum.id);
            let wanted = |revision: &&RevisionSum| {
                self.is_asked(revision.id) || revision.files.iter().any(|it| self.is_asked(it.id))
            };
            let revisions: Vec<&RevisionSum> = sum.revisions.iter().filter(wanted).collect();
            if revisions.is_empty() {
                continue;
            }
            let Some(repo) = repo.and_then(HeldRepo::repo) else {
                self.leave_out(&sum.name, "it is the name of no repo");
                continue;
            };
            let found = self.repo(repo, &sum, &revisions)?;
            chosen.extend(Some(found).filter(|found| !found.revisions.is_empty()));
        }
        Ok(chosen)
    }

    fn repo(
        &mut self,
        repo: Repo,
        sum: &RepoSum,
        wanted: &[&RevisionSum],
    ) -> Result<ChosenRepo, Error> {
        let layout = RepoLayout::new(&repo);
        let (mut refs, mut revisions) = (BTreeMap::new(), Vec::new());
        for revision in wanted {
            let Ok(commit) = Commit::parse(&revision.commit) else {
                let what = format!("{}@{}", sum.name, revision.commit);
                self.leave_out(what, "its name is no commit");
                continue;
            };
            for name in &revision.refs {
                if let Ok(name) = Revision::parse(name) {
                    refs.insert(name, commit.clone());
                }
            }
            revisions.push(self.revision(&layout, &repo, commit, revision)?);
        }
        // The one that a ref leads to comes first: it is whole by itself. `main` comes before all.
        let rank = |revision: &ChosenRevision| {
            let main = Revision::parse("main").ok().and_then(|main| refs.get(&main));
            let has_ref = refs.values().any(|commit| *commit == revision.commit);
            (main != Some(&revision.commit), !has_ref, revision.commit.clone())
        };
        revisions.sort_by_key(rank);
        Ok(ChosenRepo { repo, refs, revisions })
    }

    fn revision(
        &mut self,
        layout: &RepoLayout,
        repo: &Repo,
        commit: Commit,
        sum: &RevisionSum,
    ) -> Result<ChosenRevision, Error> {
        let listing = Listing::of_cache(self.cache, layout, &commit);
        let at = layout.tree(&commit);
        let is_kept = listing.is_some();
        let listed = listing.into_iter().flat_map(|listing| listing.files);
        let listed = listed.filter_map(|listed| Some((listed.file, listed.content?.0))).collect();
        let proved = self.cache.proved_etags(layout, &commit);
        let names = Names { listed, proved };
        let mut files = Vec::new();
        for file in &sum.files {
            if !self.is_asked(file.id) {
                continue;
            }
            let shown = format!("{}@{commit}/{}", repo.id, file.name);
            match self.file(file, &names)? {
                Ok(chosen) => files.push(chosen),
                Err(why) => self.leave_out(shown, why),
            }
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let absent = self.absent(layout, &commit);
        Ok(ChosenRevision { commit, listing: is_kept.then_some(at), files, absent })
    }

    /// Finds the markers of what a commit does not have.
    fn absent(&self, layout: &RepoLayout, commit: &Commit) -> BTreeSet<FileName> {
        let above = format!("{}/.no_exist/{commit}/", layout.repo());
        let markers = self.inventory.iter().filter(|(_, item)| item.role == Role::Companion);
        let names = markers.filter_map(|(_, item)| item.at.as_str().strip_prefix(&above));
        names.filter_map(|name| FileName::parse(name).ok()).collect()
    }

    fn file(&self, file: &FileSum, names: &Names) -> Result<Result<ChosenFile, String>, Error> {
        let Some(item) = self.inventory.get(file.id) else { return Ok(Err(String::new())) };
        let name = match FileName::parse(&file.name) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (Some(size), Some(entry)) =
            (file.size, self.inventory.content_of(file.id).and_then(|it| it.entry.as_ref()))
        else {
            return Ok(Err("its content is not in the cache".to_owned()));
        };
        let named = self.blob_name(item);
        let named = named.or_else(|| names.listed.get(&name).cloned());
        let named = named.or_else(|| names.proved.get(&entry.identity).cloned());
        let sha256 = match &named {
            Some(etag) if is_hash(etag) => None,
            Some(_) | None => Some(self.sha256(&item.at)?),
        };
        let from = item.at.clone();
        // What nobody has named is named by its hash.
        let (etag, sha256) = match (named, sha256) {
            (Some(etag), sha256) => (etag, sha256),
            (None, Some(hash)) => (hash, None),
            (None, None) => return Ok(Err("nothing names its content".to_owned())),
        };
        Ok(Ok(ChosenFile { name, etag, sha256, size, from }))
    }

    /// Returns the name of the blob that a pointer leads to, or is another name of.
    fn blob_name(&self, item: &Item) -> Option<Etag> {
        let blob = match item.leads {
            Some(Leads::To(to)) => Some(to),
            Some(Leads::Nowhere | Leads::Outside) | None => item.leads_to.first().copied(),
        };
        let blob = blob.and_then(|id| self.inventory.get(id))?;
        Etag::parse(blob.at.base()).ok().filter(|_| blob.role == Role::Blob)
    }

    fn sha256(&self, at: &CachePath) -> Result<Etag, Error> {
        let hashed = || -> io::Result<String> {
            let zero = Etag::parse(&"0".repeat(64)).map_err(io::Error::other)?;
            let (mut content, mut hasher) = (self.cache.disk().open(at)?, Hasher::new(&zero, None));
            pass_through(&mut *content, &mut hasher, &Default::default(), |_| Ok(()))?;
            Ok(hasher.finish().err().unwrap_or_default())
        };
        let hash = hashed().map_err(|error| from_io(&format!("`{at}` can't be read"), error))?;
        Ok(Etag::parse(&hash)?)
    }
}

impl ChosenRepo {
    /// Returns the layout of the repo.
    pub(super) fn layout(&self) -> RepoLayout {
        RepoLayout::new(&self.repo)
    }

    /// Returns the manifest, in which each content lies at the first file of the repo that has it. Within one snapshot every file is
    /// there by itself.
    pub(super) fn manifest(&self) -> Manifest {
        let mut places: HashMap<&Etag, (&Commit, String)> = HashMap::new();
        let mut manifest = Manifest::new(&self.repo);
        manifest.refs.clone_from(&self.refs);
        for revision in &self.revisions {
            let mut files = BTreeMap::new();
            for file in &revision.files {
                let own = format!("snapshots/{}/{}", revision.commit, file.name);
                let at = match places.get(&file.etag) {
                    Some((commit, at)) if **commit != revision.commit => Some(at.clone()),
                    Some(_) => None,
                    None => {
                        places.insert(&file.etag, (&revision.commit, own));
                        None
                    }
                };
                let (etag, sha256) = (file.etag.clone(), file.sha256.clone());
                files.insert(file.name.clone(), ManifestFile { etag, size: file.size, sha256, at });
            }
            let (listing, absent) = (revision.listing.is_some(), revision.absent.clone());
            manifest
                .revisions
                .insert(revision.commit.clone(), ManifestRevision { listing, files, absent });
        }
        manifest
    }
}
