//! How the public hub answers small files: by a redirect to an address on its own origin that is made of repo, commit,
//! name and etag.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
/// An answer with this one is about a large file, which another address answers.
const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const PREFIX: &str = "/api/resolve-cache/models/";

/// Answers a request as the public hub does: the address of a small file with a redirect, and the one that it leads to
/// with the file.
pub(crate) async fn answer(mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(cached) = path.strip_prefix(PREFIX) {
        return match file_of(cached) {
            Some(uri) => {
                *request.uri_mut() = uri;
                next.run(request).await
            }
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let Some((repo, file)) = parts(&path) else {
        return next.run(request).await;
    };
    let mut head = Request::new(Body::empty());
    *head.method_mut() = Method::HEAD;
    *head.uri_mut() = request.uri().clone();
    let told = next.clone().run(head).await;
    let redirect = redirect(told.status(), told.headers(), &path, (repo, file));
    drop(told);
    match redirect {
        Some(redirect) => redirect,
        None => next.run(request).await,
    }
}

/// Answers with a redirect, where what is told of a file says that it is a small one that is there.
fn redirect(
    status: StatusCode,
    headers: &HeaderMap,
    path: &str,
    (repo, file): (&str, &str),
) -> Option<Response> {
    let header = |name: HeaderName| headers.get(name)?.to_str().ok();
    if status != StatusCode::OK || header(X_LINKED_ETAG).is_some() {
        return None;
    }
    let (commit, etag) = (header(X_REPO_COMMIT)?, header(header::ETAG)?);
    let query = format!("{}=&etag={}", quote(path), quote(etag));
    let location = format!("{PREFIX}{repo}/{commit}/{file}?{query}");
    let headers = [(header::LOCATION, &*location), (X_REPO_COMMIT, commit), (header::ETAG, etag)];
    Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

/// Splits the path of a file at a revision into the repo and the rest behind the revision.
fn parts(path: &str) -> Option<(&str, &str)> {
    let (repo, rest) = path.strip_prefix('/')?.split_once("/resolve/")?;
    Some((repo, rest.split_once('/')?.1))
}

/// Returns the ordinary path of what comes after the prefix: `owner/name/commit/file`.
fn file_of(cached: &str) -> Option<Uri> {
    let (owner, rest) = cached.split_once('/')?;
    let (name, rest) = rest.split_once('/')?;
    let (commit, file) = rest.split_once('/')?;
    format!("/{owner}/{name}/resolve/{commit}/{file}").parse().ok()
}

/// Encodes everything in a piece of a query that is not unreserved.
fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_the_file() {
        let (repo, file) = parts("/bench/small/resolve/main/data/00/a.json").unwrap();
        assert_eq!((repo, file), ("bench/small", "data/00/a.json"));
        let uri = file_of(&format!("{repo}/0123/{file}")).unwrap();
        assert_eq!(uri.path(), "/bench/small/resolve/0123/data/00/a.json");
        assert_eq!(parts("/api/models/bench/small/tree/main"), None);
        assert_eq!(quote("/a b/\"x\""), "%2Fa%20b%2F%22x%22");
    }
}
