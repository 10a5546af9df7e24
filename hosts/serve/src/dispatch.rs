//! From a request to its answer: who may ask, what is asked for, and what is noted of it.

use std::{
    mem,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    http::{HeaderValue, Method, Request, header},
    response::{IntoResponse, Response},
};
use http_body::Body as _;
use tracing::Instrument as _;

use crate::{
    account,
    answered::Answered,
    api, catalog,
    counted::Counted,
    fault::Fault,
    files, health,
    incoming::{self, End},
    metrics, page,
    pulled::{self, Told},
    refusal,
    route::{self, Form, NoRoute, Route},
    shared::Shared,
    upstream::Freshness,
};

/// How much of an unwanted body is read, and for how long, before the connection is given up instead.
const DRAINED_BYTES: usize = 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// Answers a request.
pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let client = client_of(&request);
    let span = tracing::debug_span!("request", %method, path);
    let route = route::parse(&path);
    let repo = route.as_ref().ok().and_then(Route::repo).cloned();
    let response = async {
        let response = match shared.preflight(&request) {
            Some(response) => response,
            None => {
                answer(&shared, route, request).await.unwrap_or_else(IntoResponse::into_response)
            }
        };
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    let mut response = if method == Method::HEAD { without_body(response) } else { response };
    if let Some(cors) = &shared.cors {
        cors.tell(response.headers_mut());
    }
    let status = response.status();
    let told = response.extensions().get::<Told>().copied();
    if let Some(told) = told {
        shared.stats.had(told.via);
    }
    let at_end = move |sent_bytes: u64| {
        shared.stats.answered(&method, status, sent_bytes);
        if let Some(repo) = repo.filter(|_| status.is_success() || status.is_redirection()) {
            shared.stats.fetched(client, &repo, sent_bytes);
        }
        shared.listener.tell(&Answered {
            method: method.to_string(),
            path,
            status: status.as_u16(),
            sent_bytes,
            elapsed: began.elapsed(),
            client,
            via: told.map(|told| told.via),
            freshness: told.map_or(Freshness::Confirmed, |told| told.freshness),
        });
    };
    response.map(|body| Body::new(Counted::new(body, at_end)))
}

fn client_of(request: &Request<Body>) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

async fn answer(
    shared: &Arc<Shared>,
    route: Result<Route, NoRoute>,
    mut request: Request<Body>,
) -> Result<Response, Fault> {
    let admitted = admit(shared, route, &request);
    if let Ok(Route::PathsInfo { .. }) = &admitted {
        return routed(shared, admitted?, request).await;
    }
    // Whoever sends the next request on a connection with an unread body gets no answer to it.
    let is_read = drained(mem::take(request.body_mut())).await;
    let answered = match admitted {
        Ok(route) => routed(shared, route, request).await,
        Err(fault) => Err(fault),
    };
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    if !is_read {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Tells which route a request has, if it may have it.
fn admit(
    shared: &Shared,
    route: Result<Route, NoRoute>,
    request: &Request<Body>,
) -> Result<Route, Fault> {
    let is_open = route.as_ref().is_ok_and(Route::is_open);
    if let (Some(token), false) = (&shared.token, is_open) {
        let for_people = matches!(route, Ok(Route::Page));
        let checked = token.check(request.headers());
        checked.map_err(|fault| if for_people { Fault::PasswordMissing } else { fault })?;
    }
    let route = route.map_err(|none| {
        let fault = match none {
            NoRoute::Unknown => Fault::NoRoute,
            NoRoute::NoRepo => Fault::RepoMissing,
        };
        refusal::of(request.uri().path()).map_or(fault, Fault::NotDone)
    })?;
    let method = request.method();
    let is_post = matches!(route, Route::PathsInfo { .. });
    if is_post && method != Method::POST {
        return Err(Fault::WrongMethod("POST"));
    }
    if !is_post && method != Method::GET && method != Method::HEAD {
        return Err(Fault::WrongMethod("GET, HEAD"));
    }
    Ok(route)
}

/// Takes a body that nobody wants off the line; `false` where it is too long or too slow for that.
async fn drained(body: Body) -> bool {
    let drain = incoming::read(body, DRAINED_BYTES, |_| ());
    tokio::time::timeout(DRAINED_FOR, drain).await == Ok(End::Whole)
}

async fn routed(
    shared: &Arc<Shared>,
    route: Route,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let upstream = shared.upstream.as_ref();
    if let Some(upstream) = upstream.filter(|_| route.is_about_content()) {
        let is_own = match route.repo() {
            Some(repo) => shared.has(repo).await?,
            None => false,
        };
        if !is_own {
            return pulled::answer(shared, upstream, route, request).await;
        }
    }
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    match route {
        Route::PathsInfo { repo, revision } => {
            api::paths_info(shared, repo, revision, request).await
        }
        Route::File { repo, revision, file, form: Form::Resolve } => {
            files::file(shared, repo, revision, file, (method, headers)).await
        }
        Route::File { repo, revision, file, form: Form::Raw } => {
            files::raw(shared, repo, revision, file, (method, headers)).await
        }
        Route::Content { sha256, repo, commit, file } => {
            files::content(shared, (sha256, repo, commit, file), (method, uri, headers)).await
        }
        Route::Info { repo, revision } => api::info(shared, repo, revision, uri).await,
        Route::Tree { repo, revision, folder } => {
            api::tree(shared, (repo, revision, folder), uri, headers).await
        }
        Route::Refs { repo } => api::refs(shared, repo, uri).await,
        Route::Commits { repo, revision } => catalog::commits(shared, repo, revision, uri).await,
        Route::AuthCheck { repo } => catalog::auth_check(shared, repo).await,
        Route::Catalog { kind } => catalog::list(shared, kind, uri, headers).await,
        Route::WhoAmI => account::who_am_i(headers),
        Route::AgentHarnesses => account::agent_harnesses(),
        Route::Health => health::health(),
        // Of what upstream keeps here all may be lost at any time, and is made again.
        Route::Ready => health::ready(shared).await,
        Route::Metrics => {
            let counts = upstream.map(|upstream| upstream.counts());
            metrics::metrics(&shared.stats, &shared.places, shared.backlog(), counts)
        }
        Route::Page => page::page(shared, uri, headers).await,
    }
}

/// Keeps the length that the body would have.
fn without_body(mut response: Response) -> Response {
    if let Some(len) = response.body().size_hint().exact() {
        let length = response.headers_mut().entry(header::CONTENT_LENGTH);
        length.or_insert_with(|| len.into());
    }
    *response.body_mut() = Body::empty();
    response
}
