//! Carrying out one action: write to a private name, sync, rename over. Nothing is ever deleted first.
//!
//! A link that appears whole may get its public name at once.
//!
//! INVARIANT (I3): only private names are renamed. INVARIANT (I8 of the action): what the action was decided over is
//! looked at again right before the rename; where it no longer holds the action fails as raced.

#[cfg(feature = "care")]
mod convert;
mod copy;
mod link;
mod naming;
pub mod probe;
mod publish;

use std::io;

use hubstow_core::{
    facts::{Blob, Pointer},
    layout::{CachePath, RepoLayout},
    name::{Commit, FileName, Nonce, Revision},
    policy::Method,
};

use crate::{
    cache::{private::PrivateFile, target::Target},
    disk::{
        Entry, Identity, Kind,
        failure::{ErrorGroup, FsError, with_causes},
    },
    execute::copy::Content,
    observe::view::View,
    staged::{Keep, StagedFile},
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
                let scratch = |nonce: &Nonce| target.layout.scratch(nonce);
                self.beside(&at, &scratch, &mut |name| {
                    let copy = self.copy_verified(target, twin, name)?;
                    self.publish(&copy.at, &at, |entry| over_blob(over, entry))
                })?
            }
            Bytes::Blob => return Err(impossible("seal from blob")),
        };
        self.published(&target.layout, &at, &target.etag, &made);
        Ok(())
    }

    /// Makes a blob of a complete staged file where there is none; no pointer leads to it yet.
    ///
    /// # Errors
    /// Whatever the system says; something that has its name by now.
    pub fn keep_blob(&self, target: &Target, staged: StagedFile) -> Result<(), FsError> {
        let mut slot = Some(staged);
        let sealed = self.seal(target, Bytes::Staged(&mut slot), Blob::Absent);
        if let Some(staged) = slot {
            self.abandon(staged, Keep::IfWorth);
        }
        sealed
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
        let still = move |entry: Option<Kind>| over_pointer(over, entry);
        let blob = target.blob();
        let from = match bytes {
            Bytes::Staged(slot) => {
                let made = match by {
                    Method::Move => self.move_staged(target, slot, &at, still)?,
                    Method::Copy => self.copy_staged(target, slot, &at, still)?,
                    Method::Symlink | Method::Hardlink | Method::Reflink => {
                        return Err(impossible("link to a staged file"));
                    }
                };
                self.published(&target.layout, &at, &target.etag, &made);
                self.remember_twin(target, &made);
                return Ok(());
            }
            Bytes::Blob => &blob,
            Bytes::Twin(twin) => twin,
        };
        if by == Method::Symlink && over == Pointer::Absent && self.links_directly() {
            return self.link_directly(target, &at, &blob);
        }
        let is_link = match by {
            Method::Symlink | Method::Hardlink | Method::Reflink => true,
            Method::Copy => false,
            Method::Move => return Err(impossible("move what others may use")),
        };
        let Target { layout, file, .. } = target;
        let scratch = |nonce: &Nonce| {
            if is_link { layout.link_scratch(file, nonce) } else { layout.scratch(nonce) }
        };
        let (made, shared) = self.beside(&at, &scratch, &mut |name| {
            let beside = if is_link {
                self.link(target, by, from, name)?
            } else {
                // Every byte of a copy is proved on the way, whatever becomes of its source.
                let copy = self.copy_verified(target, from, name)?;
                Beside { scratch: copy.at.clone(), _held: Some(copy), shared: None }
            };
            Ok((self.publish(&beside.scratch, &at, still)?, beside.shared))
        })?;
        let unchanged = shared.is_none_or(|proved| made.identity.same_content(&proved));
        if by != Method::Symlink && unchanged {
            self.published(&target.layout, &at, &target.etag, &made);
            self.remember_twin(target, &made);
        }
        Ok(())
    }

    /// Moves the staged file to its name. One that no rename leads from is known to be elsewhere from then on.
    fn move_staged(
        &self,
        target: &Target,
        slot: &mut Option<StagedFile>,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<Entry, FsError> {
        let moved = self.publish_staged(target, slot, at, still);
        match (moved, slot) {
            (Err(error), Some(staged)) if error.group() == Some(ErrorGroup::CrossDevice) => {
                tracing::debug!(path = %at, error = %with_causes(&error), "the staged file is on another disk");
                staged.is_elsewhere();
                Err(FsError::io("publish", at, io::ErrorKind::NotFound.into()))
            }
            (moved, _) => moved,
        }
    }

    /// Copies the staged file to its name from another disk, and removes it.
    fn copy_staged(
        &self,
        target: &Target,
        slot: &mut Option<StagedFile>,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<Entry, FsError> {
        let Some(staged) = slot.as_mut() else {
            return Err(impossible("no staged file"));
        };
        let scratch = |nonce: &Nonce| target.layout.scratch(nonce);
        let copied = self.beside(at, &scratch, &mut |name| match self.copy_of(
            target,
            &mut Content::of(staged),
            target.size,
            name,
        )? {
            Ok(copy) => self.publish(&copy.at, at, &still).map(Some),
            Err(_) => Ok(None),
        })?;
        let staged = slot.take();
        if let Some(staged) = staged {
            self.abandon(staged, Keep::Nothing);
        }
        // Somebody has written to it since it was verified: it must be fetched again.
        copied.ok_or_else(|| FsError::io("publish", at, io::ErrorKind::NotFound.into()))
    }

    /// The next of many files may hold the same.
    fn remember_twin(&self, target: &Target, made: &Entry) {
        if let Some(memo) = self.memo_of(&target.layout) {
            memo.placed(target, made.len_bytes);
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
