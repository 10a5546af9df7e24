//! What makes a request ambiguous though it can be parsed: such a one is refused before anything else looks at it.

use axum::http::{HeaderValue, Request, Version, header, uri::Authority};

use crate::fault::Fault;

/// The longest target of a request: a file name of 4096 bytes, all of them encoded, with room for the rest.
const TARGET_BYTES: usize = 16 * 1024;

/// Checks that a request means one thing only.
///
/// # Errors
/// It names no host, several, or one that can be none; or its target is too long.
pub(super) fn check<T>(request: &Request<T>) -> Result<(), Fault> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        return Err(Fault::TargetTooLong);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, None) if request.version() < Version::HTTP_11 => Ok(()),
        (Some(host), None) if is_host(host) => Ok(()),
        (None | Some(_), None) | (_, Some(_)) => Err(Fault::HostBroken),
    }
}

/// Tells whether it is a host, perhaps with a port; an empty one stands for a target without one.
fn is_host(host: &HeaderValue) -> bool {
    let bytes = host.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}
