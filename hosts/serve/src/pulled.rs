//! Answers of a server with an upstream: files as they come, questions in JSON handed on.
//!
//! An answer that upstream could not confirm says so by `Warning: 111` and `X-Hubstow-Stale`. Where a next page is named, it is
//! one of this server.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header,
        request::Parts,
    },
    response::Response,
};
use hubstow_core::name::{FileName, Repo, Revision};
use serde_json::json;

use crate::{
    account, api,
    fault::Fault,
    files::{self, Held, Meant},
    hash::Storage,
    origin,
    route::{Folder, Form, Route},
    shared::Shared,
    upstream::{
        Caller, FileAsked, Freshness, PassAsked, Passed, PulledContent, PulledFile, Refusal,
        Upstream, Via, Wanted,
    },
};

const X_HUBSTOW_STALE: HeaderName = HeaderName::from_static("x-hubstow-stale");
const STALE: HeaderValue = HeaderValue::from_static("upstream can't be reached");
const WARNING: HeaderValue = HeaderValue::from_static("111 hubstow \"Revalidation Failed\"");

/// What is told of an answer besides what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) via: Via,
    pub(crate) freshness: Freshness,
}

impl Told {
    fn on(self, mut response: Response) -> Response {
        if self.freshness == Freshness::Stale {
            response.headers_mut().insert(header::WARNING, WARNING);
            response.headers_mut().insert(X_HUBSTOW_STALE, STALE);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Answers a request that is about what upstream has.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    upstream: &Arc<dyn Upstream>,
    route: Route,
    request: Request<Body>,
) -> Result<Response, Fault> {
    // The token that this server asks for is nobody else's business.
    let caller = match &shared.token {
        Some(_) => Caller::default(),
        None => Caller::of(request.headers()),
    };
    let (parts, body) = request.into_parts();
    let (repo, revision) = match route {
        Route::File { repo, revision, file, form } => {
            let of = Asked { caller, repo, revision, file, form };
            return of.answer(shared, upstream.as_ref(), &parts).await;
        }
        // Nothing here redirects there, and it would be a way around what upstream allows.
        Route::Content { .. } => return Err(Fault::NoRoute),
        Route::WhoAmI if shared.token.is_some() => return account::who_am_i(&parts.headers),
        Route::Info { repo, revision }
        | Route::Tree { repo, revision, folder: Folder::Root | Folder::Named(Some(_)) }
        | Route::PathsInfo { repo, revision }
        | Route::Commits { repo, revision } => {
            let revision = revision.ok_or(Fault::RevisionMissing)?;
            (Some(repo), Some(revision))
        }
        Route::Tree { .. } => return Err(nothing_of_that_name().into()),
        Route::Refs { repo } | Route::AuthCheck { repo } => (Some(repo), None),
        Route::Catalog { .. }
        | Route::WhoAmI
        | Route::AgentHarnesses
        | Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::Page => (None, None),
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let json = match parts.method {
        Method::POST => Some(paths_as_json(&parts.headers, &api::body_of(body).await?)?),
        _ => None,
    };
    let asked = PassAsked { caller, path, repo, revision, json };
    let passed = upstream.pass(asked).await?;
    handed_on(passed, &parts.uri, &parts.headers)
}

/// A file that is asked for, as far as its names are such.
struct Asked {
    caller: Caller,
    repo: Repo,
    revision: Option<Revision>,
    file: Option<FileName>,
    form: Form,
}

impl Asked {
    async fn answer(
        self,
        shared: &Shared,
        upstream: &dyn Upstream,
        request: &Parts,
    ) -> Result<Response, Fault> {
        let Self { caller, repo, revision, file, form } = self;
        let revision = revision.ok_or(Fault::RevisionMissing)?;
        let file = file.ok_or_else(nothing_of_that_name)?;
        let Parts { method, headers, .. } = request;
        let ask = |wanted| {
            let (caller, repo) = (caller.clone(), repo.clone());
            let (revision, file) = (revision.clone(), file.clone());
            upstream.file(FileAsked { caller, repo, revision, file, wanted })
        };
        let pulled = match (method == Method::GET, form) {
            (false, _) => ask(Wanted::Facts).await?,
            (true, Form::Resolve) => ask(Wanted::Content).await?,
            // Of an LFS file only the pointer is asked for, which says what is known already.
            (true, Form::Raw) => match ask(Wanted::Facts).await? {
                facts if Storage::of(&facts.etag) == Storage::Lfs => facts,
                _ => ask(Wanted::Content).await?,
            },
        };
        let PulledFile { commit, etag, len_bytes, content, ranges, via, freshness } = pulled;
        let held = match content {
            PulledContent::Unasked => Held::Unread,
            PulledContent::Read(content) => Held::Read(content),
            PulledContent::File(file) => Held::File(file),
            PulledContent::Arriving(content) => Held::Arriving(content),
        };
        let meant = Meant { commit, etag, len_bytes, held, ranges };
        let answer = match form {
            Form::Resolve => files::file_answer,
            Form::Raw => files::raw_answer,
        };
        let response = answer(&shared.stats, meant, &file, (method, headers))?;
        Ok(Told { via, freshness }.on(response))
    }
}

fn nothing_of_that_name() -> Refusal {
    let mut refusal = Refusal::new(404, "Entry not found");
    refusal.code = Some("EntryNotFound".to_owned());
    refusal
}

/// Upstream is asked in one form, whichever came.
fn paths_as_json(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Fault> {
    let paths = api::paths_of(headers, body)?;
    Ok(json!({ "paths": paths, "expand": false }).to_string().into_bytes())
}

fn handed_on(passed: Passed, uri: &Uri, headers: &HeaderMap) -> Result<Response, Fault> {
    let Passed { status, headers: handed, next_page, body, via, freshness } = passed;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = handed;
    if let Some(next) = next_page {
        let origin = origin::of(uri, headers).unwrap_or_default();
        let link = format!("<{origin}{next}>; rel=\"next\"").try_into();
        response.headers_mut().insert(header::LINK, link.map_err(axum::http::Error::from)?);
    }
    Ok(Told { via, freshness }.on(response))
}
