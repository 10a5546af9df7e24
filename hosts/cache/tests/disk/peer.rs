//! What another program may do to the cache at any moment, taking no heed of us.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::UNIX_EPOCH,
};

use crate::{
    sample::{BLOBS, OTHER, OURS, REF_FILE, REFS, REPO, SNAPSHOTS, Sample, pointer},
    system::symlink,
    watch::Op,
};

/// One deed of a peer, as the clients that we share the cache with do them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It finishes a download of its own.
    SealsBlob,
    /// The Python client without links moves the blob to a pointer of its own.
    MovesBlob,
    /// It prunes.
    DeletesBlob,
    /// It prunes what it takes for broken downloads.
    DeletesParts,
    /// It stores a body that was cut short, as hf-hub may.
    TearsBlob,
    /// It writes to a blob in place, and the size stays as it was.
    DamagesBlob,
    LinksPointer,
    FillsPointer,
    TearsPointer,
    PutsFolderAtPointer,
    TurnsRef,
    DeletesSnapshot,
    /// `hf cache delete`.
    DeletesRepo,
}

impl Deed {
    pub(crate) const ALL: [Self; 13] = [
        Self::SealsBlob,
        Self::MovesBlob,
        Self::DeletesBlob,
        Self::DeletesParts,
        Self::TearsBlob,
        Self::DamagesBlob,
        Self::LinksPointer,
        Self::FillsPointer,
        Self::TearsPointer,
        Self::PutsFolderAtPointer,
        Self::TurnsRef,
        Self::DeletesSnapshot,
        Self::DeletesRepo,
    ];

    /// Whether it may leave nothing right to be done.
    pub(crate) fn may_end_us(self) -> bool {
        matches!(self, Self::PutsFolderAtPointer | Self::DeletesRepo)
    }

    /// Whether an operation can notice it. Renaming and linking have to do with two paths, of which one is on record.
    pub(crate) fn is_noticed(self, op: Op, path: &str) -> bool {
        let two_paths = matches!(op, Op::Rename | Op::Symlink | Op::Hardlink | Op::Reflink);
        let related = |touched: &&str| path.starts_with(*touched) || touched.starts_with(path);
        !op.has_handle() && (two_paths || self.touches().iter().any(related))
    }

    /// What it changes, and what leads there.
    fn touches(self) -> &'static [&'static str] {
        const LINKS: &str = "models--org--name/.hubstow/links";
        match self {
            Self::SealsBlob
            | Self::MovesBlob
            | Self::DeletesBlob
            | Self::TearsBlob
            | Self::DamagesBlob => &[BLOBS, SNAPSHOTS, LINKS],
            Self::DeletesParts => &[BLOBS],
            Self::LinksPointer
            | Self::FillsPointer
            | Self::TearsPointer
            | Self::PutsFolderAtPointer
            | Self::DeletesSnapshot => &[SNAPSHOTS],
            Self::TurnsRef => &[REFS, SNAPSHOTS],
            Self::DeletesRepo => &[REPO],
        }
    }

    /// Does it, unless what it needs is not there.
    pub(crate) fn done_to(self, root: &Path, sample: &Sample) -> io::Result<()> {
        let (blob, ours) = (root.join(sample.blob()), root.join(pointer(OURS)));
        match self {
            Self::SealsBlob => replace(&blob, |at| fs::write(at, &sample.content)),
            Self::MovesBlob => {
                let own = root.join(pointer(OTHER));
                fs::create_dir_all(own.parent().unwrap())?;
                fs::rename(blob, own)
            }
            Self::DeletesBlob => fs::remove_file(blob),
            Self::DeletesParts => {
                for entry in fs::read_dir(root.join(BLOBS))? {
                    let path = entry?.path();
                    if path.extension().is_some_and(|ending| ending == "incomplete") {
                        fs::remove_file(path)?;
                    }
                }
                Ok(())
            }
            Self::TearsBlob => replace(&blob, |at| fs::write(at, sample.part_of(1))),
            Self::DamagesBlob => {
                let mut file = File::options().write(true).open(blob)?;
                file.write_all(&[!sample.content[0]])?;
                // Time passes between us and a peer, if not in a test.
                file.set_modified(UNIX_EPOCH)
            }
            Self::LinksPointer => replace(&ours, |at| symlink(sample.link_text(), at)),
            Self::FillsPointer => replace(&ours, |at| fs::write(at, &sample.content)),
            Self::TearsPointer => replace(&ours, |at| fs::write(at, sample.part_of(1))),
            Self::PutsFolderAtPointer => {
                let _ = fs::remove_file(&ours);
                fs::create_dir_all(&ours)
            }
            Self::TurnsRef => {
                fs::create_dir_all(root.join(SNAPSHOTS).join(OTHER))?;
                replace(&root.join(REF_FILE), |at| fs::write(at, OTHER))
            }
            Self::DeletesSnapshot => fs::remove_dir_all(root.join(SNAPSHOTS).join(OURS)),
            Self::DeletesRepo => fs::remove_dir_all(root.join(REPO)),
        }
    }
}

/// Makes something beside and renames it over.
fn replace(at: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let beside = at.with_extension("beside");
    fs::create_dir_all(at.parent().unwrap())?;
    make(&beside)?;
    fs::rename(beside, at)
}
