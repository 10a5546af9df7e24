//! What the hub holds: generated fast, and the same in every run.
//!
//! | repo | what |
//! |---|---|
//! | `bench/large` | one file, 2 GiB |
//! | `bench/medium` | one file, 512 MiB, and a small one; in `v2` the small one has another name |
//! | `bench/small` | 2,000 files of 1–64 KiB; in `v2` one of them has another name |
//!
//! The second revisions share every blob, so placing is all there is to do.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::args::Sizes;

/// The one file of the large and of the medium repo.
pub(crate) const BIG_FILE: &str = "model.safetensors";
/// A small file of `bench/small`, the first of all.
pub(crate) const SMALL_FILE: &str = "data/00/part-0000.json";
/// The revision with the same blobs.
pub(crate) const SECOND: &str = "v2";

/// The size of the buffer that content is made in: it must not count in the memory of the clients, which start with what
/// their parent has.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;

/// A file of a revision.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) len_bytes: u64,
    pub(crate) sha256: String,
}

/// A revision of a repo and its files.
#[derive(Debug)]
pub(crate) struct Revision {
    pub(crate) repo: &'static str,
    pub(crate) name: &'static str,
    pub(crate) files: Vec<Expected>,
}

/// Everything that the hub holds.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) revisions: Vec<Revision>,
}

impl Content {
    /// Writes everything into a folder.
    pub(crate) fn generate(dir: &Path, sizes: Sizes) -> Result<Self> {
        let large = vec![(BIG_FILE.to_owned(), sizes.large_bytes)];
        let medium = vec![(BIG_FILE.to_owned(), sizes.medium_bytes), ("config.json".into(), 700)];
        let small = (0..sizes.files).map(|at| {
            let len = 1024 + Random(at as u64).next() % (63 * 1024 + 1);
            (format!("data/{:02}/part-{at:04}.json", at / 100), len)
        });
        let mut revisions = Vec::new();
        for (repo, seed, files) in [
            ("bench/large", 1, large),
            ("bench/medium", 2, medium),
            ("bench/small", 3, small.collect()),
        ] {
            let files = files
                .into_iter()
                .enumerate()
                .map(|(at, (name, len))| {
                    write(&dir.join(repo), name, len, (seed << 32) + at as u64)
                })
                .collect::<Result<Vec<_>>>()?;
            revisions.push(Revision { repo, name: "main", files });
        }
        for (repo, old, new) in [
            ("bench/medium", "config.json", "settings.json"),
            ("bench/small", SMALL_FILE, "data/00/renamed.json"),
        ] {
            let first = revisions.iter().find(|r| r.repo == repo).context("it was just made")?;
            let files = renamed(first, dir, old, new)?;
            revisions.push(Revision { repo, name: SECOND, files });
        }
        Ok(Self { revisions })
    }

    /// Returns the files of a revision.
    pub(crate) fn files(&self, repo: &str, revision: &str) -> Result<&[Expected]> {
        let found = self.revisions.iter().find(|r| r.repo == repo && r.name == revision);
        Ok(&found.with_context(|| format!("no {repo}@{revision} was made"))?.files)
    }
}

fn write(dir: &Path, name: String, len_bytes: u64, seed: u64) -> Result<Expected> {
    let path = dir.join(&name);
    fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
    let mut file = File::create(path)?;
    let mut random = Random(seed);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = len_bytes;
    while left > 0 {
        let len = left.min(BUFFER_BYTES as u64);
        let piece = buffer.get_mut(..usize::try_from(len)?).unwrap_or_default();
        for word in piece.chunks_mut(8) {
            let bytes = random.next().to_le_bytes();
            word.copy_from_slice(bytes.get(..word.len()).unwrap_or_default());
        }
        hasher.update(&*piece);
        file.write_all(piece)?;
        left -= len;
    }
    Ok(Expected { name, len_bytes, sha256: hex(&hasher.finalize()) })
}

/// Makes the second revision of hard links, with one file under another name.
fn renamed(first: &Revision, dir: &Path, old: &str, new: &str) -> Result<Vec<Expected>> {
    let (from, to) = (dir.join(first.repo), dir.join(format!("{}@{SECOND}", first.repo)));
    let mut files = Vec::new();
    for file in &first.files {
        let name = if file.name == old { new } else { &file.name };
        let path = to.join(name);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::hard_link(from.join(&file.name), path)?;
        files.push(Expected { name: name.to_owned(), ..file.clone() });
    }
    Ok(files)
}

/// Writes bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// splitmix64: fast, and no byte of it can be compressed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_revision_has_the_same_content_under_other_names() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = Sizes { large_bytes: 300_000, medium_bytes: 1000, files: 3 };
        let content = Content::generate(dir.path(), sizes).unwrap();
        let names = |revision| -> Vec<_> {
            let files = content.files("bench/small", revision).unwrap();
            files.iter().map(|file| (file.name.as_str(), file.sha256.as_str())).collect()
        };
        let (first, second) = (names("main"), names(SECOND));
        assert_eq!(first[0].0, SMALL_FILE);
        assert_ne!(first[0].0, second[0].0);
        assert_eq!(first[0].1, second[0].1);
        assert_eq!(first[1..], second[1..]);
        let large = fs::read(dir.path().join("bench/large").join(BIG_FILE)).unwrap();
        assert_eq!(large.len(), 300_000);
        assert_eq!(
            hex(&Sha256::digest(&large)),
            content.files("bench/large", "main").unwrap()[0].sha256
        );
    }
}
