//! REPO and FILE as users type them; what an address means, the library says.

use clap::{Args, ValueEnum};
use hubstow_client::{Error, ErrorKind, RepoPath};
use hubstow_core::{
    hub::Endpoint,
    name::{FileName, Repo, RepoId, RepoKind, Revision},
};

const PAGE_HINT: &str = "an address of the web is that of a repo, a folder or a file at HF_ENDPOINT or at huggingface.co, \
     such as https://huggingface.co/org/name/blob/main/config.json";
const REPO_HINT: &str =
    "REPO is `org/name`, `name`, or `hf://[datasets/|spaces/|kernels/]org/name[@REVISION][/FILE]`";

/// Which repo, at which revision.
#[derive(Args)]
pub(crate) struct RepoArgs {
    /// The repo: org/name, name, datasets/org/name, hf://[datasets/|spaces/|kernels/]org/name[@REVISION][/FILE], or the
    /// address of a page of the hub
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
pub(crate) enum KindArg {
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
    /// What an address names inside the repo, as it was typed.
    pub(crate) path: Option<String>,
}

impl RepoArgs {
    /// Takes what other flags have said.
    pub(crate) fn named(
        repo: String,
        repo_type: Option<KindArg>,
        revision: Option<String>,
    ) -> Self {
        Self { repo, repo_type, revision }
    }

    /// Understands what was typed, for the hub at this endpoint.
    ///
    /// # Errors
    /// A name that is none, or something that is said twice.
    pub(crate) fn place(&self, endpoint: &Endpoint) -> Result<Place, Error> {
        if !RepoPath::is_address(&self.repo) {
            let known = self.repo_type.map(RepoKind::from);
            return Ok(Place {
                repo: RepoPath::repo_of(&self.repo, known)
                    .map_err(|error| self.repo_error(error))?,
                revision: revision(self.revision.as_deref().unwrap_or("main"))?,
                path: None,
            });
        }
        for (flag, is_given) in
            [("--repo-type", self.repo_type.is_some()), ("--revision", self.revision.is_some())]
        {
            if is_given {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("{flag} can't be used with an address, which says it itself"),
                )
                .hint("write hf://datasets/org/name@REVISION, or org/name with flags"));
            }
        }
        let is_of_hub = self.repo.starts_with("http");
        let hint = if is_of_hub { PAGE_HINT } else { REPO_HINT };
        let found = RepoPath::parse(&self.repo, endpoint).map_err(|error| error.hint(hint))?;
        let RepoPath { repo, revision: said, path, .. } = found;
        Ok(Place { repo, revision: said.map_or_else(|| revision("main"), Ok)?, path })
    }

    fn repo_error(&self, error: Error) -> Error {
        let mut hint = REPO_HINT.to_owned();
        if let Some((word, rest)) = self.repo.split_once('/')
            && let Some(kind) = RepoKind::ALL.into_iter().find(|kind| kind.plural() == word)
            && RepoId::parse(rest).is_ok()
        {
            hint = format!("write `--repo-type {} {rest}`, or hf://{}", kind.singular(), self.repo);
        } else if let Some((id, revision)) = self.repo.split_once('@') {
            hint = format!("write `{id} --revision {revision}`, or hf://{}", self.repo);
        }
        error.hint(hint)
    }
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

    fn endpoint() -> Endpoint {
        Endpoint::parse(Endpoint::PUBLIC).unwrap()
    }

    #[test]
    fn what_is_typed_names_a_place() {
        for (typed, kind, expected) in [
            ("org/name", None, Some(("model org/name", "main", None))),
            ("org/name", Some(KindArg::Dataset), Some(("dataset org/name", "main", None))),
            ("datasets/org/name", None, Some(("dataset org/name", "main", None))),
            ("datasets/org/name", Some(KindArg::Space), None),
            ("hf://o/n@v1/a.txt", None, Some(("model o/n", "v1", Some("a.txt")))),
            ("https://huggingface.co/o/n", None, Some(("model o/n", "main", None))),
            ("https://huggingface.co/o/n/tree/v1/d", None, Some(("model o/n", "v1", Some("d/")))),
            ("https://elsewhere.test/o/n", None, None),
            ("../x", None, None),
        ] {
            let args = RepoArgs { repo: typed.to_owned(), repo_type: kind, revision: None };
            let found = args.place(&endpoint()).ok();
            let found = found.as_ref().map(|place| {
                (place.repo.to_string(), place.revision.as_str(), place.path.as_deref())
            });
            let expected = expected.map(|(repo, revision, path)| (repo.to_owned(), revision, path));
            assert_eq!(found, expected, "{typed}");
        }
    }

    #[test]
    fn an_address_leaves_nothing_for_flags_to_say() {
        let args = RepoArgs {
            repo: "hf://o/n".to_owned(),
            repo_type: None,
            revision: Some("v1".to_owned()),
        };
        let error = args.place(&endpoint()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("--revision"));
    }
}
