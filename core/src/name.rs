//! Names, parsed once at the edge.
//!
//! Everything that comes from outside (a user, a header, a listing, a component) becomes one of these types before it
//! is used, and none of them can hold a value that leaves the cache root: no `..`, no drive, no separator where a
//! single name is expected. There is no `validate()` and no setter; a value that exists is right.
//!
//! One name can't be taken for another:
//! ```compile_fail
//! # use hubstow_core::name::{Commit, Etag};
//! let etag: Etag = Commit::parse("0123456789012345678901234567890123456789").unwrap();
//! ```

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt;

mod file_name;
pub(crate) mod foreign;
mod repo;

pub use file_name::{FileName, Naming};
pub use repo::{Repo, RepoId, RepoKind};

/// The longest file name accepted, in bytes of UTF-8, over all its parts.
pub const FILE_NAME_LIMIT_BYTES: usize = 1024;
/// The most parts of a file name: no repo is deeper, and not every system can open what is (row A21).
pub const FILE_NAME_LIMIT_PARTS: usize = 64;
/// The longest single part of a file name, revision or etag: what every common filesystem can store.
pub const PART_LIMIT_BYTES: usize = 255;
/// The longest revision accepted; `refs/` paths stay well below every path limit.
pub const REVISION_LIMIT_BYTES: usize = 200;
/// The longest etag accepted; it must leave room for the suffixes of staged files.
pub const ETAG_LIMIT_BYTES: usize = 128;

/// What is wrong with a name: the thing, the offered value (shortened) and the rule it breaks.
///
/// ```
/// use hubstow_core::name::RepoId;
///
/// let error = RepoId::parse("org/name/more").unwrap_err();
/// assert_eq!((error.what(), error.shown()), ("repo id", "org/name/more"));
/// println!("{error}, by the rule: {}", error.rule());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    value: String,
    rule: &'static str,
}

impl NameError {
    pub(crate) fn new(what: &'static str, value: &str, rule: &'static str) -> Self {
        const SHOWN: usize = 60;
        let mut shown = String::new();
        for c in value.chars().take(SHOWN) {
            if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        if value.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        Self { what, value: shown, rule }
    }

    /// Makes the error of a size that is none.
    ///
    /// ```
    /// use hubstow_core::name::NameError;
    ///
    /// assert!(NameError::size("12 MB").to_string().starts_with("`12 MB` is not a size"));
    /// ```
    #[must_use]
    pub fn size(value: &str) -> Self {
        Self::new("size", value, "a size is a whole number of bytes")
    }

    /// Returns what kind of name was expected, such as `file name`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// Returns the offered value as it may be shown: shortened, with its control characters escaped.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.value
    }

    /// Returns the rule that the value breaks.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if self.what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        write!(f, "`{}` is not {article} {}: {}", self.value, self.what, self.rule)
    }
}

impl core::error::Error for NameError {}

macro_rules! string_name {
    ($name:ident) => {
        impl $name {
            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl core::str::FromStr for $name {
            type Err = $crate::name::NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }
        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = alloc::string::String::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use string_name;

/// A commit: exactly 40 lower-case hex digits.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::Commit;
///
/// let commit = Commit::parse("0123456789012345678901234567890123456789")?;
/// assert_eq!(Commit::from_ref_file(b"0123456789012345678901234567890123456789\n"), Some(commit.clone()));
/// assert_eq!(commit.as_str().len(), 40);
/// assert!(Commit::parse("main").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit(String);
string_name!(Commit);

impl Commit {
    /// Parses a commit.
    ///
    /// # Errors
    /// Anything but 40 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_lower_hex(text, 40) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("commit", text, "a commit is 40 lower-case hex digits"))
        }
    }

    /// Reads the content of a ref file: surrounding white space is no part of it, anything but a commit is no ref.
    #[must_use]
    pub fn from_ref_file(content: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(content).ok()?;
        Self::parse(text.trim()).ok()
    }
}

/// What a user asks for: a branch, a tag, a PR ref or a commit.
///
/// The accepted names are those that git accepts as refs and that are safe below `refs/`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::Revision;
///
/// let pull = Revision::parse("refs/pr/7")?;
/// assert_eq!(pull.as_str(), "refs/pr/7");
/// assert!(pull.as_commit().is_none());
/// assert!(Revision::parse("../main").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(String);
string_name!(Revision);

impl Revision {
    /// Parses a revision.
    ///
    /// # Errors
    /// A name that git would refuse as a ref, or that could leave the `refs/` folder.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Self::broken_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(rule) => Err(NameError::new("revision", text, rule)),
        }
    }

    fn broken_rule(text: &str) -> Option<&'static str> {
        if text.is_empty() {
            return Some("it is empty");
        }
        if text.len() > REVISION_LIMIT_BYTES {
            return Some("it is longer than 200 bytes");
        }
        if text.chars().any(|c| c.is_control() || " ~^:?*[\\<>\"|".contains(c)) {
            return Some(
                "it has control characters, spaces or one of ~^:?*[\\<>\"|, which git allows in no ref",
            );
        }
        if text.contains("..") || text.contains("@{") || text == "@" {
            return Some("it has `..` or `@{`, which git allows in no ref");
        }
        if text.starts_with('-') {
            return Some("it starts with `-`");
        }
        let bad_part = |part: &str| {
            part.is_empty()
                || part.starts_with('.')
                || part.ends_with('.')
                || part.ends_with(".lock")
        };
        if text.split('/').any(bad_part) {
            return Some(
                "a part between slashes is empty, starts or ends with `.`, or ends with `.lock`",
            );
        }
        if text.split('/').any(file_name::is_device_name) {
            return Some("Windows keeps a part of it for a device, so not every cache can hold it");
        }
        None
    }

    /// Returns the commit that this revision names by itself, if it is one.
    #[must_use]
    pub fn as_commit(&self) -> Option<Commit> {
        Commit::parse(&self.0).ok()
    }
}

impl From<&Commit> for Revision {
    fn from(commit: &Commit) -> Self {
        Self(commit.0.clone())
    }
}

/// How the content of a file can be checked against its etag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ContentHash {
    /// The etag is the sha256 of the content (LFS and Xet files).
    Sha256,
    /// The etag is the sha1 of `blob <size>\0` and the content, as git computes it.
    GitBlobSha1,
    /// The etag says nothing about the content.
    Opaque,
}

/// Content identity as the hub states it, normalized and safe as one file name.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::{ContentHash, Etag};
///
/// let etag = Etag::from_header("\"95d09f2b10159347eece71399a7e2e907ea3df4f\"")?;
/// assert_eq!(etag.as_str(), "95d09f2b10159347eece71399a7e2e907ea3df4f");
/// assert_eq!(etag.content_hash(), ContentHash::GitBlobSha1);
/// assert!(Etag::parse("../etag").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Etag(String);
string_name!(Etag);

impl Etag {
    /// Reads the value of an `ETag` or `X-Linked-Etag` header: a weak prefix and quotes are no part of the name.
    ///
    /// # Errors
    /// As [`Etag::parse`].
    pub fn from_header(value: &str) -> Result<Self, NameError> {
        let text = value.trim_matches([' ', '\t']);
        let text = text.strip_prefix("W/").unwrap_or(text);
        Self::parse(text.trim_matches('"'))
    }

    /// Parses a normalized etag.
    ///
    /// # Errors
    /// Anything that is not one plain file name on every system: letters, digits, `.`, `_` and `-`, starting with a
    /// letter or digit, no Windows device name, no name that the cache itself uses.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Self::broken_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(rule) => Err(NameError::new("etag", text, rule)),
        }
    }

    fn broken_rule(text: &str) -> Option<&'static str> {
        if text.is_empty() {
            return Some("it is empty");
        }
        if text.len() > ETAG_LIMIT_BYTES {
            return Some("it is longer than 128 bytes");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !text.bytes().all(plain) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Some(
                "it has other characters than letters, digits, `.`, `_` and `-`, or starts with one of the last three",
            );
        }
        if text.ends_with('.') || file_name::is_device_name(text) {
            return Some("Windows can't store it as a file");
        }
        if [".incomplete", ".lock", ".tmp"].iter().any(|suffix| text.ends_with(suffix)) {
            return Some("it ends like a staged file or a lock");
        }
        None
    }

    /// Returns how content can be proved to belong to this etag.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        if is_lower_hex(&self.0, 64) {
            ContentHash::Sha256
        } else if is_lower_hex(&self.0, 40) {
            ContentHash::GitBlobSha1
        } else {
            ContentHash::Opaque
        }
    }
}

/// A private name: 128 random bits of one attempt, as 32 hex digits (invariant I10).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(String);
string_name!(Nonce);

impl Nonce {
    /// Makes a nonce from 128 random bits; the host supplies the randomness.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// Parses a nonce.
    ///
    /// # Errors
    /// Anything but 32 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_lower_hex(text, 32) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("nonce", text, "a nonce is 32 lower-case hex digits"))
        }
    }
}

fn is_lower_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
