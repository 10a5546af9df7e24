//! The order of `cache ls`: as `hf cache ls --sort` has it.

use std::cmp::{Ordering, Reverse};

use hubstow_client::{Error, ErrorKind};

/// By what, and in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    key: Key,
    descends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Accessed,
    Modified,
    Name,
    Size,
}

/// What is compared.
pub(super) struct Sorted<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    pub(super) accessed: u64,
    pub(super) modified: u64,
}

impl Sort {
    /// Understands `KEY` or `KEY:asc`, `KEY:desc`.
    ///
    /// # Errors
    /// Any other word.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let (key, direction) = match text.split_once(':') {
            Some((key, direction)) => (key, Some(direction)),
            None => (text, None),
        };
        let key = match key {
            "accessed" => Some(Key::Accessed),
            "modified" => Some(Key::Modified),
            "name" => Some(Key::Name),
            "size" => Some(Key::Size),
            _ => None,
        };
        let descends = match direction {
            None => Some(key != Some(Key::Name)),
            Some("asc") => Some(false),
            Some("desc") => Some(true),
            Some(_) => None,
        };
        match (key, descends) {
            (Some(key), Some(descends)) => Ok(Self { key, descends }),
            (_, _) => Err(Error::new(ErrorKind::Usage, format!("`{text}` is no order")).hint(
                "an order is accessed, modified, name or size, with :asc or :desc behind it",
            )),
        }
    }

    /// Compares two entries; what is alike is in the order of names.
    pub(super) fn compare(self, one: &Sorted<'_>, other: &Sorted<'_>) -> Ordering {
        let by = |one: u64, other: u64| {
            if self.descends { Reverse(one).cmp(&Reverse(other)) } else { one.cmp(&other) }
        };
        let names = one.name.cmp(other.name);
        match self.key {
            Key::Accessed => by(one.accessed, other.accessed).then(names),
            Key::Modified => by(one.modified, other.modified).then(names),
            Key::Size => by(one.size, other.size).then(names),
            Key::Name if self.descends => names.reverse(),
            Key::Name => names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_with_the_largest_and_names_with_the_first() {
        for (text, descends) in [
            ("size", true),
            ("size:asc", false),
            ("name", false),
            ("name:desc", true),
            ("accessed", true),
        ] {
            assert_eq!(Sort::parse(text).unwrap().descends, descends, "{text}");
        }
        for text in ["", "Size", "size:", "size:up", "date"] {
            assert!(Sort::parse(text).is_err(), "{text}");
        }
    }
}
