//! Which files a conversion may be about, so that nothing is hashed for nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use hubstow_core::{
    care::{Hold, Id, Role, relink::Rules},
    layout::RepoLayout,
    name::{Commit, ContentHash, Etag, FileName},
};

use crate::{
    cache::proofs::Verdict,
    care::{
        inventory::{HeldRepo, Inventory, Item},
        leads::Leads,
        relink::{
            digest::Digests,
            naming::{Attributes, likely},
            told::Promises,
            wanted::Wanted,
        },
    },
    disk::Kind,
    observe::{cached::Promised, view::View},
};

/// The most bytes of a `.gitattributes` that are read.
const ATTRIBUTES_LIMIT_BYTES: u64 = 1 << 20;

/// What is asked of the content of an entry.
pub(super) struct Question {
    pub(super) id: Id,
    /// Whether it is this; or else, what it is.
    pub(super) etag: Option<Etag>,
    pub(super) size: Option<u64>,
    /// Whether its etag is no hash, so that it is known only by being compared with another.
    pub(super) compares: bool,
    pub(super) verdict: Option<Verdict>,
    pub(super) proved: Option<Etag>,
    pub(super) job: Option<usize>,
    /// Whether it can't be read.
    pub(super) is_closed: bool,
}

/// The files of a repo that a conversion may be about.
pub(super) struct Found {
    pub(super) layout: RepoLayout,
    pub(super) questions: Vec<Question>,
    pub(super) blobs: BTreeMap<Id, Etag>,
    /// Pointers that are other names of a blob.
    pub(super) twins: Vec<(Id, Id)>,
    /// Links to a blob.
    pub(super) links: Vec<(Id, Id)>,
    /// Our own links to a blob that is not there.
    pub(super) dangling: Vec<(Id, Etag)>,
    pub(super) pointers: HashMap<Id, (Commit, FileName)>,
    /// The etags that blobs, links and listings of the repo name.
    named: HashSet<Etag>,
    /// Of each snapshot that has some, unless they can't be read.
    attributes: HashMap<Commit, Option<Attributes>>,
    pub(super) files: Vec<OwnFile>,
}

/// A regular pointer that is no other name of its blob.
pub(super) struct OwnFile {
    pub(super) id: Id,
    pub(super) len_bytes: u64,
    /// What a kept listing says that it is.
    pub(super) promised: Option<Promised>,
}

impl Found {
    /// Names what was read without knowing what it should be.
    pub(super) fn name(
        &self,
        question: &Question,
        len_bytes: u64,
        digests: &Digests,
        digests_of: &dyn Fn(usize) -> Option<Digests>,
    ) -> Option<Etag> {
        let hashes = [&digests.sha256, &digests.git_sha1].into_iter().flatten();
        if let Some(named) = hashes.into_iter().find(|etag| self.named.contains(*etag)) {
            return Some(named.clone());
        }
        let opaque = self.questions.iter().filter(|other| other.compares);
        for (etag, job) in opaque.filter_map(|other| self.blobs.get(&other.id).zip(other.job)) {
            // It might be what can't be read.
            let found = digests_of(job)?;
            if found.sha256.is_some() && found.sha256 == digests.sha256 {
                return Some(etag.clone());
            }
        }
        let (commit, file) = self.pointers.get(&question.id)?;
        let attributes = match self.attributes.get(commit) {
            Some(own) => Some(own.as_ref()?),
            None => None,
        };
        likely(attributes, file, len_bytes, digests)
    }
}

/// Finds the files of the repos that are meant and that nobody works in, repo by repo.
pub(super) fn survey(
    view: &View,
    inventory: &Inventory,
    rules: &Rules,
    promises: Promises<'_>,
) -> Vec<Found> {
    let mut of_repo: BTreeMap<Id, Vec<(Id, &Item)>> = BTreeMap::new();
    for (id, item) in inventory.iter() {
        if matches!(item.role, Role::Blob | Role::Pointer) {
            of_repo.entry(inventory.outermost(id)).or_default().push((id, item));
        }
    }
    let is_meant = |held: &&HeldRepo| {
        let hold = inventory.get(held.id).map_or(Hold::Unsure, |item| item.hold);
        rules.repos.contains(&held.id) && !hold.is_busy()
    };
    let mut repos: Vec<&HeldRepo> = inventory.repos.iter().filter(is_meant).collect();
    repos.sort_by_key(|held| held.id);
    let mut all = Vec::new();
    for held in repos {
        let (Some(repo), Some(items)) = (held.repo(), of_repo.get(&held.id)) else { continue };
        let mut found = Found::of(RepoLayout::new(&repo));
        found.sort(inventory, items, promises);
        found.read_attributes(view, inventory);
        all.push(found);
    }
    let lengths = rules.method_across().map(|_| lengths(inventory, &all));
    for found in &mut all {
        found.ask(inventory, rules, lengths.as_ref());
    }
    all
}

/// Returns in how many repos there are files of each length.
fn lengths(inventory: &Inventory, all: &[Found]) -> HashMap<u64, usize> {
    let mut lengths: HashMap<u64, usize> = HashMap::new();
    for found in all {
        let files = found.files.iter().map(|file| file.len_bytes);
        let blobs = found.blobs.keys().filter_map(|id| len_of(inventory, *id));
        for len_bytes in files.chain(blobs).collect::<HashSet<u64>>() {
            *lengths.entry(len_bytes).or_default() += 1;
        }
    }
    lengths
}

fn len_of(inventory: &Inventory, id: Id) -> Option<u64> {
    Some(inventory.content_of(id)?.entry.as_ref()?.len_bytes)
}

impl Found {
    fn of(layout: RepoLayout) -> Self {
        Self {
            layout,
            questions: Vec::new(),
            blobs: BTreeMap::new(),
            twins: Vec::new(),
            links: Vec::new(),
            dangling: Vec::new(),
            pointers: HashMap::new(),
            named: HashSet::new(),
            attributes: HashMap::new(),
            files: Vec::new(),
        }
    }

    /// Says what the entries of the repo are.
    fn sort(&mut self, inventory: &Inventory, items: &[(Id, &Item)], promises: Promises<'_>) {
        for (id, item) in items.iter().filter(|(_, item)| item.role == Role::Blob) {
            if let Ok(etag) = Etag::parse(item.at.base()) {
                self.named.insert(etag.clone());
                self.blobs.insert(*id, etag);
            }
        }
        let mut promised: HashMap<Commit, HashMap<String, Promised>> = HashMap::new();
        for (id, item) in items.iter().filter(|(_, item)| item.role == Role::Pointer) {
            let Some((commit, file)) = self.place_of(inventory, *id, item) else { continue };
            let promised = promised
                .entry(commit.clone())
                .or_insert_with(|| promises(&self.layout, &commit))
                .remove(file.as_str());
            self.named.extend(promised.as_ref().map(|promised| promised.etag.clone()));
            self.sort_pointer(*id, item, &file, promised);
            self.pointers.insert(*id, (commit, file));
        }
    }

    /// Reads the names out of the path of a pointer; one that they can't be read from is left alone.
    fn place_of(&self, inventory: &Inventory, id: Id, item: &Item) -> Option<(Commit, FileName)> {
        let revision = inventory.get(inventory.revision_of(id)?)?;
        let commit = Commit::parse(revision.at.base()).ok()?;
        let below = item.at.as_str().strip_prefix(revision.at.as_str())?.strip_prefix('/')?;
        let file = FileName::parse(below).ok()?;
        (self.layout.pointer(&commit, &file) == item.at).then_some((commit, file))
    }

    fn sort_pointer(&mut self, id: Id, item: &Item, file: &FileName, promised: Option<Promised>) {
        let leads_to = item.leads_to.first().copied();
        let blob = leads_to.and_then(|blob| Some((blob, self.blobs.get(&blob)?)));
        match (item.kind, blob, item.leads) {
            (Kind::File, Some((blob, etag)), _)
                if promised.as_ref().is_none_or(|promised| promised.etag == *etag) =>
            {
                self.twins.push((id, blob));
            }
            (Kind::File, _, _) => {
                let len_bytes = item.entry.as_ref().map_or(0, |entry| entry.len_bytes);
                self.files.push(OwnFile { id, len_bytes, promised });
            }
            (Kind::Symlink, Some((blob, _)), _) => self.links.push((id, blob)),
            (Kind::Symlink, None, Some(Leads::Nowhere)) => {
                let text = item.link.as_deref().unwrap_or_default();
                if let Some(etag) = RepoLayout::etag_of_link(file, text) {
                    self.named.insert(etag.clone());
                    self.dangling.push((id, etag));
                }
            }
            // What its owner has linked elsewhere stays.
            (Kind::Symlink | Kind::Directory | Kind::Other, _, _) => {}
        }
    }

    /// Reads the attributes of the snapshots that have files of which no listing tells.
    fn read_attributes(&mut self, view: &View, inventory: &Inventory) {
        let untold = self.files.iter().filter(|file| file.promised.is_none());
        let untold = untold.filter_map(|file| self.pointers.get(&file.id));
        let untold: HashSet<Commit> = untold.map(|(commit, _)| commit.clone()).collect();
        let own = self.pointers.iter().filter(|(_, (_, file))| file.as_str() == ".gitattributes");
        let own = own.filter(|(_, (commit, _))| untold.contains(commit));
        let read = own.map(|(id, (commit, _))| {
            let at = inventory.content_of(*id).map(|item| &item.at);
            let content = at.and_then(|at| view.read(at, ATTRIBUTES_LIMIT_BYTES));
            (commit.clone(), content.map(|content| Attributes::parse(&content)))
        });
        self.attributes = read.collect();
    }

    /// Asks what has to be known of the files.
    fn ask(&mut self, inventory: &Inventory, rules: &Rules, shared: Option<&HashMap<u64, usize>>) {
        let wanted = Wanted::of(self, inventory, rules, shared);
        let blobs = self.blobs.iter().filter(|(id, _)| wanted.blobs.contains(id));
        let mut questions: Vec<Question> =
            blobs.map(|(id, etag)| Question::is(*id, etag.clone(), None)).collect();
        let files = self.files.iter().filter(|file| wanted.files.contains(&file.id));
        questions.extend(files.map(|file| match &file.promised {
            Some(Promised { etag, size }) => Question::is(file.id, etag.clone(), *size),
            None => Question::what(file.id),
        }));
        self.questions = questions;
    }
}

impl Question {
    fn what(id: Id) -> Self {
        let (etag, size, compares) = (None, None, false);
        Self { id, etag, size, compares, verdict: None, proved: None, job: None, is_closed: false }
    }

    fn is(id: Id, etag: Etag, size: Option<u64>) -> Self {
        let compares = etag.content_hash() == ContentHash::Opaque;
        Self { etag: Some(etag), size, compares, ..Self::what(id) }
    }
}
