//! The conditional and range headers of a request: which part of the content is asked for, if any.
//!
//! Pure: text and a size in, a decision out. It answers single ranges only; several ranges, unknown units and broken
//! syntax are ignored and get the whole content, as RFC 9110 allows. Etags are compared without their quotes.

/// The part of the content that an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything; also where the header is absent or means nothing.
    Whole,
    /// Nothing, because there is nothing.
    Nothing,
    /// `len` bytes from `start`; never empty.
    Slice { start: u64, len: u64 },
    /// A range that starts behind the end.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `size` bytes.
///
/// Of an empty file there is no part, and clients that ask for the first megabyte of whatever there is take a refusal for
/// a failure; so it is answered whole.
pub(crate) fn part_of(range: &str, size: u64) -> Part {
    if size == 0 {
        return Part::Nothing;
    }
    let Some((unit, spec)) = range.split_once('=') else {
        return Part::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Part::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    match (digits(first), digits(last)) {
        (Bound::Absent, Bound::At(0)) => Part::Unsatisfiable,
        (Bound::Absent, Bound::At(suffix)) => slice(size.saturating_sub(suffix), size, size),
        (Bound::At(start), Bound::Absent) => slice(start, size, size),
        (Bound::At(start), Bound::At(last)) if start <= last => {
            slice(start, last.saturating_add(1).min(size), size)
        }
        (Bound::At(_), Bound::At(_))
        | (Bound::Absent, Bound::Absent)
        | (Bound::Broken, Bound::Absent | Bound::At(_) | Bound::Broken)
        | (Bound::Absent | Bound::At(_), Bound::Broken) => Part::Whole,
    }
}

/// Reads a `Range` header where only what begins at the beginning may be had. Whoever asks for the rest of something gets the
/// whole, as of a server that gives no ranges, and begins again; any other part is refused, since it would be taken for a part.
pub(crate) fn from_start(range: &str, size: u64) -> Part {
    match part_of(range, size) {
        Part::Slice { start: 1.., .. } if range.trim_end().ends_with('-') => Part::Whole,
        Part::Slice { start: 1.., .. } => Part::Unsatisfiable,
        part @ (Part::Nothing | Part::Whole | Part::Slice { .. } | Part::Unsatisfiable) => part,
    }
}

fn slice(start: u64, end: u64, size: u64) -> Part {
    if start < size { Part::Slice { start, len: end - start } } else { Part::Unsatisfiable }
}

enum Bound {
    Absent,
    At(u64),
    Broken,
}

fn digits(text: &str) -> Bound {
    match text.trim() {
        "" => Bound::Absent,
        text if text.bytes().all(|b| b.is_ascii_digit()) => {
            // A number that does not fit lies behind the end of every file.
            Bound::At(text.parse().unwrap_or(u64::MAX))
        }
        _ => Bound::Broken,
    }
}

/// Tells whether `If-None-Match` names this etag; weak etags match, as for every cache validation.
pub(crate) fn none_match_names(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|candidate| {
        candidate == "*"
            || unquoted(candidate.strip_prefix("W/").unwrap_or(candidate)) == Some(etag)
    })
}

/// Tells whether `If-Range` lets a range through: only a strong etag that is equal does, and never a date.
pub(crate) fn if_range_holds(header: &str, etag: &str) -> bool {
    unquoted(header.trim()) == Some(etag)
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, size: u64, expected: Part) {
        assert_eq!(part_of(range, size), expected, "{range} of {size}");
    }

    #[test]
    fn a_range_is_read_as_rfc_9110_says() {
        let slice = |start, len| Part::Slice { start, len };
        check("bytes=0-", 10, slice(0, 10));
        check("bytes=3-", 10, slice(3, 7));
        check("bytes=3-5", 10, slice(3, 3));
        check("bytes=9-9", 10, slice(9, 1));
        check("bytes=3-99", 10, slice(3, 7));
        check("bytes=3-18446744073709551615", 10, slice(3, 7));
        check("bytes=3-99999999999999999999999", 10, slice(3, 7));
        check("bytes=-4", 10, slice(6, 4));
        check("bytes=-99", 10, slice(0, 10));
        check("Bytes = 1 - 2", 10, slice(1, 2));
        check("bytes=10-", 10, Part::Unsatisfiable);
        check("bytes=10-11", 10, Part::Unsatisfiable);
        check("bytes=99999999999999999999999-", 10, Part::Unsatisfiable);
        check("bytes=-0", 10, Part::Unsatisfiable);
        for nothing in ["bytes=0-", "bytes=-1", "bytes=0-0", "bytes=7-9"] {
            check(nothing, 0, Part::Nothing);
        }
        for ignored in ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=1-x"] {
            check(ignored, 10, Part::Whole);
        }
        for ignored in ["lines=1-2", "bytes=0-1,4-5", "bytes=+1-2", "bytes=--1"] {
            check(ignored, 10, Part::Whole);
        }
    }

    #[test]
    fn what_may_be_had_from_its_start_only_is_never_continued() {
        for (range, expected) in [
            ("bytes=0-3", Part::Slice { start: 0, len: 4 }),
            ("bytes=0-", Part::Slice { start: 0, len: 10 }),
            ("bytes=4-", Part::Whole),
            ("bytes=4-9", Part::Unsatisfiable),
            ("bytes=4-5", Part::Unsatisfiable),
            ("bytes=-3", Part::Unsatisfiable),
            ("bytes=-99", Part::Slice { start: 0, len: 10 }),
            ("bytes=10-", Part::Unsatisfiable),
            ("nonsense", Part::Whole),
        ] {
            assert_eq!(from_start(range, 10), expected, "{range}");
        }
    }

    #[test]
    fn if_range_compares_strongly_and_if_none_match_weakly() {
        assert!(if_range_holds("\"abc\"", "abc"));
        for other in ["W/\"abc\"", "\"abd\"", "abc", "Mon, 23 Nov 2026 05:00:00 GMT", "*"] {
            assert!(!if_range_holds(other, "abc"), "{other}");
        }
        for same in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(none_match_names(same, "abc"), "{same}");
        }
        for other in ["\"abd\"", "abc", ""] {
            assert!(!none_match_names(other, "abc"), "{other}");
        }
    }
}
