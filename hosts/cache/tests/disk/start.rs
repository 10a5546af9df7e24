//! What a run finds: a folder with a cache in one of many states, and beside it a file that is none of our business.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use tempfile::TempDir;

use crate::{
    disk::TestDisk,
    kind::Kind,
    sample::{OTHER, OURS, REF_FILE, Sample, pointer},
    system::{self, symlink},
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

    /// Whether there is a symlink in it.
    fn has_links(self) -> bool {
        match self {
            Self::BlobBorrowed
            | Self::PointerLinked
            | Self::PointerLinkedToTornBlob
            | Self::PointerDangling
            | Self::PointerElsewhere
            | Self::OtherLinks
            | Self::OtherLinksToTornBlob => true,
            Self::Empty
            | Self::BlobExisting
            | Self::BlobTorn
            | Self::BlobShort
            | Self::BlobDirectory
            | Self::PointerHolds
            | Self::PointerTorn
            | Self::PointerDirectory
            | Self::Twin
            | Self::TwinAndTornBlob
            | Self::Part
            | Self::PoisonedPart => false,
        }
    }

    /// Whether it can be on this system.
    pub(crate) fn can_be(self) -> bool {
        !self.has_links() || system::makes_links()
    }

    fn build(self, world: &World) {
        let sample = world.sample;
        let (right, wrong) = (&sample.content, &sample.wrong);
        let link = || symlink(sample.link_text(), world.make(&pointer(OURS))).unwrap();
        let other_link = || symlink(sample.link_text(), world.make(&pointer(OTHER))).unwrap();
        match self {
            Self::Empty => {}
            Self::BlobExisting => world.write(&sample.blob(), right),
            Self::BlobBorrowed => {
                let store = format!("blobs/ab/ab{:062}", 0);
                world.write(&store, right);
                symlink(format!("../../{store}"), world.make(&sample.blob())).unwrap();
            }
            Self::BlobTorn => world.write(&sample.blob(), wrong),
            Self::BlobShort => world.write(&sample.blob(), sample.part_of(1)),
            Self::BlobDirectory => fs::create_dir(world.make(&sample.blob())).unwrap(),
            Self::PointerLinked => {
                world.write(&sample.blob(), right);
                link();
            }
            Self::PointerLinkedToTornBlob => {
                world.write(&sample.blob(), wrong);
                link();
            }
            Self::PointerHolds => world.write(&pointer(OURS), right),
            Self::PointerTorn => world.write(&pointer(OURS), sample.part_of(1)),
            Self::PointerDangling => link(),
            Self::PointerElsewhere => {
                let text = "../../../../../outside/victim";
                symlink(text, world.make(&pointer(OURS))).unwrap();
            }
            Self::PointerDirectory => fs::create_dir(world.make(&pointer(OURS))).unwrap(),
            Self::Twin => world.write(&pointer(OTHER), right),
            Self::TwinAndTornBlob => {
                world.write(&pointer(OTHER), right);
                world.write(&sample.blob(), wrong);
            }
            Self::OtherLinks => {
                world.write(&sample.blob(), right);
                other_link();
            }
            Self::OtherLinksToTornBlob => {
                world.write(&sample.blob(), wrong);
                other_link();
            }
            Self::Part => world.write_long_ago(&sample.part(), sample.part_of(2)),
            Self::PoisonedPart => world.write_long_ago(&sample.part(), wrong),
        }
        if world.root().join(pointer(OTHER)).exists() {
            world.write(REF_FILE, OTHER.as_bytes());
        }
    }
}

/// A folder with a cache and a file outside of it.
pub(crate) struct World {
    home: TempDir,
    pub(crate) sample: &'static Sample,
}

impl World {
    /// Makes a world.
    pub(crate) fn new(start: Start, sample: &'static Sample) -> Self {
        // In memory where the system offers that: tests make thousands of worlds.
        let home = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let world = Self { home, sample };
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

    /// Writes a file that nobody has touched for long.
    pub(crate) fn write_long_ago(&self, path: &str, content: &[u8]) {
        self.write(path, content);
        let file = File::options().write(true).open(self.root().join(path)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }

    /// Where the content lies in the end: in the blob, or where links are refused at the pointer itself.
    pub(crate) fn placed(&self) -> PathBuf {
        let at = if system::makes_links() { self.sample.blob() } else { pointer(OURS) };
        self.root().join(at)
    }

    /// A process's view of the disk.
    pub(crate) fn disk(&self, kind: Kind) -> TestDisk {
        TestDisk::new(&self.root(), kind, self.sample, Watch::default())
    }

    /// The view of a process to which something happens.
    pub(crate) fn disk_with(&self, kind: Kind, at: usize, event: Event) -> TestDisk {
        TestDisk::new(&self.root(), kind, self.sample, Watch::with(at, event))
    }

    /// All that is in the cache.
    pub(crate) fn tree(&self) -> Tree {
        Tree::of(&self.root(), self.sample)
    }

    /// All that is not ours.
    pub(crate) fn tree_outside(&self) -> Tree {
        Tree::of(&self.outside(), self.sample)
    }
}
