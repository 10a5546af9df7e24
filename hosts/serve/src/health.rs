//! Answers to probes: whether the server lives, and whether it can read what it serves.

use std::sync::Arc;

use axum::{body::Body, http::header, response::Response};

use crate::{fault::Fault, shared::Shared};

/// Answers that the server lives.
pub(crate) fn health() -> Result<Response, Fault> {
    let kind = "text/plain; charset=utf-8";
    Ok(Response::builder().header(header::CONTENT_TYPE, kind).body(Body::from("ok\n"))?)
}

/// Answers whether what is served can be read.
///
/// # Errors
/// It can't.
pub(crate) async fn ready(shared: &Arc<Shared>) -> Result<Response, Fault> {
    match shared.ask(|library| library.check().map_err(|(_, error)| error.into())).await {
        Ok(()) => health(),
        Err(fault) => {
            tracing::error!(?fault, "what is served can't be read");
            Err(Fault::NotReady)
        }
    }
}
