//! Repos as people write them: `org/name`, `datasets/org/name`, `hf://…`, and the address of a page of the hub.

use hubstow_core::{
    hub::Endpoint,
    name::{Repo, RepoId, RepoKind, Revision},
};
use percent_encoding::percent_decode_str;

use crate::api::error::{Error, ErrorKind};

const SCHEME: &str = "hf://";
/// The short name of the public hub.
const SHORT: &str = "https://hf.co";
/// What pages of files have between the repo and the revision.
const PAGES: [&str; 5] = ["tree", "blob", "resolve", "raw", "blame"];
/// What pages of a repo's history have there.
const HISTORY: [&str; 2] = ["commit", "commits"];

/// A repo as somebody wrote it, with the revision and the path inside it that came along.
///
/// | written | means |
/// |---|---|
/// | `org/name`, `name` | a model |
/// | `datasets/org/name`, also with `models`, `spaces`, `kernels` | a repo of that kind |
/// | `hf://[datasets/\|…]org/name[@REVISION][/PATH]` | the same; `%2F` is a slash in a revision |
/// | `https://huggingface.co/[datasets/\|…]org/name` | the same, of the public hub or the endpoint |
/// | `…/tree/REVISION[/DIR]`, `…/blob/REVISION/FILE`, `…/resolve/REVISION/FILE` | a folder or a file of it |
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::RepoPath;
/// use hubstow_core::{hub::Endpoint, name::RepoKind};
///
/// let public = Endpoint::parse(Endpoint::PUBLIC)?;
/// assert!(RepoPath::is_address("hf://datasets/org/rows@v1/data"));
/// let rows = RepoPath::parse("hf://datasets/org/rows@v1/data", &public)?;
/// assert_eq!(rows.repo, RepoPath::repo_of("org/rows", Some(RepoKind::Dataset))?);
/// assert_eq!(rows.revision.map(|it| it.to_string()).as_deref(), Some("v1"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepoPath {
    /// The repo.
    pub repo: Repo,
    /// The revision, where one was written.
    pub revision: Option<Revision>,
    /// What was written of the path inside the repo; a folder ends with a slash.
    pub path: Option<String>,
}

impl RepoPath {
    /// Understands what was written, for the hub at this endpoint.
    ///
    /// # Errors
    /// A name that is none, a page that shows no files, or a page of another hub.
    pub fn parse(text: &str, endpoint: &Endpoint) -> Result<Self, Error> {
        match text.strip_prefix(SCHEME) {
            Some(rest) => of_scheme(rest),
            None if is_web(text) => of_page(text, endpoint),
            None => {
                let repo = Self::repo_of(text, None)?;
                Ok(Self { repo, revision: None, path: None })
            }
        }
    }

    /// Tells whether something is written as an address, which says kind, revision and path itself.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        text.starts_with(SCHEME) || is_web(text)
    }

    /// Understands an id, with its kind before it or without; a kind that is known otherwise must be the same.
    ///
    /// # Errors
    /// A name that is none.
    pub fn repo_of(text: &str, known: Option<RepoKind>) -> Result<Repo, Error> {
        let prefixed = text.split_once('/').filter(|(_, rest)| rest.contains('/'));
        if let Some((kind, rest)) = prefixed.and_then(|(word, rest)| Some((kind_of(word)?, rest)))
            && known.is_none_or(|known| known == kind)
            && let Ok(id) = RepoId::parse(rest)
        {
            return Ok(Repo::new(kind, id));
        }
        Ok(Repo::new(known.unwrap_or(RepoKind::Model), RepoId::parse(text)?))
    }
}

fn is_web(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Returns the kind that a plural such as `datasets` names.
fn kind_of(word: &str) -> Option<RepoKind> {
    RepoKind::ALL.into_iter().find(|kind| kind.plural() == word)
}

/// Parses what follows `hf://`.
fn of_scheme(address: &str) -> Result<RepoPath, Error> {
    let (kind, rest) = match address.split_once('/') {
        Some((word, rest)) if let Some(kind) = kind_of(word) => (kind, rest),
        Some(_) | None => (RepoKind::Model, address),
    };
    let (head, mut path) = split_id(rest);
    let (id, said) = match head.split_once('@') {
        Some((id, said)) => (id, Some(said)),
        None => (&*head, None),
    };
    let revision = match said {
        Some("refs") => {
            let (revision, rest) = own_ref(path.unwrap_or_default());
            path = rest;
            Some(revision)
        }
        Some(said) => Some(decoded(said)),
        None => None,
    };
    Ok(RepoPath {
        repo: Repo::new(kind, RepoId::parse(id)?),
        revision: revision.as_deref().map(Revision::parse).transpose()?,
        path: path.filter(|path| !path.is_empty()).map(str::to_owned),
    })
}

/// Splits off the id with its revision: two parts, or one that has a revision or stands alone.
fn split_id(rest: &str) -> (String, Option<&str>) {
    match rest.split_once('/') {
        None => (rest.to_owned(), None),
        Some((name, path)) if name.contains('@') || path.is_empty() => {
            (name.to_owned(), Some(path))
        }
        Some((org, tail)) => match tail.split_once('/') {
            None => (rest.to_owned(), None),
            Some((name, path)) => (format!("{org}/{name}"), Some(path)),
        },
    }
}

/// Takes one of the hub's own refs, which have three parts, of what follows its first part; every other slash in a revision
/// is written as `%2F`.
fn own_ref(after: &str) -> (String, Option<&str>) {
    let mut parts = after.splitn(3, '/');
    let named: Vec<&str> =
        [Some("refs"), parts.next(), parts.next()].into_iter().flatten().collect();
    (named.join("/"), parts.next())
}

/// Parses the address of a page, as a browser shows it.
fn of_page(text: &str, endpoint: &Endpoint) -> Result<RepoPath, Error> {
    let page = text.split(['?', '#']).next().unwrap_or(text);
    let bases = [endpoint.as_str(), Endpoint::PUBLIC, SHORT];
    let Some(path) = bases.into_iter().find_map(|base| below(page, base)) else {
        let what = format!("the address is one of another hub than {}", endpoint.as_str());
        return Err(Error::new(ErrorKind::Usage, what));
    };
    let path = path.trim_end_matches('/');
    let (kind, path) = match path.split_once('/') {
        Some((word, rest)) if let Some(kind) = kind_of(word) => (kind, rest),
        Some(_) | None => (RepoKind::Model, path),
    };
    let is_page = |word: &str| PAGES.contains(&word) || HISTORY.contains(&word);
    let parts: Vec<&str> = path.split('/').collect();
    let found = parts.iter().skip(1).take(2).position(|word| is_page(word)).map(|at| at + 1);
    let (id, after) = parts.split_at(found.unwrap_or(parts.len()));
    let repo = Repo::new(kind, RepoId::parse(&id.join("/"))?);
    let Some((word, after)) = after.split_first() else {
        return Ok(RepoPath { repo, revision: None, path: None });
    };
    let (revision, inside) = revision_and_path(&after.join("/"))?;
    let inside = inside.filter(|inside| !inside.is_empty() && PAGES.contains(word));
    let path = inside.map(|inside| if *word == "tree" { inside + "/" } else { inside });
    Ok(RepoPath { repo, revision, path })
}

/// Splits what follows the word of a page.
fn revision_and_path(after: &str) -> Result<(Option<Revision>, Option<String>), Error> {
    let (first, rest) = match after.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (after, None),
    };
    let (revision, path) = match first {
        "" => return Ok((None, None)),
        "refs" => own_ref(rest.unwrap_or_default()),
        first => (decoded(first), rest),
    };
    Ok((Some(Revision::parse(&revision)?), path.map(decoded)))
}

/// Returns what of an address lies below a base, whichever of the two schemes they have.
fn below<'t>(address: &'t str, base: &str) -> Option<&'t str> {
    let bare = |url: &'t str| url.split_once("://").map(|(_, rest)| rest);
    let (_, base) = base.split_once("://")?;
    bare(address)?.strip_prefix(base)?.strip_prefix('/')
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIRROR: &str = "https://mirror.test/hf";

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&str>, Option<&str>)>) {
        let found = RepoPath::parse(text, &Endpoint::parse(MIRROR).unwrap()).ok();
        let found = found.as_ref().map(|found| {
            let revision = found.revision.as_ref().map(Revision::as_str);
            (found.repo.to_string(), revision, found.path.as_deref())
        });
        let expected = expected.map(|(repo, revision, path)| (repo.to_owned(), revision, path));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn repos_are_understood_as_written() {
        check("gpt2", Some(("model gpt2", None, None)));
        check("org/name", Some(("model org/name", None, None)));
        check("datasets/org/name", Some(("dataset org/name", None, None)));
        check("models/org/name", Some(("model org/name", None, None)));
        check("datasets/org/name/file", None);
        check("org/name@v1", None);
        check("../x", None);
        check("", None);
    }

    #[test]
    fn addresses_name_kind_id_revision_and_path() {
        check("hf://org/name", Some(("model org/name", None, None)));
        check("hf://gpt2", Some(("model gpt2", None, None)));
        check("hf://gpt2/", Some(("model gpt2", None, None)));
        check("hf://models/org/name", Some(("model org/name", None, None)));
        check("hf://datasets/squad", Some(("dataset squad", None, None)));
        check("hf://spaces/o/n@v1", Some(("space o/n", Some("v1"), None)));
        check("hf://kernels/o/n/", Some(("kernel o/n", None, None)));
        check("hf://o/n/a/b.txt", Some(("model o/n", None, Some("a/b.txt"))));
        check("hf://o/n@v1/a/b.txt", Some(("model o/n", Some("v1"), Some("a/b.txt"))));
        check("hf://gpt2@v1/b.txt", Some(("model gpt2", Some("v1"), Some("b.txt"))));
        check("hf://o/n/a@b.txt", Some(("model o/n", None, Some("a@b.txt"))));
        check("hf://o/n/data/", Some(("model o/n", None, Some("data/"))));
        check("hf://o/n@dev%2Fx/f", Some(("model o/n", Some("dev/x"), Some("f"))));
        check("hf://o/n@refs/pr/12/f", Some(("model o/n", Some("refs/pr/12"), Some("f"))));
        check("hf://o/n@refs/pr/12", Some(("model o/n", Some("refs/pr/12"), None)));
        check("hf://o/n@refs%2Fpr%2F1/f", Some(("model o/n", Some("refs/pr/1"), Some("f"))));
        for address in ["hf://", "hf://@v1", "hf://o/n@/f", "hf://o/n@a..b", "hf://o//f"] {
            check(address, None);
        }
    }

    #[test]
    fn pages_of_the_hub_are_addresses_too() {
        let file = Some("a/b c.txt");
        for base in ["https://huggingface.co", "http://huggingface.co", "https://hf.co", MIRROR] {
            for (page, expected) in [
                ("/o/n", ("model o/n", None, None)),
                ("/o/n/", ("model o/n", None, None)),
                ("/gpt2/tree/main", ("model gpt2", Some("main"), None)),
                ("/datasets/o/n", ("dataset o/n", None, None)),
                ("/spaces/o/n/tree/main/src", ("space o/n", Some("main"), Some("src/"))),
                ("/o/n/blob/v1/a/b%20c.txt", ("model o/n", Some("v1"), file)),
                ("/o/n/resolve/v1/a/b%20c.txt?download=true", ("model o/n", Some("v1"), file)),
                ("/o/n/raw/v1/a/b%20c.txt#L5", ("model o/n", Some("v1"), file)),
                ("/o/n/tree/refs%2Fpr%2F7", ("model o/n", Some("refs/pr/7"), None)),
                ("/o/n/blob/refs/pr/7/a/b%20c.txt", ("model o/n", Some("refs/pr/7"), file)),
                ("/o/n/commit/abc123", ("model o/n", Some("abc123"), None)),
            ] {
                check(&format!("{base}{page}"), Some(expected));
            }
        }
    }

    #[test]
    fn pages_without_files_and_pages_of_other_hubs_are_refused() {
        for address in [
            "https://huggingface.co",
            "https://huggingface.co/",
            "https://huggingface.co/o/n/discussions/1",
            "https://huggingface.co.evil.test/o/n",
            "https://mirror.test/o/n",
            "https://user:secret@other.test/o/n",
            "https://huggingface.co/o/n/blob/a..b/f",
        ] {
            check(address, None);
        }
        let endpoint = Endpoint::parse(MIRROR).unwrap();
        let error = RepoPath::parse("https://user:secret@other.test/o/n", &endpoint).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
