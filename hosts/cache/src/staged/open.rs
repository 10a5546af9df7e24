//! Opening staged files, and giving them up.

use std::{
    io::{self, Read as _},
    path::Path,
};

use hubstow_core::{
    facts::Staged,
    layout::CachePath,
    name::{ContentHash, Etag, Nonce},
};

use crate::{
    cache::{Cache, private::PrivateFile, proofs::Verdict, target::Target},
    disk::{
        content::{BUFFER_BYTES, Hasher},
        failure::FsError,
    },
    fresh_nonce,
    observe::view::View,
    staged::{ADOPT_FROM_BYTES, End, Intervals, Keep, OnDisk, Record, StagedFile, next_opened},
};

impl View {
    /// Opens a staged file for a target: what an earlier run has left where that can be continued, else a new one.
    /// Leftovers that nobody writes any more and that were not taken are removed.
    ///
    /// # Errors
    /// A folder or file that can't be made; a size for which there is no space.
    pub fn stage(&self, target: &Target) -> Result<StagedFile, FsError> {
        self.reserve(self.in_folder(&target.layout.blobs(), || self.open_staged(target))?)
    }

    fn open_staged(&self, target: &Target) -> Result<StagedFile, FsError> {
        if let Some(staged) = self.adopt(target)? {
            return Ok(staged);
        }
        self.create_staged(target)
    }

    pub(crate) fn create_staged(&self, target: &Target) -> Result<StagedFile, FsError> {
        let name = |nonce: &Nonce| target.layout.staged(&target.etag, nonce);
        Ok(self.staged(target, self.cache.create_private(name)?))
    }

    pub(crate) fn staged(&self, target: &Target, private: PrivateFile) -> StagedFile {
        let PrivateFile { at, file } = private;
        StagedFile {
            at,
            file,
            hasher: Hasher::new(&target.etag, target.size),
            held: Intervals::default(),
            etag: target.etag.clone(),
            promised: target.size,
            size: target.size,
            state: Staged::Partial,
            durability: self.cache.durability,
            on_disk: OnDisk::Unsure,
            opened: next_opened(),
            waiting: Intervals::default(),
            reserved_to: 0,
            end: End::Sure,
            record: Record::Length,
            cache: self.cache.clone(),
            layout: target.layout.clone(),
            cancel: self.cancel.clone(),
            arrivals: None,
        }
    }

    /// Finds a file of this cache that holds the content of a target: its blob, its pointer, or another pointer of the
    /// repo. What no hash proves is taken from the blob only, which has its name.
    #[must_use]
    pub fn content_of(&self, target: &Target) -> Option<CachePath> {
        let Target { layout, etag, size, .. } = target;
        let holds =
            |at: &CachePath| matches!(self.proves(layout, at, etag, *size), Ok(Verdict::Holds));
        if let Some(blob) = Some(target.blob()).filter(holds) {
            return Some(blob);
        }
        let is_provable = etag.content_hash() != ContentHash::Opaque;
        let pointer = Some(target.pointer()).filter(|_| is_provable).filter(holds);
        pointer.or_else(|| self.find_twin(target))
    }

    /// Fills an empty staged file, of this cache or another, with the content that this cache holds at `at`.
    ///
    /// # Errors
    /// Whatever reading or writing says; what the staged file holds then is a right beginning.
    pub fn fill_from(&self, at: &CachePath, staged: &mut StagedFile) -> io::Result<()> {
        let mut content = self.cache.disk.open(at)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            self.cancel.check()?;
            match content.read(&mut buffer)? {
                0 => return Ok(()),
                count => staged.append(buffer.get(..count).unwrap_or_default())?,
            }
        }
    }

    /// Stages a file that is elsewhere on the system by sharing its blocks, where the disk has that; `None` where it has not,
    /// and then nothing was done. Every byte is read when the staged file is verified.
    #[must_use]
    pub fn stage_shared(&self, target: &Target, from: &Path) -> Option<StagedFile> {
        self.make_folders(&target.layout.blobs()).ok()?;
        let nonce = fresh_nonce().ok()?;
        let at = target.layout.staged(&target.etag, &nonce);
        self.cache.disk.reflink_of(from, &at).ok()?;
        let opened = || -> io::Result<(PrivateFile, u64)> {
            let mut file = self.cache.disk.open_private(&at)?;
            // Where locks are not to be had, its age speaks for it.
            if let Err(error) = file.try_lock()
                && error.kind() == io::ErrorKind::WouldBlock
            {
                return Err(error);
            }
            let entry = self.cache.disk.entry(&at)?.ok_or(io::ErrorKind::NotFound)?;
            Ok((PrivateFile { at: at.clone(), file }, entry.len_bytes))
        };
        match opened() {
            Ok((private, len_bytes)) if target.size.is_none_or(|size| size == len_bytes) => {
                let mut staged = self.staged(target, private);
                staged.held.insert(0..len_bytes);
                Some(staged)
            }
            Ok(_) | Err(_) => {
                self.cache.discard(&at);
                None
            }
        }
    }

    /// The next of many files may want to continue what was left.
    pub(crate) fn remember_left(&self, etag: &Etag, at: &CachePath) {
        if let Some(memo) = self.memo() {
            memo.left(etag, at);
        }
    }

    /// Gives a staged file up: it is removed, or left for the next run where its bytes are worth it. What is left keeps no
    /// more of the disk than it holds.
    pub fn abandon(&self, mut staged: StagedFile, keep: Keep) {
        let worth = staged.received_bytes() >= ADOPT_FROM_BYTES
            && staged.etag.content_hash() != ContentHash::Opaque;
        match keep {
            Keep::IfWorth if worth && staged.settle_for_long().is_ok() => {
                self.remember_left(&staged.etag, &staged.at);
            }
            Keep::IfWorth | Keep::Nothing => self.cache.discard_staged(staged),
        }
    }
}

impl Cache {
    /// Removes a staged file, whose space is free with its name, and then its record.
    pub(crate) fn discard_staged(&self, staged: StagedFile) {
        let at = staged.at.clone();
        let record = staged.give_up();
        self.discard(&at);
        if let Record::Kept(journal) = record {
            journal.remove();
        }
    }
}
