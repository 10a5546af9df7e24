//! Which files of a repo are wanted: include and exclude patterns, with the rules of Python's `fnmatch.fnmatchcase`.
//!
//! A pattern speaks about the whole name and is case-sensitive. `*` and `?` cross `/`; `[seq]` and `[!seq]` are sets;
//! there are no braces and no escapes, so a literal `[` is `[[]`. A pattern that ends with `/` means all that is
//! below. Glob crates match bytes, not characters, and negate with `^` as well; each pattern becomes a regular
//! expression instead, as it does in Python.

use std::{iter::Peekable, str::Chars};

use hubstow_core::name::FileName;
use regex_lite::Regex;

use crate::api::error::{Error, ErrorKind};

/// Include and exclude patterns. The default wants everything.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Patterns;
///
/// let patterns = Patterns::new(Some(&["*.json".to_owned()]), &["old/".to_owned()])?;
/// assert!(patterns.wants("config.json"));
/// assert!(!patterns.wants("old/config.json") && !patterns.wants("model.bin"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    include: Option<Vec<Pattern>>,
    exclude: Vec<Pattern>,
}

impl Patterns {
    /// Parses patterns. Without an include list everything is wanted that is not excluded; an empty list wants
    /// nothing.
    ///
    /// # Errors
    /// A pattern that is too long to be matched.
    pub fn new(include: Option<&[String]>, exclude: &[String]) -> Result<Self, Error> {
        let parse =
            |patterns: &[String]| patterns.iter().map(|text| Pattern::parse(text)).collect();
        Ok(Self { include: include.map(parse).transpose()?, exclude: parse(exclude)? })
    }

    /// Includes a file by its name, whatever characters the name has; where nothing was included yet, only this file
    /// is wanted.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::Patterns;
    /// use hubstow_core::name::FileName;
    ///
    /// let only = Patterns::default().with_file(&FileName::parse("weights[1].bin")?);
    /// assert!(only.wants("weights[1].bin") && !only.wants("weights1.bin"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_file(mut self, file: &FileName) -> Self {
        let pattern = Pattern { text: file.as_str().to_owned(), rule: Rule::Name };
        self.include.get_or_insert_default().push(pattern);
        self
    }

    /// Includes what a user typed where a name or a pattern may stand: the file of that very name where the repo has one
    /// (see [`among`](Self::among)), and otherwise what matches.
    ///
    /// # Errors
    /// A pattern that is too long to be matched.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::Patterns;
    ///
    /// let files = ["weights[1].bin", "weights1.bin"];
    /// let typed = Patterns::default().with_name_or_pattern("weights[1].bin")?;
    /// assert!(typed.among(files).wants("weights[1].bin") && !typed.among(files).wants("weights1.bin"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_name_or_pattern(mut self, text: &str) -> Result<Self, Error> {
        let Pattern { text, rule } = Pattern::parse(text)?;
        let rule = match rule {
            Rule::Shape(regex) => Rule::NameOrShape(regex),
            rule @ (Rule::Name | Rule::NameOrShape(_)) => rule,
        };
        self.include.get_or_insert_default().push(Pattern { text, rule });
        Ok(self)
    }

    /// Returns what these patterns mean in a repo of these files: what is the very name of a file means no other.
    #[must_use]
    pub fn among<'f, N: AsRef<str> + ?Sized + 'f>(
        &self,
        listing: impl IntoIterator<Item = &'f N>,
    ) -> Self {
        let mut settled = self.clone();
        let is_open = |pattern: &&mut Pattern| matches!(pattern.rule, Rule::NameOrShape(_));
        let mut open: Vec<_> = settled.include.iter_mut().flatten().filter(is_open).collect();
        if !open.is_empty() {
            for file in listing {
                for pattern in open.iter_mut().filter(|pattern| pattern.text == file.as_ref()) {
                    pattern.rule = Rule::Name;
                }
            }
        }
        settled
    }

    /// Tells whether a file is wanted: included first, then not excluded.
    #[must_use]
    pub fn wants(&self, file: &(impl AsRef<str> + ?Sized)) -> bool {
        let matches = |pattern: &Pattern| pattern.matches(file.as_ref());
        let included = self.include.as_ref().is_none_or(|include| include.iter().any(matches));
        included && !self.exclude.iter().any(matches)
    }

    /// Returns the include patterns that match none of the files of a listing, as they were written. Excluded files
    /// count as matched: the pattern was right, and the user wanted less.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::Patterns;
    ///
    /// let patterns = Patterns::new(Some(&["*.json".to_owned(), "*.onnx".to_owned()]), &[])?;
    /// assert_eq!(patterns.unmatched(["config.json"]), ["*.onnx"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unmatched<'f, N: AsRef<str> + ?Sized + 'f>(
        &self,
        listing: impl IntoIterator<Item = &'f N>,
    ) -> Vec<&str> {
        let mut open: Vec<&Pattern> = self.include.iter().flatten().collect();
        for file in listing {
            if open.is_empty() {
                break;
            }
            open.retain(|pattern| !pattern.matches(file.as_ref()));
        }
        open.into_iter().map(|pattern| &*pattern.text).collect()
    }
}

#[derive(Clone, Debug)]
struct Pattern {
    /// As it was written.
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Name,
    Shape(Regex),
    /// A name where a file has it, a shape where none has.
    NameOrShape(Regex),
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Error> {
        let regex = Regex::new(&translate(text)).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("the pattern `{text}` can't be used"))
                .hint("split it into several shorter patterns")
                .caused_by(error)
        })?;
        Ok(Self { text: text.to_owned(), rule: Rule::Shape(regex) })
    }

    fn matches(&self, name: &str) -> bool {
        match &self.rule {
            Rule::Name => self.text == name,
            Rule::Shape(regex) | Rule::NameOrShape(regex) => regex.is_match(name),
        }
    }
}

/// Turns a pattern into a regular expression for the whole name. A backslash stands for `/`, as in the Python client.
fn translate(pattern: &str) -> String {
    let mut pattern = pattern.replace('\\', "/");
    if pattern.ends_with('/') {
        pattern.push('*');
    }
    let mut regex = String::from(r"(?s)\A");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                while chars.next_if_eq(&'*').is_some() {}
                regex.push_str(".*");
            }
            '?' => regex.push('.'),
            '[' => match Set::parse(&mut chars) {
                Some(set) => regex.push_str(&set.to_regex()),
                None => regex.push_str(&literal('[')),
            },
            _ => regex.push_str(&literal(c)),
        }
    }
    regex.push_str(r"\z");
    regex
}

fn literal(c: char) -> String {
    format!(r"\x{{{:X}}}", u32::from(c))
}

/// The characters between `[` and `]`.
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Set {
    /// Parses what follows a `[`. Without a closing `]` this is no set, nothing is consumed, and the `[` is literal.
    fn parse(chars: &mut Peekable<Chars<'_>>) -> Option<Self> {
        let mut ahead = chars.clone();
        let negated = ahead.next_if_eq(&'!').is_some();
        // A `]` right at the start is a member, not the end.
        let mut members: Vec<char> = ahead.next_if_eq(&']').into_iter().collect();
        loop {
            match ahead.next()? {
                ']' => break,
                c => members.push(c),
            }
        }
        *chars = ahead;
        Some(Self { negated, ranges: ranges(&members) })
    }

    fn to_regex(&self) -> String {
        let (open, all) = if self.negated { ("[^", ".") } else { ("[", r"[^\x{0}-\x{10FFFF}]") };
        if self.ranges.is_empty() {
            return all.to_owned();
        }
        let ranges = self.ranges.iter();
        let ranges: String =
            ranges.map(|(from, to)| format!("{}-{}", literal(*from), literal(*to))).collect();
        format!("{open}{ranges}]")
    }
}

/// Reads `a-z` as a range and anything else as itself. A range that runs backwards holds nothing.
fn ranges(mut members: &[char]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    loop {
        let (from, to, rest) = match members {
            [from, '-', to, rest @ ..] => (*from, *to, rest),
            [one, rest @ ..] => (*one, *one, rest),
            [] => return ranges,
        };
        if from <= to {
            ranges.push((from, to));
        }
        members = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<FileName> {
        names.iter().map(|n| FileName::parse(n).unwrap()).collect()
    }

    fn patterns(include: Option<&[&str]>, exclude: &[&str]) -> Patterns {
        let owned = |list: &[&str]| list.iter().map(|&p| p.to_owned()).collect::<Vec<_>>();
        Patterns::new(include.map(owned).as_deref(), &owned(exclude)).unwrap()
    }

    /// Pattern, name, and whether Python's `fnmatch.fnmatchcase` finds a match.
    #[rustfmt::skip]
    const TABLE: &[(&str, &str, bool)] = &[
        ("*.txt", "a.txt", true),
        ("*.txt", "data/sub/a.txt", true),
        ("*.txt", "a.TXT", false),
        ("*.txt", "a.txt.bin", false),
        ("data/", "data/sub/y.json", true),
        ("data/", "data.json", false),
        ("data/**", "data/sub/y.json", true),
        ("data/*.json", "data/sub/y.json", true),
        ("data", "data/x.json", false),
        ("**/y.json", "y.json", false),
        ("**/y.json", "data/y.json", true),
        ("", "x", false),
        ("c[1].txt", "c[1].txt", false),
        ("c[1].txt", "c1.txt", true),
        ("c[[]1].txt", "c[1].txt", true),
        ("a?b", "a/b", true),
        ("a?b", "ab", false),
        ("?", "é", true),
        ("[é]", "é", true),
        ("[à-ü]", "é", true),
        ("[!a]", "é", true),
        ("{a,b}", "a", false),
        ("{a,b}", "{a,b}", true),
        (r"a\b", "a/b", true),
        (r"\*", "a", false),
        ("[^a]", "^", true),
        ("[^a]", "b", false),
        ("[]a]", "]", true),
        ("[!]a]", "]", false),
        ("[!]a]", "b", true),
        ("[a-]", "-", true),
        ("[-a]", "-", true),
        ("[z-a]", "z", false),
        ("[!z-a]", "z", true),
        ("[a-c]", "b", true),
        ("[a-c]", "-", false),
        ("[a-c-e]", "d", false),
        ("[a-c-e]", "-", true),
        ("[", "[", true),
        ("[a", "[a", true),
        ("[]", "[]", true),
        ("[!]", "[!]", true),
        ("a[b/c", "a[b/c", true),
        ("[a&&b]", "&", true),
        ("[a||b]", "|", true),
        ("[a~~b]", "~", true),
        ("[[:alpha:]]", "a", false),
        (r"[\d]", "d", true),
        ("$x.^+()", "$x.^+()", true),
        ("*", "a b", true),
        ("***", "a", true),
        ("a**b", "a/x/b", true),
        ("A*", "abc", false),
    ];

    #[test]
    fn a_pattern_matches_what_fnmatchcase_matches() {
        for (pattern, name, expected) in TABLE {
            let found = Pattern::parse(pattern).unwrap().matches(name);
            assert_eq!(found, *expected, "`{pattern}` on `{name}`");
        }
    }

    #[test]
    fn an_empty_include_list_wants_nothing_and_none_wants_everything() {
        let [a] = &names(&["a"])[..] else { panic!() };
        assert!(Patterns::default().wants(a));
        assert!(patterns(None, &[]).wants(a));
        assert!(!patterns(Some(&[]), &[]).wants(a));
        assert!(!patterns(None, &["?"]).wants(a));
    }

    #[test]
    fn exclusion_comes_after_inclusion() {
        let patterns = patterns(Some(&["*.json", "b/"]), &["*/x*"]);
        let wanted = |name: &str| patterns.wants(&FileName::parse(name).unwrap());
        assert!(wanted("x.json") && wanted("b/y.bin"));
        assert!(!wanted("b/x.json") && !wanted("y.bin"));
    }

    #[test]
    fn a_file_is_included_by_its_name_whatever_it_holds() {
        let [odd, plain] = &names(&["c[1]*.txt", "c1.txt"])[..] else { panic!() };
        let patterns = Patterns::default().with_file(odd);
        assert!(patterns.wants(odd));
        assert!(!patterns.wants(plain));
    }

    #[test]
    fn what_is_the_very_name_of_a_file_means_no_other() {
        let listing = names(&["what?.txt", "what1.txt", "a*b[c].txt", "axbc.txt"]);
        for (typed, wanted) in [
            (&["what?.txt"][..], &["what?.txt"][..]),
            (&["a*b[c].txt"], &["a*b[c].txt"]),
            (&["wh?t?.txt"], &["what?.txt", "what1.txt"]),
            (&["what?.txt", "what*"], &["what?.txt", "what1.txt"]),
            (&["what?.txt", "ax*"], &["what?.txt", "axbc.txt"]),
            (&["a*b[c]?txt"], &["axbc.txt"]),
        ] {
            let add = |patterns: Patterns, text: &&str| patterns.with_name_or_pattern(text);
            let typed = typed.iter().try_fold(Patterns::default(), add).unwrap();
            let settled = typed.among(&listing);
            let found: Vec<_> = listing.iter().filter(|file| settled.wants(file)).collect();
            assert_eq!(found.iter().map(|file| file.as_str()).collect::<Vec<_>>(), wanted);
            assert!(settled.unmatched(&listing).is_empty(), "{typed:?}");
        }
        let pattern = patterns(Some(&["what?.txt"]), &[]).among(&listing);
        assert_eq!(listing.iter().filter(|file| pattern.wants(file)).count(), 2);
    }

    #[test]
    fn include_patterns_that_match_nothing_are_named_as_they_were_written() {
        let patterns = patterns(Some(&["*.json", "data/", "*.bin"]), &["*.json"]);
        let listing = names(&["config.json", "model.bin"]);
        assert_eq!(patterns.unmatched(&listing), ["data/"]);
        assert_eq!(patterns.unmatched::<str>([]).len(), 3);
        assert!(Patterns::default().unmatched::<str>([]).is_empty());
    }
}
