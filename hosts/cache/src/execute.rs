//! Carrying out one action: write to a private name, sync, rename over. Nothing is ever deleted first.
//!
//! A link that appears whole may get its public name at once.
//!
//! INVARIANT (I3): only private names are renamed. INVARIANT (I8 of the action): what the action was decided over is
//! looked at again right before the rename; where it no longer holds the action fails as raced.

mod naming;
pub mod probe;

use std::io;

use hubstow_core::{
    facts::{Blob, Pointer},
    layout::{CachePath, RepoLayout},
    name::{Commit, FileName, Revision},
    policy::{Method, Support},
};

use crate::{
    cache::{private::PrivateFile, proofs::Verdict, target::Target},
    disk::{
        Entry, Identity, Kind,
        content::{Hasher, pass_through},
        failure::{FsError, as_unsupported},
    },
    execute::probe::LINK_TRIES,
    fresh_nonce,
    observe::view::View,
    staged::StagedFile,
};

/// Where the bytes of an action are.
pub(crate) enum Bytes<'a> {
    /// In the blob.
    Blob,
    /// In the staged file, which is used up.
    Staged(&'a mut Option<StagedFile>),
    /// In another snapshot's pointer.
    Twin(&'a CachePath),
}

/// What was made under a private name.
struct Beside {
    scratch: CachePath,
    /// Keeps a file that is not a link ours until it has its name.
    _held: Option<PrivateFile>,
    /// Of a file that others may write to, which content was proved.
    shared: Option<Identity>,
}

impl View {
    /// Makes the blob.
    pub(crate) fn seal(
        &self,
        target: &Target,
        bytes: Bytes<'_>,
        over: Blob,
    ) -> Result<(), FsError> {
        let at = target.blob();
        self.make_folders(&target.layout.blobs())?;
        let made = match bytes {
            Bytes::Staged(slot) => {
                self.publish_staged(target, slot, &at, |entry| over_blob(over, entry))?
            }
            Bytes::Twin(twin) => {
                let copy = self.copy_verified(target, twin)?;
                self.publish(&copy.at, &at, |entry| over_blob(over, entry))?
            }
            Bytes::Blob => return Err(impossible("seal from blob")),
        };
        self.published(&target.layout, &at, &target.etag, &made);
        Ok(())
    }

    /// Makes the pointer.
    pub(crate) fn place(
        &self,
        target: &Target,
        by: Method,
        bytes: Bytes<'_>,
        over: Pointer,
    ) -> Result<(), FsError> {
        let at = target.pointer();
        self.make_folders(&at.parent())?;
        let still = |entry: Option<Kind>| over_pointer(over, entry);
        let blob = target.blob();
        let from = match bytes {
            Bytes::Staged(slot) if by == Method::Move => {
                let made = self.publish_staged(target, slot, &at, still)?;
                self.published(&target.layout, &at, &target.etag, &made);
                self.remember_twin(target, &made);
                return Ok(());
            }
            Bytes::Staged(_) => return Err(impossible("place a staged file by anything but move")),
            Bytes::Blob => &blob,
            Bytes::Twin(twin) => twin,
        };
        if by == Method::Symlink && over == Pointer::Absent && self.links_directly() {
            return self.link_directly(target, &at, &blob);
        }
        let beside = match by {
            Method::Symlink | Method::Hardlink | Method::Reflink => self.link(target, by, from)?,
            // Every byte of a copy is proved on the way, whatever becomes of its source.
            Method::Copy => {
                let copy = self.copy_verified(target, from)?;
                Beside { scratch: copy.at.clone(), _held: Some(copy), shared: None }
            }
            Method::Move => return Err(impossible("move what others may use")),
        };
        let made = self.publish(&beside.scratch, &at, still)?;
        let unchanged = beside.shared.is_none_or(|proved| made.identity.same_content(&proved));
        if by != Method::Symlink && unchanged {
            self.published(&target.layout, &at, &target.etag, &made);
            self.remember_twin(target, &made);
        }
        Ok(())
    }

    /// Tells whether a link needs no private name: it appears whole, never over anything, and links that this process
    /// has made here could be read through.
    fn links_directly(&self) -> bool {
        self.cache.disk.links_appear_whole() && self.methods().symlink == Support::Works
    }

    fn link_directly(
        &self,
        target: &Target,
        at: &CachePath,
        blob: &CachePath,
    ) -> Result<(), FsError> {
        let proved = self.proves(&target.layout, blob, &target.etag, target.size);
        if !matches!(proved, Ok(Verdict::Holds)) {
            return Err(FsError::io("link", blob, io::ErrorKind::NotFound.into()));
        }
        let text = RepoLayout::link_text(&target.file, &target.etag);
        self.cache
            .disk
            .symlink(&text, at)
            .map_err(|error| FsError::method(Method::Symlink, at, error))
    }

    /// The next of many files may hold the same.
    fn remember_twin(&self, target: &Target, made: &Entry) {
        if let Some(memo) = self.memo_of(&target.layout) {
            memo.placed(target, made.len_bytes);
        }
    }

    /// Links to content under a private name. What is gone as soon as it was made is made again: a process of
    /// ours that starts may have taken it for a dead one's.
    fn link(&self, target: &Target, by: Method, from: &CachePath) -> Result<Beside, FsError> {
        let mut tries_left = LINK_TRIES;
        loop {
            let scratch = target.layout.link_scratch(&target.file, &fresh_nonce()?);
            self.make_folders(&scratch.parent())?;
            let made = match by {
                Method::Symlink => {
                    let text = RepoLayout::link_text(&target.file, &target.etag);
                    let made = self.cache.disk.symlink(&text, &scratch);
                    made.map(|()| None).map_err(|error| FsError::method(by, &scratch, error))
                }
                Method::Hardlink => self.share(target, by, from, &scratch).map(Some),
                Method::Reflink | Method::Copy | Method::Move => {
                    self.share(target, by, from, &scratch).map(|_| None)
                }
            };
            let shared = made.inspect_err(|_| self.cache.discard(&scratch))?;
            let Err(error) = self.read_through(by, &scratch, from) else {
                return Ok(Beside { scratch, _held: None, shared });
            };
            tries_left -= 1;
            let gone = matches!(self.cache.disk.entry(&scratch), Ok(None));
            self.cache.discard(&scratch);
            if !gone || tries_left == 0 {
                return Err(error);
            }
        }
    }

    /// Shares the bytes of a file that is proved at this moment; a source that changed since it was looked at is raced.
    fn share(
        &self,
        target: &Target,
        by: Method,
        from: &CachePath,
        scratch: &CachePath,
    ) -> Result<Identity, FsError> {
        let changed = || FsError::io("link", from, io::ErrorKind::NotFound.into());
        let seen = || {
            // A second name of a link would be a second link.
            let entry = if by == Method::Hardlink {
                self.cache.disk.entry(from)
            } else {
                self.cache.disk.through(from)
            };
            entry.map_err(|error| FsError::io("look at", from, error))?.ok_or_else(changed)
        };
        let before = seen()?;
        // Another link to it changes its identity but not its bytes: it is proved again then, not given up.
        let proved = self.proves(&target.layout, from, &target.etag, target.size);
        if before.kind != Kind::File || !matches!(proved, Ok(Verdict::Holds)) {
            return Err(changed());
        }
        let shared = if by == Method::Hardlink {
            self.cache.disk.hardlink(from, scratch)
        } else {
            self.cache.disk.reflink(from, scratch)
        };
        shared.map_err(|error| FsError::method(by, scratch, error))?;
        if seen()?.identity.same_content(&before.identity) {
            Ok(before.identity)
        } else {
            Err(changed())
        }
    }

    /// A link is opened before it gets its name: some systems make links that can't be read, and some report success and
    /// make nothing.
    fn read_through(
        &self,
        by: Method,
        scratch: &CachePath,
        from: &CachePath,
    ) -> Result<(), FsError> {
        let unreadable = |error| FsError::method(by, scratch, as_unsupported(error));
        let source = self.cache.disk.through(from).map_err(|e| FsError::io("look at", from, e))?;
        match (self.cache.disk.through(scratch).map_err(unreadable)?, source) {
            (Some(made), Some(source)) if made.len_bytes == source.len_bytes => {
                self.cache.disk.open(scratch).map(|_| ()).map_err(unreadable)
            }
            (_, None) => Err(FsError::io("read", from, io::ErrorKind::NotFound.into())),
            (Some(_) | None, Some(_)) => {
                Err(unreadable(io::Error::other("what was made does not lead to the content")))
            }
        }
    }

    fn publish_staged(
        &self,
        target: &Target,
        slot: &mut Option<StagedFile>,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<Entry, FsError> {
        let Some(staged) = slot.as_mut() else {
            return Err(impossible("no staged file"));
        };
        let private = staged.at().clone();
        // What is cut afterwards would change the times that the proof is bound to.
        staged.settle();
        let named =
            self.cache.disk.entry(&private).map_err(|e| FsError::io("look at", &private, e))?;
        let Some(entry) = named.filter(|entry| staged.is_whole(entry)) else {
            // Somebody cleaned up, or wrote to it: the bytes that were verified are not there and must be fetched again.
            *slot = None;
            return Err(FsError::io("publish", &private, io::ErrorKind::NotFound.into()));
        };
        if let Err(error) = staged.sync() {
            // After a failed sync the system may have dropped the bytes: they are never published (I18).
            *slot = None;
            self.cache.discard(&private);
            return Err(FsError::io("sync", &private, error));
        }
        self.check_over(at, still)?;
        let renamed =
            self.cache.disk.rename(&private, at).map_err(|e| FsError::io("publish", at, e));
        if renamed.is_ok() {
            *slot = None;
        }
        tracing::debug!(path = %at, etag = %target.etag, published = renamed.is_ok());
        renamed.map(|()| entry)
    }

    fn publish(
        &self,
        scratch: &CachePath,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<Entry, FsError> {
        let gone = || FsError::io("publish", scratch, io::ErrorKind::NotFound.into());
        let entry =
            self.cache.disk.entry(scratch).map_err(|e| FsError::io("look at", scratch, e))?;
        let entry = entry.ok_or_else(gone)?;
        let renamed = self.check_over(at, still).and_then(|()| {
            self.cache.disk.rename(scratch, at).map_err(|error| FsError::io("publish", at, error))
        });
        // A rename onto another name of the same file succeeds and does nothing.
        if renamed.is_err() || matches!(self.cache.disk.entry(scratch), Ok(Some(_))) {
            self.cache.discard(scratch);
        }
        renamed.map(|()| entry)
    }

    fn check_over(
        &self,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<(), FsError> {
        let entry: Option<Entry> =
            self.cache.disk.entry(at).map_err(|error| FsError::io("look at", at, error))?;
        if still(entry.map(|entry| entry.kind)) {
            Ok(())
        } else {
            Err(FsError::io("replace", at, io::ErrorKind::AlreadyExists.into()))
        }
    }

    /// Copies content to a private file and proves it on the way; what does not pass is raced, for it was proved before.
    fn copy_verified(&self, target: &Target, from: &CachePath) -> Result<PrivateFile, FsError> {
        self.make_folders(&target.layout.private())?;
        let mut copy = self.cache.create_private(|nonce| target.layout.scratch(nonce))?;
        let mut fill = || -> io::Result<()> {
            let mut source = self.cache.disk.open(from)?;
            let found = self.cache.disk.through(from)?;
            let mut hasher = Hasher::new(&target.etag, found.as_ref().map(|found| found.len_bytes));
            let write = |bytes: &[u8]| copy.file.write_all(bytes);
            pass_through(&mut *source, &mut hasher, &self.cancel, write)?;
            self.cache.sync(&mut *copy.file)?;
            hasher.finish().map_err(|_| {
                if let Some(found) = &found {
                    self.proofs.refuted(&target.etag, &found.identity);
                }
                io::ErrorKind::NotFound.into()
            })
        };
        match fill() {
            Ok(()) => Ok(copy),
            Err(error) => {
                self.cache.discard(&copy.at);
                Err(FsError::io("copy to", &copy.at, error))
            }
        }
    }

    /// Writes a ref file, after the snapshot folder that it names (invariant I4).
    ///
    /// # Errors
    /// Whatever the system says; a folder of that name.
    pub fn point(
        &self,
        layout: &RepoLayout,
        revision: &Revision,
        commit: &Commit,
    ) -> Result<(), FsError> {
        self.make_folders(&layout.snapshot(commit))?;
        self.write_whole(layout, &layout.ref_file(revision), commit.as_str().as_bytes())
    }

    /// Remembers that a commit has no such file, and points the ref at the commit.
    ///
    /// # Errors
    /// Whatever the system says; nothing depends on the marker.
    pub fn mark(
        &self,
        layout: &RepoLayout,
        revision: &Revision,
        commit: &Commit,
        file: &FileName,
    ) -> Result<(), FsError> {
        let at = layout.no_exist(commit, file);
        self.make_folders(&at.parent())?;
        match self.cache.disk.create(&at) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FsError::io("write", &at, error)),
        }
        if revision.as_commit().is_some()
            || self.commit_of(layout, revision).as_ref() == Some(commit)
        {
            return Ok(());
        }
        self.point(layout, revision, commit)
    }
}

fn impossible(action: &str) -> FsError {
    FsError::ImpossibleAction { action: action.to_owned() }
}

fn over_pointer(over: Pointer, now: Option<Kind>) -> bool {
    match over {
        Pointer::Absent => now.is_none(),
        Pointer::Linked => now == Some(Kind::Symlink),
        Pointer::Stray => matches!(now, Some(Kind::Symlink | Kind::Other)),
        Pointer::Holds => matches!(now, Some(Kind::File | Kind::Symlink)),
        Pointer::Torn => now == Some(Kind::File),
        Pointer::Directory | Pointer::Alias => false,
    }
}

fn over_blob(over: Blob, now: Option<Kind>) -> bool {
    match over {
        Blob::Absent => now.is_none(),
        Blob::Existing => now == Some(Kind::File),
        Blob::Borrowed => now == Some(Kind::Symlink),
        Blob::Torn => matches!(now, Some(Kind::File | Kind::Symlink | Kind::Other)),
        Blob::Directory => false,
    }
}
