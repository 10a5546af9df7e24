//! A small world in which the loop runs: one file's place in a cache, with the truth about every entry.
//!
//! It is written against the cache's description, not against `core::model`, so that the two can't share a mistake. It
//! knows what the facts don't: whether bytes are right, whether this run brought them, and who else relies on them.

use hubstow_core::{
    action::{Action, Source},
    facts::{Blob, Pointer, Staged, Twin},
    learn::Failure,
    model::{Answers, DiskKind},
    policy::Method,
};

/// What is at our pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PointerAt {
    Absent,
    /// The link to our blob.
    Link,
    /// A link to anywhere else.
    Stray,
    /// A regular file with the right bytes, from before this run or from a peer.
    Right,
    /// A regular file with the right bytes, brought by this run.
    Fresh,
    /// A regular file with wrong bytes, or with a part of the right ones: a host sees the same.
    Wrong,
    Folder,
    Alias,
}

/// What is at the blob's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobAt {
    Absent,
    Right,
    Fresh,
    Wrong,
    /// A link into a shared store, which has the right bytes.
    Store,
    Folder,
}

/// What another snapshot has at its pointer, acknowledged; a wrong file there is to us as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherAt {
    Absent,
    /// The link to the same blob.
    Link,
    Right,
}

/// What a peer without links has at the pointer of a third snapshot, once it has moved the blob there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerAt {
    Absent,
    Right,
    Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StagedAt {
    Absent,
    Partial,
    Complete,
    /// Complete, on another disk than the pointer.
    Elsewhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefAt {
    Ours,
    Elsewhere,
}

/// What a reader gets who opens a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Right,
    Fresh,
    Wrong,
}

impl Shown {
    pub(crate) fn good(self) -> bool {
        matches!(self, Self::Right | Self::Fresh)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) pointer: PointerAt,
    pub(crate) blob: BlobAt,
    pub(crate) staged: StagedAt,
    pub(crate) other: OtherAt,
    pub(crate) peer: PeerAt,
    pub(crate) ref_file: RefAt,
}

impl World {
    fn through_blob(&self) -> Shown {
        match self.blob {
            BlobAt::Absent | BlobAt::Folder => Shown::Nothing,
            BlobAt::Right | BlobAt::Store => Shown::Right,
            BlobAt::Fresh => Shown::Fresh,
            BlobAt::Wrong => Shown::Wrong,
        }
    }

    /// What readers get at our pointer, at the other snapshot's, and at the peer's.
    pub(crate) fn shown(&self) -> [Shown; 3] {
        let ours = match self.pointer {
            PointerAt::Absent | PointerAt::Stray | PointerAt::Folder | PointerAt::Alias => {
                Shown::Nothing
            }
            PointerAt::Link => self.through_blob(),
            PointerAt::Right => Shown::Right,
            PointerAt::Fresh => Shown::Fresh,
            PointerAt::Wrong => Shown::Wrong,
        };
        let other = match self.other {
            OtherAt::Absent => Shown::Nothing,
            OtherAt::Link => self.through_blob(),
            OtherAt::Right => Shown::Right,
        };
        let peer = match self.peer {
            PeerAt::Absent => Shown::Nothing,
            PeerAt::Right => Shown::Right,
            PeerAt::Wrong => Shown::Wrong,
        };
        [ours, other, peer]
    }

    pub(crate) fn blob_good(&self) -> bool {
        self.through_blob().good()
    }

    pub(crate) fn twin_good(&self) -> bool {
        self.other == OtherAt::Right || self.peer == PeerAt::Right
    }

    pub(crate) fn seen_pointer(&self) -> Pointer {
        match self.pointer {
            PointerAt::Absent => Pointer::Absent,
            PointerAt::Link => Pointer::Linked,
            PointerAt::Stray => Pointer::Stray,
            PointerAt::Right | PointerAt::Fresh => Pointer::Holds,
            PointerAt::Wrong => Pointer::Torn,
            PointerAt::Folder => Pointer::Directory,
            PointerAt::Alias => Pointer::Alias,
        }
    }

    pub(crate) fn seen_blob(&self) -> Blob {
        match self.blob {
            BlobAt::Absent => Blob::Absent,
            BlobAt::Right | BlobAt::Fresh => Blob::Existing,
            BlobAt::Wrong => Blob::Torn,
            BlobAt::Store => Blob::Borrowed,
            BlobAt::Folder => Blob::Directory,
        }
    }

    pub(crate) fn seen_staged(&self) -> Staged {
        match self.staged {
            StagedAt::Absent => Staged::Absent,
            StagedAt::Partial => Staged::Partial,
            StagedAt::Complete => Staged::Complete,
            StagedAt::Elsewhere => Staged::Elsewhere,
        }
    }

    pub(crate) fn seen_twin(&self) -> Twin {
        if self.twin_good() { Twin::Present } else { Twin::Absent }
    }

    /// Tells whether the source still is what the action takes it for.
    fn has(&self, source: Source, by: Method) -> bool {
        match source {
            // Only a regular file can be given a second name.
            Source::Blob if by == Method::Hardlink && self.blob == BlobAt::Store => false,
            Source::Blob => self.blob_good(),
            Source::Staged => matches!(self.staged, StagedAt::Complete | StagedAt::Elsewhere),
            Source::Twin => self.twin_good(),
        }
    }

    /// What the next run finds after a crash: nothing is fresh any more, and a dead attempt's staged file is a part.
    pub(crate) fn after_crash(mut self) -> Self {
        if self.pointer == PointerAt::Fresh {
            self.pointer = PointerAt::Right;
        }
        if self.blob == BlobAt::Fresh {
            self.blob = BlobAt::Right;
        }
        if matches!(self.staged, StagedAt::Complete | StagedAt::Elsewhere) {
            self.staged = StagedAt::Partial;
        }
        self
    }
}

/// Does an action as a host must: what it was decided over and its source are checked in the act, or it has raced.
pub(crate) fn execute(world: &mut World, disk: DiskKind, action: Action) -> Result<(), Failure> {
    match action {
        Action::Seal { from, over }
            if over != world.seen_blob() || !world.has(from, Method::Copy) =>
        {
            Err(Failure::Raced)
        }
        Action::Place { by, from, over }
            if over != world.seen_pointer() || !world.has(from, by) =>
        {
            Err(Failure::Raced)
        }
        Action::Lookup(_)
        | Action::Mark
        | Action::Probe(_)
        | Action::Fetch
        | Action::Seal { .. }
        | Action::Place { .. }
        | Action::Point => execute_unchecked(world, disk, action),
    }
}

/// Does an action whatever has become of what it was decided over and of its source.
pub(crate) fn execute_unchecked(
    world: &mut World,
    disk: DiskKind,
    action: Action,
) -> Result<(), Failure> {
    match action {
        Action::Lookup(_) | Action::Mark => {}
        Action::Probe(method) => match answers(disk, method) {
            Answers::Yes | Answers::OnlyProbe => {}
            Answers::No => return Err(Failure::Unsupported),
        },
        Action::Fetch => world.staged = StagedAt::Complete,
        Action::Seal { from, .. } => seal(world, from),
        Action::Place { by, from, .. } => match answers(disk, by) {
            Answers::Yes => place(world, by, from),
            Answers::No | Answers::OnlyProbe => return Err(Failure::Unsupported),
        },
        Action::Point => world.ref_file = RefAt::Ours,
    }
    Ok(())
}

pub(crate) fn answers(disk: DiskKind, method: Method) -> Answers {
    match method {
        Method::Symlink => disk.symlink,
        Method::Hardlink => disk.hardlink,
        Method::Reflink => disk.reflink,
        Method::Move | Method::Copy => Answers::Yes,
    }
}

fn seal(world: &mut World, from: Source) {
    match from {
        Source::Staged => {
            world.blob = BlobAt::Fresh;
            world.staged = StagedAt::Absent;
        }
        Source::Twin => world.blob = BlobAt::Right,
        Source::Blob => {}
    }
}

fn place(world: &mut World, by: Method, from: Source) {
    world.pointer = match (by, from) {
        (Method::Symlink, Source::Blob) => PointerAt::Link,
        // A second name of a link is a link, and no longer at the depth where its text leads to the store.
        (Method::Hardlink | Method::Move, Source::Blob) if world.blob == BlobAt::Store => {
            PointerAt::Stray
        }
        (Method::Symlink, Source::Staged | Source::Twin) => PointerAt::Stray,
        (Method::Hardlink | Method::Reflink | Method::Move | Method::Copy, Source::Blob) => {
            match world.through_blob() {
                Shown::Nothing => PointerAt::Absent,
                Shown::Right => PointerAt::Right,
                Shown::Fresh => PointerAt::Fresh,
                Shown::Wrong => PointerAt::Wrong,
            }
        }
        (Method::Hardlink | Method::Reflink | Method::Move | Method::Copy, Source::Staged) => {
            PointerAt::Fresh
        }
        (Method::Hardlink | Method::Reflink | Method::Move | Method::Copy, Source::Twin) => {
            PointerAt::Right
        }
    };
    match (by, from) {
        (Method::Move, Source::Blob) => world.blob = BlobAt::Absent,
        (Method::Move | Method::Copy, Source::Staged) => world.staged = StagedAt::Absent,
        (Method::Move, Source::Twin) => world.other = OtherAt::Absent,
        (Method::Symlink | Method::Hardlink | Method::Reflink, _)
        | (Method::Copy, Source::Blob | Source::Twin) => {}
    }
}
