//! Many small files of one snapshot, for what is done to many at once.

use std::{fs, sync::Arc};

use hubstow_cache::{
    Cache, FsError, Target,
    drive::{Next, Placing},
    observe::OwnFacts,
    staged::StagedFile,
};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    facts::{Demand, Force, Staged},
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Revision},
};

use crate::{
    sample::{OURS, SMALL, noise, sha256},
    start::{Start, World},
    system::{makes_links, symlink},
};

/// An attempt that has only begun.
pub(crate) const FIRST: OwnFacts = OwnFacts {
    demand: Demand::Any,
    staged: Staged::Absent,
    ref_unwritable: false,
    twin_failed: false,
};

/// A file and its content.
pub(crate) struct Item {
    pub(crate) target: Target,
    pub(crate) content: Vec<u8>,
}

impl Item {
    /// The path of the pointer, natively.
    pub(crate) fn path(&self, world: &World) -> std::path::PathBuf {
        world.root().join(self.target.pointer().as_str())
    }

    /// Makes the blob and the link to it, as the Python client does; where links are refused, the file.
    pub(crate) fn link(&self, world: &World) {
        if !makes_links() {
            world.write_long_ago(self.target.pointer().as_str(), &self.content);
            return;
        }
        world.write_long_ago(self.target.blob().as_str(), &self.content);
        let text = RepoLayout::link_text(&self.target.file, &self.target.etag);
        symlink(text, world.make(self.target.pointer().as_str())).unwrap();
    }

    /// A complete staged file.
    pub(crate) fn staged(&self, cache: &Cache) -> Result<StagedFile, FsError> {
        let mut staged = cache.stage(&self.target)?;
        if staged.append(&self.content).is_ok() {
            let _ = staged.verify();
        }
        Ok(staged)
    }

    /// Places it, from this staged file where it is not here; tells what is wanted next.
    pub(crate) fn place(&self, cache: &Cache, staged: Option<StagedFile>) -> Result<Next, FsError> {
        let (decider, target) = (Guarded::new(Arc::new(LinkedCore)), self.target.clone());
        let mut placing = Placing::new(cache.clone(), decider, target, Force::Off);
        if let Some(staged) = staged {
            placing.fetched(staged);
        }
        placing.advance()
    }

    /// Whether whoever opens the pointer gets the content.
    pub(crate) fn is_served(&self, world: &World) -> bool {
        fs::read(self.path(world)).is_ok_and(|content| content == self.content)
    }
}

/// So many files of the snapshot, in three folders.
pub(crate) fn files(count: usize) -> Vec<Item> {
    let item = |number: usize| {
        let content = noise(200 + number);
        let folder = ["", "onnx/", "onnx/deep/"][number % 3];
        let target = Target {
            revision: Revision::from(&Commit::parse(OURS).unwrap()),
            file: FileName::parse(&format!("{folder}{number}.bin")).unwrap(),
            etag: Etag::parse(&sha256(&content)).unwrap(),
            size: Some(content.len() as u64),
            ..SMALL.target()
        };
        Item { target, content }
    };
    (0..count).map(item).collect()
}

/// Their targets.
pub(crate) fn targets(files: &[Item]) -> Vec<Target> {
    files.iter().map(|item| item.target.clone()).collect()
}

/// A cache that holds them as the Python client leaves them.
pub(crate) fn filled(files: &[Item]) -> World {
    let world = World::new(Start::Empty, &SMALL);
    files.iter().for_each(|item| item.link(&world));
    world
}
