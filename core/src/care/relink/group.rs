//! All entries of a repo that belong to one blob.

use alloc::vec::Vec;

use crate::care::held::{Entry, Id, Role};

/// What is known of the content of a blob or a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Known {
    /// Which blob it is or belongs into: a number for each etag of each repo, which rises from repo to repo.
    pub blob: u64,
    /// What is proved of its bytes, or of those that it leads to.
    pub state: State,
}

/// What is proved of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum State {
    /// They are what they should be. Files on one disk with equal bytes have the same number. A link that leads to nothing
    /// has the bytes that it should lead to.
    Proved(u64),
    /// They are not.
    Damaged,
    /// It can't be told.
    Unproved,
}

/// The blob of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlobOf {
    /// Its entry, or the pointer that it is made of.
    pub(super) id: Id,
    /// Which file it is; of a link into the shared store nothing is told.
    pub(super) file: Option<u64>,
    /// Whether an earlier step has put it there.
    pub(super) is_new: bool,
}

/// All entries of a repo that belong to one blob.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) blob: Option<BlobOf>,
    pub(super) same: Option<u64>,
    pub(super) pointers: Vec<Id>,
    files: Vec<Id>,
    dangling: Vec<Id>,
    /// Whether its blob can't be relied on.
    pub(super) is_closed: bool,
}

impl Group {
    /// Takes an entry in.
    pub(super) fn take(&mut self, id: Id, entry: &Entry, state: State) {
        let is_blob = entry.role == Role::Blob;
        let State::Proved(same) = state else {
            self.is_closed |= is_blob;
            return;
        };
        let file = entry.content.map(|content| content.file);
        if is_blob || file.is_some() {
            // Where an etag is no hash, nobody can say which of two is right.
            self.is_closed |= self.same.is_some_and(|known| known != same);
            self.same = Some(same);
        }
        if is_blob {
            self.blob = Some(BlobOf { id, file, is_new: false });
            return;
        }
        self.pointers.push(id);
        if file.is_some() {
            self.files.push(id);
        } else if entry.leads_to.is_empty() {
            self.dangling.push(id);
        }
    }

    /// Returns the pointers that are files.
    pub(super) fn files(&self) -> impl Iterator<Item = Id> {
        self.files.iter().copied()
    }

    /// Returns the links that lead to nothing.
    pub(super) fn has_dangling(&self) -> bool {
        !self.dangling.is_empty()
    }

    pub(super) fn is_dangling(&self, pointer: Id) -> bool {
        self.dangling.contains(&pointer)
    }

    /// Tells whether no other entry had the content before.
    pub(super) fn is_only_file(&self, pointer: Id) -> bool {
        self.files == [pointer] && self.blob.is_none_or(|blob| blob.is_new && blob.id == pointer)
    }

    /// The blob is there now, or has become another file.
    pub(super) fn has_made(&mut self, id: Id, file: u64) {
        self.blob = Some(BlobOf { id, file: Some(file), is_new: true });
    }
}
