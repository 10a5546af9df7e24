//! REPO and FILE as users type them: `org/name`, `name`, or `hf://[models/|…]org/name[@revision][/file]`.

use clap::{Args, ValueEnum};
use hubstow_client::{Error, ErrorKind};
use hubstow_core::name::{FileName, NameError, Repo, RepoId, RepoKind, Revision};
use percent_encoding::percent_decode_str;

const SCHEME: &str = "hf://";
const REPO_HINT: &str =
    "REPO is `org/name`, `name`, or `hf://[datasets/|spaces/|kernels/]org/name[@REVISION][/FILE]`";

/// Which repo, at which revision.
#[derive(Args)]
pub(crate) struct RepoArgs {
    /// The repo: org/name, name, datasets/org/name, or hf://[models/|datasets/|spaces/|kernels/]org/name[@REVISION][/FILE]
    #[arg(value_name = "REPO")]
    repo: String,
    /// The kind of the repo [default: model]
    #[arg(long, visible_alias = "type", value_enum, value_name = "KIND")]
    repo_type: Option<KindArg>,
    /// A branch, a tag, refs/pr/N or a commit [default: main]
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
}

/// The kinds of repos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Model,
    Dataset,
    Space,
    Kernel,
}

impl From<KindArg> for RepoKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Model => Self::Model,
            KindArg::Dataset => Self::Dataset,
            KindArg::Space => Self::Space,
            KindArg::Kernel => Self::Kernel,
        }
    }
}

/// What was said about a repo, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) repo: Repo,
    pub(crate) revision: Revision,
    /// What an `hf://` address names inside the repo, as it was typed.
    pub(crate) path: Option<String>,
}

impl RepoArgs {
    /// Understands what was typed.
    ///
    /// # Errors
    /// A name that is none, or something that is said twice.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        let Some(address) = self.repo.strip_prefix(SCHEME) else {
            return Ok(Place {
                repo: self.plain()?,
                revision: revision(self.revision.as_deref().unwrap_or("main"))?,
                path: None,
            });
        };
        for (flag, is_given) in
            [("--repo-type", self.repo_type.is_some()), ("--revision", self.revision.is_some())]
        {
            if is_given {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("{flag} can't be used with an hf:// address, which says it itself"),
                )
                .hint("write hf://datasets/org/name@REVISION, or org/name with flags"));
            }
        }
        parse_address(address)
    }

    /// Understands an id, with its kind before it or without.
    fn plain(&self) -> Result<Repo, Error> {
        let flag = self.repo_type.map(RepoKind::from);
        let prefixed = self.repo.split_once('/').filter(|(_, rest)| rest.contains('/'));
        if let Some((kind, rest)) = prefixed.and_then(|(word, rest)| Some((kind_of(word)?, rest)))
            && flag.is_none_or(|flag| flag == kind)
            && let Ok(id) = RepoId::parse(rest)
        {
            return Ok(Repo::new(kind, id));
        }
        let id = RepoId::parse(&self.repo).map_err(|error| self.repo_error(error))?;
        Ok(Repo::new(flag.unwrap_or(RepoKind::Model), id))
    }

    fn repo_error(&self, error: NameError) -> Error {
        let mut hint = REPO_HINT.to_owned();
        if let Some(address) = from_web_address(&self.repo) {
            hint = format!("write {address}");
        } else if let Some((word, rest)) = self.repo.split_once('/')
            && let Some(kind) = kind_of(word)
            && RepoId::parse(rest).is_ok()
        {
            hint = format!("write `--repo-type {} {rest}`, or hf://{}", kind.singular(), self.repo);
        } else if let Some((id, revision)) = self.repo.split_once('@') {
            hint = format!("write `{id} --revision {revision}`, or hf://{}", self.repo);
        }
        Error::from(error).hint(hint)
    }
}

/// Parses what follows `hf://`.
fn parse_address(address: &str) -> Result<Place, Error> {
    let (kind, rest) = match address.split_once('/') {
        Some((word, rest)) if let Some(kind) = kind_of(word) => (kind, rest),
        Some(_) | None => (RepoKind::Model, address),
    };
    let (head, mut path) = split_id(rest);
    let (id, said) = match head.split_once('@') {
        Some((id, said)) => (id.to_owned(), said.to_owned()),
        None => (head, "main".to_owned()),
    };
    let said = if said == "refs" {
        // The hub's own refs have three parts; every other slash is written as %2F.
        let mut parts = path.unwrap_or_default().splitn(3, '/');
        let named: Vec<&str> =
            [Some("refs"), parts.next(), parts.next()].into_iter().flatten().collect();
        path = parts.next();
        named.join("/")
    } else {
        percent_decode_str(&said).decode_utf8_lossy().into_owned()
    };
    Ok(Place {
        repo: Repo::new(
            kind,
            RepoId::parse(&id).map_err(|error| Error::from(error).hint(REPO_HINT))?,
        ),
        revision: revision(&said)?,
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

/// Turns the address of a page of the hub, as a browser shows it, into an `hf://` address.
fn from_web_address(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let (_, path) = rest.split_once('/')?;
    let (path, _) = path.split_once(['?', '#']).unwrap_or((path, ""));
    let mut address = String::from(SCHEME);
    for page in ["/tree/", "/blob/", "/resolve/"] {
        if let Some((repo, inside)) = path.split_once(page) {
            address.push_str(&format!("{repo}@{inside}"));
            return Some(address);
        }
    }
    address.push_str(path.trim_end_matches('/'));
    Some(address)
}

fn kind_of(word: &str) -> Option<RepoKind> {
    RepoKind::ALL.into_iter().find(|kind| kind.plural() == word)
}

fn revision(text: &str) -> Result<Revision, Error> {
    Revision::parse(text).map_err(|error| {
        Error::from(error).hint("a revision is a branch, a tag, `refs/pr/N` or a commit")
    })
}

/// Takes a pattern that stands where the name of a file may stand. What could be no name, whatever its `*` and `?` stand
/// for, is a path of some disk: it matches nothing, and the user means something else.
///
/// # Errors
/// A pattern that is absolute, climbs, has a drive, or breaks another rule of names.
pub(crate) fn file_pattern(text: &str) -> Result<&str, Error> {
    // Patterns may separate by backslashes, and a slash at the end means all that is below.
    let name = text.replace('\\', "/");
    let name = name.strip_suffix('/').filter(|folder| !folder.is_empty()).unwrap_or(&name);
    FileName::parse(name).map(|_| text).map_err(|error| {
        let what = format!("`{text}` matches no file of any repo: {}", error.rule());
        Error::new(ErrorKind::Usage, what)
            .hint("FILE is a path or a pattern inside the repo, such as `*.json` or `data/`")
    })
}

/// Parses the name of a file as a user typed it.
///
/// # Errors
/// A name that is none.
pub(crate) fn file_name(text: &str) -> Result<FileName, Error> {
    FileName::parse(text).map_err(|error| {
        Error::from(error)
            .hint("FILE is a path inside the repo, such as `config.json` or `data/train.csv`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: Option<(&str, &str, Option<&str>)>) {
        let args = RepoArgs { repo: address.to_owned(), repo_type: None, revision: None };
        let found = args.place().ok();
        let found =
            found.as_ref().map(|p| (p.repo.to_string(), p.revision.as_str(), p.path.as_deref()));
        assert_eq!(found, expected.map(|(repo, revision, path)| (repo.to_owned(), revision, path)));
    }

    #[test]
    fn repos_are_understood_as_typed() {
        check("gpt2", Some(("model gpt2", "main", None)));
        check("org/name", Some(("model org/name", "main", None)));
        check("datasets/org/name", Some(("dataset org/name", "main", None)));
        check("models/org/name", Some(("model org/name", "main", None)));
        check("datasets/org/name/file", None);
        check("org/name@v1", None);
        check("https://huggingface.co/org/name", None);
        check("../x", None);
        check("", None);
    }

    #[test]
    fn addresses_name_kind_id_revision_and_file() {
        check("hf://org/name", Some(("model org/name", "main", None)));
        check("hf://gpt2", Some(("model gpt2", "main", None)));
        check("hf://gpt2/", Some(("model gpt2", "main", None)));
        check("hf://models/org/name", Some(("model org/name", "main", None)));
        check("hf://datasets/squad", Some(("dataset squad", "main", None)));
        check("hf://spaces/o/n@v1", Some(("space o/n", "v1", None)));
        check("hf://kernels/o/n/", Some(("kernel o/n", "main", None)));
        check("hf://o/n/a/b.txt", Some(("model o/n", "main", Some("a/b.txt"))));
        check("hf://o/n@v1/a/b.txt", Some(("model o/n", "v1", Some("a/b.txt"))));
        check("hf://gpt2@v1/b.txt", Some(("model gpt2", "v1", Some("b.txt"))));
        check("hf://o/n/a@b.txt", Some(("model o/n", "main", Some("a@b.txt"))));
        check("hf://o/n/data/", Some(("model o/n", "main", Some("data/"))));
    }

    #[test]
    fn revisions_in_addresses_may_have_slashes() {
        check("hf://o/n@dev%2Fx/f", Some(("model o/n", "dev/x", Some("f"))));
        check("hf://o/n@refs/pr/12/f", Some(("model o/n", "refs/pr/12", Some("f"))));
        check("hf://o/n@refs/pr/12", Some(("model o/n", "refs/pr/12", None)));
        check("hf://o/n@refs%2Fpr%2F1/f", Some(("model o/n", "refs/pr/1", Some("f"))));
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for address in ["hf://", "hf://@v1", "hf://o/n@/f", "hf://o/n@a..b", "hf://o//f"] {
            check(address, None);
        }
    }

    #[test]
    fn an_address_of_a_browser_is_turned_into_one_that_works() {
        let table = [
            ("https://huggingface.co/o/n", "hf://o/n"),
            ("https://huggingface.co/datasets/o/n/", "hf://datasets/o/n"),
            ("https://huggingface.co/o/n/tree/main", "hf://o/n@main"),
            ("https://hub/o/n/blob/v1/a/b.txt?x=1", "hf://o/n@v1/a/b.txt"),
        ];
        for (page, address) in table {
            assert_eq!(from_web_address(page).as_deref(), Some(address));
        }
        assert_eq!(from_web_address("o/n"), None);
    }

    #[test]
    fn an_address_leaves_nothing_for_flags_to_say() {
        let args = RepoArgs {
            repo: "hf://o/n".to_owned(),
            repo_type: None,
            revision: Some("v1".to_owned()),
        };
        let error = args.place().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("--revision"));
    }
}
