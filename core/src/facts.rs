//! Facts: what a host saw at one moment, as values.
//!
//! Facts may be stale when they are used; every action therefore carries what it was decided over, and a host looks
//! again after each. One enum per question, never a bool.

use crate::{
    cases,
    policy::{Methods, Policy},
};

cases! {
    /// The entry at `snapshots/<commit>/<file name>`.
    pub enum Pointer {
        /// Nothing is there.
        Absent = "absent",
        /// A symlink to this file's blob, whatever state the blob is in; if the blob is there it opens through the link.
        Linked = "linked",
        /// Any other symlink: to other content, dangling, or one that can't be read through.
        Stray = "stray",
        /// What holds the content, a regular file or a foreign link to one: right size, and right hash where the etag is one.
        Holds = "holds",
        /// A regular file that does not hold the content.
        Torn = "torn",
        /// A directory.
        Directory = "directory",
        /// Another name of this folder answers to ours (case folding, Unicode normalisation).
        Alias = "alias",
    }
}

cases! {
    /// The entry at `blobs/<etag>`.
    pub enum Blob {
        /// Nothing is there.
        Absent = "absent",
        /// A regular file that holds the content. Others may use it: it is never moved.
        Existing = "existing",
        /// A symlink to elsewhere, and what it leads to holds the content. It is copied through.
        Borrowed = "borrowed",
        /// Something that does not hold the content, or a link that leads nowhere.
        Torn = "torn",
        /// A directory.
        Directory = "directory",
    }
}

cases! {
    /// The staged file of this attempt.
    pub enum Staged {
        /// There is none.
        Absent = "absent",
        /// It holds a part.
        Partial = "partial",
        /// It is complete and verified: the only thing that is ever moved.
        Complete = "complete",
        /// It is complete and verified, and a rename does not lead from where it is to where the pointer is: they are on
        /// different disks.
        Elsewhere = "elsewhere",
    }
}

impl Staged {
    /// Tells whether it holds the whole content.
    #[must_use]
    pub fn is_complete(self) -> bool {
        match self {
            Self::Complete | Self::Elsewhere => true,
            Self::Absent | Self::Partial => false,
        }
    }
}

cases! {
    /// Another regular pointer of this repo that is proved to hold the same content.
    pub enum Twin {
        /// None was found.
        Absent = "absent",
        /// There is one.
        Present = "present",
    }
}

cases! {
    /// What of that which is here may serve.
    pub enum Demand {
        /// Whatever holds the content.
        Any = "any",
        /// Force: nothing that was here before this run.
        Fresh = "fresh",
        /// Force, and this run has sealed the blob: the pointer must lead to it.
        FreshPointer = "fresh-pointer",
    }
}

cases! {
    /// The ref file of the revision, compared with the commit that is being placed.
    pub enum RefFile {
        /// The revision is a commit; no ref file belongs to it.
        Unwanted = "unwanted",
        /// It names the commit.
        Current = "current",
        /// It is missing, unreadable, or names another commit.
        Behind = "behind",
        /// It can't be written here (a folder of that name, a read-only cache): go on without (rows D31, D32, D43b).
        Unwritable = "unwritable",
    }
}

/// All that matters for placing one file whose commit, etag and size are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", deny_unknown_fields))]
pub struct PlaceFacts {
    /// The ladder in force.
    pub policy: Policy,
    /// What may serve.
    pub demand: Demand,
    /// The entry at the pointer.
    pub pointer: Pointer,
    /// The entry at the blob.
    pub blob: Blob,
    /// The staged file of this attempt.
    pub staged: Staged,
    /// The same content elsewhere in this repo.
    pub twin: Twin,
    /// What is known of the link methods here.
    pub methods: Methods,
    /// The ref file.
    pub ref_file: RefFile,
}

impl PlaceFacts {
    /// Nothing is here and nothing is known: where a first download starts.
    #[must_use]
    pub fn empty(policy: Policy) -> Self {
        Self {
            policy,
            demand: Demand::Any,
            pointer: Pointer::Absent,
            blob: Blob::Absent,
            staged: Staged::Absent,
            twin: Twin::Absent,
            methods: Methods::UNTRIED,
            ref_file: RefFile::Behind,
        }
    }
}

cases! {
    /// What the user named.
    pub enum RevisionKind {
        /// A commit: it never moves.
        Commit = "commit",
        /// Anything else: a branch, a tag, a PR ref.
        Name = "name",
    }
}

cases! {
    /// Whether the hub may be asked.
    ///
    /// ```
    /// use hubstow_core::facts::Reach;
    ///
    /// assert_eq!(Reach::from_code("offline"), Some(Reach::Offline));
    /// assert_eq!(Reach::Offline.code(), "offline");
    /// ```
    pub enum Reach {
        /// It may.
        Online = "online",
        /// It may not: offline mode, or only local files are wanted.
        Offline = "offline",
    }
}

cases! {
    /// Whether the caller insists on fetching again.
    ///
    /// ```
    /// use hubstow_core::facts::Force;
    ///
    /// assert_eq!(Force::from_code("on"), Some(Force::On));
    /// assert_eq!(Force::On.code(), "on");
    /// ```
    pub enum Force {
        /// What is here may serve.
        Off = "off",
        /// It may not.
        On = "on",
    }
}

impl From<Force> for Demand {
    fn from(force: Force) -> Self {
        match force {
            Force::Off => Self::Any,
            Force::On => Self::Fresh,
        }
    }
}

cases! {
    /// When a cached file may be served although the hub did not confirm it.
    ///
    /// ```
    /// use hubstow_core::facts::Stale;
    ///
    /// assert_eq!(Stale::from_code("unreachable"), Some(Stale::Unreachable));
    /// assert_eq!(Stale::Unreachable.code(), "unreachable");
    /// ```
    pub enum Stale {
        /// Never.
        Never = "never",
        /// When the hub can't be reached or fails.
        Unreachable = "unreachable",
        /// Also when it refuses access or does not know the repo.
        Always = "always",
    }
}

cases! {
    /// The pointer at the commit that is known before the hub is asked: the commit asked for, or the ref file's.
    pub enum Cached {
        /// No commit is known, or it has no such pointer.
        Absent = "absent",
        /// A link to a blob that holds what its etag says: a conditional HEAD can name the etag.
        Linked = "linked",
        /// A regular file that nothing speaks against.
        Holds = "holds",
        /// An entry that can't serve: dangling, or proved not to hold its content.
        Damaged = "damaged",
        /// A directory.
        Directory = "directory",
        /// Another name of this folder answers to ours.
        Alias = "alias",
    }
}

cases! {
    /// The `.no_exist` marker of the file at that commit.
    pub enum Marker {
        /// There is none.
        Absent = "absent",
        /// The commit is known to have no such file, or the marker can't be written.
        Present = "present",
    }
}

cases! {
    /// What the hub answered to the HEAD of the file.
    pub enum Answer {
        /// It has not been asked.
        Pending = "pending",
        /// Commit and etag are known.
        Found = "found",
        /// 304, with the commit: the content is the cached one.
        NotModified = "not-modified",
        /// 304 without a commit: it says nothing about the revision (row D4).
        NotModifiedBare = "not-modified-bare",
        /// An answer that lacks a commit or an etag (row D30).
        Incomplete = "incomplete",
        /// An answer with a name that is none: a hostile or broken hub (rows D42, D43).
        Hostile = "hostile",
        /// A commit was asked for and another one answered (row A13 of the attack table).
        OtherCommit = "other-commit",
        /// 404 EntryNotFound, with a commit.
        EntryMissing = "entry-missing",
        /// 404 EntryNotFound, without a commit.
        EntryMissingBare = "entry-missing-bare",
        /// 404 RevisionNotFound.
        RevisionMissing = "revision-missing",
        /// 404 RepoNotFound, or a 404 without a code.
        RepoMissing = "repo-missing",
        /// 401.
        Unauthorized = "unauthorized",
        /// 403, gated or disabled.
        Forbidden = "forbidden",
        /// 429.
        Throttled = "throttled",
        /// 408 or 5xx.
        Failing = "failing",
        /// No answer: connection, proxy, protocol or timeout.
        Unreachable = "unreachable",
        /// Any other status.
        Unexpected = "unexpected",
    }
}

/// All that matters for finding out which content is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", deny_unknown_fields))]
pub struct ResolveFacts {
    /// What the user named.
    pub revision: RevisionKind,
    /// Whether the hub may be asked.
    pub reach: Reach,
    /// Whether the caller insists on fetching again.
    pub force: Force,
    /// When the cached file may be served unconfirmed.
    pub stale: Stale,
    /// The pointer at the commit known beforehand.
    pub cached: Cached,
    /// The marker at that commit, or at the one the hub answered with.
    pub marker: Marker,
    /// What the hub answered.
    pub answer: Answer,
}
