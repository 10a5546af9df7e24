//! The shape of an address: its text, with gaps where the name and the etag of a file stand.
//!
//! It is read from one address and filled in for another file. What a file's name has that no address has shown yet is not
//! guessed: such a name has no address. A shape says nothing of what is to be had there.

use std::{collections::HashMap, fmt::Write as _};

/// An address with gaps. Its text begins with the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Etag,
    Name(Writing),
}

/// How the bytes of names are written that are not written as themselves everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Writing(HashMap<u8, Escape>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// As itself.
    None,
    Upper,
    Lower,
}

impl Shape {
    /// Reads the shape from the address of a file; `None` where neither its name nor its etag is in it.
    pub(crate) fn of(address: &str, name: &str, etag: &str) -> Option<Self> {
        if name.is_empty() || etag.is_empty() {
            return None;
        }
        let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), address);
        while let Some(next) = rest.chars().next() {
            let found = match Writing::of(rest, name) {
                Some((writing, after)) => Some((Part::Name(writing), after)),
                None => rest.strip_prefix(etag).map(|after| (Part::Etag, after)),
            };
            rest = match found {
                Some((gap, after)) => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(gap);
                    after
                }
                None => {
                    text.push(next);
                    rest.get(next.len_utf8()..)?
                }
            };
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        let has_gap = parts.iter().any(|part| !matches!(part, Part::Text(_)));
        has_gap.then_some(Self(parts))
    }

    /// Fills in the address of a file; `None` where its name has what no address has shown.
    pub(crate) fn address(&self, name: &str, etag: &str) -> Option<String> {
        let mut address = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => address.push_str(text),
                Part::Etag => address.push_str(etag),
                Part::Name(writing) => writing.write(name, &mut address)?,
            }
        }
        Some(address)
    }

    /// Puts together what two addresses have shown; `None` where they contradict each other.
    pub(crate) fn merged(&self, other: &Self) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let parts = self.0.iter().zip(&other.0).map(|pair| match pair {
            (Part::Name(one), Part::Name(other)) => one.merged(other).map(Part::Name),
            (one, other) => (one == other).then(|| one.clone()),
        });
        parts.collect::<Option<_>>().map(Self)
    }
}

impl Writing {
    /// Finds a name at the start of a text, and returns what follows it.
    fn of<'a>(text: &'a str, name: &str) -> Option<(Self, &'a str)> {
        let (mut writing, mut rest) = (Self::default(), text);
        for byte in name.bytes() {
            if is_plain(byte) {
                rest = rest.strip_prefix(char::from(byte))?;
                continue;
            }
            let escapes = match writing.0.get(&byte) {
                Some(known) => std::slice::from_ref(known),
                None => &[Escape::Upper, Escape::Lower, Escape::None],
            };
            let found = escapes.iter().find_map(|escape| {
                let after = rest.strip_prefix(escape.written(byte)?.as_str())?;
                Some((*escape, after))
            });
            let (escape, after) = found?;
            writing.0.insert(byte, escape);
            rest = after;
        }
        Some((writing, rest))
    }

    fn write(&self, name: &str, address: &mut String) -> Option<()> {
        for byte in name.bytes() {
            if is_plain(byte) {
                address.push(char::from(byte));
            } else {
                address.push_str(&self.0.get(&byte)?.written(byte)?);
            }
        }
        Some(())
    }

    fn merged(&self, other: &Self) -> Option<Self> {
        let mut all = self.0.clone();
        for (byte, escape) in &other.0 {
            if all.insert(*byte, *escape).is_some_and(|known| known != *escape) {
                return None;
            }
        }
        Some(Self(all))
    }
}

impl Escape {
    fn written(self, byte: u8) -> Option<String> {
        let mut out = String::new();
        match self {
            // What begins another part of an address, or an escape, is no name's as it stands.
            Self::None if byte.is_ascii_graphic() && !b"%?#&=\\".contains(&byte) => {
                out.push(char::from(byte));
            }
            Self::None => return None,
            Self::Upper => write!(out, "%{byte:02X}").ok()?,
            Self::Lower => write!(out, "%{byte:02x}").ok()?,
        }
        Some(out)
    }
}

/// Tells whether a byte is written as itself in every part of every address.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use hubstow_core::hub::{quote, quote_path};

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// As the public hub writes it.
    fn address(name: &str, etag: &str) -> String {
        let (path, key) = (quote_path(name), quote(name));
        let at = format!("/api/resolve-cache/models/acme/many/{COMMIT}/{path}");
        format!("{at}?%2Facme%2Fmany%2Fresolve%2F{COMMIT}%2F{key}=&etag=%22{etag}%22")
    }

    fn shape(name: &str, etag: &str) -> Shape {
        Shape::of(&address(name, etag), name, etag).unwrap()
    }

    #[test]
    fn a_shape_says_only_what_the_address_has_shown() {
        let (one, other) = ("e1".repeat(20), "7b".repeat(20));
        for (seen, asked, known) in [
            ("config.json", "model.json", true),
            ("config.json", "a/model.json", false),
            ("a/config.json", "a/b/model.json", true),
            ("config.json", "with space.json", false),
            ("with space.json", "more of  it", true),
            ("with space.json", "(more)", false),
            ("é.txt", "è.txt", false),
            ("é.txt", "éé.txt", true),
            ("100%.txt", "50%", true),
            (COMMIT, "a.txt", false),
            ("x.txt", &format!("{COMMIT}.txt"), true),
            ("x.txt", &format!("{one}.txt"), true),
            ("x.txt", "etag", true),
            // The name is in other places too, so it says something else than what is meant.
            ("etag", "x.txt", false),
            ("api", "x.txt", false),
            ("a", "x.txt", false),
            ("0", "1", false),
        ] {
            let filled = shape(seen, &one).address(asked, &other);
            let expected = address(asked, &other);
            assert_eq!(filled == Some(expected), known, "`{asked}` by `{seen}`: {filled:?}");
        }
    }

    #[test]
    fn what_is_neither_named_nor_by_content_has_no_shape() {
        for (address, name, etag) in
            [("/x/y", "a", "e1"), ("/x/a", "", "e1"), ("/x/a", "a", ""), ("", "a", "e1")]
        {
            assert_eq!(Shape::of(address, name, etag), None, "{address}");
        }
    }

    #[test]
    fn two_addresses_are_put_together_where_they_agree() {
        let etag = "e1".repeat(20);
        let read = |address: &str, name: &str| Shape::of(address, name, &etag).unwrap();
        for (one, other, together) in [
            (("/x/a", "a"), ("/x/b%2Fc", "b/c"), true),
            (("/x/a%2fb", "a/b"), ("/x/b%2Fc", "b/c"), false),
            (("/x/a%2Fb", "a/b"), ("/x/b/c", "b/c"), false),
            (("/x/a", "a"), ("/y/b", "b"), false),
            (("/x/a", "a"), ("/x/b?b", "b"), false),
        ] {
            let merged = read(one.0, one.1).merged(&read(other.0, other.1));
            assert_eq!(merged.is_some(), together, "{one:?}, {other:?}");
        }
    }

    /// Whatever the names are: a shape gives back the address that it was read from, and what two agreeing ones give for a
    /// third is right, or nothing.
    #[test]
    fn a_shape_gives_back_what_it_was_read_from() {
        let alphabet: Vec<char> = "ab0eti/._-~ %+&=?#é\"'()[]".chars().collect();
        for seed in 0..4000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut name = || -> String {
                (0..random.usize(1..12)).map(|_| alphabet[random.usize(..alphabet.len())]).collect()
            };
            let names = [name(), name()];
            let etags = [0, 1].map(|_| format!("{:040x}", random.u128(..)));
            let seen = |at: usize| shape(&names[at], &etags[at]);
            for at in [0, 1] {
                let again = seen(at).address(&names[at], &etags[at]);
                assert_eq!(again, Some(address(&names[at], &etags[at])), "seed {seed}");
            }
            if let Some(merged) = seen(0).merged(&seen(1)) {
                for at in [0, 1] {
                    let again = merged.address(&names[at], &etags[at]);
                    assert_eq!(again, Some(address(&names[at], &etags[at])), "seed {seed}");
                }
            }
        }
    }
}
