//! Refusals in words: the thing and the rule. The one place where the core's refusals become errors.

use hubstow_core::{
    facts::Force,
    name::{FileName, Repo, Revision},
    why::Refusal,
};

use crate::api::{
    config::{Config, UnreadToken},
    detail::{CachedCopy, HubAnswer, Refused, Subject},
    error::{AnyError, Detail, Error, ErrorKind, before},
    report::AskedEndpoint,
};

/// What a refusal is about.
pub(crate) struct About<'a> {
    pub(crate) config: &'a Config,
    /// The endpoints that were asked, where there are several.
    pub(crate) asked: Vec<AskedEndpoint>,
    pub(crate) repo: &'a Repo,
    pub(crate) revision: &'a Revision,
    /// The file, or `None` where a whole snapshot is meant.
    pub(crate) file: Option<&'a FileName>,
    /// The path in the way, as the user's system knows it.
    pub(crate) path: String,
    pub(crate) copy: CachedCopy,
    pub(crate) force: Force,
    /// The patterns that no file matches, as they were written.
    pub(crate) unmatched: &'a [String],
}

impl About<'_> {
    /// Makes the error for a refusal.
    pub(crate) fn error(&self, refusal: Refusal, cause: Option<AnyError>) -> Error {
        let subject = if self.file.is_some() { Subject::File } else { Subject::Snapshot };
        let (copy, force) = (self.copy, self.force);
        let said = cause.as_ref().and_then(|cause| HubAnswer::among(&**cause));
        let message = self.message(refusal) + &before(&self.asked);
        let error = Error::new(ErrorKind::of(refusal, said), message)
            .with_detail(Detail::Refused(Refused { refusal, subject, copy, force }));
        match cause {
            // That the hub has no such file, it says itself; nothing is behind it.
            Some(_) if refusal == Refusal::EntryNotFound => match said.cloned() {
                Some(said) => error.after(said),
                None => error,
            },
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }

    /// Says that a token was there and could not be read.
    fn unread(&self) -> String {
        match &self.config.unread_token {
            Some(UnreadToken { path, why }) if self.config.token.is_none() => {
                format!("; the token file `{}` can't be read: {why}", path.display())
            }
            Some(_) | None => String::new(),
        }
    }

    fn message(&self, refusal: Refusal) -> String {
        let Self { repo, revision, path, .. } = self;
        let last = self.asked.last().map(|asked| asked.endpoint.as_str());
        let hub = last.unwrap_or_else(|| self.config.endpoint.as_str());
        let what = match self.file {
            Some(file) => format!("`{file}` of {repo} at `{revision}`"),
            None => format!("{repo} at `{revision}`"),
        };
        match refusal {
            Refusal::EntryNotFound => match self.file {
                Some(file) => format!("{repo} has no file `{file}` at `{revision}`"),
                None if self.unmatched.is_empty() => format!("no file of {what} is wanted"),
                None => {
                    let patterns: Vec<_> =
                        self.unmatched.iter().map(|pattern| format!("`{pattern}`")).collect();
                    format!("no file of {what} matches {}", patterns.join(" or "))
                }
            },
            Refusal::RevisionNotFound => format!("{repo} has no revision `{revision}`"),
            Refusal::RepoNotFound => format!("{hub} knows no {repo}, or hides it{}", self.unread()),
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
                self.config.policy
            ),
            Refusal::Unauthorized => {
                format!(
                    "{hub} wants a token for {repo}, or refuses the one it got{}",
                    self.unread()
                )
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
}
