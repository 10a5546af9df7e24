//! What an entry of a repo folder is for, by its name and kind.

use hubstow_core::{care::Role, layout::RepoLayout, name::Nonce};

use crate::{
    care::damage::Flaw,
    disk::Kind::{self, Directory, File, Other, Symlink},
};

/// What an entry belongs to, besides the folder that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nothing else.
    Nothing,
    /// The snapshot of this commit.
    Commit(String),
    /// The staged file with this nonce.
    Staged(Nonce),
}

/// What an entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) role: Role,
    pub(crate) owner: Owner,
    pub(crate) flaw: Option<Flaw>,
}

impl From<Role> for Known {
    fn from(role: Role) -> Self {
        Self { role, owner: Owner::Nothing, flaw: None }
    }
}

impl Known {
    fn of(role: Role, owner: Owner) -> Self {
        Self { role, owner, flaw: None }
    }

    fn flawed(flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..Self::from(Role::Stranger) }
    }
}

/// Says what an entry is for whose path below its repo folder has these parts.
pub(crate) fn known(parts: &[&str], kind: Kind) -> Known {
    match (parts, kind) {
        ([], _) => Role::Repo.into(),
        (["blobs" | "refs" | "snapshots" | "trees" | ".no_exist" | ".hubstow"], Directory) => {
            Role::Frame.into()
        }
        (["blobs" | "refs" | "snapshots"], File | Symlink | Other) => Known::flawed(Flaw::NoFolder),
        (["blobs", rest @ ..], _) => in_blobs(rest, kind),
        (["refs" | "snapshots" | "trees" | ".no_exist", .., name], File | Symlink)
            if is_private(name) =>
        {
            Role::Staged.into()
        }
        (["refs", ..], Directory) => Role::Folder.into(),
        (["refs", ..], File | Symlink | Other) => Role::Ref.into(),
        (["snapshots", _], Directory) => Role::Revision.into(),
        (["snapshots", _], File | Symlink | Other) => Known::flawed(Flaw::Misplaced),
        (["snapshots", ..], Directory) => Role::Folder.into(),
        (["snapshots", ..], File | Symlink | Other) => Role::Pointer.into(),
        (["trees", name], File) => match name.strip_suffix(".json") {
            Some(commit) => Known::of(Role::Companion, Owner::Commit(commit.to_owned())),
            None if name.ends_with(".tmp") => Role::Staged.into(),
            None => Role::Stranger.into(),
        },
        ([".no_exist", ..], Directory) => Role::Folder.into(),
        ([".no_exist", commit, _, ..], File) => {
            Known::of(Role::Companion, Owner::Commit((*commit).to_owned()))
        }
        ([".hubstow", rest @ ..], _) => in_private(rest, kind),
        // Where the Python client tries links out.
        ([folder], Directory) if is_link_trial(folder) => Role::Folder.into(),
        ([folder, "dummy_file_src" | "dummy_file_dst"], File | Symlink)
            if is_link_trial(folder) =>
        {
            Role::Staged.into()
        }
        ([..], _) => Role::Stranger.into(),
    }
}

fn in_blobs(rest: &[&str], kind: Kind) -> Known {
    match (rest, kind) {
        ([name], File | Symlink) if is_unfinished(name) => Role::Staged.into(),
        ([name], File | Symlink) if !name.starts_with('.') => Role::Blob.into(),
        ([_], File | Symlink) => Role::Stranger.into(),
        ([_], Directory) => Known::flawed(Flaw::BlobIsFolder),
        ([..], Directory) => Known::flawed(Flaw::Misplaced),
        ([..], File | Symlink | Other) => Role::Stranger.into(),
    }
}

/// Tells whether a file among the blobs is part of somebody's attempt: a download, a probe of the umask, or what the Python
/// client replaces a blob by and through.
fn is_unfinished(name: &str) -> bool {
    let replaces = [".new", ".old", ".shared"].iter().any(|suffix| name.ends_with(suffix));
    name.ends_with(".incomplete")
        || name.starts_with("tmp_")
        || (name.starts_with('.') && replaces)
        || is_private(name)
}

fn in_private(rest: &[&str], kind: Kind) -> Known {
    match (rest, kind) {
        (["links", ..] | ["proved"], Directory) => Role::Frame.into(),
        (["proved", name], File) => match RepoLayout::parse_snapshot_proofs(name) {
            Some(commit) => Known::of(Role::Companion, Owner::Commit(commit.as_str().to_owned())),
            None => Role::Frame.into(),
        },
        (["pins" | "uses" | "export.json"], File) => Role::Frame.into(),
        ([name], File) if RepoLayout::parse_map(name).is_some() => {
            let owner = RepoLayout::parse_map(name).map_or(Owner::Nothing, Owner::Staged);
            Known::of(Role::Companion, owner)
        }
        ([name] | ["links", .., name], File | Symlink) if is_scratch(name) => Role::Staged.into(),
        ([..], _) => Role::Stranger.into(),
    }
}

/// Tells whether a name is one that we make beside others.
fn is_private(name: &str) -> bool {
    let nonce = name.strip_prefix(".hubstow-").and_then(|name| name.strip_suffix(".tmp"));
    nonce.is_some_and(|nonce| Nonce::parse(nonce).is_ok())
}

fn is_scratch(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|nonce| Nonce::parse(nonce).is_ok())
}

fn is_link_trial(folder: &str) -> bool {
    const LEN: usize = "tmp12345678".len();
    folder.len() == LEN && folder.starts_with("tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_a_repo_folder_is_known_by_its_name_and_kind() {
        const N: &str = "0123456789abcdef0123456789abcdef";
        #[rustfmt::skip]
        let table = [
            ("refs", Directory, Role::Frame),
            ("refs", File, Role::Stranger),
            ("refs/main", File, Role::Ref),
            ("refs/refs/pr", Directory, Role::Folder),
            ("refs/refs/pr/1", File, Role::Ref),
            (&format!("refs/.hubstow-{N}.tmp"), File, Role::Staged),
            ("snapshots/c", Directory, Role::Revision),
            ("snapshots/c", File, Role::Stranger),
            ("snapshots/c/a", Symlink, Role::Pointer),
            ("snapshots/c/a", File, Role::Pointer),
            ("snapshots/c/a", Directory, Role::Folder),
            (&format!("snapshots/c/.hubstow-{N}.tmp"), File, Role::Staged),
            ("blobs/e", File, Role::Blob),
            ("blobs/e", Symlink, Role::Blob),
            ("blobs/e", Directory, Role::Stranger),
            ("blobs/e.0123abcd.incomplete", File, Role::Staged),
            ("blobs/tmp_1234", File, Role::Staged),
            ("blobs/.e.0123abcd.old", File, Role::Staged),
            ("blobs/.DS_Store", File, Role::Stranger),
            ("trees/c.json", File, Role::Companion),
            ("trees/tmpabc.tmp", File, Role::Staged),
            ("trees/notes", File, Role::Stranger),
            (".no_exist/c", Directory, Role::Folder),
            (".no_exist/c/d/a", File, Role::Companion),
            (".hubstow/pins", File, Role::Frame),
            (".hubstow/uses", File, Role::Frame),
            (".hubstow/export.json", File, Role::Frame),
            (&format!(".hubstow/{N}.tmp"), File, Role::Staged),
            (&format!(".hubstow/{N}.map"), File, Role::Companion),
            (&format!(".hubstow/links/_/{N}.tmp"), Symlink, Role::Staged),
            (".hubstow/links/_", Directory, Role::Frame),
            (".hubstow/proved/e", File, Role::Frame),
            (".hubstow/notes", File, Role::Stranger),
            ("tmpabcd1234", Directory, Role::Folder),
            ("tmpabcd1234/dummy_file_src", File, Role::Staged),
            ("notes.txt", File, Role::Stranger),
            ("notes", Directory, Role::Stranger),
        ];
        for (path, kind, role) in table {
            let parts: Vec<&str> = path.split('/').collect();
            assert_eq!(known(&parts, kind).role, role, "{path} {kind:?}");
        }
    }
}
