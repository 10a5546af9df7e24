//! What a GET must ask for, and what its answer must look like, before a byte of it is taken.

use std::ops::Range;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, IF_RANGE, RANGE},
};
use hubstow_cache::staged::Mismatch;
use hubstow_core::hub::{Retry, refusal_of_status, retry, same_content};

use super::fetch::{Attempt, Failed, Fetch, hub_failing};
use crate::{
    api::error::{Error, ErrorKind},
    http::{
        session::{asked_wait, core_headers, text},
        transport::Answer,
    },
};

/// Checks that an answer brings what was asked for; tells whether it continues what is here.
pub(crate) fn accept(
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
        let Span { start, total, .. } = content_range(headers);
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

/// Checks that an answer brings this part, and no other and no longer one.
pub(crate) fn accept_part(
    fetch: &Fetch<'_>,
    answer: &Answer,
    part: &Range<u64>,
) -> Result<(), Result<Attempt, Failed>> {
    let other = |cause: &str| Err(Ok(Attempt::Unusable { cause: cause.to_owned() }));
    match accept(fetch, answer, part.start) {
        Ok(true) if content_range(&answer.headers).end.is_none_or(|end| end + 1 == part.end) => {
            Ok(())
        }
        Ok(true) => other("the hub sent a range of another length"),
        Ok(false) | Err(Ok(Attempt::Wrong(_))) => other("the hub sent all where a part was asked"),
        Err(other) => Err(other),
    }
}

/// Asks for all that is missing.
pub(crate) fn range_headers(have: u64, fetch: &Fetch<'_>, at_hub: bool) -> HeaderMap {
    if have == 0 {
        return HeaderMap::new();
    }
    range(&format!("bytes={have}-"), fetch, at_hub)
}

/// Asks for a part.
pub(crate) fn part_headers(part: &Range<u64>, fetch: &Fetch<'_>, at_hub: bool) -> HeaderMap {
    range(&format!("bytes={}-{}", part.start, part.end.saturating_sub(1)), fetch, at_hub)
}

fn range(range: &str, fetch: &Fetch<'_>, at_hub: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(range) {
        headers.insert(RANGE, value);
    }
    if let Some(value) =
        HeaderValue::from_str(&format!("\"{}\"", fetch.metadata.etag)).ok().filter(|_| at_hub)
    {
        headers.insert(IF_RANGE, value);
    }
    headers
}

pub(crate) fn header_number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

/// What a `Content-Range` says: the first byte, the last, and how many there are in all.
#[derive(Default)]
struct Span {
    start: Option<u64>,
    end: Option<u64>,
    total: Option<u64>,
}

/// Reads `bytes <start>-<end>/<total>`.
fn content_range(headers: &HeaderMap) -> Span {
    let range = || text(headers, &CONTENT_RANGE)?.trim().strip_prefix("bytes ")?.split_once('/');
    let number = |text: &str| text.trim().parse().ok();
    range().map_or_else(Span::default, |(span, total)| {
        let (start, end) = span.split_once('-').unwrap_or_default();
        Span { start: number(start), end: number(end), total: number(total) }
    })
}
