//! Staged files: a download under a private, random name beside the blob.
//!
//! The process that writes a staged file holds a lock on the file itself, so that others can tell whether it lives.

mod group;
mod leftover;
pub mod space;

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use hubstow_core::{
    facts::Staged,
    layout::CachePath,
    name::{ContentHash, Etag},
};

use crate::{
    cache::{Durability, proofs::Verdict, target::Target},
    disk::{
        DiskFile, Entry, Kind,
        cancel::Cancel,
        content::{BUFFER_BYTES, Hasher, pass_through},
        failure::FsError,
    },
    fresh_nonce,
    observe::view::View,
};

/// The most bytes that are taken of a file whose size nobody has said: what the Python client's plain downloads take.
const UNKNOWN_SIZE_LIMIT_BYTES: u64 = 50_000_000_000;
/// A part shorter than this is not worth continuing.
pub(crate) const ADOPT_FROM_BYTES: u64 = 1 << 16;
/// How many bytes are received before the disk is told to begin with them: little enough that the sync at the end has
/// little to wait for, and much enough that the disk writes in long runs.
const START_WRITING_BYTES: u64 = 32 << 20;

/// The staged file of one attempt.
pub struct StagedFile {
    pub(crate) at: CachePath,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) hasher: Hasher,
    /// How many bytes it holds. The hasher has seen as many, unless it is lent.
    pub(crate) held_bytes: u64,
    etag: Etag,
    /// What the hub promised beforehand; `None` where it did not say.
    promised: Option<u64>,
    /// What is expected of this attempt: the promise, or what the answer itself said.
    size: Option<u64>,
    state: Staged,
    durability: Durability,
    pub(crate) on_disk: OnDisk,
    /// A number that is smaller the earlier the file was opened, or last told of a failure of the disk.
    pub(crate) opened: u64,
    /// How many bytes the disk has been told to begin with.
    started_bytes: u64,
    cancel: Cancel,
}

/// Whether all bytes of a staged file have reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDisk {
    /// Nobody has made sure.
    Unsure,
    /// They have.
    Synced,
    /// A sync has failed. The next one may succeed without them, so it is never asked for (invariant I18).
    Failed(io::ErrorKind, Option<i32>),
}

/// Returns the next number in the order in which files are opened.
pub(crate) fn next_opened() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Why a staged file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It has not the size that the hub promised.
    #[error("{received} bytes were received where {expected} were promised")]
    Size {
        /// What the hub promised.
        expected: u64,
        /// What there is.
        received: u64,
    },
    /// Its hash is not its etag.
    #[error("the content's hash is {found}, not {expected}")]
    Hash {
        /// The etag.
        expected: String,
        /// The hash of what there is.
        found: String,
    },
}

impl StagedFile {
    /// Returns where it is.
    #[must_use]
    pub fn at(&self) -> &CachePath {
        &self.at
    }

    /// Returns how many bytes it holds.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Returns whether it is partial or complete.
    #[must_use]
    pub fn state(&self) -> Staged {
        self.state
    }

    /// Sets what ends the hashing of what follows.
    pub fn stopped_by(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    /// States the size where the hub said it only with the content. It can't be changed once it is known.
    pub fn promise_size(&mut self, size: u64) {
        if self.size.is_none() && self.held_bytes == 0 {
            self.size = Some(size);
            self.hasher = Hasher::new(&self.etag, self.size);
        }
    }

    /// Appends bytes. Never more are written than were promised (invariant I14).
    ///
    /// # Errors
    /// The disk's error, or `InvalidData` holding a [`Mismatch`] where too many bytes come.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_unhashed(bytes)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Lends the hasher, so that bytes can be hashed beside being written. Until it is back nothing verifies.
    pub fn lend_hasher(&mut self) -> Hasher {
        let substitute = Hasher::new(&self.etag, self.size);
        std::mem::replace(&mut self.hasher, substitute)
    }

    /// Takes the hasher back; it must have seen every byte that was written meanwhile.
    pub fn return_hasher(&mut self, hasher: Hasher) {
        self.hasher = hasher;
    }

    /// Appends bytes as [`append`](Self::append) does, but leaves hashing them to whoever has the hasher.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn write_unhashed(&mut self, bytes: &[u8]) -> io::Result<()> {
        let after = self.held_bytes + bytes.len() as u64;
        let limit = self.size.unwrap_or(UNKNOWN_SIZE_LIMIT_BYTES);
        if after > limit {
            let mismatch = Mismatch::Size { expected: limit, received: after };
            return Err(io::Error::new(io::ErrorKind::InvalidData, mismatch));
        }
        if self.on_disk == OnDisk::Synced {
            self.on_disk = OnDisk::Unsure;
        }
        if let Err(error) = self.file.write_all(bytes) {
            // Some of them may be there; what is appended next takes their place.
            self.file.set_len(self.held_bytes)?;
            self.file.seek(SeekFrom::Start(self.held_bytes))?;
            return Err(error);
        }
        self.held_bytes = after;
        let waiting = after.saturating_sub(self.started_bytes);
        if self.durability == Durability::Safe && waiting >= START_WRITING_BYTES {
            // That it can't be done here costs time at the end and nothing else.
            let _ = self.file.start_writing(self.started_bytes, waiting);
            self.started_bytes = after;
        }
        Ok(())
    }

    /// Drops all bytes and starts over.
    ///
    /// # Errors
    /// The disk's error.
    pub fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.on_disk = OnDisk::Unsure;
        self.started_bytes = 0;
        self.size = self.promised;
        self.held_bytes = 0;
        self.hasher = Hasher::new(&self.etag, self.size);
        self.state = Staged::Partial;
        Ok(())
    }

    /// Reserves space for what is missing, where that is known and at least so much.
    pub(crate) fn reserve(&mut self, from_bytes: u64) -> io::Result<()> {
        let received = self.held_bytes;
        let missing = self.size.unwrap_or(0).saturating_sub(received);
        if missing < from_bytes { Ok(()) } else { self.file.reserve(received, missing) }
    }

    /// Checks size and hash; only what passes is complete. The inner error says what does not match; the file must start
    /// over then.
    ///
    /// # Errors
    /// The outer error is the disk's.
    pub fn verify(&mut self) -> io::Result<Result<(), Mismatch>> {
        let received = self.held_bytes;
        if self.hasher.passed_bytes() != received {
            return Err(io::Error::other("not every byte that was written was hashed"));
        }
        if let Some(expected) = self.size.filter(|expected| *expected != received) {
            return Ok(Err(Mismatch::Size { expected, received }));
        }
        // The hash is of what was sent; the file may hold more where a write has failed half-way.
        let held = self.file.seek(SeekFrom::End(0))?;
        if held != received {
            return Ok(Err(Mismatch::Size { expected: received, received: held }));
        }
        let fresh = Hasher::new(&self.etag, self.promised);
        let mut hasher = std::mem::replace(&mut self.hasher, fresh);
        if self.size.is_none() && self.etag.content_hash() == ContentHash::GitBlobSha1 {
            // Git's hash begins with the size, which was not known until now.
            hasher = Hasher::new(&self.etag, Some(received));
            self.file.seek(SeekFrom::Start(0))?;
            pass_through(&mut *self.file, &mut hasher, &self.cancel, |_| Ok(()))?;
        }
        if let Err(found) = hasher.finish() {
            return Ok(Err(Mismatch::Hash { expected: self.etag.as_str().to_owned(), found }));
        }
        self.size = Some(received);
        self.state = Staged::Complete;
        Ok(Ok(()))
    }

    /// Tells whether what is on the disk has the length of what was verified.
    pub(crate) fn is_whole(&self, entry: &Entry) -> bool {
        entry.kind == Kind::File && self.size == Some(entry.len_bytes)
    }

    /// Brings the content to the disk, unless it is there.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match (self.on_disk, self.durability) {
            (OnDisk::Synced, _) => Ok(()),
            (OnDisk::Failed(_, Some(code)), _) => Err(io::Error::from_raw_os_error(code)),
            (OnDisk::Failed(kind, None), _) => Err(kind.into()),
            (OnDisk::Unsure, Durability::Fast) => self.file.flush(),
            (OnDisk::Unsure, Durability::Safe) => {
                let synced = self.file.sync();
                self.on_disk = match &synced {
                    Ok(()) => OnDisk::Synced,
                    Err(error) => OnDisk::Failed(error.kind(), error.raw_os_error()),
                };
                synced
            }
        }
    }
}

impl View {
    /// Opens a staged file for a target: an earlier run's part where there is one to be continued, else a new one. Parts
    /// that nobody writes any more and that were not taken are removed.
    ///
    /// # Errors
    /// A folder or file that can't be made; a size for which there is no space.
    pub fn stage(&self, target: &Target) -> Result<StagedFile, FsError> {
        let opened = self.in_folder(&target.layout.blobs(), || self.open_staged(target));
        let mut staged = opened?;
        staged.started_bytes = staged.received_bytes();
        self.reserve(staged)
    }

    fn open_staged(&self, target: &Target) -> Result<StagedFile, FsError> {
        let at = target.layout.staged(&target.etag, &fresh_nonce()?);
        let mut adopted = None;
        for leftover in self.leftovers(target) {
            match &adopted {
                None => adopted = self.adopt(target, &leftover, &at)?,
                Some(_) if self.cache.is_dead(&leftover.at) => self.cache.discard(&leftover.at),
                Some(_) => {}
            }
        }
        if let Some(staged) = adopted {
            return Ok(staged);
        }
        let file =
            self.cache.create_private(&at).map_err(|error| FsError::io("make", &at, error))?;
        Ok(self.staged(target, at, file))
    }

    pub(crate) fn staged(
        &self,
        target: &Target,
        at: CachePath,
        file: Box<dyn DiskFile>,
    ) -> StagedFile {
        StagedFile {
            at,
            file,
            hasher: Hasher::new(&target.etag, target.size),
            held_bytes: 0,
            etag: target.etag.clone(),
            promised: target.size,
            size: target.size,
            state: Staged::Partial,
            durability: self.cache.durability,
            on_disk: OnDisk::Unsure,
            opened: next_opened(),
            started_bytes: 0,
            cancel: self.cancel.clone(),
        }
    }

    /// Fills an empty staged file, of this cache or another, from this cache's blob, if that holds the content;
    /// tells whether it did.
    ///
    /// # Errors
    /// Whatever reading or writing says; what the staged file holds then is a right part.
    pub fn fill_from_blob(&self, target: &Target, staged: &mut StagedFile) -> io::Result<bool> {
        let at = target.blob();
        let held = staged.received_bytes() == 0
            && self.proves(&target.layout, &at, &target.etag, target.size)? == Verdict::Holds;
        if !held {
            return Ok(false);
        }
        let mut blob = self.cache.disk.open(&at)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            self.cancel.check()?;
            match blob.read(&mut buffer)? {
                0 => return Ok(true),
                count => staged.append(buffer.get(..count).unwrap_or_default())?,
            }
        }
    }

    /// The next of many files may want to continue what was left.
    pub(crate) fn remember_left(&self, etag: &Etag, at: &CachePath) {
        if let Some(memo) = self.memo() {
            memo.left(etag, at);
        }
    }

    /// Gives a staged file up: it is removed, or left for the next run where its bytes are worth it.
    pub fn abandon(&self, staged: StagedFile, keep: Keep) {
        let held = match staged.state {
            Staged::Complete => staged.size.unwrap_or(0),
            Staged::Partial | Staged::Absent => staged.received_bytes(),
        };
        let worth = held >= ADOPT_FROM_BYTES && staged.etag.content_hash() != ContentHash::Opaque;
        let (at, etag) = (staged.at.clone(), staged.etag.clone());
        drop(staged);
        match keep {
            Keep::IfWorth if worth => self.remember_left(&etag, &at),
            Keep::IfWorth | Keep::Nothing => self.cache.discard(&at),
        }
    }
}

/// What becomes of a staged file that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A later run may continue it.
    IfWorth,
    /// Its bytes are wrong.
    Nothing,
}
