//! Opening staged files, and giving them up.

use std::io::{self, Read as _};

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
        }
    }

    /// Fills an empty staged file, of this cache or another, from this cache's blob, if that holds the content;
    /// tells whether it did.
    ///
    /// # Errors
    /// Whatever reading or writing says; what the staged file holds then is a right beginning.
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
