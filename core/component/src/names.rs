//! Names, parsed as they come in.

use hubstow_core::{
    hub::Endpoint,
    name::{Commit, Etag, FileName, NameError, Nonce, Repo, RepoId, RepoKind, Revision},
};

use crate::wit;

impl From<NameError> for wit::NameError {
    fn from(error: NameError) -> Self {
        Self {
            what: error.what().to_owned(),
            rule: error.rule().to_owned(),
            message: error.to_string(),
        }
    }
}

pub(crate) fn commit(text: &str) -> Result<Commit, wit::NameError> {
    Ok(Commit::parse(text)?)
}

pub(crate) fn etag(text: &str) -> Result<Etag, wit::NameError> {
    Ok(Etag::parse(text)?)
}

pub(crate) fn file(text: &str) -> Result<FileName, wit::NameError> {
    Ok(FileName::parse(text)?)
}

pub(crate) fn nonce(text: &str) -> Result<Nonce, wit::NameError> {
    Ok(Nonce::parse(text)?)
}

pub(crate) fn revision(text: &str) -> Result<Revision, wit::NameError> {
    Ok(Revision::parse(text)?)
}

pub(crate) fn repo(repo: &wit::Repo) -> Result<Repo, wit::NameError> {
    Ok(Repo::new(repo.kind.into(), RepoId::parse(&repo.id)?))
}

/// Parses a name of any kind and returns it as it is used from then on.
pub(crate) fn parse(kind: wit::NameKind, text: &str) -> Result<String, wit::NameError> {
    let parsed = match kind {
        wit::NameKind::RepoId => RepoId::parse(text)?.to_string(),
        wit::NameKind::RepoKind => RepoKind::parse(text)?.to_string(),
        wit::NameKind::Revision => Revision::parse(text)?.to_string(),
        wit::NameKind::Commit => Commit::parse(text)?.to_string(),
        wit::NameKind::Etag => Etag::parse(text)?.to_string(),
        wit::NameKind::EtagHeader => Etag::from_header(text)?.to_string(),
        wit::NameKind::RefFile => return ref_file(text),
        wit::NameKind::FileName => FileName::parse(text)?.to_string(),
        wit::NameKind::Nonce => Nonce::parse(text)?.to_string(),
        wit::NameKind::Endpoint => Endpoint::parse(text)?.as_str().to_owned(),
    };
    Ok(parsed)
}

fn ref_file(content: &str) -> Result<String, wit::NameError> {
    let rule = "it holds no commit";
    Commit::from_ref_file(content.as_bytes()).map(|commit| commit.to_string()).ok_or_else(|| {
        wit::NameError {
            what: "ref file".to_owned(),
            rule: rule.to_owned(),
            message: format!("what was read is not a ref file: {rule}"),
        }
    })
}
