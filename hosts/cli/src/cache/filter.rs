//! Filters of `cache ls`, and the sizes and times that users type: as `hf cache ls` takes them.

use hubstow_client::{Error, ErrorKind};

const HINT: &str =
    "a filter is `size>1GB`, `accessed>30d`, `modified<=2w`, `type=model` or `refs=main`";
const DAY: u64 = 24 * 60 * 60;
const SIZES: [(&str, u64); 6] = [
    ("p", 1_000_000_000_000_000),
    ("t", 1_000_000_000_000),
    ("g", 1_000_000_000),
    ("m", 1_000_000),
    ("k", 1000),
    ("", 1),
];
const TIMES: [(&str, u64); 7] = [
    ("mo", 30 * DAY),
    ("s", 1),
    ("m", 60),
    ("h", 60 * 60),
    ("d", DAY),
    ("w", 7 * DAY),
    ("y", 365 * DAY),
];

/// Which entries are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Size(Compare, u64),
    /// How long ago it was used.
    Accessed(Compare, u64),
    /// How long ago it was changed.
    Modified(Compare, u64),
    Type(String),
    Refs(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Is,
    IsNot,
    More,
    Less,
    AtLeast,
    AtMost,
}

/// What a filter looks at.
pub(super) struct Subject<'a> {
    pub(super) size: u64,
    pub(super) accessed: u64,
    pub(super) modified: u64,
    pub(super) kind: &'a str,
    pub(super) refs: &'a [String],
}

impl Compare {
    fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Is => left == right,
            Self::IsNot => left != right,
            Self::More => left > right,
            Self::Less => left < right,
            Self::AtLeast => left >= right,
            Self::AtMost => left <= right,
        }
    }
}

impl Filter {
    /// Understands a filter.
    ///
    /// # Errors
    /// An unknown key, a sign that the key does not take, or a value that is none.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::new(ErrorKind::Usage, what).hint(HINT);
        let no_filter = || wrong(format!("`{text}` is no filter"));
        let at = text.find(['=', '!', '<', '>']).ok_or_else(no_filter)?;
        let (key, rest) = text.split_at(at);
        let signs = [
            (">=", Compare::AtLeast),
            ("<=", Compare::AtMost),
            ("!=", Compare::IsNot),
            (">", Compare::More),
            ("<", Compare::Less),
            ("=", Compare::Is),
        ];
        let found = signs.into_iter().find_map(|(sign, it)| Some((it, rest.strip_prefix(sign)?)));
        let (compare, value) = found.ok_or_else(no_filter)?;
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        if value.is_empty() || value.starts_with('=') {
            return Err(no_filter());
        }
        let only_is = |filter: Self| {
            let takes = compare == Compare::Is;
            takes
                .then_some(filter)
                .ok_or_else(|| wrong(format!("`{key}` takes only `=`, in `{text}`")))
        };
        match key.as_str() {
            "size" => Ok(Self::Size(compare, size(value)?)),
            "accessed" => Ok(Self::Accessed(compare, duration(value)?)),
            "modified" => Ok(Self::Modified(compare, duration(value)?)),
            "type" => only_is(Self::Type(value.to_ascii_lowercase())),
            "refs" => only_is(Self::Refs(value.to_ascii_lowercase())),
            _ => Err(wrong(format!("there is no filter `{key}`, in `{text}`"))),
        }
    }

    /// Tells whether something passes, at this time.
    pub(super) fn passes(&self, subject: &Subject<'_>, now: u64) -> bool {
        match self {
            Self::Size(compare, size) => compare.holds(subject.size, *size),
            Self::Accessed(compare, time) => {
                compare.holds(now.saturating_sub(subject.accessed), *time)
            }
            Self::Modified(compare, time) => {
                compare.holds(now.saturating_sub(subject.modified), *time)
            }
            Self::Type(kind) => kind == subject.kind,
            Self::Refs(name) => subject.refs.iter().any(|it| it.eq_ignore_ascii_case(name)),
        }
    }
}

/// Understands a size such as `200G`, in powers of ten.
///
/// # Errors
/// Anything else than a whole number and a unit.
pub(crate) fn size(text: &str) -> Result<u64, Error> {
    let lower = text.to_ascii_lowercase();
    let short = lower.strip_suffix('b').unwrap_or(&lower);
    let parsed = SIZES.iter().find_map(|(unit, bytes)| {
        let number = short.strip_suffix(unit)?.trim();
        number.parse::<u64>().ok()?.checked_mul(*bytes)
    });
    parsed.ok_or_else(|| {
        let what = format!("`{text}` is no size");
        Error::new(ErrorKind::Usage, what)
            .hint("a size is a whole number and a unit, such as 500MB or 200G")
    })
}

/// Understands a duration such as `30d`, in seconds.
///
/// # Errors
/// As [`size`].
pub(crate) fn duration(text: &str) -> Result<u64, Error> {
    let lower = text.to_ascii_lowercase();
    let parsed = TIMES.iter().find_map(|(unit, seconds)| {
        let number = lower.strip_suffix(unit)?.trim();
        number.parse::<u64>().ok()?.checked_mul(*seconds)
    });
    parsed.ok_or_else(|| {
        let what = format!("`{text}` is no duration");
        Error::new(ErrorKind::Usage, what)
            .hint("a duration is a whole number and one of s, m, h, d, w, mo, y, such as 30d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_understood_as_the_python_client_does() {
        let table = [
            ("size>1GB", Some(Filter::Size(Compare::More, 1_000_000_000))),
            ("size >= 10", Some(Filter::Size(Compare::AtLeast, 10))),
            ("SIZE!=3k", Some(Filter::Size(Compare::IsNot, 3000))),
            ("accessed>7d", Some(Filter::Accessed(Compare::More, 7 * DAY))),
            ("modified<=2mo", Some(Filter::Modified(Compare::AtMost, 60 * DAY))),
            ("type=Dataset", Some(Filter::Type("dataset".to_owned()))),
            ("refs=main", Some(Filter::Refs("main".to_owned()))),
            ("refs!=main", None),
            ("size==3", None),
            ("size>", None),
            ("size>1.5G", None),
            ("accessed>7", None),
            ("color=red", None),
            ("size", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(Filter::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn sizes_and_durations_are_whole_numbers_with_units() {
        for (text, expected) in [
            ("200G", Some(200_000_000_000)),
            ("5b", Some(5)),
            ("7 mb", Some(7_000_000)),
            ("x", None),
            ("-1", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
        for (text, expected) in
            [("1y", Some(365 * DAY)), ("10m", Some(600)), ("3", None), ("d", None)]
        {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }
}
