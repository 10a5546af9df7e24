//! A hub of one repo, `org/name`, that writes down what it is asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        Method, Response, StatusCode,
        header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, RANGE},
    },
    routing::any,
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::{COMMIT, STORE_TOKEN, sha256};

/// A file of the repo.
#[derive(Clone)]
pub struct File {
    /// What it holds.
    pub content: Vec<u8>,
    /// The Xet hash that the hub says it has.
    pub xet_hash: String,
    /// After so many bytes of a GET nothing more comes.
    pub stall_at: Option<usize>,
}

/// How the hub answers when it is asked for a token of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// In the body.
    Body,
    /// In headers.
    Headers,
    /// With a token whose time is over, so that each file asks for one.
    Expired,
    /// Not at all.
    Refused(u16),
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// What `Authorization` says.
    pub authorization: Option<String>,
    /// What `Range` says.
    pub range: Option<String>,
}

struct Inner {
    files: Mutex<BTreeMap<String, File>>,
    store: String,
    grant: Grant,
    asked: Mutex<Vec<Asked>>,
}

/// A running hub.
#[derive(Clone)]
pub struct Hub {
    url: String,
    inner: Arc<Inner>,
}

impl Hub {
    /// Starts a hub whose content is in the store at this URL.
    pub async fn start(store: &str, grant: Grant) -> Self {
        let (files, asked) = Default::default();
        let inner = Arc::new(Inner { files, store: store.to_owned(), grant, asked });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Returns the endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Puts a file into the repo.
    pub fn put(&self, name: &str, file: File) {
        self.inner.files.lock().unwrap().insert(name.to_owned(), file);
    }

    /// Returns what has been asked since the last call.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.inner.asked.lock().unwrap())
    }
}

impl Asked {
    /// Tells whether it asks for content.
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.method == Method::GET && self.path.contains("/resolve/")
    }

    /// Tells whether it asks for a token of the store.
    #[must_use]
    pub fn is_grant(&self) -> bool {
        self.path.contains("/xet-read-token/")
    }
}

async fn answer(State(hub): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let named = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let asked = Asked {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        authorization: named(AUTHORIZATION),
        range: named(RANGE),
    };
    hub.asked.lock().unwrap().push(asked.clone());
    let path = asked.path.as_str();
    if path.starts_with("/api/models/org/name/revision/") {
        return said(&json!({ "sha": COMMIT }));
    }
    if path.starts_with("/api/models/org/name/tree/") {
        return said(&tree(&hub));
    }
    if path == format!("/api/models/org/name/xet-read-token/{COMMIT}") {
        return granted(&hub);
    }
    let name = path.strip_prefix("/org/name/resolve/").and_then(|rest| rest.split_once('/'));
    let file = name.and_then(|(_, name)| hub.files.lock().unwrap().get(name).cloned());
    match file {
        Some(file) => content(&file, &asked),
        None => with_status(404).body(Body::empty()).unwrap(),
    }
}

fn with_status(status: u16) -> axum::http::response::Builder {
    Response::builder().status(StatusCode::from_u16(status).unwrap())
}

fn said(value: &serde_json::Value) -> Response<Body> {
    with_status(200).body(Body::from(value.to_string())).unwrap()
}

fn tree(hub: &Inner) -> serde_json::Value {
    let files = hub.files.lock().unwrap();
    let entries = files.iter().map(|(path, file)| {
        let (size, oid) = (file.content.len(), sha256(&file.content));
        json!({
            "type": "file", "path": path, "size": size, "oid": "0".repeat(40),
            "lfs": { "oid": oid, "size": size, "pointerSize": 130 },
            "xetHash": file.xet_hash,
        })
    });
    entries.collect()
}

fn granted(hub: &Inner) -> Response<Body> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = (now + Duration::from_secs(600)).as_secs();
    let exp = if hub.grant == Grant::Expired { 1 } else { until };
    match hub.grant {
        Grant::Refused(status) => with_status(status).body(Body::empty()).unwrap(),
        Grant::Headers => with_status(200)
            .header("X-Xet-Cas-Url", &hub.store)
            .header("X-Xet-Access-Token", STORE_TOKEN)
            .header("X-Xet-Token-Expiration", exp)
            .body(Body::empty())
            .unwrap(),
        Grant::Body | Grant::Expired => {
            said(&json!({ "casUrl": hub.store, "accessToken": STORE_TOKEN, "exp": exp }))
        }
    }
}

/// Answers a HEAD or GET of a file; of ranges only `bytes=<start>-` and `bytes=<start>-<end>` are asked for.
fn content(file: &File, asked: &Asked) -> Response<Body> {
    let (size, etag) = (file.content.len(), sha256(&file.content));
    let range = asked.range.as_deref().and_then(|range| {
        let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        let start: usize = start.parse().ok()?;
        Some(start..end.parse().map_or(size, |end: usize| end + 1))
    });
    let mut answer = with_status(if range.is_some() { 206 } else { 200 })
        .header("X-Repo-Commit", COMMIT)
        .header("X-Linked-Etag", format!("\"{etag}\""))
        .header("X-Linked-Size", size)
        .header("X-Xet-Hash", &file.xet_hash)
        .header(ETAG, format!("\"{etag}\""))
        .header(ACCEPT_RANGES, "bytes");
    let range = match range {
        Some(range) => {
            let span = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            answer = answer.header(CONTENT_RANGE, span);
            range
        }
        None => 0..size,
    };
    if asked.method == Method::HEAD {
        return answer.body(Body::empty()).unwrap();
    }
    let bytes = &file.content[range];
    let body = match file.stall_at {
        Some(at) => stalling(bytes[..at].to_vec()),
        None => Body::from(bytes.to_vec()),
    };
    answer.header(CONTENT_LENGTH, bytes.len()).body(body).unwrap()
}

/// A body that sends these bytes and then nothing, without an end.
fn stalling(bytes: Vec<u8>) -> Body {
    let sent = stream::once(async { Ok::<_, std::convert::Infallible>(bytes) });
    Body::from_stream(sent.chain(stream::pending()))
}
