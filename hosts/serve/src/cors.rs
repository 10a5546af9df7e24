//! What a browser must be told before a page of another origin may read an answer.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};

/// The headers of answers that pages may read; clients in browsers need each of them.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "X-Repo-Commit, X-Error-Code, X-Error-Message, X-Total-Count, X-Linked-Size, X-Linked-Etag, \
     ETag, Link, Accept-Ranges, Content-Range, Content-Length, Content-Disposition, Location",
);
/// The headers that pages may send.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Range, If-Range, If-None-Match, Cache-Control, X-HF-Download-Counter",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");
/// How long a browser may remember what it was told.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");

/// The origins whose pages may read answers.
#[derive(Clone, Debug)]
pub(crate) struct Cors(HeaderValue);

impl Cors {
    /// Allows the pages of one origin, or of all by `*`. `None` where no browser would send that as an origin.
    pub(crate) fn of(origin: &str) -> Option<Self> {
        let is_origin = || {
            let uri: Uri = origin.parse().ok()?;
            let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
            Some(format!("{scheme}://{authority}") == origin)
        };
        let is_one = origin == "*" || is_origin().unwrap_or(false);
        HeaderValue::from_str(origin).ok().filter(|_| is_one).map(Self)
    }

    /// Answers what browsers ask beforehand; `None` for every other request. It carries no token.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let told = response.headers_mut();
        told.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        told.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
        told.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        self.tell(told);
        Some(response)
    }

    /// Adds to an answer who may read it.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.0.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if self.0 != "*" {
            headers.append(
                header::VARY,
                HeaderValue::from_static(HeaderName::as_str(&header::ORIGIN)),
            );
        }
    }
}
