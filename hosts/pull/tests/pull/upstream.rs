//! A real hub with a line before it that fails as it is told.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use bytes::Bytes;
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

/// How bodies are cut into pieces.
const PIECE_BYTES: usize = 32 << 10;

/// What the line does, and what it has seen.
#[derive(Default)]
pub(crate) struct Line {
    /// The byte at this offset of files is flipped in so many answers.
    pub(crate) flip: Option<(u64, u32)>,
    /// Nothing of files behind this offset is sent.
    pub(crate) hold_at: Option<u64>,
    /// The connection is broken off where a file gets to this offset.
    pub(crate) cut_at: Option<u64>,
    /// How long each answer takes.
    pub(crate) delay: Duration,
    /// Whose tokens may have files; everybody where none are named.
    pub(crate) let_in: Vec<&'static str>,
    /// Whose GETs of files are refused, and how; after they are let go.
    pub(crate) refused: Option<(&'static str, u16)>,
    pub(crate) holds_refused: bool,
    /// Every request gets this.
    pub(crate) refusal: Option<(u16, Option<u64>)>,
    /// Requests for files: method, path, and where the range begins.
    pub(crate) asked: Vec<(Method, String, Option<u64>)>,
    /// How many other requests there were.
    pub(crate) questions: usize,
    /// How many bytes of files were sent.
    pub(crate) sent_bytes: u64,
    /// The tokens that have come.
    pub(crate) tokens: Vec<String>,
}

/// A hub, and the line before it.
pub(crate) struct Upstream {
    pub(crate) folder: TempDir,
    pub(crate) server: RunningServer,
    line: Arc<Mutex<Line>>,
}

impl Upstream {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("acme/m")).unwrap();
        fs::write(folder.path().join("acme/m/config.json"), "{}\n").unwrap();
        let server = Server::builder(folder.path()).lfs_from_bytes(100_000).build();
        Self::before(folder, &server)
    }

    /// Puts the line before a server.
    pub(crate) fn before(folder: TempDir, server: &Server) -> Self {
        let line = Arc::<Mutex<Line>>::default();
        let shared = Arc::clone(&line);
        let layer = middleware::from_fn(move |request: Request, next: Next| {
            pass(Arc::clone(&shared), request, next)
        });
        let server = RunningServer::start_on_loopback(server.router().layer(layer)).unwrap();
        Self { folder, server, line }
    }

    pub(crate) fn line(&self) -> MutexGuard<'_, Line> {
        lock(&self.line)
    }

    /// Puts a file into the model, with content that repeats nothing.
    pub(crate) fn put(&self, name: &str, seed: u64, len: usize) -> Vec<u8> {
        self.put_in("acme/m", name, seed, len)
    }

    pub(crate) fn put_in(&self, repo: &str, name: &str, seed: u64, len: usize) -> Vec<u8> {
        let content = noise(seed, len);
        let folder = self.folder.path().join(repo);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, &content).unwrap();
        settle(&path);
        content
    }

    /// How often files were asked for by GET.
    pub(crate) fn gets(&self) -> usize {
        self.line().asked.iter().filter(|(method, ..)| *method == Method::GET).count()
    }
}

/// A file that has not changed for long is hashed once.
fn settle(path: &Path) {
    let an_hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(an_hour_ago).unwrap();
}

pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(&mut next).take(len / 8 + 1).flatten().collect();
    bytes.truncate(len);
    bytes
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(line: Arc<Mutex<Line>>, request: Request, next: Next) -> Response {
    let (delay, early) = {
        let mut line = lock(&line);
        (line.delay, line.arrived(&request))
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(response) = early {
        return response;
    }
    let refused = lock(&line).refuses(&request);
    if let Some(status) = refused {
        while lock(&line).holds_refused {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(header::RETRY_AFTER, 1000.into());
        return response;
    }
    let is_file = request.uri().path().contains("/resolve/") && request.method() == Method::GET;
    let response = next.run(request).await;
    if !is_file || !response.status().is_success() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let mut content = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let start = range_of(&parts.headers);
    lock(&line).flip(start, &mut content);
    let state = (line, Bytes::from(content), start);
    let pieces = futures_util::stream::unfold(state, |(line, mut left, at)| async move {
        if left.is_empty() {
            return None;
        }
        let len = loop {
            let (hold_at, cut_at) = {
                let line = lock(&line);
                (line.hold_at, line.cut_at)
            };
            if cut_at.is_some_and(|cut| at >= cut) {
                let broken = std::io::Error::other("the line is cut");
                return Some((Err(broken), (line, Bytes::new(), at)));
            }
            let until = hold_at.unwrap_or(u64::MAX).min(cut_at.unwrap_or(u64::MAX));
            let may = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX);
            match may.min(left.len()).min(PIECE_BYTES) {
                0 => tokio::time::sleep(Duration::from_millis(2)).await,
                len => break len,
            }
        };
        let piece = left.split_to(len);
        lock(&line).sent_bytes += len as u64;
        Some((Ok::<_, std::io::Error>(piece), (line, left, at + len as u64)))
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

impl Line {
    /// Notes a request, and answers it where nobody else is to.
    fn arrived(&mut self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let token = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        self.tokens.extend(token.map(str::to_owned));
        let path = request.uri().path();
        let is_file = path.contains("/resolve/");
        if is_file {
            let range = text(header::RANGE)
                .and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
            self.asked.push((request.method().clone(), path.to_owned(), range));
        }
        self.questions += usize::from(!is_file);
        if let Some((status, retry_after)) = self.refusal {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(wait) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, wait.into());
            }
            return Some(response);
        }
        let is_let_in = self.let_in.is_empty() || token.is_some_and(|at| self.let_in.contains(&at));
        // As the public hub does it.
        let is_open = path.ends_with("/README.md");
        if !is_file || is_let_in || is_open {
            return None;
        }
        let mut response = Response::new(Body::from("Access to model acme/m is restricted."));
        *response.status_mut() =
            if token.is_some() { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        let headers = response.headers_mut();
        headers.insert("x-error-code", "GatedRepo".parse().unwrap());
        headers.insert("x-error-message", "Access to model acme/m is restricted.".parse().unwrap());
        Some(response)
    }

    /// Returns how the GET of somebody is refused.
    fn refuses(&self, request: &Request) -> Option<u16> {
        let (token, status) = self.refused?;
        let is_file = request.uri().path().contains("/resolve/") && request.method() == Method::GET;
        let said = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        (is_file && said.strip_prefix("Bearer ") == Some(token)).then_some(status)
    }

    fn flip(&mut self, start: u64, content: &mut [u8]) {
        let Some((at, times)) = &mut self.flip else { return };
        let inside =
            at.checked_sub(start).and_then(|at| content.get_mut(usize::try_from(at).ok()?));
        if let (Some(byte), 1..) = (inside, *times) {
            *byte ^= 0x20;
            *times -= 1;
        }
    }
}

/// Where the body of an answer begins.
fn range_of(headers: &HeaderMap) -> u64 {
    let range = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start =
        range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start.unwrap_or(0)
}
