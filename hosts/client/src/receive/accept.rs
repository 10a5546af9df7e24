//! What a GET must ask for, and what its answer must look like, before a byte of it is taken.
//!
//! INVARIANT (I13): what is taken is the content that was promised; a range must start where it was asked to.

use std::ops::Range;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, IF_RANGE, RANGE},
};
use hubstow_cache::staged::Mismatch;
use hubstow_core::{
    hub::{Retry, refusal_of_status, retry, same_content},
    why::Refusal,
};

use super::{
    fetch::Fetch,
    verdict::{Cause, Verdict},
};
use crate::http::session::{Address, Http, asked_wait, core_headers, is_endpoint, text};

/// What the body of an answer is good for.
#[derive(Debug)]
pub(crate) enum Brings {
    /// It is the content from its first byte on.
    Whole,
    /// It continues what is here.
    Rest,
    /// It is not taken.
    Nothing(Verdict),
}

/// Says what an answer brings to somebody who has the first so many bytes.
pub(crate) fn accept(
    fetch: &Fetch<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    have: u64,
) -> Brings {
    let core = core_headers(headers);
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        let refusal = refusal_of_status(status.as_u16(), &core);
        return Brings::Nothing(refused(status, refusal, headers));
    }
    if !same_content(fetch.metadata, &core) {
        return Brings::Nothing(Verdict::OtherContent);
    }
    let encoding = text(headers, &CONTENT_ENCODING).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") {
        return Brings::Nothing(Verdict::Unusable(Cause::Encoded(encoding.to_owned())));
    }
    let promised = fetch.metadata.size;
    if status == StatusCode::PARTIAL_CONTENT {
        let Span { start, total, .. } = content_range(headers);
        let is_other = promised.is_some() && total.is_some() && total != promised;
        return if have == 0 || start != Some(have) || is_other {
            Brings::Nothing(Verdict::NoRange(Cause::OtherRange))
        } else {
            Brings::Rest
        };
    }
    match (promised, header_number(headers, &CONTENT_LENGTH)) {
        (Some(expected), Some(received)) if received != expected => {
            Brings::Nothing(Verdict::Wrong(Mismatch::Size { expected, received }))
        }
        (Some(_) | None, Some(_) | None) => Brings::Whole,
    }
}

/// Says what follows from an answer without content.
fn refused(status: StatusCode, refusal: Refusal, headers: &HeaderMap) -> Verdict {
    if status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Verdict::NoRange(Cause::RangeRefused);
    }
    if retry(status.as_u16()) == Retry::Yes {
        return Verdict::Failing { cause: Cause::Status(status), wait: asked_wait(headers) };
    }
    let cause = Cause::Refused { status, refusal };
    let gone = [Refusal::EntryNotFound, Refusal::RevisionNotFound, Refusal::RepoNotFound];
    if gone.contains(&refusal) { Verdict::Gone(cause) } else { Verdict::Expired(cause) }
}

/// Checks that an answer brings this range, and no other and no longer one.
///
/// # Errors
/// What it is instead.
pub(crate) fn accept_range(
    fetch: &Fetch<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    range: &Range<u64>,
) -> Result<(), Verdict> {
    let is_long_enough = || content_range(headers).end.is_none_or(|end| end + 1 == range.end);
    match accept(fetch, status, headers, range.start) {
        Brings::Rest if is_long_enough() => Ok(()),
        Brings::Rest => Err(Verdict::NoRange(Cause::OtherLength)),
        Brings::Whole | Brings::Nothing(Verdict::Wrong(_)) => Err(Verdict::NoRange(Cause::All)),
        Brings::Nothing(other) => Err(other),
    }
}

/// Tells whether the rest of an answer may be put behind what is here. Where no hash would tell that it is of another
/// version, only the hub itself may continue it: it compares the etag that `If-Range` names.
pub(crate) fn may_continue(fetch: &Fetch<'_>, have: u64, from_hub: FromHub) -> bool {
    have == 0 || fetch.is_hashed() || from_hub == FromHub::Yes
}

/// Whether something comes from the hub itself, and not from where it redirects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromHub {
    Yes,
    No,
}

impl FromHub {
    pub(crate) fn of(http: &Http, at: &Address) -> Self {
        if is_endpoint(http.endpoint(), at) { Self::Yes } else { Self::No }
    }
}

/// Asks for all that is missing.
pub(crate) fn rest_headers(have: u64, fetch: &Fetch<'_>, at: FromHub) -> HeaderMap {
    if have == 0 {
        return HeaderMap::new();
    }
    asking_for(&format!("bytes={have}-"), fetch, at)
}

/// Asks for a range.
pub(crate) fn range_headers(range: &Range<u64>, fetch: &Fetch<'_>, at: FromHub) -> HeaderMap {
    asking_for(&format!("bytes={}-{}", range.start, range.end.saturating_sub(1)), fetch, at)
}

fn asking_for(range: &str, fetch: &Fetch<'_>, at: FromHub) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(range) {
        headers.insert(RANGE, value);
    }
    let etag = HeaderValue::from_str(&format!("\"{}\"", fetch.metadata.etag)).ok();
    if let Some(value) = etag.filter(|_| at == FromHub::Yes) {
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
