//! The manifest of an exported repo: what belongs to it, where each content lies, and by which hash it is proved.
//!
//! It is one JSON file in the repo folder, `.hubstow/export.json`, so that a repo folder can be carried by itself, and no
//! client takes it for a repo. The format is written down in `docs/carry.md`.

use std::collections::{BTreeMap, BTreeSet};

use hubstow_core::name::{Commit, ContentHash, Etag, FileName, Repo, RepoId, RepoKind, Revision};
use serde::{Deserialize, Serialize};

/// What every manifest begins with.
const FORMAT: &str = "hubstow-export";
const VERSION: u32 = 1;
/// The most bytes of a manifest that are read: two million files with long names.
pub(super) const LIMIT_BYTES: u64 = 1 << 30;

/// The manifest of one repo. Its names are parsed like any others when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Manifest {
    format: String,
    version: u32,
    #[serde(rename = "type")]
    kind: RepoKind,
    id: RepoId,
    pub(super) refs: BTreeMap<Revision, Commit>,
    pub(super) revisions: BTreeMap<Commit, ManifestRevision>,
}

/// One revision of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ManifestRevision {
    /// Whether the hub's listing of the commit comes along.
    pub(super) listing: bool,
    pub(super) files: BTreeMap<FileName, ManifestFile>,
    /// The files that the commit is known not to have.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) absent: BTreeSet<FileName>,
}

/// One file of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ManifestFile {
    pub(super) etag: Etag,
    pub(super) size: u64,
    /// The hash of the content, where the etag is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<Etag>,
    /// Where the content lies, below the repo folder, where that is not the file's own place in its snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
}

impl Manifest {
    /// Makes the manifest of a repo of which nothing is there yet.
    pub(super) fn new(repo: &Repo) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            kind: repo.kind,
            id: repo.id.clone(),
            refs: BTreeMap::new(),
            revisions: BTreeMap::new(),
        }
    }

    /// Returns the repo.
    pub(super) fn repo(&self) -> Repo {
        Repo::new(self.kind, self.id.clone())
    }

    /// Writes a manifest; the same one always in the same bytes.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a manifest. A name in it that is none makes the whole of it useless.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT || manifest.version != VERSION {
            return Err(format!("its format is `{} {}`", manifest.format, manifest.version));
        }
        let files = manifest.revisions.values().flat_map(|revision| revision.files.values());
        let is_hash = |etag: &Etag| etag.content_hash() == ContentHash::Sha256;
        match files.filter_map(|file| file.sha256.as_ref()).find(|hash| !is_hash(hash)) {
            Some(hash) => Err(format!("`{hash}` is no sha256")),
            None => Ok(manifest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |etag: &str, at: Option<&str>| ManifestFile {
            etag: Etag::parse(etag).unwrap(),
            size: 3,
            sha256: (etag.len() < 40).then(|| Etag::parse(&"a".repeat(64)).unwrap()),
            at: at.map(str::to_owned),
        };
        let commit = Commit::parse(&"c".repeat(40)).unwrap();
        let name = |name: &str| FileName::parse(name).unwrap();
        let files = [
            (name("a.json"), file(&"b".repeat(40), None)),
            (name("deep/b.bin"), file("odd", Some("snapshots/x/a.json"))),
        ];
        let revision = ManifestRevision {
            listing: true,
            files: files.into(),
            absent: [name("none.json")].into(),
        };
        let repo = Repo::new(RepoKind::Dataset, RepoId::parse("org/name").unwrap());
        Manifest {
            refs: [(Revision::parse("refs/pr/1").unwrap(), commit.clone())].into(),
            revisions: [(commit, revision)].into(),
            ..Manifest::new(&repo)
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let bytes = manifest().to_bytes().unwrap();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
    }

    #[test]
    fn names_that_are_none_and_other_formats_are_refused_with_the_reason() {
        let text = String::from_utf8(manifest().to_bytes().unwrap()).unwrap();
        for (from, to, word) in [
            ("hubstow-export", "other", "other"),
            ("\"version\": 1", "\"version\": 2", "2"),
            ("deep/b.bin", "../b.bin", "../b.bin"),
            ("none.json", "/etc/passwd", "/etc/passwd"),
            ("refs/pr/1", "../../x", "../../x"),
            ("org/name", "../name", "../name"),
            ("\"odd\"", "\"../odd\"", "../odd"),
            ("aaaa", "zzzz", "sha256"),
        ] {
            let error = Manifest::parse(text.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(word), "{from} → {to}: {error}");
        }
    }
}
