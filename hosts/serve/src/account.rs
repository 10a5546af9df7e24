//! Answers about whoever asks: whose token it is, and by which programs agents are told apart.

use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use serde_json::json;

use crate::{fault::Fault, query};

/// Answers whose token it is. One token is as good as another: all that may read here are one user.
///
/// # Errors
/// No token is carried; that it is the right one was checked before, where one is asked for.
pub(crate) fn who_am_i(headers: &HeaderMap) -> Result<Response, Fault> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(Fault::TokenMissing);
    }
    query::json(&json!({
        "type": "user",
        "id": "hubstow",
        "name": "hubstow",
        "fullname": "Whoever may read here",
        "email": null,
        "emailVerified": false,
        "canPay": false,
        "isPro": false,
        "periodEnd": null,
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": { "displayName": "hubstow", "role": "read" },
        },
    }))
}

/// Answers that no programs are told apart: nothing is counted by them here.
pub(crate) fn agent_harnesses() -> Result<Response, Fault> {
    query::json(&json!({ "standardEnvVars": [], "harnesses": {} }))
}
