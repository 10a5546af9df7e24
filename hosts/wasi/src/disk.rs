//! The disk of a sandbox: the standard library's, but for open files and for what tells files apart.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hubstow_cache::{
    Disk, StdDisk,
    disk::{DiskFile, Entry, FolderName, LockFile},
};
use hubstow_core::layout::CachePath;

use crate::file::{self, Opening, WasiFile};

/// A folder of the sandbox.
pub(crate) struct WasiDisk(StdDisk);

impl WasiDisk {
    /// Takes a directory, which need not exist yet.
    ///
    /// # Errors
    /// A directory that the host has not opened.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        file::check_reach(directory)?;
        Ok(Self(StdDisk::new(directory)))
    }

    fn opened(&self, at: &CachePath, how: Opening) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(WasiFile::open(&self.0.native(at), how)?))
    }
}

impl Disk for WasiDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        self.0.native(at)
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.opened(at, Opening { through_links: true, new: false, write: false })
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.opened(at, Opening { through_links: false, new: false, write: true })
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.opened(at, Opening { through_links: false, new: true, write: true })
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        self.0.open_lock(at)
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        file::entry(&self.0.native(at))
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        file::entry_through(&self.0.native(at))
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        self.0.modified(at)
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        self.0.link_text(at)
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        self.0.names(folder)
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        self.0.kinds(folder)
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        self.0.make_folder(at)
    }

    fn make_root(&self) -> io::Result<()> {
        self.0.make_root()
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        self.0.symlink(text, at).map_err(|error| understood(error, ErrorKind::Unsupported))
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.0.hardlink(from, at).map_err(|error| understood(error, ErrorKind::CrossesDevices))
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.0.reflink(from, at)
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        self.0.rename(from, to).map_err(|error| understood(error, ErrorKind::CrossesDevices))
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        self.0.remove(at)
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        self.0.remove_folder(at)
    }
}

/// Understands why a link could not be made, or a name not come to another folder. Runtimes that have no word for that (a disk that
/// has no links, two disks) say that the system failed; a disk that does fail says so again when the next method is tried.
fn understood(error: io::Error, meant: ErrorKind) -> io::Error {
    /// `EIO` of wasi-libc.
    const FAILED: i32 = 29;
    match error.raw_os_error() {
        Some(FAILED) => io::Error::new(meant, error),
        Some(_) | None => error,
    }
}
