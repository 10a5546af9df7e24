//! Refusals in words: the thing, the rule, and the way out. The one place where the core's refusals become errors.

use hubstow_core::{
    hub::Endpoint,
    name::{FileName, Repo, Revision},
    policy::Policy,
    why::Refusal,
};

use crate::api::error::Error;

/// What a refusal is about.
pub(crate) struct About<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) repo: &'a Repo,
    pub(crate) revision: &'a Revision,
    /// The file, or `None` where a whole snapshot is meant.
    pub(crate) file: Option<&'a FileName>,
    /// The path in the way, as the user's system knows it.
    pub(crate) path: String,
    pub(crate) policy: Policy,
    /// Whether a cached copy could be served if the caller allowed it.
    pub(crate) cached: bool,
    /// What went wrong, in words; where no file matches, the patterns.
    pub(crate) cause: Option<&'a str>,
}

impl About<'_> {
    /// Makes the error for a refusal.
    pub(crate) fn error(&self, refusal: Refusal) -> Error {
        let mut message = self.message(refusal);
        if let Some(cause) = self.cause.filter(|_| refusal != Refusal::EntryNotFound) {
            message = format!("{message}: {cause}");
        }
        let error = Error::new(refusal.into(), message);
        match self.hint(refusal) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn message(&self, refusal: Refusal) -> String {
        let Self { repo, revision, path, .. } = self;
        let hub = self.endpoint.as_str();
        let what = match self.file {
            Some(file) => format!("`{file}` of {repo} at `{revision}`"),
            None => format!("{repo} at `{revision}`"),
        };
        match refusal {
            Refusal::EntryNotFound => match self.file {
                Some(file) => format!("{repo} has no file `{file}` at `{revision}`"),
                None => match self.cause.filter(|patterns| !patterns.is_empty()) {
                    Some(patterns) => format!("no file of {what} matches {patterns}"),
                    None => format!("no file of {what} is wanted"),
                },
            },
            Refusal::RevisionNotFound => format!("{repo} has no revision `{revision}`"),
            Refusal::RepoNotFound => format!("{hub} knows no {repo}, or hides it"),
            Refusal::NotCached => format!("{what} is not in the cache"),
            Refusal::CacheDamaged => {
                format!("`{path}` is damaged: it does not lead to its content")
            }
            Refusal::ForceOffline => "force needs the hub, but the hub may not be asked".to_owned(),
            Refusal::PointerIsDirectory => {
                format!("`{path}` is a directory where the file should be")
            }
            Refusal::BlobIsDirectory => format!("`{path}` is a directory where the blob should be"),
            Refusal::NameTaken => format!(
                "`{path}` is another file's name on this filesystem, which does not tell the two apart"
            ),
            Refusal::NoMethodLeft => format!(
                "{what} can't be placed: every method of the policy `{}` is refused in this cache",
                self.policy
            ),
            Refusal::Unauthorized => {
                format!("{hub} wants a token for {repo}, or refuses the one it got")
            }
            Refusal::Forbidden => format!("{hub} refuses access to {repo}"),
            Refusal::Throttled => format!("{hub} limits the rate"),
            Refusal::HubFailing => format!("{hub} fails"),
            Refusal::HubUnreachable => format!("{hub} can't be reached"),
            Refusal::AnswerIncomplete => format!("the answer of {hub} lacks a commit or an etag"),
            Refusal::AnswerHostile => format!("the answer of {hub} can't be trusted"),
            Refusal::OtherCommit => {
                format!("`{revision}` was asked for, but {hub} answered with another commit")
            }
            Refusal::AnswerUnexpected => format!("the answer of {hub} has no meaning here"),
        }
    }

    fn hint(&self, refusal: Refusal) -> Option<&'static str> {
        let denied =
            [Refusal::Unauthorized, Refusal::Forbidden, Refusal::RepoNotFound, Refusal::Throttled];
        if self.cached && denied.contains(&refusal) {
            return Some(
                "a cached copy is here: --offline takes it, `--stale always` takes it whenever the hub refuses",
            );
        }
        Some(match refusal {
            Refusal::Unauthorized => "set HF_TOKEN, pass --token, or log in with the Python client",
            Refusal::Forbidden => {
                "accept the repo's conditions on its page, and check what the token may read"
            }
            Refusal::RepoNotFound => "check the id and --repo-type; a private repo needs a token",
            Refusal::RevisionNotFound => {
                "check --revision: branches, tags, `refs/pr/1` and whole commits are revisions"
            }
            Refusal::EntryNotFound if self.file.is_none() => {
                "patterns match the whole name, case-sensitively; `dir/` means everything below dir"
            }
            Refusal::EntryNotFound => {
                "names are case-sensitive; `hubstow download REPO --dry-run` lists the files"
            }
            Refusal::NotCached => "run it once without --offline (HF_HUB_OFFLINE)",
            Refusal::CacheDamaged => {
                "run it once without --offline: what is damaged is fetched again"
            }
            Refusal::ForceOffline => "leave out --force-download or --offline",
            Refusal::PointerIsDirectory | Refusal::BlobIsDirectory => {
                "move that directory away; nothing was changed"
            }
            Refusal::NameTaken => {
                "use a cache directory on a filesystem that tells the names apart"
            }
            Refusal::NoMethodLeft => {
                "choose another --placement; `compat` moves or copies where links are refused"
            }
            Refusal::HubUnreachable => {
                "check the network, the proxy variables, the certificates (SSL_CERT_FILE) and HF_ENDPOINT"
            }
            Refusal::Throttled => "wait, or use a token with a higher limit",
            Refusal::HubFailing
            | Refusal::AnswerIncomplete
            | Refusal::AnswerHostile
            | Refusal::OtherCommit
            | Refusal::AnswerUnexpected => return None,
        })
    }
}
