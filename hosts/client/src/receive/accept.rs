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
use crate::http::{
    address::{Address, asked_wait, core_headers, hub_answer, text},
    session::Http,
};

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
    accept_from(fetch, status, headers, (have > 0).then_some(have))
}

/// Says what an answer brings to somebody who has asked for what begins at an offset, or for all.
fn accept_from(
    fetch: &Fetch<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    asked: Option<u64>,
) -> Brings {
    let core = core_headers(headers);
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        let refusal = refusal_of_status(status.as_u16(), &core);
        return Brings::Nothing(refused(status, refusal, headers));
    }
    if fetch.heeds_headers() && !same_content(fetch.metadata, &core) {
        return Brings::Nothing(Verdict::OtherContent);
    }
    let encoding = text(headers, &CONTENT_ENCODING).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") && !is_part_of_content(fetch, status, headers) {
        let cause = Cause::Encoded(encoding.to_owned());
        // A part of something packed is no part of the content; the whole may come as it is.
        return Brings::Nothing(if status == StatusCode::PARTIAL_CONTENT {
            Verdict::NoRange(cause)
        } else {
            Verdict::Unusable(cause)
        });
    }
    let promised = fetch.metadata.size;
    if status == StatusCode::PARTIAL_CONTENT {
        if is_unnamed_rest(fetch, headers, asked) {
            return Brings::Rest;
        }
        let Span { start, total, .. } = content_range(headers);
        let is_other = promised.is_some() && total.is_some() && total != promised;
        return if asked.is_none() || start != asked || is_other {
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

/// Tells whether a part is one of the content itself, whatever its header says of an encoding: what is compressed has another
/// length in all. Only a hash tells for sure.
fn is_part_of_content(fetch: &Fetch<'_>, status: StatusCode, headers: &HeaderMap) -> bool {
    let total = content_range(headers).total;
    status == StatusCode::PARTIAL_CONTENT
        && fetch.is_hashed()
        && total.is_some()
        && total == fetch.metadata.size
}

/// Tells whether a part that does not say where it begins is as long as all that is missing. Only a hash tells whether it is that.
fn is_unnamed_rest(fetch: &Fetch<'_>, headers: &HeaderMap, asked: Option<u64>) -> bool {
    let missing = fetch.metadata.size.zip(asked).and_then(|(size, from)| size.checked_sub(from));
    let length = header_number(headers, &CONTENT_LENGTH);
    !headers.contains_key(CONTENT_RANGE)
        && fetch.is_hashed()
        && length.is_some_and(|length| length > 0 && Some(length) == missing)
}

/// Says what follows from an answer without content.
fn refused(status: StatusCode, refusal: Refusal, headers: &HeaderMap) -> Verdict {
    if status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Verdict::NoRange(Cause::RangeRefused);
    }
    if retry(status.as_u16()) == Retry::Yes {
        return Verdict::Failing { cause: Cause::Status(status), wait: asked_wait(headers) };
    }
    let said = Box::new(hub_answer(status.as_u16(), headers));
    let cause = Cause::Refused { refusal, said };
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
    match accept_from(fetch, status, headers, Some(range.start)) {
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
        if http.route().endpoints().have(at) { Self::Yes } else { Self::No }
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
    if let Some(value) = etag.filter(|_| at == FromHub::Yes && fetch.heeds_headers()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::stage::{COMMIT, Stage, broken};

    /// Its size is what the tables below take it for.
    const CONTENT: &[u8] = b"0123456789";

    fn answer(text: &str) -> HeaderMap {
        let lines = text.split(", ").filter(|line| !line.is_empty());
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        lines.map(header).collect()
    }

    #[test]
    fn an_answer_brings_what_it_promises_or_nothing() {
        let stage = Stage::new(CONTENT, |_| Err(broken()));
        let fetch = stage.fetch();
        let of_hub = format!("x-repo-commit: {COMMIT}");
        let other_etag = format!("{of_hub}, etag: \"other\"");
        let this_etag = format!("{of_hub}, etag: \"{}\"", fetch.metadata.etag);
        for (status, headers, have, expected) in [
            (200, "", 0, "Whole"),
            (200, "content-length: 10", 0, "Whole"),
            (200, "content-length: 10", 4, "Whole"),
            (200, "content-length: 9", 0, "Nothing(Wrong(Size { expected: 10, received: 9 }))"),
            (200, "content-length: many", 0, "Whole"),
            (200, "content-encoding: Identity", 0, "Whole"),
            (200, "content-encoding: gzip", 0, "Nothing(Unusable(Encoded(\"gzip\")))"),
            (206, "content-range: bytes 4-9/10", 4, "Rest"),
            (206, "content-range: bytes 4-9/*", 4, "Rest"),
            (206, "content-range: bytes 4-6/10", 4, "Rest"),
            (206, "content-range: bytes 5-9/10", 4, "Nothing(NoRange(OtherRange))"),
            (206, "content-range: bytes 4-9/11", 4, "Nothing(NoRange(OtherRange))"),
            (206, "content-range: bytes 0-9/10", 0, "Nothing(NoRange(OtherRange))"),
            (206, "content-range: pages 4-9/10", 4, "Nothing(NoRange(OtherRange))"),
            (206, "", 4, "Nothing(NoRange(OtherRange))"),
            (206, "content-length: 5", 4, "Nothing(NoRange(OtherRange))"),
            (206, "content-length: 6", 4, "Rest"),
            (206, "content-length: 10", 0, "Nothing(NoRange(OtherRange))"),
            (416, "", 4, "Nothing(NoRange(RangeRefused))"),
            (503, "", 0, "Nothing(Failing { cause: Status(503), wait: None })"),
            (503, "retry-after: 7", 0, "Nothing(Failing { cause: Status(503), wait: Some(7s) })"),
            (
                429,
                "ratelimit: r=0;t=6",
                0,
                "Nothing(Failing { cause: Status(429), wait: Some(7s) })",
            ),
            (403, "", 4, "Nothing(Expired(Refused { refusal: Forbidden"),
            (
                404,
                "x-error-code: EntryNotFound",
                0,
                "Nothing(Gone(Refused { refusal: EntryNotFound",
            ),
            (
                404,
                "x-error-code: RevisionNotFound",
                0,
                "Nothing(Gone(Refused { refusal: RevisionNotFound",
            ),
            (200, &this_etag, 0, "Whole"),
            (200, &other_etag, 0, "Nothing(OtherContent)"),
            (206, &other_etag, 4, "Nothing(OtherContent)"),
            (200, "etag: \"of a store\"", 0, "Whole"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let brings = format!("{:?}", accept(&fetch, status, &answer(headers), have));
            let shown = brings.split(", said: ").next();
            assert_eq!(shown, Some(expected), "{status}, `{headers}`, {have}");
        }
    }

    #[test]
    fn a_header_that_disagrees_with_the_listing_has_no_say_where_a_hash_has() {
        let [listed, opaque] = [false, true].map(|is_opaque| {
            let stage = Stage::new(CONTENT, |_| Err(broken())).listed();
            if is_opaque { stage.opaque() } else { stage }
        });
        let of_hub = format!("x-repo-commit: {COMMIT}");
        for (stage, status, headers, have, expected) in [
            (&listed, 200, format!("{of_hub}, etag: \"other\""), 0, "Whole"),
            (&listed, 200, format!("{of_hub}, etag: \"{{SHA1{{0}}}}\""), 0, "Whole"),
            (&listed, 200, "x-repo-commit: other, etag: \"other\"".to_owned(), 0, "Whole"),
            (
                &listed,
                206,
                format!("{of_hub}, etag: \"other\", content-range: bytes 4-9/10"),
                4,
                "Rest",
            ),
            (&opaque, 206, "content-length: 6".to_owned(), 4, "Nothing(NoRange(OtherRange))"),
            (&opaque, 200, format!("{of_hub}, etag: \"opaque-1\""), 0, "Whole"),
            (&opaque, 200, format!("{of_hub}, etag: \"other\""), 0, "Nothing(OtherContent)"),
        ] {
            let fetch = stage.fetch();
            let status = StatusCode::from_u16(status).unwrap();
            let brings = accept(&fetch, status, &answer(&headers), have);
            assert_eq!(format!("{brings:?}"), expected, "{status}, `{headers}`");
            let compared = text(&rest_headers(4, &fetch, FromHub::Yes), &IF_RANGE).is_some();
            assert_eq!(compared, !fetch.is_hashed(), "the hub compares what no hash does");
        }
    }

    #[test]
    fn a_range_is_that_range_and_nothing_else() {
        let stage = Stage::new(CONTENT, |_| Err(broken()));
        for (status, headers, expected) in [
            (206, "content-range: bytes 4-6/10", "Ok(())"),
            (206, "content-range: bytes 4-5/10", "Err(NoRange(OtherLength))"),
            (206, "content-range: bytes 4-9/10", "Err(NoRange(OtherLength))"),
            (206, "content-range: bytes 3-6/10", "Err(NoRange(OtherRange))"),
            (200, "content-length: 10", "Err(NoRange(All))"),
            (200, "content-length: 3", "Err(NoRange(All))"),
            (416, "", "Err(NoRange(RangeRefused))"),
            (503, "", "Err(Failing { cause: Status(503), wait: None })"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let accepted = accept_range(&stage.fetch(), status, &answer(headers), &(4..7));
            assert_eq!(format!("{accepted:?}"), expected, "{status}, `{headers}`");
        }
    }

    #[test]
    fn what_is_missing_is_asked_for_and_the_hub_compares_the_etag() {
        let stage = Stage::new(CONTENT, |_| Err(broken()));
        let fetch = stage.fetch();
        let etag = format!("\"{}\"", fetch.metadata.etag);
        for (headers, range, if_range) in [
            (rest_headers(0, &fetch, FromHub::Yes), None, None),
            (rest_headers(4, &fetch, FromHub::Yes), Some("bytes=4-"), Some(etag.as_str())),
            (rest_headers(4, &fetch, FromHub::No), Some("bytes=4-"), None),
            (range_headers(&(4..7), &fetch, FromHub::Yes), Some("bytes=4-6"), Some(&etag)),
            (range_headers(&(4..7), &fetch, FromHub::No), Some("bytes=4-6"), None),
        ] {
            assert_eq!(text(&headers, &RANGE), range);
            assert_eq!(text(&headers, &IF_RANGE), if_range);
        }
    }

    #[test]
    fn without_a_hash_only_the_hub_continues_what_is_here() {
        let hashed = Stage::new(CONTENT, |_| Err(broken()));
        let opaque = Stage::new(CONTENT, |_| Err(broken())).opaque();
        for (stage, have, from, expected) in [
            (&hashed, 0, FromHub::No, true),
            (&hashed, 4, FromHub::No, true),
            (&opaque, 0, FromHub::No, true),
            (&opaque, 4, FromHub::No, false),
            (&opaque, 4, FromHub::Yes, true),
        ] {
            let fetch = stage.fetch();
            assert_eq!(may_continue(&fetch, have, from), expected, "{have} {from:?}");
        }
    }
}
