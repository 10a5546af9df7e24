//! What a cache holds, as a host tells it: entries by number, and what they have to do with each other.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::cases;

/// Which entry: its place in [`Held`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Id(pub u32);

impl Id {
    /// Makes the number of the entry at this place.
    #[must_use]
    pub fn at(place: usize) -> Self {
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Returns its place.
    #[must_use]
    pub fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl From<u32> for Id {
    fn from(place: u32) -> Self {
        Self(place)
    }
}

impl From<Id> for u32 {
    fn from(id: Id) -> Self {
        id.0
    }
}

cases! {
    /// What an entry is for.
    pub enum Role {
        /// A repo folder.
        Repo = "repo",
        /// A folder or file that every repo has, and that goes with it.
        Frame = "frame",
        /// A ref file; it leads to the snapshot of its commit.
        Ref = "ref",
        /// A snapshot folder.
        Revision = "revision",
        /// A folder inside a snapshot, or among refs and markers.
        Folder = "folder",
        /// A file of a snapshot, whatever kind of entry it is.
        Pointer = "pointer",
        /// The content of an etag, or a link into the store that repos share.
        Blob = "blob",
        /// A download that is not finished, or another private file of somebody's attempt.
        Staged = "staged",
        /// What is known of something else (a listing, a marker, a record); it goes when all that it leads to goes.
        Companion = "companion",
        /// Content in the store that repos share.
        Payload = "payload",
        /// Nobody knows what for; it stays, and what it leads to stays.
        Stranger = "stranger",
    }
}

cases! {
    /// What holds an entry, and with it all that is in it.
    pub enum Hold {
        /// Nothing.
        Free = "free",
        /// A user has pinned it.
        Pinned = "pinned",
        /// Somebody works in it right now.
        InUse = "in-use",
        /// Whether it is needed can't be told.
        Unsure = "unsure",
    }
}

impl Hold {
    /// Tells whether nothing of what is held so may be touched: somebody works in it, or may need it.
    #[must_use]
    pub fn is_busy(self) -> bool {
        match self {
            Self::InUse | Self::Unsure => true,
            Self::Free | Self::Pinned => false,
        }
    }
}

/// What an entry was when it was looked at, as a number that only the host understands. What a step is decided over must
/// still be so when it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stamp(pub u128);

/// The bytes of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Which file: entries that are names of one file have the same number.
    pub file: u64,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// How many names it has, here and elsewhere. Its bytes are free when all of them are gone.
    pub names: u64,
}

/// One entry of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is for.
    pub role: Role,
    /// The entry that it is in. It has a smaller number.
    pub within: Option<Id>,
    /// What it leads to: a ref to its revision, a link to its target, one name of a blob to the other.
    pub leads_to: Vec<Id>,
    /// Its bytes, if it is a regular file.
    pub content: Option<Content>,
    /// When it was last used, in seconds since 1970; of a revision, when any of its content was.
    pub used: u64,
    /// When it was last changed, in the same way.
    pub modified: u64,
    /// What holds it.
    pub hold: Hold,
    /// What it was when it was looked at.
    pub over: Stamp,
}

impl Entry {
    /// Tells whether this is a ref that names nothing which can be told, or a folder in the place of one. Nobody knows which
    /// revision of its repo it is for, so none of them goes by a rule; that it goes itself with its repo loses nothing.
    #[must_use]
    pub fn is_unsure_ref(&self) -> bool {
        self.hold == Hold::Unsure
            && match self.role {
                Role::Ref | Role::Folder => true,
                Role::Repo
                | Role::Frame
                | Role::Revision
                | Role::Pointer
                | Role::Blob
                | Role::Staged
                | Role::Companion
                | Role::Payload
                | Role::Stranger => false,
            }
    }
}

/// All that a cache holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The entries; each is named by its place.
    pub entries: Vec<Entry>,
}

impl Held {
    /// Returns an entry.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<&Entry> {
        self.entries.get(id.place())
    }

    /// Returns all entries with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Entry)> {
        self.entries.iter().enumerate().map(|(place, entry)| (Id::at(place), entry))
    }

    /// Returns the entry and those that it is in, from the inside out.
    pub fn around(&self, id: Id) -> impl Iterator<Item = (Id, &Entry)> {
        let mut next = Some(id);
        core::iter::from_fn(move || {
            let id = next?;
            let entry = self.get(id)?;
            // What is outside has a smaller number, so this ends.
            next = entry.within.filter(|outer| *outer < id);
            Some((id, entry))
        })
    }

    /// Returns the repo that an entry is in, or is.
    #[must_use]
    pub fn repo_of(&self, id: Id) -> Option<Id> {
        self.around(id).find(|(_, entry)| entry.role == Role::Repo).map(|(id, _)| id)
    }

    /// Returns the repos of which a ref can't be told.
    #[must_use]
    pub fn repos_with_unsure_refs(&self) -> BTreeSet<Id> {
        let unsure = self.iter().filter(|(_, entry)| entry.is_unsure_ref());
        unsure.filter_map(|(id, _)| self.repo_of(id)).collect()
    }

    /// Returns how many bytes of files there are, each counted once.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        let content = self.iter().filter_map(|(_, entry)| entry.content);
        let files: BTreeMap<u64, u64> = content.map(|file| (file.file, file.len_bytes)).collect();
        files.values().sum()
    }

    /// Returns how many bytes of files are free when these entries are gone: the lengths of those that lose their last name.
    #[must_use]
    pub fn freed_bytes(&self, goes: impl Fn(Id) -> bool) -> u64 {
        let mut files: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
        let gone = self.iter().filter(|(id, _)| goes(*id));
        for content in gone.filter_map(|(_, entry)| entry.content) {
            let file = files.entry(content.file).or_insert((content.len_bytes, content.names, 0));
            file.2 += 1;
        }
        files.values().filter(|(_, names, gone)| gone >= names).map(|(len, ..)| len).sum()
    }
}
