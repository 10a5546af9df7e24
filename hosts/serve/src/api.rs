//! Answers in JSON: what is known of a repo, listings with their pages, chosen paths, revisions.
//!
//! Only the members that clients read are there. A page is continued after the last path it showed, so a folder that
//! changes between two pages neither repeats nor hides what did not change.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    body::Body,
    http::{HeaderMap, Request, Uri, header},
    response::Response,
};
use hubstow_core::name::{Commit, FileName, Repo, RepoKind, Revision};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    fault::Fault,
    incoming::{self, End},
    listing::{Entry, Listing},
    query::{self, Query, json as json_answer},
    route::Folder,
    shared::Shared,
    when,
};

/// The largest body of a request for chosen paths.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// How long it may take to come.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Answers what is known of a repo at a revision.
pub(crate) async fn info(
    shared: &Arc<Shared>,
    repo: Repo,
    revision: Option<Revision>,
    uri: &Uri,
) -> Result<Response, Fault> {
    let blobs = Query::of(uri).flag("blobs");
    shared
        .ask(move |library| {
            let listing = library.hashed_listing(&repo, revision.as_ref(), |_| blobs)?;
            let siblings = listing.entries().iter().map(|entry| entry.to_sibling_json(blobs));
            let mut described = described(&repo, listing.modified());
            described.extend(at_commit(listing.commit(), siblings.collect()));
            json_answer(&Value::Object(described))
        })
        .await
}

/// Returns what is known of a repo whatever its commit is.
pub(crate) fn described(repo: &Repo, modified: Option<SystemTime>) -> Map<String, Value> {
    let id = repo.id.as_str();
    let author = id.split_once('/').map(|(author, _)| ("author", json!(author)));
    let model_id = (repo.kind == RepoKind::Model).then(|| ("modelId", json!(id)));
    let always = [
        ("id", json!(id)),
        ("private", json!(false)),
        ("gated", json!(false)),
        ("disabled", json!(false)),
        ("downloads", json!(0)),
        ("likes", json!(0)),
        ("tags", json!([])),
    ];
    let modified = modified.map(when::shown).map(|at| ("lastModified", json!(at)));
    let all = always.into_iter().chain(author).chain(model_id).chain(modified);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns what is known of a repo at a commit.
pub(crate) fn at_commit(
    commit: &Commit,
    siblings: Vec<Value>,
) -> impl Iterator<Item = (String, Value)> {
    let members = [("sha", json!(commit.as_str())), ("siblings", Value::Array(siblings))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value))
}

/// Answers one page of a listing.
pub(crate) async fn tree(
    shared: &Arc<Shared>,
    (repo, revision, folder): (Repo, Option<Revision>, Folder),
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let query = Query::of(uri);
    let recursive = query.flag("recursive");
    let limit = query.limit(shared.page_limit);
    let cursor = query.get("cursor").map(str::to_owned);
    let (page, last) = shared
        .ask(move |library| {
            let is_shown = |entry: &Entry| folder.has(entry, recursive);
            let listing = library.hashed_listing(&repo, revision.as_ref(), is_shown)?;
            page(&listing, &folder, recursive, cursor.as_deref(), limit)
        })
        .await?;
    query::page(page, last.as_deref(), uri, headers)
}

impl Folder {
    /// Tells whether a file may be on a page about this folder.
    fn has(&self, entry: &Entry, recursive: bool) -> bool {
        let name = entry.name.as_str();
        let inner = match self {
            Self::Root => Some(name),
            Self::Named(folder) => folder.as_ref().and_then(|folder| {
                name.strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/'))
            }),
        };
        inner.is_some_and(|inner| recursive || !inner.contains('/'))
    }
}

/// Returns one page, and the path it ends with where more follows.
fn page(
    listing: &Listing,
    folder: &Folder,
    recursive: bool,
    cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<Value>, Option<String>), Fault> {
    let missing = || Fault::EntryMissing(listing.commit().clone());
    let folder = match folder {
        Folder::Root => None,
        Folder::Named(name) => Some(name.as_ref().ok_or_else(missing)?),
    };
    let nodes: BTreeMap<&str, _> = listing.nodes(folder, recursive).ok_or_else(missing)?;
    let start = cursor.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = nodes.range::<str, _>((start, Bound::Unbounded));
    let shown: Vec<_> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let last = shown.last().filter(|_| more).map(|(path, _)| (**path).to_owned());
    Ok((shown.into_iter().map(|(_, node)| listing.to_tree_json(*node)).collect(), last))
}

/// Answers what is known of chosen paths; those that are missing are left out.
pub(crate) async fn paths_info(
    shared: &Arc<Shared>,
    repo: Repo,
    revision: Option<Revision>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    let body = body_of(body).await?;
    let paths = paths_of(&parts.headers, &body)?;
    shared
        .ask(move |library| {
            let names = paths.iter().map(|path| FileName::parse(path.trim_end_matches('/')).ok());
            let mut wanted = BTreeSet::new();
            let is_first = |name: &FileName| wanted.insert(name.clone());
            // In the order in which they are asked for, each once however often that is.
            let names: Vec<FileName> = names.flatten().filter(is_first).collect();
            let is_shown = |entry: &Entry| wanted.contains(&entry.name);
            let listing = library.hashed_listing(&repo, revision.as_ref(), is_shown)?;
            let shown =
                names.iter().filter_map(|name| Some(listing.to_tree_json(listing.node(name)?)));
            json_answer(&shown.collect())
        })
        .await
}

/// Reads the body of a request that has one.
///
/// # Errors
/// It is too large, breaks off, or takes too long to come.
pub(crate) async fn body_of(incoming: Body) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let read = incoming::read(incoming, BODY_LIMIT_BYTES, |part| body.extend(part));
    match timeout(BODY_TIME, read).await {
        Ok(End::Whole) => Ok(body),
        Ok(End::TooLarge) => Err(Fault::BodyTooLarge),
        Ok(End::Broken) => Err(Fault::BodyBroken),
        Err(_) => Err(Fault::BodyTooSlow),
    }
}

/// Reads the paths that a body chooses.
///
/// # Errors
/// It is JSON without paths.
pub(crate) fn paths_of(headers: &HeaderMap, body: &[u8]) -> Result<Vec<String>, Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
    if is_json { json_paths(body) } else { Ok(form_paths(body)) }
}

fn json_paths(body: &[u8]) -> Result<Vec<String>, Fault> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Fault::BodyBroken)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let paths = body.get("paths").ok_or(Fault::BodyBroken)?;
    let single = std::slice::from_ref(paths);
    let paths = paths.as_array().map_or(single, Vec::as_slice);
    paths.iter().map(text).collect::<Option<_>>().ok_or(Fault::BodyBroken)
}

fn form_paths(body: &[u8]) -> Vec<String> {
    let pairs = form_urlencoded::parse(body);
    pairs.filter(|(name, _)| name == "paths").map(|(_, path)| path.into_owned()).collect()
}

/// Answers the revisions of a repo. A folder does not say whether its name is a branch or a tag; what looks like a
/// version number is shown as a tag.
pub(crate) async fn refs(shared: &Arc<Shared>, repo: Repo, uri: &Uri) -> Result<Response, Fault> {
    let with_pulls = Query::of(uri).flag("include_prs");
    let revisions = shared.ask(move |library| library.revisions(&repo)).await?;
    let (mut branches, mut tags) = (Vec::new(), Vec::new());
    let (mut converts, mut pulls) = (Vec::new(), Vec::new());
    for (revision, commit) in revisions {
        let text = revision.as_str();
        let (list, name, full) = if let Some(name) = text.strip_prefix("refs/convert/") {
            (&mut converts, name, text.to_owned())
        } else if let Some(number) = text.strip_prefix("refs/pr/") {
            (&mut pulls, number, text.to_owned())
        } else if is_version(text) {
            (&mut tags, text, format!("refs/tags/{text}"))
        } else {
            (&mut branches, text, format!("refs/heads/{text}"))
        };
        list.push(json!({ "name": name, "ref": full, "targetCommit": commit.as_str() }));
    }
    let always = [("branches", branches), ("tags", tags), ("converts", converts)];
    let pulls = with_pulls.then_some(("pullRequests", pulls));
    json_answer(&always.into_iter().chain(pulls).collect())
}

fn is_version(revision: &str) -> bool {
    revision.strip_prefix('v').unwrap_or(revision).starts_with(|c: char| c.is_ascii_digit())
}
