//! What a GET must ask for, and what its answer must look like, before a byte of it is taken.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, IF_RANGE, RANGE},
};
use hubstow_core::hub::{Retry, refusal_of_status, retry, same_content};
use hubstow_fs::staged::Mismatch;

use super::{Attempt, Failed, Fetch, hub_failing};
use crate::{
    error::{Error, ErrorKind},
    http::{asked_wait, core_headers, text},
    transport::Answer,
};

/// Checks that an answer brings what was asked for; tells whether it continues what is here.
pub(super) fn accept(
    fetch: &Fetch<'_>,
    answer: &Answer,
    have: u64,
) -> Result<bool, Result<Attempt, Failed>> {
    let (status, headers) = (answer.status, &answer.headers);
    let core = core_headers(headers);
    let promised = fetch.metadata.size;
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
        StatusCode::RANGE_NOT_SATISFIABLE => {
            return Err(Ok(Attempt::Unusable { cause: "the hub refuses the range".to_owned() }));
        }
        _ if retry(status.as_u16()) == Retry::Yes => {
            let cause = format!("the hub answered {status}");
            return Err(Ok(Attempt::Passing {
                kind: ErrorKind::HubFailing,
                cause,
                wait: asked_wait(headers),
            }));
        }
        _ => {
            let refusal = refusal_of_status(status.as_u16(), &core);
            let message = format!("the hub answered {status} to the GET of `{}`", fetch.file);
            return Err(Ok(Attempt::Expired(Error::new(refusal.into(), message))));
        }
    }
    if !same_content(fetch.metadata, &core) {
        let what = format!("the hub promises one content of `{}` and sends another", fetch.file);
        let error = Error::new(ErrorKind::ContentMismatch, what).hint("nothing was stored");
        return Err(Err(Failed::Moved(error)));
    }
    let encoding = text(headers, &CONTENT_ENCODING).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") {
        let cause =
            format!("the content is encoded as {encoding}, although it was asked for as it is");
        return Err(Err(Failed::Error(hub_failing(fetch.file, &cause))));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let (start, total) = content_range(headers);
        if have == 0
            || start != Some(have)
            || (promised.is_some() && total.is_some() && total != promised)
        {
            return Err(Ok(Attempt::Unusable { cause: "the hub sent another range".to_owned() }));
        }
        return Ok(true);
    }
    let length = header_number(headers, &CONTENT_LENGTH);
    if let (Some(expected), Some(received)) = (promised, length)
        && received != expected
    {
        return Err(Ok(Attempt::Wrong(Mismatch::Size { expected, received })));
    }
    Ok(false)
}

pub(super) fn range_headers(have: u64, fetch: &Fetch<'_>, at_hub: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if have == 0 {
        return headers;
    }
    if let Ok(value) = HeaderValue::from_str(&format!("bytes={have}-")) {
        headers.insert(RANGE, value);
    }
    if let Some(value) =
        HeaderValue::from_str(&format!("\"{}\"", fetch.metadata.etag)).ok().filter(|_| at_hub)
    {
        headers.insert(IF_RANGE, value);
    }
    headers
}

pub(super) fn header_number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

/// Reads `bytes <start>-<end>/<total>`.
fn content_range(headers: &HeaderMap) -> (Option<u64>, Option<u64>) {
    let range = || text(headers, &CONTENT_RANGE)?.trim().strip_prefix("bytes ")?.split_once('/');
    range().map_or((None, None), |(span, total)| {
        let start = span.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
        (start, total.trim().parse().ok())
    })
}
