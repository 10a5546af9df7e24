//! One request: what the product's endpoint answers, changed by the faults that strike it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a fault changes one thing; every place here takes those that are about it"
)]

use std::{io::Write as _, sync::Arc, time::Duration};

use anyhow::Result;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use tower::ServiceExt as _;

use super::{
    Shared, Struck,
    body::{self, Pace, Stop},
    fault::{Asked, Fault},
    listen::Dropped,
    lock,
    log::{Origin, Seen},
    point,
};
use crate::scenario::REPO;

/// How long the first of several bodies is still held back when everybody has asked for it: long enough for the others
/// to reach the lock. Correctness does not depend on it; the number of requests does.
const HEAD_START: Duration = Duration::from_millis(400);

/// Answers a request, or doesn't.
pub(super) async fn answer(
    shared: Arc<Shared>,
    origin: Origin,
    request: Request,
) -> Result<Response, Dropped> {
    let asked = kind(&request);
    let number = shared.log.add(Seen {
        origin,
        asked,
        line: format!("{} {}", request.method(), request.uri()),
        with_token: request.headers().contains_key(header::AUTHORIZATION),
        status: None,
    });
    let faults = take(&shared, asked, origin, &request);
    let answer = match faults.iter().find_map(|fault| instead(&shared, fault)) {
        Some(answer) => answer,
        None => served(&shared, origin, request, &faults).await,
    };
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is::<Dropped>() => return Err(Dropped),
        Err(error) => page(StatusCode::NOT_IMPLEMENTED, &format!("{error:#}")),
    };
    shared.log.answered(number, response.status().as_u16());
    if asked == Some(Asked::Head) {
        for fault in &faults {
            if let Fault::MoveAfterHead { branch, to } = fault {
                point(&shared.folder, branch, to).map_err(|_| Dropped)?;
            }
        }
        shared.heads.send_modify(|heads| *heads += 1);
    }
    Ok(response)
}

/// Requests that have nothing to do with the repo are not counted: the Python client makes some of its own.
fn kind(request: &Request) -> Option<Asked> {
    let path = request.uri().path();
    match *request.method() {
        Method::HEAD if path.contains("/resolve/") => Some(Asked::Head),
        Method::GET if path.contains("/resolve/") => Some(Asked::Get),
        _ if path.contains(REPO) => Some(Asked::Api),
        _ => None,
    }
}

/// Takes the faults that strike this request; those that strike a number of times have one time less left. Nothing
/// redirects away from the other origin.
fn take(shared: &Shared, asked: Option<Asked>, origin: Origin, request: &Request) -> Vec<Fault> {
    let mut active = lock(&shared.faults);
    let mut taken = Vec::new();
    if origin == Origin::Second {
        return taken;
    }
    let part = request.headers().contains_key(header::RANGE);
    active.retain_mut(|entry| {
        let here = (part || entry.on == Struck::Any)
            && match entry.fault {
                Fault::ListAlso { .. } | Fault::ListWithout { .. } => {
                    request.uri().path().contains("/tree/")
                }
                Fault::IgnoreRange | Fault::ShiftRange { .. } => part,
                Fault::Redirect { .. } => origin == Origin::Hub,
                _ => true,
            };
        if Some(entry.fault.strikes()) != asked || !here {
            return true;
        }
        taken.push(entry.fault.clone());
        entry.struck = true;
        entry.left = entry.left.map(|left| left.saturating_sub(1));
        entry.left != Some(0)
    });
    taken
}

/// The answer of a fault that keeps the product's endpoint out of it.
fn instead(shared: &Shared, fault: &Fault) -> Option<Result<Response>> {
    match fault {
        Fault::AtMost { bodies, retry_after } => {
            let busy = Arc::strong_count(&shared.bodies) > *bodies;
            busy.then(|| {
                let mut answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
                if let Some(wait) = retry_after {
                    answer = answer.header(header::RETRY_AFTER, wait);
                }
                answer.body(Body::empty()).map_err(Into::into)
            })
        }
        Fault::Drop { .. } => Some(Err(Dropped.into())),
        Fault::Bare304 => Some(
            Response::builder()
                .status(StatusCode::NOT_MODIFIED)
                .body(Body::empty())
                .map_err(Into::into),
        ),
        Fault::Status { status, code, message, retry_after, body, .. } => {
            let mut answer = Response::builder().status(*status);
            for (name, value) in
                [("x-error-code", code), ("x-error-message", message), ("retry-after", retry_after)]
            {
                if let Some(value) = value {
                    answer = answer.header(name, value);
                }
            }
            Some(answer.body(Body::from(body.clone())).map_err(Into::into))
        }
        _ => None,
    }
}

fn page(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

/// The answer of the product's endpoint, changed.
async fn served(
    shared: &Arc<Shared>,
    origin: Origin,
    mut request: Request,
    faults: &[Fault],
) -> Result<Response> {
    let here = request.uri().path().to_owned();
    let is_head = request.method() == Method::HEAD;
    for fault in faults {
        match fault {
            Fault::IgnoreRange => drop(request.headers_mut().remove(header::RANGE)),
            Fault::ShiftRange { .. } => drop(request.headers_mut().remove(header::IF_RANGE)),
            _ => {}
        }
    }
    let mut response = shared.router.clone().oneshot(request).await?;
    if origin == Origin::Other {
        for name in ["x-repo-commit", "x-linked-etag", "x-linked-size", "etag"] {
            response.headers_mut().remove(name);
        }
    }
    for fault in faults {
        change_head(shared, fault, &here, &mut response)?;
        if let Fault::Swap { file } = fault {
            swap(shared, &here, file, &mut response).await?;
        }
    }
    if is_head || !here.contains("/resolve/") || !response.status().is_success() {
        for fault in faults {
            response = change_listing(fault, response).await?;
        }
        return Ok(response);
    }
    change_body(shared, faults, response).await
}

/// Replaces a body by that of another file, and leaves every header as it is.
async fn swap(shared: &Shared, here: &str, file: &str, response: &mut Response) -> Result<()> {
    let (folder, _) = here.rsplit_once('/').unwrap_or_default();
    let request = Request::builder().uri(format!("{folder}/{file}")).body(Body::empty())?;
    *response.body_mut() = shared.router.clone().oneshot(request).await?.into_body();
    Ok(())
}

fn change_head(shared: &Shared, fault: &Fault, here: &str, response: &mut Response) -> Result<()> {
    match fault {
        Fault::Header { name, value, .. } => {
            let name = HeaderName::try_from(name.as_str())?;
            response.headers_mut().remove(&name);
            if let Some(value) = value {
                response.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes())?);
            }
        }
        Fault::Redirect { to, .. } => {
            let location = match to.as_str() {
                "other-origin" => format!("http://{}{here}", shared.other),
                "loop" => here.to_owned(),
                url => url.to_owned(),
            };
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(header::LOCATION, location.try_into()?);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::empty();
        }
        Fault::Gzip => {
            response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".try_into()?);
        }
        _ => {}
    }
    Ok(())
}

async fn change_body(
    shared: &Arc<Shared>,
    faults: &[Fault],
    response: Response,
) -> Result<Response> {
    let (mut parts, body) = response.into_parts();
    let mut bytes = body::whole(body).await?;
    let mut never_sent = 0;
    let mut pace = Pace::default();
    for fault in faults {
        match fault {
            Fault::FlipByte { at } => bytes.iter_mut().skip(*at).take(1).for_each(|b| *b ^= 0xff),
            Fault::LongerBody { by } => bytes.extend(vec![b'x'; *by]),
            Fault::ShorterBody { by } => bytes.truncate(bytes.len().saturating_sub(*by)),
            Fault::PromiseMore { by } => never_sent += by,
            Fault::Gzip => bytes = gzipped(&bytes)?,
            Fault::ShiftRange { by } => shift(&mut parts.headers, &mut bytes, *by)?,
            _ => pace = pace.with(fault),
        }
    }
    parts.headers.insert(header::CONTENT_LENGTH, (bytes.len() + never_sent).into());
    if let Some((at, Stop::Stall)) = pace.stop {
        *lock(&shared.stalled_at) = Some(at.min(bytes.len()));
    }
    wait_for_heads(shared).await;
    let sending = Arc::clone(&shared.bodies);
    Ok(Response::from_parts(parts, body::paced(bytes, pace, sending)))
}

fn gzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Sends a part of the right length that starts too early.
fn shift(headers: &mut HeaderMap, bytes: &mut Vec<u8>, by: usize) -> Result<()> {
    let Some(range) = headers.get(header::CONTENT_RANGE) else {
        return Ok(());
    };
    let range = range.to_str()?.to_owned();
    let numbers: Vec<usize> =
        range.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
    if let [start, end, size] = numbers.as_slice() {
        let moved = format!("bytes {}-{}/{size}", start.saturating_sub(by), end.saturating_sub(by));
        headers.insert(header::CONTENT_RANGE, moved.try_into()?);
        let length = bytes.len();
        bytes.splice(0..0, vec![b'x'; by]);
        bytes.truncate(length);
    }
    Ok(())
}

async fn change_listing(fault: &Fault, response: Response) -> Result<Response> {
    if !matches!(fault, Fault::ListAlso { .. } | Fault::ListWithout { .. }) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let mut listing: serde_json::Value = serde_json::from_slice(&body::whole(body).await?)?;
    let entries = listing.as_array_mut();
    match (fault, entries) {
        (Fault::ListAlso { path }, Some(entries)) => entries.push(serde_json::json!({
            "type": "file", "path": path, "size": 1, "oid": "0123456789012345678901234567890123456789",
        })),
        (Fault::ListWithout { path, field }, Some(entries)) => {
            let named = entries.iter_mut().filter(|entry| entry["path"] == *path);
            for entry in named.filter_map(serde_json::Value::as_object_mut) {
                entry.remove(field);
            }
        }
        _ => {}
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(listing.to_string())))
}

/// Holds the first body back until everybody who runs at the same time has asked.
async fn wait_for_heads(shared: &Shared) {
    let wanted = std::mem::take(&mut *lock(&shared.heads_wanted));
    if wanted > 0 {
        let mut heads = shared.heads.subscribe();
        let _ = heads.wait_for(|seen| *seen >= wanted).await;
        tokio::time::sleep(HEAD_START).await;
    }
}
