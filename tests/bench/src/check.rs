//! Whether a run brought what it was to bring, and how much room that takes.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::{
    client::{Client, Order},
    content::{BUFFER_BYTES, Expected, hex},
};

/// Of many files, every so many are hashed…
const SAMPLE_EVERY: usize = 37;
/// … and all from this size, which may have come in pieces.
const LARGE_BYTES: u64 = 1 << 20;

/// Checks that the files of an order are there, with their sizes and, for a sample, their hashes.
pub(crate) fn right(client: Client, order: &Order<'_>) -> Result<()> {
    let folder = folder(client, order);
    let wanted = |file: &&Expected| order.job.file.is_none_or(|name| name == file.name);
    for (at, file) in order.files.iter().filter(wanted).enumerate() {
        let path = folder.join(&file.name);
        let len = fs::metadata(&path).with_context(|| format!("{} is missing", file.name))?.len();
        ensure!(len == file.len_bytes, "{} has {len} bytes, not {}", file.name, file.len_bytes);
        if at % SAMPLE_EVERY == 0 || len >= LARGE_BYTES {
            let hash = hash(&path)?;
            ensure!(hash == file.sha256, "the content of {} is wrong", file.name);
        }
    }
    Ok(())
}

fn hash(path: &Path) -> Result<String> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; BUFFER_BYTES]);
    let mut hasher = Sha256::new();
    loop {
        let len = file.read(&mut buffer)?;
        if len == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(buffer.get(..len).unwrap_or_default());
    }
}

fn folder(client: Client, order: &Order<'_>) -> PathBuf {
    if client.has_cache() {
        let repo = order.job.repo.replace('/', "--");
        order.dest.join(format!("models--{repo}/snapshots")).join(order.commit)
    } else {
        order.dest.to_owned()
    }
}

/// Returns the bytes of disk that a folder takes; a file with several names counts once.
#[cfg(unix)]
pub(crate) fn disk_use(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;

    let (mut folders, mut seen) = (vec![folder.to_owned()], HashSet::new());
    let mut blocks = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let stat = entry.metadata()?;
            if stat.is_dir() {
                folders.push(entry.path());
            }
            if seen.insert((stat.dev(), stat.ino())) {
                blocks += stat.blocks();
            }
        }
    }
    Ok(blocks * 512)
}

/// Elsewhere nobody knows.
#[cfg(not(unix))]
pub(crate) fn disk_use(_: &Path) -> Result<u64> {
    Ok(0)
}
