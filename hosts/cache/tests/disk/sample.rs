//! The one file that all tests place, and where each thing of it is. The paths are spelled out: an oracle that asked the
//! layout would share its mistakes.

use std::sync::LazyLock;

use hubstow_cache::Target;
use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, RepoId, RepoKind, Revision},
};
use sha2::{Digest, Sha256};

/// The repo folder.
pub(crate) const REPO: &str = "models--org--name";
/// The folder of its snapshots.
pub(crate) const SNAPSHOTS: &str = "models--org--name/snapshots";
/// The folder of its blobs.
pub(crate) const BLOBS: &str = "models--org--name/blobs";
/// The folder of its refs.
pub(crate) const REFS: &str = "models--org--name/refs";
/// The ref file of the revision that is asked for.
pub(crate) const REF_FILE: &str = "models--org--name/refs/main";
/// The commit that it means.
pub(crate) const OURS: &str = "0123456789012345678901234567890123456789";
/// A commit whose snapshot is somebody else's.
pub(crate) const OTHER: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";
/// The file, one folder deep.
pub(crate) const FILE: &str = "weights/model.bin";
/// The shortest part that is worth continuing.
pub(crate) const WORTH: usize = 64 << 10;

/// Content, and how it comes.
pub(crate) struct Sample {
    /// What is right.
    pub(crate) content: Vec<u8>,
    /// Of the right size, with one wrong byte in the middle.
    pub(crate) wrong: Vec<u8>,
    /// What the hub calls it.
    pub(crate) etag: String,
    /// How much the hub sends at a time: two chunks are less than the whole.
    pub(crate) chunk: usize,
}

/// Small content, for what does not depend on size: a debug build hashes slowly.
pub(crate) static SMALL: LazyLock<Sample> = LazyLock::new(|| Sample::new(256));
/// Content of which every chunk is worth keeping.
pub(crate) static LARGE: LazyLock<Sample> = LazyLock::new(|| Sample::new(WORTH));
/// Content of another file.
pub(crate) static SECOND: LazyLock<Sample> = LazyLock::new(|| Sample::new(300));
/// Content whose proofs are worth writing down.
pub(crate) static HUGE: LazyLock<Sample> = LazyLock::new(|| Sample::new(2 << 20));

impl Sample {
    fn new(chunk: usize) -> Self {
        let content = noise(2 * chunk + chunk / 3);
        let mut wrong = content.clone();
        wrong[chunk / 2] ^= 1;
        Self { etag: sha256(&content), content, wrong, chunk }
    }

    /// The target of all tests.
    pub(crate) fn target(&self) -> Target {
        let id = RepoId::parse("org/name").unwrap();
        Target {
            layout: RepoLayout::new(&Repo::new(RepoKind::Model, id)),
            revision: Revision::parse("main").unwrap(),
            commit: Commit::parse(OURS).unwrap(),
            file: FileName::parse(FILE).unwrap(),
            etag: Etag::parse(&self.etag).unwrap(),
            size: Some(self.content.len() as u64),
        }
    }

    /// The first chunks.
    pub(crate) fn part_of(&self, chunks: usize) -> &[u8] {
        &self.content[..chunks * self.chunk]
    }

    /// The blob.
    pub(crate) fn blob(&self) -> String {
        format!("{BLOBS}/{}", self.etag)
    }

    /// A staged file of a run that is over.
    pub(crate) fn part(&self) -> String {
        format!("{}.{:032x}.incomplete", self.blob(), 7)
    }

    /// The Python client's lock of the content.
    pub(crate) fn lock(&self) -> String {
        format!(".locks/{REPO}/{}.lock", self.etag)
    }

    /// What a pointer to the blob says.
    pub(crate) fn link_text(&self) -> String {
        format!("../../../blobs/{}", self.etag)
    }
}

/// The pointer in a snapshot.
pub(crate) fn pointer(commit: &str) -> String {
    format!("{SNAPSHOTS}/{commit}/{FILE}")
}

/// Bytes in which no two parts are alike.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    words.take(len.div_ceil(8)).flat_map(u64::to_le_bytes).take(len).collect()
}

/// The etag of content as the hub states it for large files.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
