//! Answers in JSON: what is known of a repo, listings with their pages, chosen paths, revisions.
//!
//! Only the members that clients read are there. A page is continued after the last path it showed, so a folder that
//! changes between two pages neither repeats nor hides what did not change.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Uri, header},
    response::Response,
};
use hubstow_core::name::{Commit, FileName, Repo, RepoKind, Revision};
use serde_json::{Value, json};

use crate::{fault::Fault, listing::Listing, origin, route::Folder, shared::Shared};

/// The largest body of a request for chosen paths.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;

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
            let listing = library.listing(&repo, revision.as_ref())?;
            let siblings = listing.entries().iter().map(|entry| entry.to_sibling_json(blobs));
            answer(&described(&repo, listing.commit(), siblings.collect()))
        })
        .await
}

fn described(repo: &Repo, commit: &Commit, siblings: Vec<Value>) -> Value {
    let id = repo.id.as_str();
    let author = id.split_once('/').map(|(author, _)| ("author", json!(author)));
    let model_id = (repo.kind == RepoKind::Model).then(|| ("modelId", json!(id)));
    let always = [
        ("id", json!(id)),
        ("sha", json!(commit.as_str())),
        ("private", json!(false)),
        ("gated", json!(false)),
        ("disabled", json!(false)),
        ("downloads", json!(0)),
        ("likes", json!(0)),
        ("tags", json!([])),
        ("siblings", Value::Array(siblings)),
    ];
    always.into_iter().chain(author).chain(model_id).collect()
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
    let asked = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let limit = asked.clamp(1, shared.page_limit);
    let cursor = query.get("cursor").map(str::to_owned);
    let (page, last) = shared
        .ask(move |library| {
            let listing = library.listing(&repo, revision.as_ref())?;
            page(&listing, &folder, recursive, cursor.as_deref(), limit)
        })
        .await?;
    let mut response = answer(&Value::Array(page))?;
    if let Some(last) = last {
        // Without a host that can be named, a client that resolves links still finds the page.
        let origin = origin::of(uri, headers).unwrap_or_default();
        let next = format!("{origin}{}?{}", uri.path(), query.at(&last));
        let link = format!("<{next}>; rel=\"next\"").try_into().map_err(axum::http::Error::from)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
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
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let body =
        to_bytes(request.into_body(), BODY_LIMIT_BYTES).await.map_err(|_| Fault::BodyTooLarge)?;
    let paths = if is_json { json_paths(&body)? } else { form_paths(&body) };
    shared
        .ask(move |library| {
            let listing = library.listing(&repo, revision.as_ref())?;
            let shown = paths.iter().filter_map(|path| {
                let name = FileName::parse(path.trim_end_matches('/')).ok()?;
                Some(listing.to_tree_json(listing.node(&name)?))
            });
            answer(&shown.collect())
        })
        .await
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
    answer(&always.into_iter().chain(pulls).collect())
}

fn is_version(revision: &str) -> bool {
    revision.strip_prefix('v').unwrap_or(revision).starts_with(|c: char| c.is_ascii_digit())
}

fn answer(value: &Value) -> Result<Response, Fault> {
    let body = Body::from(value.to_string());
    Ok(Response::builder().header(header::CONTENT_TYPE, "application/json").body(body)?)
}

/// The parameters of a request.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(at, _)| at == name).map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// Returns the same parameters, continued after a path.
    fn at(&self, cursor: &str) -> String {
        let kept = self.0.iter().filter(|(name, _)| name != "cursor");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept).append_pair("cursor", cursor).finish()
    }
}
