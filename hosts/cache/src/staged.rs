//! Staged files: a download under a private, random name beside the blob.
//!
//! The process that writes a staged file holds a lock on the file itself, so that others can tell whether it lives.

mod group;
mod leftover;
mod open;
pub mod space;

use std::{
    io::{self, Seek, SeekFrom, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use hubstow_core::{
    facts::Staged,
    layout::CachePath,
    name::{ContentHash, Etag},
};

use crate::{
    cache::Durability,
    disk::{
        DiskFile, Entry, Kind,
        cancel::Cancel,
        content::{Hasher, pass_through},
    },
};

/// The most bytes that are taken of a file whose size nobody has said: what the Python client's plain downloads take.
const UNKNOWN_SIZE_LIMIT_BYTES: u64 = 50_000_000_000;
/// What is shorter than this is not worth continuing.
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
    /// Up to where space may be reserved for it.
    reserved_to: u64,
    end: End,
    cancel: Cancel,
}

/// Whether a staged file ends with what was appended to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It does.
    Sure,
    /// A write has failed half-way, and it could not be cut since. Such a file is neither published nor continued.
    Unsure,
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
        self.make_sure_of_end()?;
        if let Err(error) = self.file.write_all(bytes) {
            self.end = End::Unsure;
            if let Err(second) = self.make_sure_of_end() {
                tracing::debug!(path = %self.at, %second, "a staged file could not be cut");
            }
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

    /// Cuts off what a failed write may have left, so that what is appended next takes its place.
    fn make_sure_of_end(&mut self) -> io::Result<()> {
        if self.end == End::Unsure {
            self.cut(self.held_bytes)?;
        }
        Ok(())
    }

    /// Cuts the file to a length, with what is reserved behind it.
    fn cut(&mut self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)?;
        self.reserved_to = 0;
        self.file.seek(SeekFrom::Start(len_bytes))?;
        self.end = End::Sure;
        Ok(())
    }

    /// Drops all bytes and starts over.
    ///
    /// # Errors
    /// The disk's error.
    pub fn start_over(&mut self) -> io::Result<()> {
        self.cut(0)?;
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
        if missing < from_bytes {
            return Ok(());
        }
        // Where there is too little, some of it may be reserved all the same.
        self.reserved_to = received.saturating_add(missing);
        self.file.reserve(received, missing)
    }

    /// Checks size and hash; only what passes is complete. The inner error says what does not match; the file must start
    /// over then.
    ///
    /// # Errors
    /// The outer error is the disk's.
    pub fn verify(&mut self) -> io::Result<Result<(), Mismatch>> {
        let received = self.held_bytes;
        self.make_sure_of_end()?;
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

impl Drop for StagedFile {
    /// Whoever goes on with it reserves anew; until then others may have the space.
    fn drop(&mut self) {
        let reserved = self.reserved_to > self.held_bytes;
        if (reserved || self.end == End::Unsure)
            && let Err(error) = self.cut(self.held_bytes)
        {
            tracing::debug!(path = %self.at, %error, "what was reserved for a staged file stays reserved");
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
