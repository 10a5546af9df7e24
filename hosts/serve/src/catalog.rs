//! Answers about repos as wholes: which there are, whether one may be read, and the one commit that a revision has.

use std::{
    ops::Bound,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    http::{HeaderMap, Uri},
    response::Response,
};
use hubstow_core::name::{Repo, RepoKind, Revision};
use serde_json::{Value, json};

use crate::{
    api::{at_commit, described},
    fault::Fault,
    library::Library,
    places::MAIN,
    query::{self, Query},
    repos::Held,
    shared::Shared,
    when,
};

/// What is known of no repo here, so nothing is found by it.
const UNKNOWN: [&str; 6] =
    ["filter", "pipeline_tag", "apps", "inference", "inference_provider", "num_parameters"];

/// Answers one page of the repos of a kind.
pub(crate) async fn list(
    shared: &Arc<Shared>,
    kind: RepoKind,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let query = Query::of(uri);
    let asked = Asked::of(&query);
    let limit = query.limit(shared.page_limit);
    let cursor = query.get("cursor").map(str::to_owned);
    let full = query.flag("full");
    let (page, last) = shared
        .ask(move |library| {
            let found = library.repos()?.into_iter().filter(|held| held.repo.kind == kind);
            let mut found: Vec<(String, Held)> = found
                .filter(|held| asked.wants(held))
                .map(|held| (asked.key(&held), held))
                .collect();
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            let after = cursor.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let start = found.partition_point(|(key, _)| match after {
                Bound::Excluded(cursor) => key.as_str() <= cursor,
                Bound::Included(_) | Bound::Unbounded => false,
            });
            let rest = found.get(start..).unwrap_or_default();
            let shown = rest.get(..limit.min(rest.len())).unwrap_or_default();
            let last = shown.last().filter(|_| rest.len() > limit).map(|(key, _)| key.clone());
            let page: Result<Vec<Value>, Fault> =
                shown.iter().map(|(_, held)| row(library, held, full)).collect();
            Ok((page?, last))
        })
        .await?;
    query::page(page, last.as_deref(), uri, headers)
}

/// Which repos are asked for, and in which order.
struct Asked {
    search: Option<String>,
    author: Option<String>,
    newest_first: bool,
    /// Nothing here is what is asked for.
    nothing: bool,
}

impl Asked {
    fn of(query: &Query) -> Self {
        let text = |name: &str| query.get(name).filter(|text| !text.is_empty());
        let sort = text("sort").unwrap_or_default();
        let gated = query.flag("gated");
        Self {
            search: text("search").map(str::to_lowercase),
            author: text("author").map(str::to_owned),
            newest_first: matches!(
                sort,
                "lastModified" | "last_modified" | "createdAt" | "modified"
            ),
            nothing: gated || UNKNOWN.iter().any(|name| query.get(name).is_some()),
        }
    }

    fn wants(&self, held: &Held) -> bool {
        let id = held.repo.id.as_str();
        let author = id.split_once('/').map(|(author, _)| author);
        let by = self.author.as_deref().is_none_or(|wanted| author == Some(wanted));
        let named = self.search.as_deref().is_none_or(|wanted| id.to_lowercase().contains(wanted));
        by && named && !self.nothing
    }

    /// Returns what the order goes by, which is also where the next page starts.
    fn key(&self, held: &Held) -> String {
        let id = held.repo.id.as_str();
        if !self.newest_first {
            return id.to_owned();
        }
        let since = held.modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let age = u64::MAX - since.map_or(0, |since| since.as_secs());
        format!("{age:020}~{id}")
    }
}

fn row(library: &Library, held: &Held, full: bool) -> Result<Value, Fault> {
    let mut row = described(&held.repo, held.modified);
    if full {
        match library.listing(&held.repo, Revision::parse(MAIN).ok().as_ref()) {
            Ok(listing) => {
                let siblings = listing.entries().iter().map(|entry| entry.to_sibling_json(false));
                row.extend(at_commit(listing.commit(), siblings.collect()));
            }
            // It has other revisions only, or has just gone.
            Err(Fault::RepoMissing | Fault::RevisionMissing) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Value::Object(row))
}

/// Answers that a repo may be read.
pub(crate) async fn auth_check(shared: &Arc<Shared>, repo: Repo) -> Result<Response, Fault> {
    shared.ask(move |library| library.contains(&repo)).await?;
    query::json(&json!({}))
}

/// Answers the one commit that is known of a revision: there is no history.
pub(crate) async fn commits(
    shared: &Arc<Shared>,
    repo: Repo,
    revision: Option<Revision>,
    uri: &Uri,
) -> Result<Response, Fault> {
    let is_first = Query::of(uri).get("p").is_none_or(|page| page == "0");
    let listing = shared.ask(move |library| library.listing(&repo, revision.as_ref())).await?;
    let title = "What is served here";
    let commit = json!({
        "id": listing.commit().as_str(),
        "title": title,
        "message": "",
        "formatted": { "title": title, "message": "" },
        "authors": [{ "user": "hubstow" }],
        "date": when::shown(listing.modified().unwrap_or(SystemTime::UNIX_EPOCH)),
    });
    let page = if is_first { vec![commit] } else { Vec::new() };
    let mut response = query::json(&Value::Array(page))?;
    response.headers_mut().insert("x-total-count", 1.into());
    Ok(response)
}
