//! Who may write in the folders of a cache.

use alloc::borrow::ToOwned;

use crate::layout::{CachePath, RepoLayout};

/// Who may write in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever the user's umask lets.
    Umask,
    /// Whoever may write in another folder.
    Like(CachePath),
    /// Its owner alone.
    Owner,
}

impl RepoLayout {
    /// Says who may write in a folder that is made. Who shares a repo folder shares what is private to its clients as well;
    /// only what is proved is nobody's word but the owner's.
    #[must_use]
    pub fn access(folder: &CachePath) -> Access {
        let path = folder.as_str();
        if let Some((repo, rest)) = path.split_once("/.hubstow") {
            return if rest == "/proved" {
                Access::Owner
            } else {
                Access::Like(CachePath(repo.to_owned()))
            };
        }
        match path.strip_prefix(".locks/") {
            Some(repo) => Access::Like(CachePath(repo.to_owned())),
            None if path == ".locks" => Access::Like(CachePath::root()),
            None => Access::Umask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Etag, Repo, RepoId, RepoKind};

    #[test]
    fn what_is_private_is_shared_as_the_repo_folder_is_but_for_what_is_proved() {
        let layout = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("a/b").unwrap()));
        let like_repo = Access::Like(layout.repo());
        let etag = Etag::parse("abc").unwrap();
        for (folder, access) in [
            (CachePath::root(), Access::Umask),
            (layout.repo(), Access::Umask),
            (layout.blobs(), Access::Umask),
            (layout.private(), like_repo.clone()),
            (layout.links(), like_repo.clone()),
            (RepoLayout::deeper_links(&layout.links()), like_repo.clone()),
            (layout.proofs(), Access::Owner),
            (layout.lock(&etag).parent(), like_repo),
            (layout.lock(&etag).parent().parent(), Access::Like(CachePath::root())),
        ] {
            assert_eq!(RepoLayout::access(&folder), access, "{folder}");
        }
    }
}
