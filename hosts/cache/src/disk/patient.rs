//! A disk that waits where too many files are open: others close theirs soon.
//!
//! This is the one place where that shortage is waited out. Each operation that opens something tries again for a while,
//! and what it says in the end is the system's own error.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use hubstow_core::layout::CachePath;

use crate::disk::{
    Disk, DiskFile, Entry, FolderName, LockFile, Looked,
    failure::{ErrorGroup, group},
};

/// How long an operation waits in all. A file on its way is open for no longer than others need for theirs, and who waits
/// longer than this waits for another program.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits at first, and at most, before it tries again.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// A disk that waits until a file can be opened.
pub struct PatientDisk {
    disk: Arc<dyn Disk>,
    patience: Duration,
}

impl PatientDisk {
    /// Makes a patient disk of another one.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, patience: PATIENCE }
    }

    /// Does what opens something, again while too many files are open.
    fn patiently<T>(&self, open: impl Fn(&dyn Disk) -> io::Result<T>) -> io::Result<T> {
        let (begin, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            match open(&*self.disk) {
                Err(error)
                    if group(&error) == ErrorGroup::TooManyOpen
                        && begin.elapsed() < self.patience =>
                {
                    tracing::debug!(%error, ?wait, "waiting until others have closed files");
                    thread::sleep(wait);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                opened => return opened,
            }
        }
    }
}

impl Disk for PatientDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        self.disk.native(at)
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.patiently(|disk| disk.entry(at))
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.patiently(|disk| disk.through(at))
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        self.patiently(|disk| disk.modified(at))
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        self.patiently(|disk| disk.link_text(at))
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        self.patiently(|disk| disk.names(folder))
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        self.patiently(|disk| disk.kinds(folder))
    }

    fn look_into(&self, folder: &CachePath) -> io::Result<Vec<Looked>> {
        self.patiently(|disk| disk.look_into(folder))
    }

    fn free_bytes(&self, at: &CachePath) -> io::Result<Option<u64>> {
        self.patiently(|disk| disk.free_bytes(at))
    }

    fn boot(&self) -> Option<String> {
        self.disk.boot()
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.patiently(|disk| disk.open(at))
    }

    fn owner(&self, at: &CachePath) -> Option<String> {
        self.disk.owner(at)
    }

    fn is_own(&self, at: &CachePath) -> bool {
        self.disk.is_own(at)
    }

    fn open_own(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.patiently(|disk| disk.open_own(at))
    }

    fn file_like(&self, file: &CachePath, other: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.file_like(file, other))
    }

    fn keep_to_owner(&self, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.keep_to_owner(at))
    }

    fn share_like(&self, folder: &CachePath, other: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.share_like(folder, other))
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.patiently(|disk| disk.open_private(at))
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.patiently(|disk| disk.create(at))
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        self.patiently(|disk| disk.open_lock(at))
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.make_folder(at))
    }

    fn make_root(&self) -> io::Result<()> {
        self.patiently(|disk| disk.make_root())
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.symlink(text, at))
    }

    fn links_appear_whole(&self) -> bool {
        self.disk.links_appear_whole()
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.hardlink(from, at))
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.reflink(from, at))
    }

    fn reflink_of(&self, from: &Path, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.reflink_of(from, at))
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.rename(from, to))
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.remove(at))
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        self.patiently(|disk| disk.remove_folder(at))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::StdDisk;

    fn too_many_open() -> io::Error {
        io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())
    }

    #[test]
    fn too_many_open_files_are_waited_out_and_other_errors_are_told_at_once() {
        for (failures, error, tries, succeeds) in [
            (0, too_many_open as fn() -> io::Error, 1, true),
            (3, too_many_open, 4, true),
            (1, || io::ErrorKind::PermissionDenied.into(), 1, false),
        ] {
            let disk = PatientDisk::new(Arc::new(StdDisk::new("nowhere")));
            let tried = Cell::new(0);
            let done = disk.patiently(|_| {
                tried.set(tried.get() + 1);
                if tried.get() > failures { Ok(()) } else { Err(error()) }
            });
            assert_eq!((tried.get(), done.is_ok()), (tries, succeeds), "{failures} failures");
        }
    }

    #[test]
    fn the_wait_has_an_end_and_then_the_system_speaks() {
        let patience = Duration::from_millis(20);
        let disk = PatientDisk { disk: Arc::new(StdDisk::new("nowhere")), patience };
        let begin = Instant::now();
        let error = disk.patiently(|_| Err::<(), _>(too_many_open())).unwrap_err();
        assert_eq!(group(&error), ErrorGroup::TooManyOpen);
        assert!(begin.elapsed() >= patience);
    }
}
