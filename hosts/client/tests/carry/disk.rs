//! A disk that dies, or fails once, at a chosen change.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use hubstow_cache::{
    Disk, StdDisk,
    disk::{DiskFile, Entry, FolderName, LockFile},
};
use hubstow_core::layout::CachePath;

/// What happens at the chosen change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing works from then on, as for a program that is killed.
    Death,
    /// That one change fails.
    Failure,
}

/// The changes of all disks of a run, and at which of them something happens; 0 where nothing does.
pub(crate) struct Fate {
    changes: AtomicUsize,
    at: usize,
    end: End,
    links: Links,
}

/// Whether the disk makes links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Made,
    Refused,
    /// Also copies that share their blocks, of what is elsewhere.
    Shared,
}

impl Fate {
    /// Nothing happens to a disk that makes no links of any kind.
    pub(crate) fn without_links() -> Arc<Self> {
        let changes = AtomicUsize::new(0);
        Arc::new(Self { changes, at: 0, end: End::Death, links: Links::Refused })
    }

    /// Nothing happens to a disk whose files may share blocks.
    pub(crate) fn with_shared_blocks() -> Arc<Self> {
        let changes = AtomicUsize::new(0);
        Arc::new(Self { changes, at: 0, end: End::Death, links: Links::Shared })
    }

    fn link(&self) -> io::Result<()> {
        match self.links {
            Links::Made | Links::Shared => Ok(()),
            Links::Refused => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    pub(crate) fn new(at: usize, end: End) -> Arc<Self> {
        Arc::new(Self { changes: AtomicUsize::new(0), at, end, links: Links::Made })
    }

    /// Returns how many changes there were.
    pub(crate) fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }

    /// Tells whether it has happened.
    pub(crate) fn has_come(&self) -> bool {
        self.at > 0 && self.changes.load(Ordering::SeqCst) >= self.at
    }

    fn change(&self) -> io::Result<()> {
        let now = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        match self.end {
            End::Death if self.at > 0 && now >= self.at => Err(gone()),
            End::Failure if now == self.at => Err(io::ErrorKind::StorageFull.into()),
            End::Death | End::Failure => Ok(()),
        }
    }

    fn look(&self) -> io::Result<()> {
        if self.end == End::Death && self.has_come() { Err(gone()) } else { Ok(()) }
    }
}

fn gone() -> io::Error {
    io::Error::other("the program is dead")
}

/// A disk of the system with a fate.
pub(crate) struct FatedDisk {
    disk: StdDisk,
    fate: Arc<Fate>,
}

impl FatedDisk {
    pub(crate) fn new(directory: &Path, fate: &Arc<Fate>) -> Self {
        Self { disk: StdDisk::new(directory), fate: Arc::clone(fate) }
    }

    fn looking(&self) -> io::Result<&StdDisk> {
        self.fate.look().map(|()| &self.disk)
    }

    fn changing(&self) -> io::Result<&StdDisk> {
        self.fate.change().map(|()| &self.disk)
    }

    fn fated(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FatedFile { file, fate: Arc::clone(&self.fate) })
    }
}

impl Disk for FatedDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        self.disk.native(at)
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.looking()?.entry(at)
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.looking()?.through(at)
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        self.looking()?.modified(at)
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        self.looking()?.link_text(at)
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        self.looking()?.names(folder)
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        self.looking()?.kinds(folder)
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.fated(self.looking()?.open(at)?))
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.fated(self.looking()?.open_private(at)?))
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.fated(self.changing()?.create(at)?))
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        let LockFile { file, origin } = self.changing()?.open_lock(at)?;
        Ok(LockFile { file: self.fated(file), origin })
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        self.changing()?.make_folder(at)
    }

    fn make_root(&self) -> io::Result<()> {
        self.changing()?.make_root()
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        self.fate.link()?;
        self.changing()?.symlink(text, at)
    }

    fn links_appear_whole(&self) -> bool {
        self.disk.links_appear_whole()
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.fate.link()?;
        self.changing()?.hardlink(from, at)
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.fate.link()?;
        self.changing()?.reflink(from, at)
    }

    /// As far as anybody can tell who reads it, a copy shares its blocks.
    fn reflink_of(&self, from: &Path, at: &CachePath) -> io::Result<()> {
        match self.fate.links {
            Links::Shared => std::fs::copy(from, self.changing()?.native(at)).map(drop),
            Links::Made | Links::Refused => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        self.changing()?.rename(from, to)
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        self.changing()?.remove(at)
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        self.changing()?.remove_folder(at)
    }
}

struct FatedFile {
    file: Box<dyn DiskFile>,
    fate: Arc<Fate>,
}

impl Read for FatedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.fate.look()?;
        self.file.read(into)
    }
}

impl Write for FatedFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.fate.change()?;
        self.file.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for FatedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl DiskFile for FatedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.fate.change()?;
        self.file.sync()
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.fate.change()?;
        self.file.set_len(len_bytes)
    }

    fn try_lock(&mut self) -> io::Result<()> {
        self.fate.look()?;
        self.file.try_lock()
    }

    fn try_lock_shared(&mut self) -> io::Result<()> {
        self.fate.look()?;
        self.file.try_lock_shared()
    }
}
