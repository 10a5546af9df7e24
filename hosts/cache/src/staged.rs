//! Staged files: a download under a private, random name beside the blob.
//!
//! The process that writes a staged file holds a lock on the file itself, so that others can tell whether it lives.

pub mod arrivals;
mod group;
pub mod intervals;
mod journal;
pub mod leftover;
mod map;
mod open;
pub mod reader;
pub mod space;
pub mod syncer;
pub mod verify;
mod writing;

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hubstow_core::{
    facts::Staged,
    layout::{CachePath, RepoLayout},
    name::Etag,
};

pub use self::{
    arrivals::Arrivals, intervals::Intervals, reader::StagedReader, syncer::StagedSyncer,
    verify::Mismatch,
};
use crate::{
    cache::{Cache, Durability},
    disk::{DiskFile, Entry, Kind, cancel::Cancel, content::Hasher},
    staged::journal::Journal,
};

/// What is shorter than this is not worth continuing.
pub(crate) const ADOPT_FROM_BYTES: u64 = 1 << 16;

/// The staged file of one attempt.
pub struct StagedFile {
    pub(crate) at: CachePath,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) hasher: Hasher,
    /// Which bytes it holds. The hasher has seen no others, and the first of them in order.
    pub(crate) held: Intervals,
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
    /// What the disk has not been told to begin with.
    waiting: Intervals,
    /// Up to where space may be reserved for it.
    reserved_to: u64,
    end: End,
    record: Record,
    /// Where its record is made.
    cache: Cache,
    layout: RepoLayout,
    cancel: Cancel,
    arrivals: Option<Arc<dyn Arrivals>>,
}

/// How a later run is told what a staged file holds.
pub(crate) enum Record {
    /// By its length: nothing is missing before its end.
    Length,
    /// By a record beside it.
    Kept(Journal),
    /// Not at all: no record could be made.
    Impossible,
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

impl StagedFile {
    /// Returns where it is.
    #[must_use]
    pub fn at(&self) -> &CachePath {
        &self.at
    }

    /// Returns which bytes it holds.
    #[must_use]
    pub fn intervals(&self) -> &Intervals {
        &self.held
    }

    /// Returns how many bytes it holds.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.held.total_bytes()
    }

    /// Returns how many bytes it holds before the first that is missing.
    #[must_use]
    pub fn prefix_bytes(&self) -> u64 {
        self.held.prefix_bytes()
    }

    /// Returns whether it is partial or complete.
    #[must_use]
    pub fn state(&self) -> Staged {
        self.state
    }

    /// Notes that no rename leads from where this complete file is to its place.
    pub(crate) fn is_elsewhere(&mut self) {
        if self.state.is_complete() {
            self.state = Staged::Elsewhere;
        }
    }

    /// Sets what ends the hashing of what follows.
    pub fn stopped_by(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    /// Sets who is told of what arrives. Where the disk has no second handles nobody can read beside, and nobody is told.
    pub fn told_to(&mut self, arrivals: Arc<dyn Arrivals>) {
        if let Ok(reader) = self.reader() {
            arrivals.begun(reader, &self.held);
            self.arrivals = Some(arrivals);
        }
    }

    /// States the size where the hub said it only with the content. It can't be changed once it is known.
    pub fn promise_size(&mut self, size: u64) {
        if self.size.is_none() && self.held.is_empty() {
            self.size = Some(size);
            self.hasher = Hasher::new(&self.etag, self.size);
        }
    }

    /// Writes bytes where the first is missing. Never more are written than were promised (invariant I14).
    ///
    /// # Errors
    /// The disk's error, or `InvalidData` holding a [`Mismatch`] where too many bytes come.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at = self.prefix_bytes();
        self.write_unhashed(bytes)?;
        if self.hasher.passed_bytes() == at {
            self.hasher.update(bytes);
        }
        Ok(())
    }

    /// Lends the hasher, so that bytes can be hashed beside being written. Until it is back nothing verifies.
    pub fn lend_hasher(&mut self) -> Hasher {
        let substitute = Hasher::new(&self.etag, self.size);
        std::mem::replace(&mut self.hasher, substitute)
    }

    /// Takes the hasher back; it must have seen a beginning of the file and nothing else. What it has not seen is read
    /// again when the file is verified.
    pub fn return_hasher(&mut self, hasher: Hasher) {
        self.hasher = hasher;
    }

    /// Drops all bytes and starts over.
    ///
    /// # Errors
    /// The disk's error.
    pub fn start_over(&mut self) -> io::Result<()> {
        // Told first: whoever reads it while it is cut finds it too short.
        if let Some(arrivals) = &self.arrivals {
            arrivals.dropped();
        }
        self.cut(0)?;
        self.forget_record();
        self.on_disk = OnDisk::Unsure;
        self.waiting = Intervals::default();
        self.size = self.promised;
        self.held = Intervals::default();
        self.hasher = Hasher::new(&self.etag, self.size);
        self.state = Staged::Partial;
        Ok(())
    }

    /// Reserves space for what is missing, where that is known and at least so much.
    pub(crate) fn reserve(&mut self, from_bytes: u64) -> io::Result<()> {
        let size = self.size.unwrap_or(0);
        if size.saturating_sub(self.received_bytes()) < from_bytes {
            return Ok(());
        }
        // Where there is too little, some of it may be reserved all the same.
        self.reserved_to = size;
        let prefix = self.prefix_bytes();
        self.file.reserve(prefix, size.saturating_sub(prefix))
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
        self.settle();
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
