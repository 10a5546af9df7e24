//! What a peer may do to the world at any moment, taking no heed of us.

use crate::world::{BlobAt, OtherAt, PeerAt, PointerAt, RefAt, World};

/// One deed of a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// It finishes a download of its own.
    SealsBlob,
    /// Without links, it moves the blob to its own pointer, as the degraded Python client does.
    MovesBlobToItsPointer,
    /// The same, for the very pointer that we are placing.
    MovesBlobToOurPointer,
    /// It prunes.
    DeletesBlob,
    /// It stores a body that was cut short, as hf-hub may.
    TearsBlob,
    /// It moves the blob into its shared store and leaves a link.
    SharesBlob,
    LinksOurPointer,
    FillsOurPointer,
    TearsOurPointer,
    DeletesOurPointer,
    /// It places another file of the snapshot, whose name this disk does not tell from ours.
    TakesOurName,
    /// It deletes the other snapshot.
    DeletesOther,
    /// It writes the ref: to our commit if it was elsewhere, to another one if it was ours.
    TurnsRef,
}

impl Deed {
    pub(crate) const ALL: [Self; 13] = [
        Self::SealsBlob,
        Self::MovesBlobToItsPointer,
        Self::MovesBlobToOurPointer,
        Self::DeletesBlob,
        Self::TearsBlob,
        Self::SharesBlob,
        Self::LinksOurPointer,
        Self::FillsOurPointer,
        Self::TearsOurPointer,
        Self::DeletesOurPointer,
        Self::TakesOurName,
        Self::DeletesOther,
        Self::TurnsRef,
    ];

    /// The world after the deed, if it is possible and changes anything.
    pub(crate) fn done_to(self, before: World) -> Option<World> {
        let mut world = before;
        match self {
            Self::SealsBlob => world.blob = file_over(before.blob, BlobAt::Right)?,
            Self::MovesBlobToItsPointer => {
                (world.peer, _) = moved(before.blob)?;
                world.blob = BlobAt::Absent;
            }
            Self::MovesBlobToOurPointer => {
                let (_, pointer) = moved(before.blob)?;
                world.pointer = entry_over(before.pointer, pointer)?;
                world.blob = BlobAt::Absent;
            }
            Self::DeletesBlob => world.blob = file_over(before.blob, BlobAt::Absent)?,
            Self::TearsBlob => world.blob = file_over(before.blob, BlobAt::Wrong)?,
            Self::SharesBlob => {
                before.blob_good().then_some(())?;
                world.blob = BlobAt::Store;
            }
            Self::LinksOurPointer => world.pointer = entry_over(before.pointer, PointerAt::Link)?,
            Self::FillsOurPointer => world.pointer = entry_over(before.pointer, PointerAt::Right)?,
            Self::TearsOurPointer => world.pointer = entry_over(before.pointer, PointerAt::Wrong)?,
            Self::DeletesOurPointer => {
                world.pointer = entry_over(before.pointer, PointerAt::Absent)?;
            }
            Self::TakesOurName => {
                (before.pointer == PointerAt::Absent).then_some(())?;
                world.pointer = PointerAt::Alias;
            }
            Self::DeletesOther => world.other = OtherAt::Absent,
            Self::TurnsRef => {
                world.ref_file = match before.ref_file {
                    RefAt::Ours => RefAt::Elsewhere,
                    RefAt::Elsewhere => RefAt::Ours,
                };
            }
        }
        (world != before).then_some(world)
    }
}

/// What a peer puts at the blob's path; it does not replace a folder.
fn file_over(blob: BlobAt, new: BlobAt) -> Option<BlobAt> {
    match blob {
        BlobAt::Folder => None,
        BlobAt::Absent | BlobAt::Right | BlobAt::Fresh | BlobAt::Wrong | BlobAt::Store => Some(new),
    }
}

/// What a peer puts at our pointer; it does not replace a folder.
fn entry_over(pointer: PointerAt, new: PointerAt) -> Option<PointerAt> {
    match pointer {
        PointerAt::Folder | PointerAt::Alias => None,
        PointerAt::Absent
        | PointerAt::Link
        | PointerAt::Stray
        | PointerAt::Right
        | PointerAt::Fresh
        | PointerAt::Wrong => Some(new),
    }
}

/// What the blob's bytes are at a pointer to which the blob was moved.
fn moved(blob: BlobAt) -> Option<(PeerAt, PointerAt)> {
    match blob {
        BlobAt::Right => Some((PeerAt::Right, PointerAt::Right)),
        BlobAt::Fresh => Some((PeerAt::Right, PointerAt::Fresh)),
        BlobAt::Wrong => Some((PeerAt::Wrong, PointerAt::Wrong)),
        BlobAt::Absent | BlobAt::Store | BlobAt::Folder => None,
    }
}
