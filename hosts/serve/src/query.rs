//! The parameters of a request, and the answers in pages that they continue.

use axum::{
    body::Body,
    http::{HeaderMap, Uri, header},
    response::Response,
};
use serde_json::Value;

use crate::{fault::Fault, origin};

/// The parameters of a request.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of an address.
    pub(crate) fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Returns a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(at, _)| at == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether a parameter says yes, as the clients of the hub say it.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// Returns how many entries a page may have: what is asked for, within what the server gives.
    pub(crate) fn limit(&self, most: usize) -> usize {
        self.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(most).clamp(1, most)
    }

    /// Returns the same parameters, continued after a path.
    pub(crate) fn at(&self, cursor: &str) -> String {
        let kept = self.0.iter().filter(|(name, _)| name != "cursor");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept).append_pair("cursor", cursor).finish()
    }
}

/// Answers with JSON.
pub(crate) fn json(value: &Value) -> Result<Response, Fault> {
    let body = Body::from(value.to_string());
    Ok(Response::builder().header(header::CONTENT_TYPE, "application/json").body(body)?)
}

/// Answers with one page of a list, which names the next where more follows after `last`.
pub(crate) fn page(
    page: Vec<Value>,
    last: Option<&str>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let mut response = json(&Value::Array(page))?;
    if let Some(last) = last {
        // Without a host that can be named, a client that resolves links still finds the page.
        let origin = origin::of(uri, headers).unwrap_or_default();
        let next = format!("{origin}{}?{}", uri.path(), Query::of(uri).at(last));
        let link = format!("<{next}>; rel=\"next\"").try_into().map_err(axum::http::Error::from)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
