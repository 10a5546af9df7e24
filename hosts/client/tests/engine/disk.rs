//! A disk that writes down which threads touch it, counts what is open, and can give no more than so many descriptors.

use std::{
    collections::HashMap,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, SystemTime},
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
    /// What was written of content, in this order, and how long each takes.
    written: Mutex<Vec<Range<u64>>>,
    write_takes: Mutex<Duration>,
    read_bytes: AtomicU64,
}

/// Less than that is no content of a large file.
const CONTENT_BYTES: usize = 16 << 10;

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

    /// Each piece of content takes so long to be written from now on.
    pub(crate) fn write_takes(&self, time: Duration) {
        *self.write_takes.lock().unwrap() = time;
    }

    /// Returns what was written of a large file, in this order.
    pub(crate) fn written(&self) -> Vec<Range<u64>> {
        self.written.lock().unwrap().clone()
    }

    /// Returns how much was read of whatever was read in large pieces.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::SeqCst)
    }

    fn writes(&self, at: u64, len: usize) {
        self.touch("write");
        if len >= CONTENT_BYTES {
            thread::sleep(*self.write_takes.lock().unwrap());
            self.written.lock().unwrap().push(at..at + len as u64);
        }
    }

    fn reads(&self, into: usize, len: usize) {
        self.touch("read");
        if into >= CONTENT_BYTES {
            self.read_bytes.fetch_add(len as u64, Ordering::SeqCst);
        }
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

    /// Opens one more file, if that is allowed.
    fn opening<T>(&self, open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.opens()?;
        open().inspect_err(|_| self.closes())
    }

    fn closes(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
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
        let file = self.watch.opening(|| open(&self.disk))?;
        Ok(Box::new(WatchedFile::new(file, &self.watch)))
    }

    /// Opens something for a moment.
    fn listed<T>(&self, list: impl FnOnce(&StdDisk) -> io::Result<T>) -> io::Result<T> {
        self.watch.touch("list");
        self.watch.opens()?;
        let listed = list(&self.disk);
        self.watch.closes();
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
        let LockFile { file, origin } = self.watch.opening(|| self.disk.open_lock(at))?;
        Ok(LockFile { file: Box::new(WatchedFile::new(file, &self.watch)), origin })
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
    at: u64,
}

impl WatchedFile {
    fn new(file: Box<dyn DiskFile>, watch: &Arc<Watch>) -> Self {
        Self { file, watch: Arc::clone(watch), at: 0 }
    }
}

impl Drop for WatchedFile {
    fn drop(&mut self) {
        self.watch.touch("close");
        self.watch.closes();
    }
}

impl Read for WatchedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(into)?;
        self.watch.reads(into.len(), len);
        self.at += len as u64;
        Ok(len)
    }
}

impl Write for WatchedFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let len = self.file.write(from)?;
        self.watch.writes(self.at, len);
        self.at += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for WatchedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.watch.touch("seek");
        self.at = self.file.seek(to)?;
        Ok(self.at)
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

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)?;
        self.watch.writes(offset, bytes.len());
        Ok(())
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(offset, into)?;
        self.watch.reads(into.len(), len);
        Ok(len)
    }

    fn second_handle(&self) -> io::Result<Box<dyn DiskFile>> {
        let file = self.watch.opening(|| self.file.second_handle())?;
        Ok(Box::new(Self::new(file, &self.watch)))
    }

    fn allow_holes(&self) -> io::Result<()> {
        self.file.allow_holes()
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
