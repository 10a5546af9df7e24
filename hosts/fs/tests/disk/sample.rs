//! The one file that all tests place, and where each thing of it is. The paths are spelled out: an oracle that asked the
//! layout would share its mistakes.

use std::sync::LazyLock;

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, RepoId, RepoKind, Revision},
};
use hubstow_fs::Target;
use sha2::{Digest, Sha256};

/// The repo folder.
pub(crate) const REPO: &str = "models--org--name";
/// The folder of its snapshots.
pub(crate) const SNAPSHOTS: &str = "models--org--name/snapshots";
/// The folder of its refs.
pub(crate) const REFS: &str = "models--org--name/refs";
/// The commit that is being placed.
pub(crate) const OURS: &str = "0123456789012345678901234567890123456789";
/// A commit whose snapshot is somebody else's.
pub(crate) const OTHER: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";
/// The file, one folder deep.
pub(crate) const FILE: &str = "weights/model.bin";
/// How much the scripted hub sends at a time; also the least that is worth continuing.
pub(crate) const CHUNK: usize = 64 << 10;
/// Two chunks and a rest, so that a part of one chunk and a part of two can be left.
pub(crate) const SIZE: usize = 2 * CHUNK + 19_000;

/// The right content.
pub(crate) static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| noise(SIZE));
/// Content of the right size, with one wrong byte in the middle.
pub(crate) static WRONG: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut wrong = CONTENT.clone();
    wrong[SIZE / 2] ^= 1;
    wrong
});
/// The sha256 of the right content.
pub(crate) static ETAG: LazyLock<String> = LazyLock::new(|| sha256(&CONTENT));

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

/// The target of all tests: `main`, which means [`OURS`].
pub(crate) fn target() -> Target {
    target_of(&ETAG, SIZE as u64)
}

/// The same file with other content.
pub(crate) fn target_of(etag: &str, size: u64) -> Target {
    let id = RepoId::parse("org/name").unwrap();
    Target {
        layout: RepoLayout::new(&Repo::new(RepoKind::Model, id)),
        revision: Revision::parse("main").unwrap(),
        commit: Commit::parse(OURS).unwrap(),
        file: FileName::parse(FILE).unwrap(),
        etag: Etag::parse(etag).unwrap(),
        size: Some(size),
    }
}

/// The blob.
pub(crate) fn blob() -> String {
    format!("{REPO}/blobs/{}", *ETAG)
}

/// A staged file of a run that is over.
pub(crate) fn part() -> String {
    format!("{}.{:032x}.incomplete", blob(), 7)
}

/// The pointer in a snapshot.
pub(crate) fn pointer(commit: &str) -> String {
    format!("{SNAPSHOTS}/{commit}/{FILE}")
}

/// The ref file.
pub(crate) fn ref_file() -> String {
    format!("{REFS}/main")
}

/// The Python client's lock of the content.
pub(crate) fn lock() -> String {
    format!(".locks/{REPO}/{}.lock", *ETAG)
}

/// What a pointer to the blob says.
pub(crate) fn link_text() -> String {
    format!("../../../blobs/{}", *ETAG)
}
