//! What a request asks for, read from the raw path.
//!
//! The path is split while it is still percent-encoded and decoded segment by segment, so an encoded slash never adds
//! a segment. Only a revision and the folder of a tree may hold one. Every part is parsed into its name type here; a
//! part that is no such name becomes `None`, and the answer is that nothing of that name exists.

use hubstow_core::name::{Commit, FileName, Repo, RepoId, RepoKind, Revision};
use percent_encoding::percent_decode_str;

/// The first segments of the content route. `-` is part of no repo id, so no repo can be hidden by it.
pub(crate) const CONTENT_PREFIX: &str = "/-/content";

/// A request that this server knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A file at a revision.
    File { repo: Repo, revision: Option<Revision>, file: Option<FileName>, form: Form },
    /// The content of an LFS file, as the redirects name it.
    Content { sha256: String, repo: Repo, commit: Commit, file: FileName },
    /// What is known of a repo, at `main` where no revision is said.
    Info { repo: Repo, revision: Option<Revision> },
    /// The listing of a folder.
    Tree { repo: Repo, revision: Option<Revision>, folder: Folder },
    /// What is known of chosen paths.
    PathsInfo { repo: Repo, revision: Option<Revision> },
    /// The revisions of a repo.
    Refs { repo: Repo },
    /// The commits that lead to a revision.
    Commits { repo: Repo, revision: Option<Revision> },
    /// Whether a repo may be read.
    AuthCheck { repo: Repo },
    /// The repos of a kind.
    Catalog { kind: RepoKind },
    /// Whose token this is.
    WhoAmI,
    /// The programs by which agents are told apart.
    AgentHarnesses,
    /// Whether the server lives.
    Health,
    /// Whether the server can read what it serves.
    Ready,
    /// What is counted, for Prometheus.
    Metrics,
    /// The page for people.
    Page,
}

/// As what a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its content.
    Resolve,
    /// What git holds of it: the pointer, where it is an LFS file.
    Raw,
}

impl Route {
    /// Returns the repo that the request is about.
    pub(crate) fn repo(&self) -> Option<&Repo> {
        match self {
            Self::File { repo, .. }
            | Self::Content { repo, .. }
            | Self::Info { repo, .. }
            | Self::Tree { repo, .. }
            | Self::PathsInfo { repo, .. }
            | Self::Refs { repo }
            | Self::Commits { repo, .. }
            | Self::AuthCheck { repo } => Some(repo),
            Self::Catalog { .. }
            | Self::WhoAmI
            | Self::AgentHarnesses
            | Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::Page => None,
        }
    }

    /// Tells whether it is about repos or users, and not about the server itself.
    pub(crate) fn is_about_content(&self) -> bool {
        match self {
            Self::File { .. }
            | Self::Content { .. }
            | Self::Info { .. }
            | Self::Tree { .. }
            | Self::PathsInfo { .. }
            | Self::Refs { .. }
            | Self::Commits { .. }
            | Self::AuthCheck { .. }
            | Self::Catalog { .. }
            | Self::WhoAmI => true,
            Self::AgentHarnesses | Self::Health | Self::Ready | Self::Metrics | Self::Page => false,
        }
    }

    /// Tells whether it is answered to everybody: probes carry no token, redirects carry a signature instead, and clients
    /// ask for the harnesses before they know who they are.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Content { .. } | Self::AgentHarnesses | Self::Health | Self::Ready => true,
            Self::File { .. }
            | Self::Info { .. }
            | Self::Tree { .. }
            | Self::PathsInfo { .. }
            | Self::Refs { .. }
            | Self::Commits { .. }
            | Self::AuthCheck { .. }
            | Self::Catalog { .. }
            | Self::WhoAmI
            | Self::Metrics
            | Self::Page => false,
        }
    }
}

/// Where a listing starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// The whole repo.
    Root,
    /// A folder inside it; `None` where no folder can have that name.
    Named(Option<FileName>),
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No route looks like this.
    Unknown,
    /// The route is known, but no repo can have that id.
    NoRepo,
}

/// Reads the raw path of a request.
pub(crate) fn parse(raw_path: &str) -> Result<Route, NoRoute> {
    if let Some(rest) = raw_path.strip_prefix(CONTENT_PREFIX) {
        return parse_content(rest).ok_or(NoRoute::Unknown);
    }
    let segments: Vec<&str> = raw_path.strip_prefix('/').unwrap_or(raw_path).split('/').collect();
    match segments.as_slice() {
        [""] if raw_path == "/" => Ok(Route::Page),
        ["healthz"] => Ok(Route::Health),
        ["readyz"] => Ok(Route::Ready),
        ["metrics"] => Ok(Route::Metrics),
        ["api", "whoami-v2"] => Ok(Route::WhoAmI),
        ["api", "agent-harnesses"] => Ok(Route::AgentHarnesses),
        ["api", kind, rest @ ..] => parse_api(plural_kind(kind).ok_or(NoRoute::Unknown)?, rest),
        [first, rest @ ..] => match plural_kind(first) {
            Some(kind @ (RepoKind::Dataset | RepoKind::Space | RepoKind::Kernel)) => {
                parse_file(kind, rest)
            }
            Some(RepoKind::Model) | None => parse_file(RepoKind::Model, &segments),
        },
        [] => Err(NoRoute::Unknown),
    }
}

fn parse_file(kind: RepoKind, segments: &[&str]) -> Result<Route, NoRoute> {
    let (id, form, revision, file) = match segments {
        [name, form @ ("resolve" | "raw"), revision, file @ ..] => {
            (&[*name][..], form, revision, file)
        }
        [org, name, form @ ("resolve" | "raw"), revision, file @ ..] => {
            (&[*org, *name][..], form, revision, file)
        }
        _ => return Err(NoRoute::Unknown),
    };
    Ok(Route::File {
        repo: repo(kind, id)?,
        revision: parse_revision(revision),
        file: file_name(file),
        form: if *form == "raw" { Form::Raw } else { Form::Resolve },
    })
}

fn parse_api(kind: RepoKind, segments: &[&str]) -> Result<Route, NoRoute> {
    let id_len = match segments {
        [] => return Ok(Route::Catalog { kind }),
        [_]
        | [_, "refs" | "auth-check"]
        | [_, "revision" | "paths-info" | "commits", _]
        | [_, "tree", _, ..] => 1,
        [_, _, ..] => 2,
    };
    let (id, rest) = segments.split_at(id_len);
    let repo = || repo(kind, id);
    Ok(match rest {
        [] => Route::Info { repo: repo()?, revision: Revision::parse("main").ok() },
        ["refs"] => Route::Refs { repo: repo()? },
        ["auth-check"] => Route::AuthCheck { repo: repo()? },
        ["commits", revision] => {
            Route::Commits { repo: repo()?, revision: parse_revision(revision) }
        }
        ["revision", revision] => Route::Info { repo: repo()?, revision: parse_revision(revision) },
        ["paths-info", revision] => {
            Route::PathsInfo { repo: repo()?, revision: parse_revision(revision) }
        }
        ["tree", revision, folder @ ..] => Route::Tree {
            repo: repo()?,
            revision: parse_revision(revision),
            folder: parse_folder(folder),
        },
        _ => return Err(NoRoute::Unknown),
    })
}

fn parse_content(path: &str) -> Option<Route> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let [sha256, kind, rest @ ..] = segments.as_slice() else {
        return None;
    };
    let Ok(Route::File { repo, revision, file, form: Form::Resolve }) =
        parse_file(plural_kind(kind)?, rest)
    else {
        return None;
    };
    let commit = revision?.as_commit()?;
    Some(Route::Content { sha256: decoded(sha256)?, repo, commit, file: file? })
}

fn plural_kind(segment: &str) -> Option<RepoKind> {
    RepoKind::ALL.into_iter().find(|kind| kind.plural() == segment)
}

fn repo(kind: RepoKind, segments: &[&str]) -> Result<Repo, NoRoute> {
    let id = joined(segments).and_then(|id| RepoId::parse(&id).ok()).ok_or(NoRoute::NoRepo)?;
    // The folders of the kinds hold repos and are none themselves.
    let first = id.as_str().split('/').next().unwrap_or_default();
    if plural_kind(first).is_some() {
        return Err(NoRoute::NoRepo);
    }
    Ok(Repo::new(kind, id))
}

/// `HEAD` is git's word for the default branch, which is `main` here.
fn parse_revision(segment: &str) -> Option<Revision> {
    let text = decoded(segment)?;
    Revision::parse(if text == "HEAD" { "main" } else { &text }).ok()
}

fn file_name(segments: &[&str]) -> Option<FileName> {
    FileName::parse(&joined(segments)?).ok()
}

fn parse_folder(segments: &[&str]) -> Folder {
    let parts: Option<Vec<String>> = segments.iter().map(|segment| decoded(segment)).collect();
    match parts.map(|parts| parts.join("/")) {
        Some(path) if path.is_empty() => Folder::Root,
        Some(path) => Folder::Named(FileName::parse(&path).ok()),
        None => Folder::Named(None),
    }
}

/// Decodes segments that must not hold a slash of their own, and joins them by slashes.
fn joined(segments: &[&str]) -> Option<String> {
    let plain = |segment: &&str| decoded(segment).filter(|text| !text.contains('/'));
    let parts: Option<Vec<String>> = segments.iter().map(plain).collect();
    Some(parts?.join("/"))
}

fn decoded(segment: &str) -> Option<String> {
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    /// Shows a route in one line: `File model a/b @main x/y`, with `-` for what is no name.
    fn shown(route: &Route) -> String {
        fn name<T: ToString>(name: &Option<T>) -> String {
            name.as_ref().map_or("-".to_owned(), T::to_string)
        }
        match route {
            Route::File { repo, revision, file, form } => {
                let form = if *form == Form::Raw { "Raw" } else { "File" };
                format!("{form} {repo} @{} {}", name(revision), name(file))
            }
            Route::Content { sha256, repo, commit, file } => {
                format!("Content {sha256} {repo} @{commit} {file}")
            }
            Route::Info { repo, revision } => format!("Info {repo} @{}", name(revision)),
            Route::Tree { repo, revision, folder: Folder::Root } => {
                format!("Tree {repo} @{}", name(revision))
            }
            Route::Tree { repo, revision, folder: Folder::Named(folder) } => {
                format!("Tree {repo} @{} {}", name(revision), name(folder))
            }
            Route::PathsInfo { repo, revision } => format!("PathsInfo {repo} @{}", name(revision)),
            Route::Refs { repo } => format!("Refs {repo}"),
            Route::Commits { repo, revision } => format!("Commits {repo} @{}", name(revision)),
            Route::AuthCheck { repo } => format!("AuthCheck {repo}"),
            Route::Catalog { kind } => format!("Catalog {kind}"),
            Route::WhoAmI => "WhoAmI".to_owned(),
            Route::AgentHarnesses => "AgentHarnesses".to_owned(),
            Route::Health => "Health".to_owned(),
            Route::Ready => "Ready".to_owned(),
            Route::Metrics => "Metrics".to_owned(),
            Route::Page => "Page".to_owned(),
        }
    }

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let path = path.replace("COMMIT", COMMIT);
        let found = match parse(&path) {
            Ok(route) => shown(&route),
            Err(NoRoute::Unknown) => "unknown".to_owned(),
            Err(NoRoute::NoRepo) => "no repo".to_owned(),
        };
        assert_eq!(found, expected.replace("COMMIT", COMMIT), "{path}");
    }

    #[test]
    fn a_path_is_read_segment_by_segment() {
        check("/a/resolve/main/f", "File model a @main f");
        check("/a/b/resolve/main/x/y%20z", "File model a/b @main x/y z");
        check("/datasets/a/b/resolve/refs%2Fpr%2F1/f", "File dataset a/b @refs/pr/1 f");
        check("/spaces/a/resolve/main/f", "File space a @main f");
        check("/kernels/a/b/resolve/main/resolve/main", "File kernel a/b @main resolve/main");
        check("/a/resolve/resolve/f", "File model a @resolve f");
        check("/api/models/a", "Info model a @main");
        check("/api/models/a/b", "Info model a/b @main");
        check("/api/models/a/tree", "Info model a/tree @main");
        check("/api/spaces/a/revision/v1", "Info space a @v1");
        check("/api/datasets/a/b/revision/x%2Fy", "Info dataset a/b @x/y");
        check("/api/models/a/tree/main", "Tree model a @main");
        check("/api/models/a/b/tree/main/", "Tree model a/b @main");
        check("/api/models/a/b/tree/main/x/y", "Tree model a/b @main x/y");
        check("/api/models/a/b/tree/main/x%2Fy", "Tree model a/b @main x/y");
        check("/api/models/a/refs", "Refs model a");
        check("/api/kernels/a/b/refs", "Refs kernel a/b");
        check("/api/models/a/b/paths-info/COMMIT", "PathsInfo model a/b @COMMIT");
        check("/-/content/ab/models/a/b/resolve/COMMIT/x", "Content ab model a/b @COMMIT x");
        check("/a/resolve/HEAD/f", "File model a @main f");
        check("/api/models/a/tree/HEAD", "Tree model a @main");
        check("/a/raw/main/f", "Raw model a @main f");
        check("/datasets/a/b/raw/v1/x/y", "Raw dataset a/b @v1 x/y");
        check("/api/models/a/auth-check", "AuthCheck model a");
        check("/api/spaces/a/b/auth-check", "AuthCheck space a/b");
        check("/api/models/a/commits/main", "Commits model a @main");
        check("/api/models/a/b/commits/x%2Fy", "Commits model a/b @x/y");
        check("/api/datasets", "Catalog dataset");
        check("/api/whoami-v2", "WhoAmI");
        check("/api/agent-harnesses", "AgentHarnesses");
        check("/healthz", "Health");
        check("/readyz", "Ready");
        check("/metrics", "Metrics");
        check("/", "Page");
    }

    #[test]
    fn a_hostile_path_names_nothing() {
        for path in ["", "/x", "/api", "/api/nope", "/api/nope/a", "//", "/metrics/"] {
            check(path, "unknown");
        }
        for path in ["/-/content/ab/models/a/resolve/main/x", "/-/content/ab/models/a/raw/COMMIT/x"]
        {
            check(path, "unknown");
        }
        for path in [
            "/-/content/ab/models/a/resolve/COMMIT/..",
            "/api/models/a/b/c/d",
            "/a/b/c/resolve/main/f",
        ] {
            check(path, "unknown");
        }
        for id in ["..", "%2e%2e", "a/..", "a%2Fb", "a/.git", "a@v1", "a%00", "a\\b", "models"] {
            check(&format!("/{id}/resolve/main/f"), "no repo");
            check(&format!("/api/models/{id}"), "no repo");
        }
        check("/models/a/resolve/main/f", "no repo");
        check("//a/resolve/main/f", "no repo");
        for file in
            ["..", "..%2f..", "a/../b", "%2Fetc", "a%5cb", "a%00", "C:/x", "./a", "", "a//b"]
        {
            check(&format!("/a/b/resolve/main/{file}"), "File model a/b @main -");
        }
        for file in ["%ff", "a%2Fb", "a/", "%0a"] {
            check(&format!("/a/b/resolve/main/{file}"), "File model a/b @main -");
        }
        for revision in ["..", "..%2F..", "%2Fx", "a%00", "x%5Cy", "", "-x", "x.lock"] {
            check(&format!("/a/b/resolve/{revision}/f"), "File model a/b @- f");
        }
        check("/api/models/a/b/tree/main/..%2F..", "Tree model a/b @main -");
    }
}
