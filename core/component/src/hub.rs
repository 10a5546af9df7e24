//! The hub's HTTP contract.

use hubstow_core::hub::{self, Endpoint, Hop, Metadata};

use crate::{names, wit};

impl From<Metadata> for wit::Metadata {
    fn from(metadata: Metadata) -> Self {
        Self {
            commit: metadata.commit.to_string(),
            etag: metadata.etag.to_string(),
            size: metadata.size,
            xet_hash: metadata.xet_hash,
        }
    }
}

pub(crate) fn read_head(
    status: u16,
    received: &wit::Headers,
    asked: &str,
    lookup: wit::Lookup,
) -> Result<wit::Reply, wit::NameError> {
    let asked = names::revision(asked)?;
    let reply = hub::read_head(status, &received.into(), &asked, lookup.into());
    Ok(wit::Reply {
        answer: reply.answer.into(),
        metadata: reply.metadata.map(Into::into),
        commit: reply.commit.map(|commit| commit.to_string()),
        broken: reply.broken.map(Into::into),
    })
}

pub(crate) fn same_content(
    promised: wit::Metadata,
    received: &wit::Headers,
) -> Result<bool, wit::NameError> {
    let promised = Metadata {
        commit: names::commit(&promised.commit)?,
        etag: names::etag(&promised.etag)?,
        size: promised.size,
        xet_hash: promised.xet_hash,
    };
    Ok(hub::same_content(&promised, &received.into()))
}

pub(crate) fn redirect(hop: &wit::Hop) -> Result<wit::RedirectRule, wit::NameError> {
    let endpoint = Endpoint::parse(&hop.endpoint)?;
    let followed = usize::try_from(hop.followed).unwrap_or(usize::MAX);
    let hop = Hop { from: &hop.from, to: &hop.to, endpoint: endpoint.origin(), followed };
    Ok(hub::redirect(&hop).into())
}

pub(crate) fn url(
    endpoint: &str,
    repo: &wit::Repo,
    revision: &str,
    page: &wit::Page,
) -> Result<String, wit::NameError> {
    let (endpoint, repo) = (Endpoint::parse(endpoint)?, names::repo(repo)?);
    let revision = names::revision(revision)?;
    Ok(match page {
        wit::Page::File(file) => endpoint.file(&repo, &revision, &names::file(file)?),
        wit::Page::Revision => endpoint.revision(&repo, &revision),
        wit::Page::Listing => endpoint.tree(&repo, &revision),
        wit::Page::PathsInfo => endpoint.paths_info(&repo, &revision),
    })
}
