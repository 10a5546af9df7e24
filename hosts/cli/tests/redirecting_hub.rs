//! A hub that answers small files with a redirect to an address of its own, as the public one does: the next files are
//! asked for there, and whatever such an address brings, the files are right and the token stays where it belongs.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, Uri, header},
    middleware::{self, Next},
    response::Response,
};
use hubstow_serve::{RecordedRequest, RunningServer, Server};
use serde_json::Value;
use tempfile::TempDir;

const TOKEN: &str = "hf_of_the_hub";
/// How many small files are asked for before the first has come.
const IN_FLIGHT: usize = 64;
/// What the listing and the first redirects take.
const OTHER_REQUESTS: usize = 6;

/// How the hub redirects, and what is to be had there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ways {
    Steady,
    /// After so many redirects it has other addresses, and the first ones are gone.
    Changing(usize),
    /// Addresses that were not just redirected to answer this.
    Refusing(StatusCode),
    /// They redirect again.
    RedirectingAgain,
    /// They bring other bytes of the same length.
    Garbling,
    /// Each address is signed by itself.
    Signed,
    /// The addresses are those of another origin.
    Elsewhere(String),
}

impl Ways {
    /// What the addresses have in them by now.
    fn changed(&self, memory: &Memory) -> &'static str {
        match self {
            Self::Changing(after) if memory.redirected >= *after => "-2",
            Self::Steady
            | Self::Changing(_)
            | Self::Refusing(_)
            | Self::RedirectingAgain
            | Self::Garbling
            | Self::Signed
            | Self::Elsewhere(_) => "",
        }
    }
}

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new(ways: Ways, names: impl IntoIterator<Item = String>) -> Self {
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let model = folder.path().join("hub/acme/many");
        for (at, name) in names.into_iter().enumerate() {
            let path = model.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("file {at}\n").repeat(1 + at % 97)).unwrap();
        }
        let server = Server::builder(folder.path().join("hub")).token(TOKEN).frozen().build();
        let hub = RunningServer::start_on_loopback(redirecting(server.router(), ways)).unwrap();
        Self { folder, hub }
    }

    fn many(ways: Ways, files: usize) -> Self {
        Self::new(ways, (0..files).map(|at| format!("part-{:02}/{at:05}.txt", at % 20)))
    }

    /// Downloads, compares every file, and returns the requests that it took.
    fn download(&self) -> Vec<RecordedRequest> {
        let cache = self.folder.path().join("cache");
        let ended = Command::new(env!("CARGO_BIN_EXE_hubstow"))
            .args(["download", "acme/many", "--json", "--token", TOKEN])
            .env_clear()
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HUB_CACHE", &cache)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
        let snapshot = Path::new(report.get("path").and_then(Value::as_str).unwrap());
        let model = self.folder.path().join("hub/acme/many");
        for file in report.get("files").and_then(Value::as_array).unwrap() {
            let name = file.get("file").and_then(Value::as_str).unwrap();
            let (here, there) = (fs::read(snapshot.join(name)), fs::read(model.join(name)));
            assert_eq!(here.unwrap(), there.unwrap(), "{name}");
        }
        self.hub.requests()
    }
}

/// What a redirecting hub remembers.
#[derive(Debug, Default)]
struct Memory {
    redirected: usize,
    /// The addresses that were redirected to.
    said: HashSet<String>,
}

/// Lets a hub redirect to what it has at `/api/resolve-cache/`, which is written as the public hub writes it.
fn redirecting(router: Router, ways: Ways) -> Router {
    let memory = Arc::<Mutex<Memory>>::default();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let (ways, memory) = (ways.clone(), Arc::clone(&memory));
        async move {
            let path = request.uri().path().to_owned();
            if let Some(rest) = path.strip_prefix("/api/resolve-cache") {
                return kept(&ways, &memory, rest, (request, next)).await;
            }
            if path.starts_with("/api/") || !path.contains("/resolve/") {
                return next.run(request).await;
            }
            let found = next.run(request).await;
            let etag = found.headers().get(header::ETAG).unwrap().to_str().unwrap();
            let to = location(&path, &etag.replace('"', "%22"), &ways, &mut memory.lock().unwrap());
            let origin = if let Ways::Elsewhere(origin) = &ways { origin } else { "" };
            answer(StatusCode::TEMPORARY_REDIRECT, &format!("{origin}{to}"))
        }
    }))
}

fn location(path: &str, etag: &str, ways: &Ways, memory: &mut Memory) -> String {
    memory.redirected += 1;
    let cache = format!("/api/resolve-cache{}", ways.changed(memory));
    let (at, key) = (path.replacen("/resolve/", "/", 1), path.replace('/', "%2F"));
    let signed = if *ways == Ways::Signed {
        format!("&signed={}", memory.redirected)
    } else {
        String::new()
    };
    let to = format!("{cache}/models{at}?{key}=&etag={etag}{signed}");
    memory.said.insert(to.clone());
    to
}

/// Answers with what is kept at such an address.
async fn kept(
    ways: &Ways,
    memory: &Mutex<Memory>,
    rest: &str,
    (mut request, next): (Request, Next),
) -> Response {
    let uri = request.uri().to_string();
    let (was_said, changed) = {
        let mut memory = memory.lock().unwrap();
        (!memory.said.insert(uri.clone()), ways.changed(&memory))
    };
    match ways {
        Ways::Changing(_) if !rest.starts_with(&format!("{changed}/")) => {
            return answer(StatusCode::NOT_FOUND, "");
        }
        Ways::Refusing(status) if !was_said => return answer(*status, ""),
        Ways::RedirectingAgain if !was_said => {
            return answer(StatusCode::TEMPORARY_REDIRECT, &uri);
        }
        Ways::Signed if !was_said => return answer(StatusCode::FORBIDDEN, ""),
        Ways::Steady
        | Ways::Changing(_)
        | Ways::Refusing(_)
        | Ways::RedirectingAgain
        | Ways::Garbling
        | Ways::Signed
        | Ways::Elsewhere(_) => {}
    }
    let (_, rest) = rest.split_once("/models/").unwrap();
    let mut parts = rest.splitn(4, '/');
    let mut part = || parts.next().unwrap().to_owned();
    let at = format!("/{}/{}/resolve/{}/{}", part(), part(), part(), part());
    *request.uri_mut() = at.parse::<Uri>().unwrap();
    let mut found = next.run(request).await;
    if *ways == Ways::Garbling && !was_said {
        let length = found.headers().get(header::CONTENT_LENGTH).unwrap().to_str().unwrap();
        *found.body_mut() = Body::from("x".repeat(length.parse().unwrap()));
        found.headers_mut().remove(header::ETAG);
    }
    found
}

fn answer(status: StatusCode, to: &str) -> Response {
    let answer = Response::builder().status(status);
    let answer = if to.is_empty() { answer } else { answer.header(header::LOCATION, to) };
    answer.body(Body::empty()).unwrap()
}

/// How many requests went to an address that the hub had not named.
fn ordinary(requests: &[RecordedRequest]) -> usize {
    requests.iter().filter(|request| request.path.starts_with("/acme/many/resolve/")).count()
}

#[test]
fn most_small_files_take_one_request_each() {
    const FILES: usize = 2000;
    let requests = Stage::many(Ways::Steady, FILES).download();
    let most = FILES + IN_FLIGHT + OTHER_REQUESTS;
    assert!(requests.len() <= most, "{} requests, at most {most}", requests.len());
    assert!(requests.iter().all(|request| request.authorized), "as a redirect has it");
}

#[test]
fn names_that_no_redirect_has_explained_take_two() {
    let plain = (0..300).map(|at| format!("{at:05}.txt"));
    let odd = ["api", "etag", "models", "many", "with space", "50%", "a+b", "[x]", "\u{e9}", "a/b"];
    let etag = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3";
    let odd = odd.into_iter().chain([etag]).map(ToOwned::to_owned);
    let requests = Stage::new(Ways::Steady, plain.chain(odd)).download();
    assert!(requests.len() <= 311 + IN_FLIGHT + 11 + OTHER_REQUESTS, "{}", requests.len());
}

#[test]
fn a_hub_that_changes_its_ways_is_learned_again() {
    const FILES: usize = 1000;
    let requests = Stage::many(Ways::Changing(70), FILES).download();
    assert!(requests.len() < FILES + 8 * IN_FLIGHT, "{} requests", requests.len());
}

#[test]
fn whatever_such_an_address_brings_the_files_are_right_and_it_is_given_up() {
    const FILES: usize = 600;
    for ways in [
        Ways::Refusing(StatusCode::NOT_FOUND),
        Ways::Refusing(StatusCode::FORBIDDEN),
        Ways::Refusing(StatusCode::INTERNAL_SERVER_ERROR),
        Ways::RedirectingAgain,
        Ways::Garbling,
    ] {
        let requests = Stage::many(ways.clone(), FILES).download();
        assert_eq!(ordinary(&requests), FILES, "each file the ordinary way, once: {ways:?}");
        let most = 2 * FILES + 6 * IN_FLIGHT;
        assert!(requests.len() <= most, "{} requests, at most {most}: {ways:?}", requests.len());
    }
}

#[test]
fn addresses_that_are_signed_are_not_guessed() {
    const FILES: usize = 300;
    let requests = Stage::many(Ways::Signed, FILES).download();
    assert_eq!(
        requests.len() - ordinary(&requests) - FILES,
        2,
        "each as the hub says, and the listing"
    );
}

#[test]
fn nothing_is_learned_from_another_origin_and_it_gets_no_token() {
    const FILES: usize = 300;
    let stage = Stage::many(Ways::Steady, FILES);
    let elsewhere = Server::builder(stage.folder.path().join("hub")).frozen().build();
    let elsewhere =
        RunningServer::start_on_loopback(redirecting(elsewhere.router(), Ways::Steady)).unwrap();
    let ways = Ways::Elsewhere(elsewhere.url().to_owned());
    let server = Server::builder(stage.folder.path().join("hub")).token(TOKEN).frozen().build();
    let hub = RunningServer::start_on_loopback(redirecting(server.router(), ways)).unwrap();
    let requests = Stage { hub, ..stage }.download();
    assert_eq!(ordinary(&requests), FILES);
    let there = elsewhere.requests();
    assert_eq!(there.len(), FILES);
    assert!(there.iter().all(|request| !request.authorized), "the token is the hub's");
}
