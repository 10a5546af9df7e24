//! Answers that carry the content of a file: the resolve route, and the content route that redirects lead to.
//!
//! Commit, etag and length of an answer are those of the file that was opened for it, so they hold even while the
//! folder changes. The content route tells nothing of repos: like a store behind a hub it knows content only.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, response::Builder},
    response::Response,
};
use bytes::Bytes;
use hubstow_core::{
    hub::{quote, quote_path},
    name::{Commit, Etag, FileName, Repo, Revision},
};

use crate::{
    body::ContentBody,
    fault::{Fault, X_REPO_COMMIT},
    hash::{Opened, Storage, git_blob_sha1_of},
    library::{Library, OpenedFile},
    listing::pointer_to,
    range::{self, Part},
    route::CONTENT_PREFIX,
    shared::Shared,
    stats::Stats,
    upstream::{Arriving, Ranges},
};

const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
/// The query parameter of the content route that stands for the token.
const SIGNATURE: &str = "signature";
/// Files up to this size are read in one go: most of a repo's files, though not of its bytes.
const SMALL_BYTES: u64 = 64 * 1024;

/// Answers a request for what git holds of a file at a revision: the pointer, where it is an LFS file.
pub(crate) async fn raw(
    shared: &Arc<Shared>,
    repo: Repo,
    revision: Option<Revision>,
    file: Option<FileName>,
    request: (&Method, &HeaderMap),
) -> Result<Response, Fault> {
    let found = {
        let (repo, revision, file) = (repo.clone(), revision.clone(), file.clone());
        shared.ask(move |library| library.open(&repo, revision.as_ref(), file.as_ref())).await?
    };
    let OpenedFile { commit, opened } = found;
    let Some(file) = file else {
        return Err(Fault::EntryMissing(commit));
    };
    raw_answer(&shared.stats, Meant::of(commit, opened, None), &file, request)
}

/// Answers with what git holds of a file.
pub(crate) fn raw_answer(
    stats: &Stats,
    meant: Meant,
    file: &FileName,
    request: (&Method, &HeaderMap),
) -> Result<Response, Fault> {
    let Meant { commit, etag, len_bytes, held, ranges } = meant;
    let pointer = match Storage::of(&etag) {
        Storage::Git => None,
        Storage::Lfs => Some(pointer_to(&etag, len_bytes)),
    };
    let etag = pointer.as_ref().map_or_else(|| etag.to_string(), |at| git_blob_sha1_of(at));
    let answer = Response::builder()
        .header(X_REPO_COMMIT, commit.as_str())
        .header(header::ETAG, format!("\"{etag}\""))
        .header(header::CONTENT_DISPOSITION, disposition(file));
    let (len_bytes, held) = match pointer {
        Some(pointer) => (pointer.len() as u64, Held::Read(pointer.into())),
        None => (len_bytes, held),
    };
    carry(answer, Content { stats, len_bytes, etag: &etag, held, ranges }, request)
}

/// Answers a request for a file at a revision.
pub(crate) async fn file(
    shared: &Arc<Shared>,
    repo: Repo,
    revision: Option<Revision>,
    file: Option<FileName>,
    request: (&Method, &HeaderMap),
) -> Result<Response, Fault> {
    let (method, headers) = request;
    let (OpenedFile { commit, opened }, content) = {
        let (repo, file, method) = (repo.clone(), file.clone(), method.clone());
        let open = move |library: &Library| {
            let found = library.open(&repo, revision.as_ref(), file.as_ref())?;
            let content = if method == Method::GET { small(&found.opened) } else { None };
            Ok((found, content))
        };
        shared.ask(open).await?
    };
    // A file without a name was not found above.
    let Some(file) = file else {
        return Err(Fault::EntryMissing(commit));
    };
    let meant = Meant::of(commit, opened, content);
    if let (Storage::Lfs, Some(cdn)) = (Storage::of(&meant.etag), &shared.cdn)
        && !meant.is_known_to(headers)
    {
        let path = content_path(meant.etag.as_str(), &repo, &meant.commit, &file);
        let signature = shared.token.as_ref().map(|token| token.signature(&path));
        let query = signature.map_or_else(String::new, |text| format!("?{SIGNATURE}={text}"));
        let location = format!("{}{path}{query}", cdn.as_str());
        return Ok(meant
            .answer()
            .status(StatusCode::FOUND)
            .header(header::LOCATION, &location)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Body::from(format!("Found. Redirecting to {location}")))?);
    }
    file_answer(&shared.stats, meant, &file, request)
}

/// Answers with the content of a file, or with what is asked for of it.
pub(crate) fn file_answer(
    stats: &Stats,
    meant: Meant,
    file: &FileName,
    request: (&Method, &HeaderMap),
) -> Result<Response, Fault> {
    let answer = meant.answer();
    if meant.is_known_to(request.1) {
        // The answer to a HEAD would otherwise say 0, which reads like an empty file.
        let answer = answer.header(header::CONTENT_LENGTH, meant.len_bytes);
        return Ok(answer.status(StatusCode::NOT_MODIFIED).body(Body::empty())?);
    }
    let answer = answer.header(header::CONTENT_DISPOSITION, disposition(file));
    let Meant { etag, len_bytes, held, ranges, .. } = meant;
    carry(answer, Content { stats, len_bytes, etag: etag.as_str(), held, ranges }, request)
}

/// A file that a request means.
#[derive(Debug)]
pub(crate) struct Meant {
    pub(crate) commit: Commit,
    pub(crate) etag: Etag,
    pub(crate) len_bytes: u64,
    pub(crate) held: Held,
    pub(crate) ranges: Ranges,
}

/// Where content is.
#[derive(Debug)]
pub(crate) enum Held {
    /// Nobody has looked, since nobody wants it.
    Unread,
    /// Here.
    Read(Bytes),
    /// In a file.
    File(File),
    /// On its way.
    Arriving(Arc<dyn Arriving>),
}

impl Meant {
    fn of(commit: Commit, opened: Opened, read: Option<Bytes>) -> Self {
        let Opened { file, len_bytes, etag, .. } = opened;
        let held = read.map_or(Held::File(file), Held::Read);
        Self { commit, etag, len_bytes, held, ranges: Ranges::Given }
    }

    /// Begins an answer by what it is.
    fn answer(&self) -> Builder {
        let etag = &self.etag;
        let answer = Response::builder()
            .header(X_REPO_COMMIT, self.commit.as_str())
            .header(header::ETAG, format!("\"{etag}\""));
        match Storage::of(etag) {
            Storage::Git => answer,
            Storage::Lfs => answer
                .header(X_LINKED_ETAG, format!("\"{etag}\""))
                .header(X_LINKED_SIZE, self.len_bytes),
        }
    }

    /// Tells whether whoever asks has it.
    fn is_known_to(&self, headers: &HeaderMap) -> bool {
        let names = text(headers, &header::IF_NONE_MATCH);
        names.is_some_and(|names| range::none_match_names(names, self.etag.as_str()))
    }
}

/// Reads a small file at once, where it was opened: handing it to another thread takes longer than reading it. What can't
/// be read is tried again as a body, which says what is wrong.
fn small(opened: &Opened) -> Option<Bytes> {
    if opened.len_bytes > SMALL_BYTES {
        return None;
    }
    let file = &opened.file;
    let mut content = Vec::with_capacity(usize::try_from(opened.len_bytes).ok()? + 1);
    file.take(opened.len_bytes).read_to_end(&mut content).ok()?;
    (content.len() as u64 == opened.len_bytes).then(|| content.into())
}

/// Answers a request for the content that a redirect named.
pub(crate) async fn content(
    shared: &Arc<Shared>,
    (sha256, repo, commit, file): (String, Repo, Commit, FileName),
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
) -> Result<Response, Fault> {
    if let Some(token) = &shared.token {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let expected = token.signature(uri.path());
        if !query.into_iter().any(|(name, value)| name == SIGNATURE && value == expected) {
            return Err(Fault::TokenWrong);
        }
    }
    let shown = disposition(&file);
    let opened = shared
        .ask(move |library| library.open(&repo, Some(&Revision::from(&commit)), Some(&file)))
        .await;
    match opened {
        Ok(found) if found.opened.etag.as_str() == sha256 => {
            let answer = Response::builder()
                .header(header::ETAG, format!("\"{sha256}\""))
                .header(header::CONTENT_DISPOSITION, shown);
            let Opened { file, len_bytes, .. } = found.opened;
            let (stats, held) = (&shared.stats, Held::File(file));
            let ranges = Ranges::Given;
            let content = Content { stats, len_bytes, etag: &sha256, held, ranges };
            carry(answer, content, (method, headers))
        }
        Err(fault @ (Fault::Io(_) | Fault::Answer(_))) => Err(fault),
        Ok(_) | Err(_) => Err(Fault::NoRoute),
    }
}

/// What an answer carries.
struct Content<'a> {
    stats: &'a Stats,
    len_bytes: u64,
    etag: &'a str,
    held: Held,
    ranges: Ranges,
}

/// Adds the content, or the range of it that is asked for.
fn carry(
    answer: Builder,
    content: Content<'_>,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, Fault> {
    let Content { stats, len_bytes: size, etag, held, ranges } = content;
    let if_range = text(headers, &header::IF_RANGE);
    let part = match text(headers, &header::RANGE) {
        // A range means something for GET only.
        Some(range)
            if method == Method::GET
                && if_range.is_none_or(|at| range::if_range_holds(at, etag)) =>
        {
            match ranges {
                Ranges::Given => range::part_of(range, size),
                Ranges::OnlyFromStart => range::from_start(range, size),
            }
        }
        Some(_) | None => Part::Whole,
    };
    let answer = answer
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, "application/octet-stream")
        // Whatever it looks like: a browser shall not run a page that somebody has put into a repo.
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let (answer, start, len) = match part {
        Part::Whole => (answer, 0, size),
        // Clients that ask for the first byte to learn the size read it here, as of any other file.
        Part::Nothing => (answer.header(header::CONTENT_RANGE, "bytes */0"), 0, 0),
        Part::Slice { start, len } => {
            let carried = format!("bytes {start}-{}/{size}", start + len - 1);
            let answer = answer.header(header::CONTENT_RANGE, carried);
            (answer.status(StatusCode::PARTIAL_CONTENT), start, len)
        }
        Part::Unsatisfiable => {
            return Ok(answer
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(header::CONTENT_RANGE, format!("bytes */{size}"))
                .body(Body::empty())?);
        }
    };
    let body = match held {
        Held::Unread => Body::empty(),
        Held::Read(content) => Body::from(slice(&content, start, len).ok_or_else(shorter)?),
        Held::File(file) => Body::new(ContentBody::of_file(file, start, len, stats.open_file())),
        Held::Arriving(content) => Body::new(ContentBody::of_arriving(content, start, len)),
    };
    Ok(answer.header(header::CONTENT_LENGTH, len).body(body)?)
}

fn slice(content: &Bytes, start: u64, len: u64) -> Option<Bytes> {
    let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
    let end = start.checked_add(len).filter(|end| *end <= content.len())?;
    Some(content.slice(start..end))
}

fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the content is shorter than it was")
}

fn content_path(sha256: &str, repo: &Repo, commit: &Commit, file: &FileName) -> String {
    let (kind, id) = (repo.kind.plural(), &repo.id);
    format!("{CONTENT_PREFIX}/{sha256}/{kind}/{id}/resolve/{commit}/{}", quote_path(file.as_str()))
}

/// The name under which a browser saves the file; what is not plain ASCII is only in the encoded form.
fn disposition(file: &FileName) -> String {
    let plain = |c: char| {
        if c.is_ascii() && !"\"\\".contains(c) { c } else { '_' }
    };
    let shown: String = file.base().chars().map(plain).collect();
    format!("inline; filename*=UTF-8''{}; filename=\"{shown}\";", quote(file.base()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
