//! Answers that carry the content of a file: the resolve route, and the content route that redirects lead to.
//!
//! Commit, etag and length of an answer are those of the file that was opened for it, so they hold even while the
//! folder changes. The content route tells nothing of repos: like a store behind a hub it knows content only.

use std::{io::Read as _, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, response::Builder},
    response::Response,
};
use bytes::Bytes;
use hubstow_core::{
    hub::{quote, quote_path},
    name::{Commit, FileName, Repo, Revision},
};

use crate::{
    body::FileBody,
    fault::{Fault, X_REPO_COMMIT},
    hash::{Opened, Storage, git_blob_sha1_of},
    library::{Library, OpenedFile},
    listing::pointer_to,
    range::{self, Part},
    route::CONTENT_PREFIX,
    shared::Shared,
    stats::Stats,
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
    let pointer = match Storage::of(&opened.etag) {
        Storage::Git => None,
        Storage::Lfs => Some(pointer_to(&opened.etag, opened.len_bytes)),
    };
    let etag = pointer.as_ref().map_or_else(|| opened.etag.to_string(), |at| git_blob_sha1_of(at));
    let pointer = pointer.map(Bytes::from);
    let answer = Response::builder()
        .header(X_REPO_COMMIT, commit.as_str())
        .header(header::ETAG, format!("\"{etag}\""))
        .header(header::CONTENT_DISPOSITION, disposition(&file));
    let len_bytes = pointer.as_ref().map_or(opened.len_bytes, |pointer| pointer.len() as u64);
    carry(
        answer,
        Content { stats: &shared.stats, opened, len_bytes, etag: &etag, read: pointer },
        request,
    )
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
    let (etag, storage) = (opened.etag.as_str(), Storage::of(&opened.etag));
    let mut answer = Response::builder()
        .header(X_REPO_COMMIT, commit.as_str())
        .header(header::ETAG, format!("\"{etag}\""));
    if storage == Storage::Lfs {
        answer = answer
            .header(X_LINKED_ETAG, format!("\"{etag}\""))
            .header(X_LINKED_SIZE, opened.len_bytes);
    }
    if text(headers, &header::IF_NONE_MATCH)
        .is_some_and(|names| range::none_match_names(names, etag))
    {
        // The answer to a HEAD would otherwise say 0, which reads like an empty file.
        let answer = answer.header(header::CONTENT_LENGTH, opened.len_bytes);
        return Ok(answer.status(StatusCode::NOT_MODIFIED).body(Body::empty())?);
    }
    if let (Storage::Lfs, Some(cdn)) = (storage, &shared.cdn) {
        let path = content_path(etag, &repo, &commit, &file);
        let signature = shared.token.as_ref().map(|token| token.signature(&path));
        let query = signature.map_or_else(String::new, |text| format!("?{SIGNATURE}={text}"));
        let location = format!("{}{path}{query}", cdn.as_str());
        return Ok(answer
            .status(StatusCode::FOUND)
            .header(header::LOCATION, &location)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Body::from(format!("Found. Redirecting to {location}")))?);
    }
    let answer = answer.header(header::CONTENT_DISPOSITION, disposition(&file));
    let len_bytes = opened.len_bytes;
    let etag = etag.to_owned();
    carry(
        answer,
        Content { stats: &shared.stats, opened, len_bytes, etag: &etag, read: content },
        (method, headers),
    )
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
            let len_bytes = found.opened.len_bytes;
            let (stats, opened) = (&shared.stats, found.opened);
            let content = Content { stats, opened, len_bytes, etag: &sha256, read: None };
            carry(answer, content, (method, headers))
        }
        Err(fault @ (Fault::Io(_) | Fault::Answer(_))) => Err(fault),
        Ok(_) | Err(_) => Err(Fault::NoRoute),
    }
}

/// What an answer carries.
struct Content<'a> {
    stats: &'a Stats,
    opened: Opened,
    len_bytes: u64,
    etag: &'a str,
    /// The content itself, where it has been read already.
    read: Option<Bytes>,
}

/// Adds the content, or the range of it that is asked for.
fn carry(
    answer: Builder,
    content: Content<'_>,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, Fault> {
    let Content { stats, opened, len_bytes: size, etag, read } = content;
    let if_range = text(headers, &header::IF_RANGE);
    let part = match text(headers, &header::RANGE) {
        // A range means something for GET only.
        Some(range)
            if method == Method::GET
                && if_range.is_none_or(|at| range::if_range_holds(at, etag)) =>
        {
            range::part_of(range, size)
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
    let read = read.and_then(|content| slice(&content, start, len));
    let open = || Body::new(FileBody::new(opened.file, start, len, stats.open_file()));
    let body = read.map_or_else(open, Body::from);
    Ok(answer.header(header::CONTENT_LENGTH, len).body(body)?)
}

fn slice(content: &Bytes, start: u64, len: u64) -> Option<Bytes> {
    let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
    let end = start.checked_add(len).filter(|end| *end <= content.len())?;
    Some(content.slice(start..end))
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
