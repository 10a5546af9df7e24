//! What clients of the hub ask for and no read-only server does, each with a sentence that names the way out.
//!
//! It is looked at only where no route is found, so it hides nothing that can be answered.

/// What is not done, by where it stands in a path: below `/api/KIND/ID/`.
const BELOW_A_REPO: [(&[&str], &str); 4] = [
    (
        &["commit", "preupload", "super-squash", "branch", "tag", "settings", "xet-write-token"],
        "This server only serves: push to the hub itself, or put the files into the folder that is served here",
    ),
    (
        &["discussions", "like", "likers", "user-access-request", "user-access-report"],
        "There are no discussions, likes or access requests here: see the repo on the hub itself",
    ),
    (
        &["xet-read-token"],
        "This server has no Xet store: download over plain HTTP, as HF_HUB_DISABLE_XET=1 makes clients do",
    ),
    (
        &["auth-check"],
        "Nobody can write here: push to the hub itself, or put the files into the folder that is served here",
    ),
];
const REPOS: &str = "Repos are not made, moved or deleted here: do so on the hub itself, or with folders in what is served here";
const LFS: &str = "The LFS protocol is not spoken here: download over HTTP with `hf download` or `hubstow download`, and HF_ENDPOINT";
const GIT: &str = "Git is not spoken here: download over HTTP with `hf download` or `hubstow download`, and HF_ENDPOINT";

/// Says why a request that has no route is not answered; `None` where nothing is known of it.
pub(crate) fn of(raw_path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = raw_path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["api", "repos", ..] => Some(REPOS),
        ["api", _, rest @ ..] => {
            // An id is one segment or two.
            let words = rest.iter().skip(1).take(2);
            let found = words.filter_map(|word| {
                let (_, why) = BELOW_A_REPO.iter().find(|(words, _)| words.contains(word))?;
                Some(*why)
            });
            found.into_iter().next()
        }
        [.., "info", "lfs", "objects" | "locks", _] | [.., "info", "lfs", "locks"] => Some(LFS),
        [.., "info", "refs"] | [.., "git-upload-pack" | "git-receive-pack"] => Some(GIT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        let said = of(path);
        assert_eq!(said.is_some(), expected.is_some(), "{path}: {said:?}");
        let starts = expected.is_none_or(|start| said.is_some_and(|said| said.starts_with(start)));
        assert!(starts, "{path}: {said:?}");
    }

    #[test]
    fn what_is_not_done_is_told_by_its_place_in_the_path() {
        check("/api/models/a/b/commit/main", Some("This server only serves"));
        check("/api/models/a/commit/main", Some("This server only serves"));
        check("/api/datasets/a/b/preupload/main", Some("This server only serves"));
        check("/api/models/a/b/discussions", Some("There are no discussions"));
        check("/api/models/a/b/discussions/1/comment", Some("There are no discussions"));
        check("/api/models/a/b/xet-read-token/main", Some("This server has no Xet store"));
        check("/api/models/a/b/auth-check/write", Some("Nobody can write"));
        check("/api/repos/create", Some("Repos are not made"));
        check("/a/b.git/info/refs", Some("Git is not spoken"));
        check("/a/b/info/refs", Some("Git is not spoken"));
        check("/datasets/a/b.git/git-upload-pack", Some("Git is not spoken"));
        check("/a/b.git/info/lfs/objects/batch", Some("The LFS protocol"));
        for none in ["/", "/api", "/api/models", "/api/commit", "/nope", "/a/b/refs", "/api/x/y"] {
            check(none, None);
        }
    }
}
