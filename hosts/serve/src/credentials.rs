//! What a request carries to say who sends it.

use axum::http::{HeaderMap, header};

/// Returns the token that a request carries.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    of_scheme(headers, "Bearer")
}

/// Returns what a request carries for a scheme, of which the case is of no matter (RFC 9110, 11.1).
pub(crate) fn of_scheme<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (offered, credentials) = value.split_once(' ')?;
    offered.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}
