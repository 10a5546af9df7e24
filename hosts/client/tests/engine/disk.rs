//! A disk that writes down which threads touch it, counts what is open, and can give no more than so many descriptors.

use std::{
    collections::HashMap,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::SystemTime,
};

use hubstow_cache::{
    Disk, StdDisk,
    disk::{DiskFile, Entry, FolderName, LockFile},
};
use hubstow_core::layout::CachePath;

/// What is seen of all disks of a test.
#[derive(Default)]
pub(crate) struct Watch {
    /// What each thread has done first.
    touched: Mutex<HashMap<ThreadId, String>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    /// How many files may be open; 0 where any number may.
    limit: AtomicUsize,
}

impl Watch {
    /// Returns what a thread has done first, if it has touched a disk.
    pub(crate) fn touched_by(&self, thread: ThreadId) -> Option<String> {
        self.touched.lock().unwrap().get(&thread).cloned()
    }

    pub(crate) fn threads(&self) -> usize {
        self.touched.lock().unwrap().len()
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn most_open(&self) -> usize {
        self.most_open.load(Ordering::SeqCst)
    }

    /// No more than so many files may be open from now on; 0 takes that back.
    pub(crate) fn limit(&self, files: usize) {
        self.limit.store(files, Ordering::SeqCst);
    }

    fn touch(&self, what: &str) {
        let mut touched = self.touched.lock().unwrap();
        touched.entry(thread::current().id()).or_insert_with(|| what.to_owned());
    }

    fn opens(&self) -> io::Result<()> {
        let limit = self.limit.load(Ordering::SeqCst);
        let now = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        if limit > 0 && now > limit {
            self.open.fetch_sub(1, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(TOO_MANY_OPEN));
        }
        self.most_open.fetch_max(now, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(unix)]
const TOO_MANY_OPEN: i32 = 24;
#[cfg(not(unix))]
const TOO_MANY_OPEN: i32 = 4;

/// A watched disk of the system.
pub(crate) struct WatchedDisk {
    disk: StdDisk,
    watch: Arc<Watch>,
}

impl WatchedDisk {
    pub(crate) fn new(directory: &Path, watch: &Arc<Watch>) -> Self {
        Self { disk: StdDisk::new(directory), watch: Arc::clone(watch) }
    }

    fn opened(
        &self,
        open: impl FnOnce(&StdDisk) -> io::Result<Box<dyn DiskFile>>,
    ) -> io::Result<Box<dyn DiskFile>> {
        self.watch.touch("open");
        self.watch.opens()?;
        match open(&self.disk) {
            Ok(file) => Ok(Box::new(WatchedFile { file, watch: Arc::clone(&self.watch) })),
            Err(error) => {
                self.watch.open.fetch_sub(1, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    /// Opens something for a moment.
    fn listed<T>(&self, list: impl FnOnce(&StdDisk) -> io::Result<T>) -> io::Result<T> {
        self.watch.touch("list");
        self.watch.opens()?;
        let listed = list(&self.disk);
        self.watch.open.fetch_sub(1, Ordering::SeqCst);
        listed
    }

    fn plain(&self, what: &str) -> &StdDisk {
        self.watch.touch(what);
        &self.disk
    }
}

impl Disk for WatchedDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        self.disk.native(at)
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.plain("entry").entry(at)
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.plain("through").through(at)
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        self.plain("modified").modified(at)
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        self.plain("link_text").link_text(at)
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        self.listed(|disk| disk.names(folder))
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        self.listed(|disk| disk.kinds(folder))
    }

    fn free_bytes(&self, at: &CachePath) -> io::Result<Option<u64>> {
        self.plain("free_bytes").free_bytes(at)
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.opened(|disk| disk.open(at))
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.opened(|disk| disk.open_private(at))
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.opened(|disk| disk.create(at))
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        self.watch.touch("open_lock");
        self.watch.opens()?;
        match self.disk.open_lock(at) {
            Ok(LockFile { file, origin }) => {
                let file = Box::new(WatchedFile { file, watch: Arc::clone(&self.watch) });
                Ok(LockFile { file, origin })
            }
            Err(error) => {
                self.watch.open.fetch_sub(1, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        self.plain("make_folder").make_folder(at)
    }

    fn make_root(&self) -> io::Result<()> {
        self.plain("make_root").make_root()
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        self.plain("symlink").symlink(text, at)
    }

    fn links_appear_whole(&self) -> bool {
        self.disk.links_appear_whole()
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.plain("hardlink").hardlink(from, at)
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.plain("reflink").reflink(from, at)
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        self.plain("rename").rename(from, to)
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        self.plain("remove").remove(at)
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        self.plain("remove_folder").remove_folder(at)
    }
}

struct WatchedFile {
    file: Box<dyn DiskFile>,
    watch: Arc<Watch>,
}

impl Drop for WatchedFile {
    fn drop(&mut self) {
        self.watch.touch("close");
        self.watch.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Read for WatchedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.watch.touch("read");
        self.file.read(into)
    }
}

impl Write for WatchedFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.watch.touch("write");
        self.file.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for WatchedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.watch.touch("seek");
        self.file.seek(to)
    }
}

impl DiskFile for WatchedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.watch.touch("sync");
        self.file.sync()
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.watch.touch("set_len");
        self.file.set_len(len_bytes)
    }

    fn flushable(&self) -> Option<u64> {
        self.file.flushable()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.watch.touch("sync_all");
        self.file.sync_all()
    }

    fn reserve(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        self.watch.touch("reserve");
        self.file.reserve(from, len_bytes)
    }

    fn start_writing(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        self.watch.touch("start_writing");
        self.file.start_writing(from, len_bytes)
    }

    fn try_lock(&mut self) -> io::Result<()> {
        self.watch.touch("try_lock");
        self.file.try_lock()
    }
}
