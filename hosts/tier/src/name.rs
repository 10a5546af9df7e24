//! Names of the tier: what an object is called, and where everything lies.
//!
//! Every key is made here of parsed names, and read back here. The format is `docs/tier.md`.

use std::fmt;

use hubstow_core::name::{Commit, ContentHash, Etag, Repo, RepoKind, Revision};
use object_store::path::Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a part of a key: what every store and every disk keeps as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// Stands for all revisions of a repo; no revision can have this name.
const ALL_REVISIONS: &str = "*";

/// Folders at the top.
pub(crate) const OBJECTS: &str = "objects";
pub(crate) const USED: &str = "used";
pub(crate) const CLAIMS: &str = "claims";
pub(crate) const PINS: &str = "pins";
pub(crate) const PROBES: &str = "probes";
const REFS: &str = "refs";
pub(crate) const TREES: &str = "trees";
/// All folders at the top.
pub(crate) const FOLDERS: [&str; 7] = [OBJECTS, USED, CLAIMS, PINS, PROBES, REFS, TREES];
/// What is written only to learn what time it is for the store.
pub(crate) const CLOCK: &str = "clock";

/// What is written when a sweep has ended.
pub(crate) const SWEPT: &str = "swept";

/// How content is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// The sha256 of the content.
    Sha256,
    /// The sha1 of `blob <size>\0` and the content, as git computes it.
    GitSha1,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::GitSha1];

    fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::GitSha1 => "git-sha1",
        }
    }
}

/// The name of whole content: its hash, and which one that is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    algorithm: Algorithm,
    hash: Etag,
}

impl ObjectId {
    /// Makes the name of the content that an etag proves; `None` of an etag that proves nothing.
    #[must_use]
    pub fn of(etag: &Etag) -> Option<Self> {
        let algorithm = match etag.content_hash() {
            ContentHash::Sha256 => Algorithm::Sha256,
            ContentHash::GitBlobSha1 => Algorithm::GitSha1,
            ContentHash::Opaque => return None,
        };
        Some(Self { algorithm, hash: etag.clone() })
    }

    /// Returns which hash it is.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the hash, which is also the etag of the file at the hub.
    #[must_use]
    pub fn etag(&self) -> &Etag {
        &self.hash
    }

    pub(crate) fn key(&self, folder: &str) -> Path {
        key(&[folder, self.algorithm.word(), self.hash.as_str()])
    }

    /// Reads the object that a key is about; `None` where it is about none.
    pub(crate) fn of_key(key: &Path, folder: &str) -> Option<Self> {
        let mut parts = key.as_ref().split('/');
        let (top, algorithm, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let known = Algorithm::ALL.into_iter().find(|known| known.word() == algorithm)?;
        let id = Self::of(&Etag::parse(hash).ok()?)?;
        (top == folder && parts.next().is_none() && id.algorithm == known).then_some(id)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.algorithm.word(), self.hash)
    }
}

/// What eviction never takes: a revision of a repo, or all that the tier knows of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin {
    /// The repo.
    pub repo: Repo,
    /// The revision, wherever it moves; `None` means every one.
    pub revision: Option<Revision>,
}

impl Pin {
    pub(crate) fn key(&self) -> Path {
        let revision = self.revision.as_ref().map_or(ALL_REVISIONS, |it| it.as_str());
        below_repo(PINS, &self.repo, revision)
    }

    /// Reads the pin that a key is; `None` where it is none.
    pub(crate) fn of_key(key: &Path) -> Option<Self> {
        let (repo, revision) = of_repo(key, PINS)?;
        let revision = match revision.as_str() {
            ALL_REVISIONS => None,
            other => Some(Revision::parse(other).ok()?),
        };
        Some(Self { repo, revision })
    }
}

pub(crate) fn reference(repo: &Repo, revision: &Revision) -> Path {
    below_repo(REFS, repo, revision.as_str())
}

/// The folder of all refs of a repo.
pub(crate) fn references(repo: &Repo) -> Path {
    key(&[REFS, repo.kind.plural(), &repo_part(repo)])
}

/// Reads the revision that the key of a ref is about.
pub(crate) fn revision_of(key: &Path) -> Option<Revision> {
    Revision::parse(&of_repo(key, REFS)?.1).ok()
}

pub(crate) fn tree(repo: &Repo, commit: &Commit) -> Path {
    below_repo(TREES, repo, &format!("{commit}.json"))
}

/// The key of a probe, which nobody else uses.
pub(crate) fn probe(nonce: &str) -> Path {
    key(&[PROBES, nonce])
}

/// Makes a key of parts; a slash inside of one is escaped.
pub(crate) fn key(parts: &[&str]) -> Path {
    let escaped = parts.iter().map(|part| utf8_percent_encode(part, ESCAPED).to_string());
    let text = escaped.collect::<Vec<_>>().join("/");
    // What is escaped and has no empty part is a path as it is.
    Path::parse(&text).unwrap_or_else(|_| Path::from(text))
}

fn below_repo(folder: &str, repo: &Repo, last: &str) -> Path {
    key(&[folder, repo.kind.plural(), &repo_part(repo), last])
}

/// The id as it is in the name of a repo folder: no id has `--` in it.
fn repo_part(repo: &Repo) -> String {
    repo.id.as_str().replace('/', "--")
}

fn of_repo(key: &Path, folder: &str) -> Option<(Repo, String)> {
    let mut parts = key.as_ref().split('/');
    let (top, kind, id, last) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let kind = RepoKind::ALL.into_iter().find(|known| known.plural() == kind)?;
    let repo = Repo::of_folder(&format!("{}--{id}", kind.plural()))?;
    let last = percent_decode_str(last).decode_utf8().ok()?.into_owned();
    (top == folder && parts.next().is_none()).then_some((repo, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(kind: RepoKind, id: &str) -> Repo {
        Repo::new(kind, id.parse().unwrap())
    }

    #[test]
    fn keys_are_what_the_format_says() {
        let gpt2 = repo(RepoKind::Model, "gpt2");
        let data = repo(RepoKind::Dataset, "org/data.v1");
        let sha256 = ObjectId::of(&Etag::parse(&"a1".repeat(32)).unwrap()).unwrap();
        let git = ObjectId::of(&Etag::parse(&"b2".repeat(20)).unwrap()).unwrap();
        let commit = Commit::parse(&"c3".repeat(20)).unwrap();
        let revision = |text: &str| Revision::parse(text).unwrap();
        let rows = [
            (sha256.key(OBJECTS), format!("objects/sha256/{}", "a1".repeat(32))),
            (git.key(CLAIMS), format!("claims/git-sha1/{}", "b2".repeat(20))),
            (tree(&gpt2, &commit), format!("trees/models/gpt2/{commit}.json")),
            (reference(&gpt2, &revision("main")), "refs/models/gpt2/main".to_owned()),
            (
                reference(&data, &revision("refs/pr/1")),
                "refs/datasets/org--data.v1/refs%2Fpr%2F1".to_owned(),
            ),
            (
                reference(&data, &revision("größe+1%")),
                "refs/datasets/org--data.v1/gr%C3%B6%C3%9Fe%2B1%25".to_owned(),
            ),
            (
                Pin { repo: data.clone(), revision: None }.key(),
                "pins/datasets/org--data.v1/%2A".to_owned(),
            ),
        ];
        for (made, expected) in rows {
            assert_eq!(made.as_ref(), expected);
        }
    }

    #[test]
    fn keys_are_read_back() {
        let data = repo(RepoKind::Dataset, "org/data");
        for text in ["main", "refs/pr/1", "größe+1%", "a%2Fb"] {
            let revision = Revision::parse(text).unwrap();
            assert_eq!(revision_of(&reference(&data, &revision)), Some(revision.clone()));
            let pin = Pin { repo: data.clone(), revision: Some(revision) };
            assert_eq!(Pin::of_key(&pin.key()), Some(pin));
        }
        let id = ObjectId::of(&Etag::parse(&"a1".repeat(32)).unwrap()).unwrap();
        assert_eq!(ObjectId::of_key(&id.key(OBJECTS), OBJECTS), Some(id.clone()));
        assert_eq!(ObjectId::of_key(&id.key(OBJECTS), USED), None);
        for other in ["objects/sha256/abc", "objects/git-sha1/", "objects/md5/00", "objects"] {
            assert_eq!(ObjectId::of_key(&Path::from(other), OBJECTS), None, "{other}");
        }
        let crossed = format!("objects/git-sha1/{}", "a1".repeat(32));
        assert_eq!(ObjectId::of_key(&Path::from(crossed), OBJECTS), None);
    }

    #[test]
    fn an_opaque_etag_names_no_object() {
        assert_eq!(ObjectId::of(&Etag::parse("some-etag").unwrap()), None);
    }
}
