//! What the hub holds: generated fast, and the same in every run.
//!
//! | repo | what |
//! |---|---|
//! | `bench/large` | one file, 2 GiB |
//! | `bench/medium` | one file, 512 MiB, and a small one; in `v2` the small one has another name |
//! | `bench/small` | 2,000 files of 1–64 KiB; in `v2` one of them has another name |
//! | `lines/medium`, `lines/large` | one file as large as that of `bench/…` |
//! | `lines/four` | four files as large as the medium one |
//! | `lines/shards` | seven files of a quarter of the medium one, and 40 of 1–64 KiB |
//!
//! The second revisions share every blob, so placing is all there is to do. Of the files below `lines/` only a sixteenth
//! takes room on the disk: 4 KiB of each 64 KiB, so that a piece in the wrong place shows.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::args::Sizes;

/// The one file of the large and of the medium repo.
pub(crate) const BIG_FILE: &str = "model.safetensors";
/// A small file of `bench/small`, the first of all.
pub(crate) const SMALL_FILE: &str = "data/00/part-0000.json";
/// How many files of [`FOUR`] there are.
pub(crate) const FOUR_FILES: u64 = 4;
/// How many large files of [`SHARDS`] there are, and into how many the medium file would be cut to make them.
pub(crate) const SHARD_FILES: u64 = 7;
pub(crate) const SHARDS_PER_MEDIUM: u64 = 4;
/// How many small files are beside them.
pub(crate) const BESIDE_SHARDS: u64 = 40;

pub(crate) const MEDIUM_LINE: &str = "lines/medium";
pub(crate) const LARGE_LINE: &str = "lines/large";
pub(crate) const FOUR: &str = "lines/four";
pub(crate) const SHARDS: &str = "lines/shards";

/// The revision with the same blobs.
pub(crate) const SECOND: &str = "v2";

/// The size of the buffer that content is made in: it must not count in the memory of the clients, which start with what
/// their parent has.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;
/// Of each so many bytes of a file with holes…
const GRAIN_BYTES: usize = 64 << 10;
/// … so many are written.
const WRITTEN_BYTES: usize = 4 << 10;

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

/// Whether a file takes the room that its length says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Dense,
    Holes,
}

/// A repo before its files are made.
struct Plan {
    repo: &'static str,
    fill: Fill,
    /// Names and lengths.
    files: Vec<(String, u64)>,
}

impl Plan {
    /// Returns every repo. The order gives each its seed.
    fn all(sizes: Sizes) -> [Self; 7] {
        let Sizes { large_bytes, medium_bytes, files } = sizes;
        let dense = |repo, files| Self { repo, fill: Fill::Dense, files };
        let holes = |repo, files| Self { repo, fill: Fill::Holes, files };
        let one = |len| vec![(BIG_FILE.to_owned(), len)];
        let shard = |at, of, len| (format!("model-{at:05}-of-{of:05}.safetensors"), len);
        let small = |at: u64| 1024 + Random(at).next() % (63 * 1024 + 1);
        let many = (0..files as u64)
            .map(|at| (format!("data/{:02}/part-{at:04}.json", at / 100), small(at)));
        let shard_bytes = medium_bytes / SHARDS_PER_MEDIUM;
        let shards = (1..=SHARD_FILES).map(|at| shard(at, SHARD_FILES, shard_bytes));
        let beside = (0..BESIDE_SHARDS).map(|at| (format!("config-{at:02}.json"), small(at)));
        let four = (1..=FOUR_FILES).map(|at| shard(at, FOUR_FILES, medium_bytes));
        let and_small = [(BIG_FILE.to_owned(), medium_bytes), ("config.json".into(), 700)];
        [
            dense("bench/large", one(large_bytes)),
            dense("bench/medium", and_small.into()),
            dense("bench/small", many.collect()),
            holes(MEDIUM_LINE, one(medium_bytes)),
            holes(LARGE_LINE, one(large_bytes)),
            holes(FOUR, four.collect()),
            holes(SHARDS, shards.chain(beside).collect()),
        ]
    }
}

impl Content {
    /// Writes the repos that are wanted into a folder.
    pub(crate) fn generate(dir: &Path, sizes: Sizes, wanted: &[&str]) -> Result<Self> {
        let mut revisions = Vec::new();
        for (plan, seed) in Plan::all(sizes).into_iter().zip(1_u64..) {
            if !wanted.contains(&plan.repo) {
                continue;
            }
            let Plan { repo, fill, files } = plan;
            let files = files
                .into_iter()
                .zip(seed << 32..)
                .map(|(file, seed)| write(&dir.join(repo), file, fill, seed))
                .collect::<Result<Vec<_>>>()?;
            revisions.push(Revision { repo, name: "main", files });
        }
        for (repo, old, new) in [
            ("bench/medium", "config.json", "settings.json"),
            ("bench/small", SMALL_FILE, "data/00/renamed.json"),
        ] {
            if let Some(first) = revisions.iter().find(|it| it.repo == repo) {
                let files = renamed(first, dir, old, new)?;
                revisions.push(Revision { repo, name: SECOND, files });
            }
        }
        Ok(Self { revisions })
    }

    /// Returns the files of a revision.
    pub(crate) fn files(&self, repo: &str, revision: &str) -> Result<&[Expected]> {
        let found = self.revisions.iter().find(|r| r.repo == repo && r.name == revision);
        Ok(&found.with_context(|| format!("no {repo}@{revision} was made"))?.files)
    }
}

fn write(dir: &Path, (name, len_bytes): (String, u64), fill: Fill, seed: u64) -> Result<Expected> {
    let path = dir.join(&name);
    fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
    let file = File::create(path)?;
    file.set_len(len_bytes)?;
    let mut random = Random(seed);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut done = 0;
    while done < len_bytes {
        let len = usize::try_from(len_bytes - done)?.min(BUFFER_BYTES);
        let piece = buffer.get_mut(..len).unwrap_or_default();
        let grain = if fill == Fill::Dense { BUFFER_BYTES } else { GRAIN_BYTES };
        for (grain, at) in piece.chunks_mut(grain).zip((done..).step_by(grain)) {
            let written = if fill == Fill::Dense { grain.len() } else { WRITTEN_BYTES };
            let written = written.min(grain.len());
            let part = grain.get_mut(..written).unwrap_or_default();
            random.fill(part);
            write_at(&file, part, at)?;
        }
        hasher.update(&*piece);
        done += len as u64;
    }
    Ok(Expected { name, len_bytes, sha256: hex(&hasher.finalize()) })
}

fn write_at(mut file: &File, bytes: &[u8], at: u64) -> Result<()> {
    file.seek(SeekFrom::Start(at))?;
    Ok(file.write_all(bytes)?)
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

    fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            let next = self.next().to_le_bytes();
            word.copy_from_slice(next.get(..word.len()).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_revision_has_the_same_content_under_other_names() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = Sizes { large_bytes: 300_000, medium_bytes: 1000, files: 3 };
        let wanted = ["bench/large", "bench/small"];
        let content = Content::generate(dir.path(), sizes, &wanted).unwrap();
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

    #[test]
    fn files_with_holes_have_the_hash_that_is_told_and_no_two_are_alike() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = Sizes { large_bytes: 1 << 20, medium_bytes: 600_001, files: 2 };
        let content = Content::generate(dir.path(), sizes, &[FOUR, SHARDS]).unwrap();
        let mut hashes = Vec::new();
        for (repo, count) in [(FOUR, 4), (SHARDS, 47)] {
            let files = content.files(repo, "main").unwrap();
            assert_eq!(files.len(), count);
            for file in files {
                let bytes = fs::read(dir.path().join(repo).join(&file.name)).unwrap();
                assert_eq!(bytes.len() as u64, file.len_bytes);
                assert_eq!(hex(&Sha256::digest(&bytes)), file.sha256);
                hashes.push(file.sha256.clone());
            }
        }
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 51);
        assert!(content.files("bench/small", "main").is_err());
    }
}
