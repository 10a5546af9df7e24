//! What a run finds: a folder with a cache in one of many states, and beside it a file that is none of our business.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use tempfile::TempDir;

use crate::{
    disk::TestDisk,
    kind::Kind,
    sample::{CHUNK, CONTENT, OTHER, OURS, WRONG, blob, link_text, part, pointer, ref_file},
    tree::Tree,
    watch::{Event, Watch},
};

/// The state that a run starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Empty,
    BlobExisting,
    /// A link into the Python client's shared store.
    BlobBorrowed,
    /// Of the right size, with a wrong byte.
    BlobTorn,
    BlobShort,
    BlobDirectory,
    PointerLinked,
    PointerLinkedToTornBlob,
    PointerHolds,
    PointerTorn,
    /// To the blob, which is gone.
    PointerDangling,
    /// To a file of somebody else's.
    PointerElsewhere,
    PointerDirectory,
    /// Another snapshot holds the content as a regular file.
    Twin,
    TwinAndTornBlob,
    /// Another snapshot links to the blob.
    OtherLinks,
    /// Another snapshot links to the blob, and is served wrong bytes.
    OtherLinksToTornBlob,
    /// A killed run has left two chunks.
    Part,
    /// A part that is not of this content.
    PoisonedPart,
}

impl Start {
    pub(crate) const ALL: [Self; 19] = [
        Self::Empty,
        Self::BlobExisting,
        Self::BlobBorrowed,
        Self::BlobTorn,
        Self::BlobShort,
        Self::BlobDirectory,
        Self::PointerLinked,
        Self::PointerLinkedToTornBlob,
        Self::PointerHolds,
        Self::PointerTorn,
        Self::PointerDangling,
        Self::PointerElsewhere,
        Self::PointerDirectory,
        Self::Twin,
        Self::TwinAndTornBlob,
        Self::OtherLinks,
        Self::OtherLinksToTornBlob,
        Self::Part,
        Self::PoisonedPart,
    ];

    fn build(self, world: &World) {
        let link = || symlink(link_text(), world.make(&pointer(OURS))).unwrap();
        let other_link = || symlink(link_text(), world.make(&pointer(OTHER))).unwrap();
        match self {
            Self::Empty => {}
            Self::BlobExisting => world.write(&blob(), &CONTENT),
            Self::BlobBorrowed => {
                let store = format!("blobs/ab/ab{:062}", 0);
                world.write(&store, &CONTENT);
                symlink(format!("../../{store}"), world.make(&blob())).unwrap();
            }
            Self::BlobTorn => world.write(&blob(), &WRONG),
            Self::BlobShort => world.write(&blob(), &CONTENT[..CHUNK]),
            Self::BlobDirectory => fs::create_dir(world.make(&blob())).unwrap(),
            Self::PointerLinked => {
                world.write(&blob(), &CONTENT);
                link();
            }
            Self::PointerLinkedToTornBlob => {
                world.write(&blob(), &WRONG);
                link();
            }
            Self::PointerHolds => world.write(&pointer(OURS), &CONTENT),
            Self::PointerTorn => world.write(&pointer(OURS), &CONTENT[..CHUNK]),
            Self::PointerDangling => link(),
            Self::PointerElsewhere => {
                symlink(world.victim(), world.make(&pointer(OURS))).unwrap();
            }
            Self::PointerDirectory => fs::create_dir(world.make(&pointer(OURS))).unwrap(),
            Self::Twin => world.write(&pointer(OTHER), &CONTENT),
            Self::TwinAndTornBlob => {
                world.write(&pointer(OTHER), &CONTENT);
                world.write(&blob(), &WRONG);
            }
            Self::OtherLinks => {
                world.write(&blob(), &CONTENT);
                other_link();
            }
            Self::OtherLinksToTornBlob => {
                world.write(&blob(), &WRONG);
                other_link();
            }
            Self::Part => world.write(&part(), &CONTENT[..2 * CHUNK]),
            Self::PoisonedPart => world.write(&part(), &WRONG),
        }
        if world.root().join(pointer(OTHER)).exists() {
            world.write(&ref_file(), OTHER.as_bytes());
        }
    }
}

/// A folder with a cache and a file outside of it.
pub(crate) struct World {
    home: TempDir,
}

impl World {
    /// Makes a world.
    pub(crate) fn new(start: Start) -> Self {
        let world = Self { home: TempDir::new().unwrap() };
        fs::create_dir(world.root()).unwrap();
        fs::create_dir(world.outside()).unwrap();
        fs::write(world.victim(), "somebody else's").unwrap();
        start.build(&world);
        world
    }

    /// The cache directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    /// A folder that is not ours.
    pub(crate) fn outside(&self) -> PathBuf {
        self.home.path().join("outside")
    }

    /// A file that is not ours.
    pub(crate) fn victim(&self) -> PathBuf {
        self.outside().join("victim")
    }

    /// The native path of an entry, all folders above it made.
    pub(crate) fn make(&self, path: &str) -> PathBuf {
        let at = self.root().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        at
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.make(path), content).unwrap();
    }

    /// A process's view of the disk.
    pub(crate) fn disk(&self, kind: Kind) -> TestDisk {
        TestDisk::new(&self.root(), kind, Watch::default())
    }

    /// The view of a process to which something happens.
    pub(crate) fn disk_with(&self, kind: Kind, at: usize, event: Event) -> TestDisk {
        TestDisk::new(&self.root(), kind, Watch::with(at, event))
    }

    /// All that is in the cache.
    pub(crate) fn tree(&self) -> Tree {
        Tree::of(&self.root())
    }

    /// All that is not ours.
    pub(crate) fn tree_outside(&self) -> Tree {
        Tree::of(&self.outside())
    }
}
