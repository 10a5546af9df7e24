//! A mirror: an axum layer over a hub that answers for itself, in the ways of caches, artifact stores and home-made ones.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a way changes one thing; every place here takes those that are about it"
)]

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::Response,
};

use flate2::{Compression, write::GzEncoder};

use super::stage::Truth;

/// Below which path a mirror is that has a prefix.
pub(crate) const PREFIX: &str = "/artifacts/hf";
/// How many digits a short commit has.
pub(crate) const SHORT: usize = 8;
const LINK_HOST: &str = "https://hub.invalid";
const COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const LINKED: [HeaderName; 2] =
    [HeaderName::from_static("x-linked-etag"), HeaderName::from_static("x-linked-size")];

/// One thing in which a mirror differs from the hub behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    EtagMd5,
    /// The etag has the form of a git hash, and is none of this content.
    EtagSha1,
    EtagArtifact,
    EtagTimeAndSize,
    EtagSha256,
    NoEtag,
    /// Each answer has another one.
    EtagSalted,
    /// The etag of a GET is the mirror's, and that of a HEAD the hub's.
    EtagOfGet,
    NoCommit,
    NoHead,
    NoTree,
    /// Nobody can be asked for chosen paths.
    NoPaths,
    /// The listing goes on at the hub behind the mirror.
    LinkElsewhere,
    Prefix,
    PartWithoutRange,
    /// Files are redirected to an address that says nothing of them: `../` and so on, with the host, past the prefix.
    RedirectRelative,
    RedirectAbsolute,
    RedirectOutside,
    HeadOfNothing,
    HeadTooLong,
    /// All that is asked for comes compressed.
    Gzip,
    /// Files are said to be compressed, and are not.
    SaysGzip,
    Html,
    /// Content has its length, and other bytes.
    Garbled,
    /// Content is right, and what continues it is other bytes.
    GarbledRest,
    /// A revision is known, and nothing of its files.
    NoSiblings,
    /// A revision comes with the names of its files, and nothing else of them.
    NamesOnly,
    /// The first answers with the large file end in the middle, where all of it was asked for.
    Breaking,
}

/// How a mirror answers.
#[derive(Clone)]
pub(crate) struct Mirror {
    ways: Vec<Way>,
    truth: &'static Truth,
    answers: Arc<AtomicUsize>,
}

impl Mirror {
    pub(crate) fn new(ways: &[Way], truth: &'static Truth) -> Self {
        Self { ways: ways.to_vec(), truth, answers: Arc::default() }
    }

    pub(crate) fn over(self, hub: Router) -> Router {
        hub.layer(middleware::from_fn(move |request: Request, next: Next| {
            let mirror = self.clone();
            async move { mirror.answer(request, next).await }
        }))
    }

    fn has(&self, way: Way) -> bool {
        self.ways.contains(&way)
    }

    async fn answer(&self, mut request: Request, next: Next) -> Response {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let (uri, method) = (request.uri().to_string(), request.method().clone());
        if self.has(Way::Html) {
            return page(StatusCode::OK, "<html>Please log in.</html>");
        }
        let stored =
            uri.strip_prefix("/stored").or_else(|| uri.split_once("/stored").map(|at| at.1));
        let Some(path) = stored.map(str::to_owned).or_else(|| self.below_prefix(&uri)) else {
            return page(StatusCode::NOT_FOUND, "nothing is here");
        };
        if method == Method::HEAD && self.has(Way::NoHead) {
            return page(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let is_file = path.contains("/resolve/");
        if is_file
            && stored.is_none()
            && let Some(to) = self.redirect(&path, request.headers())
        {
            let mut answer = page(StatusCode::FOUND, "");
            answer.headers_mut().insert(header::LOCATION, to.try_into().unwrap());
            return answer;
        }
        let is_refused = (path.contains("/tree/") && self.has(Way::NoTree))
            || (path.contains("/paths-info/") && self.has(Way::NoPaths));
        if is_refused {
            return page(StatusCode::NOT_FOUND, "");
        }
        let is_part = request.headers().contains_key(header::RANGE);
        *request.uri_mut() = self.whole_commit(&path).parse::<Uri>().unwrap();
        let mut answer = next.run(request).await;
        if path.contains("/tree/") {
            self.change_link(answer.headers_mut());
        }
        if is_file && answer.status().is_success() {
            if stored.is_some() {
                remove_metadata(answer.headers_mut());
            }
            self.change_file(&method, &path, number, &mut answer);
        }
        if path.contains("/revision/") {
            answer = self.change_revision(answer).await;
        }
        let is_garbled = self.has(Way::Garbled) || (is_part && self.has(Way::GarbledRest));
        if is_file && method == Method::GET && is_garbled {
            let length = answer.headers().get(header::CONTENT_LENGTH).unwrap().to_str().unwrap();
            *answer.body_mut() = Body::from("x".repeat(length.parse().unwrap()));
        }
        if method == Method::GET && self.has(Way::Gzip) && answer.status() == StatusCode::OK {
            answer = gzipped(answer).await;
        }
        if self.has(Way::Breaking) && method == Method::GET && path.ends_with(".bin") && !is_part {
            answer = broken_off(answer).await;
        }
        answer
    }

    /// A short commit means the only one that begins so.
    fn whole_commit(&self, uri: &str) -> String {
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, q)| (path, Some(q)));
        let whole = |part: &str| {
            let commit = self
                .truth
                .commits
                .values()
                .find(|commit| part.len() == SHORT && commit.starts_with(part));
            commit.map_or_else(|| part.to_owned(), Clone::clone)
        };
        let path = path.split('/').map(whole).collect::<Vec<_>>().join("/");
        query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"))
    }

    fn below_prefix(&self, uri: &str) -> Option<String> {
        let prefix = if self.has(Way::Prefix) { PREFIX } else { "" };
        uri.strip_prefix(prefix).map(str::to_owned)
    }

    fn redirect(&self, path: &str, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(header::HOST).map(|host| host.to_str().unwrap())?;
        let prefix = if self.has(Way::Prefix) { PREFIX } else { "" };
        if self.has(Way::RedirectRelative) {
            let up = "../".repeat(path.matches('/').count() - 1);
            Some(format!("{up}stored{path}"))
        } else if self.has(Way::RedirectAbsolute) {
            Some(format!("http://{host}{prefix}/stored{path}"))
        } else if self.has(Way::RedirectOutside) {
            Some(format!("/stored{path}"))
        } else {
            None
        }
    }

    fn change_link(&self, headers: &mut HeaderMap) {
        if !self.has(Way::LinkElsewhere) && !self.has(Way::Prefix) {
            return;
        }
        if let Some(link) = headers.get(header::LINK) {
            let link = link.to_str().unwrap();
            let (_, path) = link.split_once("/api/").unwrap();
            let host = if self.has(Way::LinkElsewhere) { LINK_HOST } else { "" };
            headers.insert(header::LINK, format!("<{host}/api/{path}").try_into().unwrap());
        }
    }

    /// What a revision comes with.
    async fn change_revision(&self, answer: Response) -> Response {
        if !self.has(Way::NoSiblings) && !self.has(Way::NamesOnly) {
            return answer;
        }
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let mut known: serde_json::Value = serde_json::from_slice(&body).unwrap();
        if self.has(Way::NoSiblings) {
            known.as_object_mut().unwrap().remove("siblings");
        }
        for sibling in known["siblings"].as_array_mut().into_iter().flatten() {
            sibling.as_object_mut().unwrap().retain(|field, _| field == "rfilename");
        }
        Response::new(Body::from(known.to_string()))
    }

    fn change_file(&self, method: &Method, path: &str, number: usize, answer: &mut Response) {
        let headers = answer.headers_mut();
        if self.has(Way::NoCommit) {
            headers.remove(COMMIT);
        }
        if let Some(etag) = self.etag(method, path, number, headers) {
            LINKED.iter().for_each(|name| drop(headers.remove(name)));
            headers.remove(header::ETAG);
            if !etag.is_empty() {
                headers.insert(header::ETAG, format!("\"{etag}\"").try_into().unwrap());
            }
        }
        let length = if self.has(Way::HeadOfNothing) { "0" } else { "123456789" };
        if *method == Method::HEAD && (self.has(Way::HeadOfNothing) || self.has(Way::HeadTooLong)) {
            LINKED.iter().for_each(|name| drop(headers.remove(name)));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        }
        if self.has(Way::PartWithoutRange) {
            headers.remove(header::CONTENT_RANGE);
        }
        if self.has(Way::SaysGzip) {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }

    /// The mirror's own etag; empty where it has none.
    fn etag(
        &self,
        method: &Method,
        path: &str,
        number: usize,
        headers: &HeaderMap,
    ) -> Option<String> {
        headers.get(header::ETAG)?;
        let (_, file) = path.rsplit_once('/')?;
        let hex = |digits, salt| hex(digits, &format!("{path}{salt}"));
        self.ways.iter().find_map(|way| match way {
            Way::EtagMd5 => Some(hex(32, 0)),
            Way::EtagSha1 => Some(hex(40, 0)),
            Way::EtagArtifact => Some(format!("{{SHA1{{{}}}}}", hex(40, 0))),
            Way::EtagTimeAndSize => Some("66a1f3c2-493e0".to_owned()),
            Way::EtagSha256 => self.truth.sha256.get(file).cloned(),
            Way::NoEtag => Some(String::new()),
            Way::EtagSalted => Some(hex(64, number)),
            Way::EtagOfGet if *method == Method::GET => Some(hex(40, 0)),
            _ => None,
        })
    }
}

fn remove_metadata(headers: &mut HeaderMap) {
    headers.remove(COMMIT);
    LINKED.iter().for_each(|name| drop(headers.remove(name)));
    headers.insert(header::ETAG, HeaderValue::from_static("\"of-the-store-1\""));
}

async fn gzipped(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    // As long as it was, so that half of it is much.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
    let packed = encoder.finish().unwrap();
    parts.headers.insert(header::CONTENT_LENGTH, packed.len().into());
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(parts, Body::from(packed))
}

fn page(status: StatusCode, text: &str) -> Response {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "text/html");
    answer.body(Body::from(text.to_owned())).unwrap()
}

/// The first half of an answer; its length is still that of the whole.
async fn broken_off(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let content = to_bytes(body, usize::MAX).await.unwrap();
    let half = content.slice(..content.len() / 2);
    let pieces = [Ok(half), Err(std::io::Error::other("the mirror breaks off"))];
    Response::from_parts(parts, Body::from_stream(futures_util::stream::iter(pieces)))
}

/// Digits that follow from a text.
fn hex(digits: usize, text: &str) -> String {
    let mut hex = String::new();
    for part in 0.. {
        let mut hasher = DefaultHasher::new();
        (text, part).hash(&mut hasher);
        hex.push_str(&format!("{:016x}", hasher.finish()));
        if hex.len() >= digits {
            break;
        }
    }
    hex.truncate(digits);
    hex
}
