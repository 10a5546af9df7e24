//! Hashing many files at once, each once.

use std::{
    io::Read as _,
    sync::atomic::{AtomicU64, Ordering},
};

use hubstow_core::{
    layout::CachePath,
    name::{ContentHash, Etag},
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::{
    care::{
        beside::{each_with, threads},
        relink::told::{Progress, Tell},
    },
    disk::{
        Entry,
        content::{BUFFER_BYTES, hex},
    },
    observe::view::View,
};

/// A file to be hashed.
pub(super) struct Job {
    pub(super) at: CachePath,
    pub(super) entry: Entry,
    pub(super) sha256: bool,
    pub(super) git_sha1: bool,
}

/// What a file was found to hold, as etags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) sha256: Option<Etag>,
    pub(super) git_sha1: Option<Etag>,
}

impl Digests {
    /// Returns the hash of the kind of an etag.
    pub(super) fn of_kind(&self, kind: ContentHash) -> Option<&Etag> {
        match kind {
            ContentHash::Sha256 => self.sha256.as_ref(),
            ContentHash::GitBlobSha1 => self.git_sha1.as_ref(),
            ContentHash::Opaque => None,
        }
    }
}

/// Hashes files beside each other; `None` for one that can't be read, or that changes meanwhile.
pub(super) fn hash_all(view: &View, jobs: &[Job], tell: &Tell) -> Vec<Option<Digests>> {
    let total_bytes = jobs.iter().map(|job| job.entry.len_bytes).sum();
    let done_bytes = AtomicU64::new(0);
    let passed = |bytes: u64| {
        let done_bytes = done_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        tell(Progress::Hashing { done_bytes, total_bytes });
    };
    let buffer = || vec![0; BUFFER_BYTES];
    each_with(jobs, threads(), buffer, |buffer, job| hash(view, job, buffer, &passed))
}

fn hash(view: &View, job: &Job, buffer: &mut [u8], passed: &impl Fn(u64)) -> Option<Digests> {
    let len_bytes = job.entry.len_bytes;
    let mut sha256 = job.sha256.then(Sha256::new);
    let mut git_sha1 =
        job.git_sha1.then(|| Sha1::new_with_prefix(format!("blob {len_bytes}\0").as_bytes()));
    let disk = view.disk();
    let mut file = disk.open(&job.at).ok()?;
    loop {
        view.cancel.check().ok()?;
        let count = match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        sha256.iter_mut().for_each(|hash| hash.update(bytes));
        git_sha1.iter_mut().for_each(|hash| hash.update(bytes));
        passed(count as u64);
    }
    let unchanged = disk.through(&job.at).ok()??.identity == job.entry.identity;
    let etag = |digest: &[u8]| Etag::parse(&hex(digest)).ok();
    let digests = Digests {
        sha256: sha256.and_then(|hash| etag(&hash.finalize())),
        git_sha1: git_sha1.and_then(|hash| etag(&hash.finalize())),
    };
    unchanged.then_some(digests)
}
