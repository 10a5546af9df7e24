//! The content of the hub's files, and the etags it must have: computed here, so that the hub's and the client's own
//! arithmetic is checked against a third one.

use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A file as a scenario states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    /// Its text.
    Text(String),
    /// As many bytes as stated, which differ from seed to seed.
    Random(Random),
}

/// Bytes that can be told apart from any others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Random {
    bytes: usize,
    seed: u64,
}

impl Content {
    /// Returns the bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Random(random) => random.bytes(),
        }
    }
}

impl Random {
    /// The generator is SplitMix64: short, and every seed gives other bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut state = self.seed;
        let mut bytes = Vec::with_capacity(self.bytes + 8);
        while bytes.len() < self.bytes {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
        }
        bytes.truncate(self.bytes);
        bytes
    }
}

/// Tells whether the hub of the scenarios keeps a file in LFS.
pub(crate) fn is_lfs(file: &str) -> bool {
    file.ends_with(".bin")
}

/// Returns the etag that a file with these bytes must have on the hub.
pub(crate) fn etag(file: &str, bytes: &[u8]) -> String {
    if is_lfs(file) { sha256(bytes) } else { git_blob_sha1(bytes) }
}

/// Tells whether content is what a name that is a hash promises; other names promise nothing.
pub(crate) fn keeps_promise(name: &str, bytes: &[u8]) -> bool {
    let is_hash = name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match (is_hash, name.len()) {
        (true, 64) => sha256(bytes) == name,
        (true, 40) => git_blob_sha1(bytes) == name,
        _ => true,
    }
}

/// Returns the sha256 as hex digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn git_blob_sha1(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
