//! Which repos there are in a folder of plain folders.
//!
//! Any folder can be asked for as a repo, also one that only holds repos. Here a folder at the top counts as a repo where it
//! holds a file, and as an organization otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    time::SystemTime,
};

use hubstow_core::name::{Repo, RepoId, RepoKind, Revision};

use crate::{
    listing::Entry,
    places::{Place, named_revision},
    reader::Reader,
    walk::Confines,
};

/// A repo that is served.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) repo: Repo,
    pub(crate) revisions: Vec<Revision>,
    /// When a file of it was last modified.
    pub(crate) modified: Option<SystemTime>,
    pub(crate) files: usize,
    /// What its files take, each once.
    pub(crate) len_bytes: u64,
}

/// Finds the repos below a root. Their folders are not looked into.
///
/// # Errors
/// The root can't be read. Any other folder that can't be is left out and told.
pub(crate) fn below(
    confines: &Confines,
    reader: &Reader,
) -> io::Result<BTreeMap<Repo, Vec<(Revision, Place)>>> {
    let mut found = Found { confines, reader, repos: BTreeMap::new() };
    let root = confines.root();
    for kind in RepoKind::ALL {
        if let Some(folder) = confines.enter(&root.join(kind.plural())) {
            found.look_in(&folder, kind)?;
        }
    }
    found.look_in(root, RepoKind::Model)?;
    Ok(found.repos)
}

struct Found<'a> {
    confines: &'a Confines,
    reader: &'a Reader,
    repos: BTreeMap<Repo, Vec<(Revision, Place)>>,
}

impl Found<'_> {
    fn look_in(&mut self, base: &Path, kind: RepoKind) -> io::Result<()> {
        let is_root = base == &**self.confines.root();
        for (name, place) in self.places_in(base)? {
            if is_root && RepoKind::ALL.iter().any(|kind| kind.plural() == name) {
                continue;
            }
            match &place {
                Place::Folder(folder) if !holds_a_file(folder).unwrap_or(false) => {
                    let places = self.places_in(folder);
                    let places = self.reader.readable(folder, places).unwrap_or_default();
                    for (inner, place) in places {
                        self.add(kind, Some(&name), &inner, place);
                    }
                }
                Place::Folder(_) | Place::Snapshot(_) => self.add(kind, None, &name, place),
            }
        }
        Ok(())
    }

    fn add(&mut self, kind: RepoKind, org: Option<&str>, name: &str, place: Place) {
        let Some((name, revision)) = named_revision(name) else { return };
        let id = org.map_or_else(|| name.to_owned(), |org| format!("{org}/{name}"));
        let Ok(id) = RepoId::parse(&id) else { return };
        let revisions = self.repos.entry(Repo::new(kind, id)).or_default();
        if !revisions.iter().any(|(known, _)| *known == revision) {
            revisions.push((revision, place));
        }
    }

    /// Returns the places in a folder by name.
    fn places_in(&self, folder: &Path) -> io::Result<Vec<(String, Place)>> {
        let mut places = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if let Some(place) = Place::at(self.confines, &entry.path()) {
                places.push((name, place));
            }
        }
        places.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(places)
    }
}

fn holds_a_file(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if fs::metadata(entry?.path()).is_ok_and(|stat| stat.is_file()) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Held {
    /// Sums up what the revisions of a repo hold.
    pub(crate) fn of<'a>(
        repo: Repo,
        revisions: impl IntoIterator<Item = (Option<Revision>, &'a [Entry])>,
    ) -> Self {
        let mut held = Self { repo, revisions: Vec::new(), modified: None, files: 0, len_bytes: 0 };
        let mut seen = BTreeSet::new();
        for (revision, entries) in revisions {
            for entry in entries {
                held.modified = held.modified.max(entry.stamp.modified());
                if seen.insert(&entry.path) {
                    held.len_bytes += entry.len_bytes;
                }
                held.files += 1;
            }
            held.revisions.extend(revision);
        }
        held
    }

    /// Adds what a later source has of the same repo.
    pub(crate) fn join(&mut self, other: Self) {
        let is_new = |revision: &Revision| !self.revisions.contains(revision);
        let new: Vec<Revision> = other.revisions.into_iter().filter(is_new).collect();
        self.revisions.extend(new);
        self.modified = self.modified.max(other.modified);
        self.files += other.files;
        self.len_bytes += other.len_bytes;
    }
}
