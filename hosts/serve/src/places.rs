//! Where the revisions of repos are in a folder of plain folders, by the names of folders.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hubstow_core::name::{Repo, RepoKind, Revision};
use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

use crate::{fault::Fault, snapshot::Snapshot, walk::Confines};

/// The name of the revision that a folder without `@` holds.
pub(crate) const MAIN: &str = "main";
/// What is written percent-encoded in the name of a revision's folder; `%` so that every name has one meaning.
const IN_FOLDER_NAME: &AsciiSet = &AsciiSet::EMPTY.add(b'/').add(b'%');

/// Where the content of a revision is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a folder inside of what is served.
    Folder(PathBuf),
    /// In a snapshot of a cache, to which a link in place of the folder leads.
    Snapshot(Snapshot),
}

impl Place {
    /// Looks what is at a path: a folder inside, or a link to a snapshot anywhere. Any other link to outside is not followed.
    pub(crate) fn at(confines: &Confines, path: &Path) -> Option<Self> {
        match confines.enter(path) {
            Some(folder) => folder.is_dir().then_some(Self::Folder(folder)),
            None => Snapshot::behind(path).map(Self::Snapshot),
        }
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            Self::Snapshot(snapshot) => snapshot.path(),
        }
    }
}

/// Finds where the revisions of a repo are: `main` first, the others in order.
///
/// # Errors
/// There is no such repo, or a folder can't be read.
pub(crate) fn of_repo(confines: &Confines, repo: &Repo) -> Result<Vec<(Revision, Place)>, Fault> {
    let named = confines.root().join(repo.kind.plural());
    let bases = match repo.kind {
        RepoKind::Model => vec![confines.root().to_path_buf(), named],
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
        let places = places_in(confines, &parent, name)?;
        if !places.is_empty() {
            return Ok(places);
        }
    }
    Err(Fault::RepoMissing)
}

fn places_in(confines: &Confines, parent: &Path, name: &str) -> io::Result<Vec<(Revision, Place)>> {
    let mut places = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let Some(revision) = entry.file_name().to_str().and_then(|at| revision_of(at, name)) else {
            continue;
        };
        if let Some(place) = Place::at(confines, &entry.path()) {
            places.push((revision, place));
        }
    }
    places.sort_by(|(a, _), (b, _)| {
        (a.as_str() != MAIN, a.as_str()).cmp(&(b.as_str() != MAIN, b.as_str()))
    });
    Ok(places)
}

/// Reads name and revision from the name of a folder.
pub(crate) fn named_revision(folder: &str) -> Option<(&str, Revision)> {
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
}
