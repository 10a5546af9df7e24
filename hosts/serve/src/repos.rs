//! Which repos there are in a folder of plain folders.
//!
//! Any folder can be asked for as a repo, also one that only holds repos. Here a folder at the top counts as a repo where it
//! holds a file, and as an organization otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use hubstow_core::name::{Repo, RepoId, RepoKind, Revision};

use crate::walk::Confines;

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
/// A folder can't be read.
pub(crate) fn below(
    confines: &Confines,
    revision_of: fn(&str) -> Option<(&str, Revision)>,
) -> io::Result<BTreeMap<Repo, Vec<(Revision, PathBuf)>>> {
    let mut found = Found { confines, revision_of, repos: BTreeMap::new() };
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
    revision_of: fn(&str) -> Option<(&str, Revision)>,
    repos: BTreeMap<Repo, Vec<(Revision, PathBuf)>>,
}

impl Found<'_> {
    fn look_in(&mut self, base: &Path, kind: RepoKind) -> io::Result<()> {
        let is_root = base == self.confines.root();
        for (name, folder) in self.folders_in(base)? {
            if is_root && RepoKind::ALL.iter().any(|kind| kind.plural() == name) {
                continue;
            }
            if holds_a_file(&folder)? {
                self.add(kind, None, &name, folder);
                continue;
            }
            for (inner, folder) in self.folders_in(&folder)? {
                self.add(kind, Some(&name), &inner, folder);
            }
        }
        Ok(())
    }

    fn add(&mut self, kind: RepoKind, org: Option<&str>, name: &str, folder: PathBuf) {
        let Some((name, revision)) = (self.revision_of)(name) else { return };
        let id = org.map_or_else(|| name.to_owned(), |org| format!("{org}/{name}"));
        let Ok(id) = RepoId::parse(&id) else { return };
        let revisions = self.repos.entry(Repo::new(kind, id)).or_default();
        if !revisions.iter().any(|(known, _)| *known == revision) {
            revisions.push((revision, folder));
        }
    }

    /// Returns the folders in a folder by name, links followed to their end.
    fn folders_in(&self, folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if let Some(end) = self.confines.enter(&entry.path()).filter(|end| end.is_dir()) {
                folders.push((name, end));
            }
        }
        folders.sort();
        Ok(folders)
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

/// Sums up what the folders of a repo hold.
///
/// # Errors
/// A folder can't be read.
pub(crate) fn summed(
    confines: &Confines,
    repo: Repo,
    folders: Vec<(Revision, PathBuf)>,
) -> io::Result<Held> {
    let mut held = Held { repo, revisions: Vec::new(), modified: None, files: 0, len_bytes: 0 };
    let mut seen = BTreeSet::new();
    for (revision, folder) in folders {
        for found in confines.files_below(&folder)?.files {
            held.modified = held.modified.max(found.stat.modified().ok());
            if seen.insert(found.path) {
                held.len_bytes += found.stat.len();
            }
            held.files += 1;
        }
        held.revisions.push(revision);
    }
    Ok(held)
}
