//! Repos: kind, id, and the name of their folder in the cache.

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt;

use super::{NameError, string_name};

/// The kind of a repo.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::RepoKind;
///
/// let kind = RepoKind::parse("datasets")?;
/// assert_eq!((kind.singular(), kind.plural()), ("dataset", "datasets"));
/// let (kind, id) = RepoKind::of_folder("models--org--name").ok_or("a repo's folder")?;
/// assert_eq!((kind, id.as_str()), (RepoKind::Model, "org/name"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum RepoKind {
    /// A model; the kind that is meant when none is said.
    #[default]
    Model,
    /// A dataset.
    Dataset,
    /// A space.
    Space,
    /// A kernel.
    Kernel,
}

impl RepoKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Model, Self::Dataset, Self::Space, Self::Kernel];

    /// Returns the word for one repo of this kind, as flags and JSON use it.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
            Self::Kernel => "kernel",
        }
    }

    /// Returns the word that folders, API routes and `hf://` URLs use.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
            Self::Kernel => "kernels",
        }
    }

    /// Reads kind and id from the name of a repo folder, `models--org--name`, as every client does. The id need not be one.
    #[must_use]
    pub fn of_folder(folder: &str) -> Option<(Self, String)> {
        let (kind, rest) = folder.split_once("--").filter(|(_, rest)| !rest.is_empty())?;
        let kind = Self::ALL.into_iter().find(|known| known.plural() == kind)?;
        Some((kind, rest.replace("--", "/")))
    }

    /// Parses the singular or the plural word.
    ///
    /// # Errors
    /// Any other word.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|kind| text == kind.singular() || text == kind.plural())
            .ok_or_else(|| {
                NameError::new("repo kind", text, "the kinds are model, dataset, space and kernel")
            })
    }
}

impl fmt::Display for RepoKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.singular())
    }
}

/// The id of a repo on the hub: `name` or `org/name`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::RepoId;
///
/// assert_eq!(RepoId::parse("org/name")?.as_str(), "org/name");
/// assert!(RepoId::parse("org/name/more").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(String);
string_name!(RepoId);

impl RepoId {
    /// Parses a repo id by the hub's rules, which are those of the Python client.
    ///
    /// # Errors
    /// More than one slash, a part that is empty or longer than 96 bytes, characters other than ASCII letters, digits,
    /// `-`, `_` and `.`, a part that starts or ends with `-` or `.`, `--`, `..`, or a name that ends with `.git`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Self::broken_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(rule) => Err(NameError::new("repo id", text, rule)),
        }
    }

    fn broken_rule(text: &str) -> Option<&'static str> {
        if text.split('/').count() > 2 {
            return Some("it has more than one slash; ids are `name` or `org/name`");
        }
        if text.contains("--") || text.contains("..") {
            return Some("it contains `--` or `..`");
        }
        if text.ends_with(".git") {
            return Some("it ends with `.git`");
        }
        for part in text.split('/') {
            if part.is_empty() || part.len() > 96 {
                return Some("a part is empty or longer than 96 characters");
            }
            if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
                return Some(
                    "it has other characters than ASCII letters, digits, `-`, `_` and `.`",
                );
            }
            if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
                return Some("a part starts or ends with `-` or `.`");
            }
        }
        None
    }
}

/// A repo: kind and id.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::{Repo, RepoId, RepoKind};
///
/// let rows = Repo::new(RepoKind::Dataset, RepoId::parse("org/rows")?);
/// assert_eq!(rows.folder(), "datasets--org--rows");
/// assert_eq!(Repo::of_folder("datasets--org--rows"), Some(rows));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Repo {
    /// The kind.
    pub kind: RepoKind,
    /// The id on the hub.
    pub id: RepoId,
}

impl Repo {
    /// Makes a repo of the given kind.
    #[must_use]
    pub fn new(kind: RepoKind, id: RepoId) -> Self {
        Self { kind, id }
    }

    /// Reads the repo from the name of its folder; `None` where no repo can have it.
    #[must_use]
    pub fn of_folder(folder: &str) -> Option<Self> {
        let (kind, id) = RepoKind::of_folder(folder)?;
        Some(Self::new(kind, RepoId::parse(&id).ok()?))
    }

    /// Returns the name of the repo folder, `models--org--name`.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.id.as_str().replace('/', "--"))
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}
