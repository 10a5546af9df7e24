//! What users name in the cache: repos, revisions and files.

use hubstow_client::{
    Error, ErrorKind, RepoPath,
    care::{Id, Inventory, RepoSum, RevisionSum, Role},
};
use hubstow_core::{
    hub::Endpoint,
    name::{Commit, RepoKind},
};

const HINT: &str = "name a repo as `org/name`, `dataset/org/name` or hf://datasets/org/name, a revision by its commit or as \
     hf://org/name@main, a file as hf://org/name/config.json; `hubstow cache ls` shows what there is";

/// What was named.
pub(super) struct Target<'a> {
    pub(super) repo: &'a RepoSum,
    /// The revisions of it that are meant, if not the whole.
    pub(super) revisions: Option<Vec<&'a RevisionSum>>,
    /// The file in them that is meant.
    pub(super) file: Option<String>,
    /// The revision as it was said.
    pub(super) said: Option<String>,
}

impl Target<'_> {
    /// Returns the entries that are meant.
    pub(super) fn ids(&self) -> Vec<Id> {
        match (&self.revisions, &self.file) {
            (None, None) => vec![self.repo.id],
            (Some(revisions), None) => revisions.iter().map(|revision| revision.id).collect(),
            (revisions, Some(file)) => {
                let all: Vec<&RevisionSum> = self.repo.revisions.iter().collect();
                let revisions = revisions.as_ref().unwrap_or(&all);
                let files = revisions.iter().flat_map(|revision| &revision.files);
                files.filter(|found| found.name == *file).map(|found| found.id).collect()
            }
        }
    }
}

/// What a text says, before the cache is asked.
struct Said {
    kind: Option<RepoKind>,
    name: String,
    revision: Option<String>,
    file: Option<String>,
}

fn wrong(kind: ErrorKind, what: String) -> Error {
    Error::new(kind, what).hint(HINT)
}

fn said(text: &str) -> Result<Said, Error> {
    if RepoPath::is_address(text) {
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).map_err(Error::from)?;
        let found = RepoPath::parse(text, &endpoint).map_err(|error| error.hint(HINT))?;
        let revision = found.revision.map(|revision| revision.as_str().to_owned());
        let (kind, name) = (Some(found.repo.kind), found.repo.id.as_str().to_owned());
        return Ok(Said { kind, name, revision, file: found.path });
    }
    let (text, revision) = match text.split_once('@') {
        Some((name, revision)) => (name, Some(revision.to_owned())),
        None => (text, None),
    };
    let kind = text.split_once('/').and_then(|(word, rest)| {
        let kind = RepoKind::parse(word).ok()?;
        Some((kind, rest))
    });
    let (kind, name) = kind.map_or((None, text), |(kind, name)| (Some(kind), name));
    let is_name = name.split('/').count() <= 2
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if !is_name {
        return Err(wrong(ErrorKind::Usage, format!("`{text}` is the name of no repo")));
    }
    Ok(Said { kind, name: name.to_owned(), revision, file: None })
}

/// Finds what a text means in the cache.
///
/// # Errors
/// A text that means nothing, nothing that is there, or two things.
pub(super) fn find<'a>(text: &str, sums: &'a [RepoSum]) -> Result<Target<'a>, Error> {
    if Commit::parse(text).is_ok() {
        return find_commit(text, sums);
    }
    let Said { kind, name, revision, file } = said(text)?;
    let repo = find_repo(text, kind, &name, sums)?;
    let said = revision.clone();
    let revisions = match revision {
        None => None,
        Some(revision) => {
            let is_meant = |it: &&RevisionSum| it.commit == revision || it.refs.contains(&revision);
            let found: Vec<&RevisionSum> = repo.revisions.iter().filter(is_meant).collect();
            if found.is_empty() {
                let what = format!("the cache has no revision `{revision}` of {}", repo.name);
                return Err(wrong(ErrorKind::RevisionNotFound, what));
            }
            Some(found)
        }
    };
    let target = Target { repo, revisions, file, said };
    match (&target.file, target.ids().is_empty()) {
        (Some(file), true) => {
            let what = format!("the cache has no file `{file}` of {}", repo.name);
            Err(wrong(ErrorKind::EntryNotFound, what))
        }
        (Some(_) | None, _) => Ok(target),
    }
}

fn find_commit<'a>(commit: &str, sums: &'a [RepoSum]) -> Result<Target<'a>, Error> {
    let with = |repo: &'a RepoSum| {
        let revision = repo.revisions.iter().find(|revision| revision.commit == commit)?;
        Some((repo, revision))
    };
    let found: Vec<_> = sums.iter().filter_map(with).collect();
    match found.as_slice() {
        [(repo, revision)] => Ok(Target {
            repo,
            revisions: Some(vec![revision]),
            file: None,
            said: Some(commit.to_owned()),
        }),
        [] => {
            Err(wrong(ErrorKind::RevisionNotFound, format!("the cache has no revision `{commit}`")))
        }
        many => {
            let names: Vec<String> = many.iter().map(|(repo, _)| id(repo)).collect();
            let what = format!("`{commit}` is a revision of {}", names.join(" and of "));
            Err(Error::new(ErrorKind::Usage, what).hint("write hf://org/name@COMMIT"))
        }
    }
}

/// Finds a repo by its name: as it was typed, or else whatever its case is.
fn find_repo<'a>(
    text: &str,
    kind: Option<RepoKind>,
    name: &str,
    sums: &'a [RepoSum],
) -> Result<&'a RepoSum, Error> {
    let alike = |repo: &&RepoSum| {
        kind.is_none_or(|kind| kind == repo.kind) && repo.name.eq_ignore_ascii_case(name)
    };
    let found: Vec<&RepoSum> = sums.iter().filter(alike).collect();
    let exact: Vec<&RepoSum> = found.iter().copied().filter(|repo| repo.name == name).collect();
    // A plain name means a model where there is one, as everywhere else.
    let models: Vec<&RepoSum> =
        exact.iter().copied().filter(|repo| repo.kind == RepoKind::Model).collect();
    match (models.as_slice(), exact.as_slice(), found.as_slice()) {
        ([repo], ..) | ([], [repo], _) | ([], [], [repo]) => Ok(repo),
        (_, _, []) => {
            Err(wrong(ErrorKind::RepoNotFound, format!("the cache has no repo `{text}`")))
        }
        (_, _, many) => {
            let names: Vec<String> = many.iter().map(|repo| id(repo)).collect();
            let what = format!("`{text}` may be {}", names.join(" or "));
            Err(Error::new(ErrorKind::Usage, what)
                .hint("write the kind before it, and the name as it is"))
        }
    }
}

/// Returns the id that a repo is listed under.
pub(super) fn id(repo: &RepoSum) -> String {
    format!("{}/{}", repo.kind.singular(), repo.name)
}

/// Returns the words for an entry: what a user would name it by, or else its path in the cache.
pub(super) fn words(inventory: &Inventory, id: Id) -> String {
    let Some(item) = inventory.get(id) else { return String::new() };
    let path = item.at.as_str();
    let Some(repo) = inventory.repo_of(id) else {
        return path.to_owned();
    };
    let name = format!("{}/{}", repo.kind.singular(), repo.name);
    let below = path.split_once("/snapshots/").map(|(_, below)| below);
    match (item.role, below) {
        (Role::Repo, _) => name,
        (Role::Revision | Role::Pointer, Some(below)) => format!("{name}@{below}"),
        (_, _) => path.to_owned(),
    }
}
