//! Staged files: a download under a private, random name beside the blob.
//!
//! The process that writes a staged file holds a lock on the file itself. An earlier run's part is continued in place
//! only where that lock is free and proved to exclude; otherwise its bytes are copied. Either way every byte passes the
//! hasher again, so what is continued is proved by the hash of the whole, never by a name (invariant I19).

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    time::Duration,
};

use hubstow_core::{
    facts::Staged,
    layout::{CachePath, RepoLayout},
    name::{ContentHash, Etag},
};

use crate::{
    cache::{Cache, Target},
    content::{BUFFER_BYTES, Hasher, pass_through},
    disk::{DiskFile, Entry, Kind},
    failure::{ErrorGroup, FsError, group},
    fresh_nonce,
    lock::second_is_kept_out,
    proof::Verdict,
};

/// The most bytes that are taken of a file whose size nobody has said: what the Python client's plain downloads take.
const UNKNOWN_SIZE_LIMIT_BYTES: u64 = 50_000_000_000;
/// How long nobody may have written to a part before it is continued in place: longer than any pause within a transfer.
const QUIET: Duration = Duration::from_secs(60);
/// A part shorter than this is not worth continuing.
const ADOPT_FROM_BYTES: u64 = 1 << 16;

/// The staged file of one attempt.
pub struct StagedFile {
    at: CachePath,
    file: Box<dyn DiskFile>,
    hasher: Hasher,
    etag: Etag,
    /// What the hub promised beforehand; `None` where it did not say.
    promised: Option<u64>,
    /// What is expected of this attempt: the promise, or what the answer itself said.
    size: Option<u64>,
    state: Staged,
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
        self.hasher.passed_bytes()
    }

    /// Returns whether it is partial or complete.
    #[must_use]
    pub fn state(&self) -> Staged {
        self.state
    }

    /// States the size where the hub said it only with the content. It can't be changed once it is known.
    pub fn promise_size(&mut self, size: u64) {
        if self.size.is_none() && self.hasher.passed_bytes() == 0 {
            self.size = Some(size);
            self.hasher = Hasher::new(&self.etag, self.size);
        }
    }

    /// Appends bytes. Never more are written than were promised (invariant I14).
    ///
    /// # Errors
    /// The disk's error, or `InvalidData` holding a [`Mismatch`] where too many bytes come.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let after = self.hasher.passed_bytes() + bytes.len() as u64;
        let limit = self.size.unwrap_or(UNKNOWN_SIZE_LIMIT_BYTES);
        if after > limit {
            let mismatch = Mismatch::Size { expected: limit, received: after };
            return Err(io::Error::new(io::ErrorKind::InvalidData, mismatch));
        }
        if let Err(error) = self.file.write_all(bytes) {
            // Some of them may be there; what is appended next takes their place.
            let whole = self.hasher.passed_bytes();
            self.file.set_len(whole)?;
            self.file.seek(SeekFrom::Start(whole))?;
            return Err(error);
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// Drops all bytes and starts over.
    ///
    /// # Errors
    /// The disk's error.
    pub fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.size = self.promised;
        self.hasher = Hasher::new(&self.etag, self.size);
        self.state = Staged::Partial;
        Ok(())
    }

    /// Checks size and hash; only what passes is complete. The inner error says what does not match; the file must start
    /// over then.
    ///
    /// # Errors
    /// The outer error is the disk's.
    pub fn verify(&mut self) -> io::Result<Result<(), Mismatch>> {
        let received = self.hasher.passed_bytes();
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
            pass_through(&mut *self.file, &mut hasher, |_| Ok(()))?;
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

    /// Brings the content to the disk.
    pub(crate) fn sync(&mut self, cache: &Cache) -> io::Result<()> {
        cache.sync(&mut *self.file)
    }
}

impl Cache {
    /// Opens a staged file for a target: an earlier run's part where there is one to be continued, else a new one. Parts
    /// that nobody writes any more and that were not taken are removed.
    ///
    /// # Errors
    /// A folder or file that can't be made.
    pub fn stage(&self, target: &Target) -> Result<StagedFile, FsError> {
        self.make_folders(&target.layout.blobs())?;
        let at = target.layout.staged(&target.etag, &fresh_nonce()?);
        let mut adopted = None;
        for (part, len) in self.parts(target) {
            match &adopted {
                None => adopted = self.adopt(target, &part, len, &at)?,
                Some(_) if self.is_dead(&part) => self.discard(&part),
                Some(_) => {}
            }
        }
        if let Some(staged) = adopted {
            return Ok(staged);
        }
        let file = self.create_private(&at).map_err(|error| FsError::io("make", &at, error))?;
        Ok(self.staged(target, at, file))
    }

    fn staged(&self, target: &Target, at: CachePath, file: Box<dyn DiskFile>) -> StagedFile {
        StagedFile {
            at,
            file,
            hasher: Hasher::new(&target.etag, target.size),
            etag: target.etag.clone(),
            promised: target.size,
            size: target.size,
            state: Staged::Partial,
        }
    }

    /// Lists the parts of this content that runs of ours have left, longest first.
    fn parts(&self, target: &Target) -> Vec<(CachePath, u64)> {
        let names = self.disk.names(&target.layout.blobs()).unwrap_or_default();
        let mut parts: Vec<_> = names
            .iter()
            .filter_map(|name| RepoLayout::parse_staged(name))
            .filter(|(etag, _)| *etag == target.etag)
            .map(|(etag, nonce)| target.layout.staged(&etag, &nonce))
            .filter_map(|at| {
                let entry = self.disk.entry(&at).ok()??;
                Some((at, entry.len_bytes))
            })
            .collect();
        parts.sort_by_key(|(_, len)| std::cmp::Reverse(*len));
        parts
    }

    /// Returns how many bytes of this content are in parts that nobody knows to be alive; for forecasts.
    #[must_use]
    pub fn part_bytes(&self, target: &Target) -> u64 {
        self.parts(target).first().map_or(0, |(_, len)| *len)
    }

    /// Returns how much of this content anybody has staged, by whatever name: a number that changes while somebody
    /// downloads it.
    #[must_use]
    pub fn progress(&self, target: &Target) -> u64 {
        let folder = target.layout.blobs();
        let names = self.disk.names(&folder).unwrap_or_default();
        let ours = |name: &&String| {
            name.starts_with(target.etag.as_str()) && name.ends_with(".incomplete")
        };
        names
            .iter()
            .filter(ours)
            .filter_map(|name| self.disk.entry(&folder.incomplete(name)?).ok()?)
            .map(|entry| entry.len_bytes)
            .fold(0, u64::wrapping_add)
    }

    fn adopt(
        &self,
        target: &Target,
        part: &CachePath,
        len: u64,
        at: &CachePath,
    ) -> Result<Option<StagedFile>, FsError> {
        let provable = target.etag.content_hash() != ContentHash::Opaque
            && target.size.is_some_and(|size| len <= size);
        let Ok(mut old) = self.disk.open_private(part) else {
            return Ok(None);
        };
        let dead = old.try_lock().is_ok() && second_is_kept_out(&*self.disk, part);
        if !provable || len < ADOPT_FROM_BYTES {
            drop(old);
            if dead {
                self.discard(part);
            }
            return Ok(None);
        }
        if dead && self.is_quiet(part) {
            return self.continue_part(target, part, old, at);
        }
        match self.copy_part(target, part, at) {
            Ok(copied) => {
                if dead {
                    self.discard(part);
                }
                Ok(Some(copied))
            }
            // Where there is no space for a copy, a part whose lock is free is worth more than caution.
            Err(error) if dead && group(&error) == ErrorGroup::NoSpace => {
                self.continue_part(target, part, old, at)
            }
            Err(error) => Err(FsError::io("write", at, error)),
        }
    }

    /// Tells whether a part has one name and nobody has written to it for a while. On filesystems whose locks end at the
    /// host, a free lock alone says nothing of other hosts; a live writer never pauses that long within a transfer.
    fn is_quiet(&self, part: &CachePath) -> bool {
        let alone = matches!(self.disk.entry(part), Ok(Some(entry)) if entry.only_name);
        let changed = self.disk.modified(part).ok();
        alone && changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= QUIET)
    }

    /// Takes a part over: it gets our name, and its bytes pass the hasher.
    fn continue_part(
        &self,
        target: &Target,
        part: &CachePath,
        old: Box<dyn DiskFile>,
        at: &CachePath,
    ) -> Result<Option<StagedFile>, FsError> {
        if self.disk.rename(part, at).is_err() {
            return Ok(None);
        }
        let mut staged = self.staged(target, at.clone(), old);
        if let Err(error) = pass_through(&mut *staged.file, &mut staged.hasher, |_| Ok(())) {
            tracing::debug!(path = %part, %error, "a part could not be read again");
            staged.start_over().map_err(|error| FsError::io("empty", at, error))?;
        }
        Ok(Some(staged))
    }

    /// Somebody may still write the part: its bytes are copied, and whatever that somebody does stays theirs.
    fn copy_part(
        &self,
        target: &Target,
        part: &CachePath,
        at: &CachePath,
    ) -> io::Result<StagedFile> {
        let mut staged = self.staged(target, at.clone(), self.create_private(at)?);
        let copied = self.disk.open(part).and_then(|old| {
            let limit = target.size.unwrap_or(u64::MAX);
            let (file, hasher) = (&mut staged.file, &mut staged.hasher);
            pass_through(&mut io::Read::take(old, limit), hasher, |bytes| file.write_all(bytes))
        });
        match copied {
            Ok(_) => Ok(staged),
            Err(error) if group(&error) == ErrorGroup::NoSpace => {
                drop(staged);
                self.discard(at);
                Err(error)
            }
            Err(error) => {
                tracing::debug!(path = %part, %error, "a part could not be copied");
                staged.start_over()?;
                Ok(staged)
            }
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
        let mut blob = self.disk.open(&at)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match blob.read(&mut buffer)? {
                0 => return Ok(true),
                count => staged.append(buffer.get(..count).unwrap_or_default())?,
            }
        }
    }

    /// Gives a staged file up: it is removed, or left for the next run where its bytes are worth it.
    pub fn abandon(&self, staged: StagedFile, keep: Keep) {
        let held = match staged.state {
            Staged::Complete => staged.size.unwrap_or(0),
            Staged::Partial | Staged::Absent => staged.received_bytes(),
        };
        let worth = held >= ADOPT_FROM_BYTES && staged.etag.content_hash() != ContentHash::Opaque;
        let at = staged.at.clone();
        drop(staged);
        match keep {
            Keep::IfWorth if worth => {}
            Keep::IfWorth | Keep::Nothing => self.discard(&at),
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
