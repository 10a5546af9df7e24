//! The system's own filesystem, natively and under WASI: the only place where this crate meets `std::fs`.

#[cfg(unix)]
mod listing;
mod metadata;

use std::{
    fs,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hubstow_core::layout::CachePath;

use self::metadata::{absent_is_none, listed_kind};
#[cfg(unix)]
use crate::disk::Looked;
use crate::disk::{
    Disk, DiskFile, Entry, FolderName, LockFile, Origin,
    failure::{ErrorGroup, group, of_naming},
    root, system,
};

/// The system's own filesystem below one directory.
///
/// ```
/// use hubstow_cache::StdDisk;
///
/// assert_eq!(StdDisk::new("/models").root().to_str(), Some("/models"));
/// ```
#[derive(Clone, Debug)]
pub struct StdDisk {
    root: PathBuf,
}

impl StdDisk {
    /// Makes a disk of a directory, which need not exist yet. The directory itself may be a link.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

struct StdFile(fs::File);

impl Read for StdFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for StdFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for StdFile {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl DiskFile for StdFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        system::write_at(&self.0, offset, bytes)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        system::read_at(&self.0, offset, into)
    }

    fn second_handle(&self) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self(system::second_handle(&self.0)?)))
    }

    fn allow_holes(&self) -> io::Result<()> {
        system::allow_holes(&self.0)
    }

    fn free(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        system::free(&self.0, from, len_bytes)
    }

    fn flushable(&self) -> Option<u64> {
        system::flushable(&self.0)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        system::sync_all(&self.0)
    }

    fn reserve(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        system::reserve(&self.0, from, len_bytes)
    }

    fn start_writing(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        system::start_writing(&self.0, from, len_bytes)
    }

    fn try_lock(&mut self) -> io::Result<()> {
        self.0.try_lock().map_err(io::Error::from)
    }

    fn try_lock_shared(&mut self) -> io::Result<()> {
        self.0.try_lock_shared().map_err(io::Error::from)
    }
}

/// A pipe in the place of a file must not hold anybody up.
#[cfg(unix)]
fn no_wait(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
}

#[cfg(not(unix))]
fn no_wait(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    options
}

#[cfg(unix)]
fn no_follow(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn no_follow(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    options
}

fn regular(file: fs::File) -> io::Result<fs::File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"))
    }
}

#[cfg(unix)]
fn make_symlink(text: &str, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(text, at)
}

#[cfg(windows)]
fn make_symlink(text: &str, at: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(text.replace('/', "\\"), at)
}

#[cfg(not(any(unix, windows)))]
#[expect(deprecated, reason = "the only stable way to make a symlink under WASI")]
fn make_symlink(text: &str, at: &Path) -> io::Result<()> {
    fs::soft_link(text, at)
}

#[cfg(not(target_family = "wasm"))]
fn make_reflink(from: &Path, at: &Path) -> io::Result<()> {
    reflink_copy::reflink(from, at)
}

#[cfg(target_family = "wasm")]
fn make_reflink(_from: &Path, _at: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The Python client makes its lock files writable for the group, whatever the umask: a shared cache needs it.
#[cfg(unix)]
fn share_lock(file: &fs::File) {
    use std::os::unix::fs::PermissionsExt;
    // A filesystem without modes refuses, and then everybody may write anyway.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o664));
}

#[cfg(not(unix))]
fn share_lock(_file: &fs::File) {}

impl Disk for StdDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + at.as_str().len() + 1);
        path.push(&self.root);
        path.extend(at.as_str().split('/').filter(|part| !part.is_empty()));
        path
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        absent_is_none(metadata::of_itself(&self.native(at)))
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        absent_is_none(metadata::through_links(&self.native(at)))
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        fs::metadata(self.native(at))?.modified()
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        let text = fs::read_link(self.native(at))?;
        let text = text.into_os_string().into_string();
        #[cfg(windows)]
        let text = text.map(|text| text.replace('\\', "/"));
        text.map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "the link's text is not Unicode")
        })
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.native(folder))? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        let mut kinds = Vec::new();
        for entry in fs::read_dir(self.native(folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            kinds.extend(listed_kind(&entry)?.map(|kind| FolderName { name, kind }));
        }
        Ok(kinds)
    }

    #[cfg(unix)]
    fn look_into(&self, folder: &CachePath) -> io::Result<Vec<Looked>> {
        listing::look_into(&self.native(folder))
    }

    fn free_bytes(&self, at: &CachePath) -> io::Result<Option<u64>> {
        let path = std::path::absolute(self.native(at))?;
        let missing = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        };
        let asked = path.ancestors().map(system::free_bytes);
        asked.into_iter().find(|found| !found.as_ref().is_err_and(missing)).unwrap_or(Ok(None))
    }

    fn boot(&self) -> Option<String> {
        system::boot()
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        let file = no_wait(options.read(true)).open(self.native(at))?;
        Ok(Box::new(StdFile(regular(file)?)))
    }

    fn owner(&self, at: &CachePath) -> Option<String> {
        system::owner(&fs::symlink_metadata(self.native(at)).ok()?)
    }

    fn is_own(&self, at: &CachePath) -> bool {
        fs::symlink_metadata(self.native(at)).is_ok_and(|metadata| system::is_own(&metadata))
    }

    fn open_own(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        let file = regular(no_follow(options.read(true)).open(self.native(at))?)?;
        if system::is_own(&file.metadata()?) {
            Ok(Box::new(StdFile(file)))
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    fn keep_to_owner(&self, at: &CachePath) -> io::Result<()> {
        system::keep_to_owner(&self.native(at))
    }

    fn share_like(&self, folder: &CachePath, other: &CachePath) -> io::Result<()> {
        system::share_like(&self.native(folder), &self.native(other))
    }

    fn file_like(&self, file: &CachePath, other: &CachePath) -> io::Result<()> {
        let other = self.native(other);
        let like = fs::metadata(&other)?;
        let file = fs::OpenOptions::new().write(true).open(self.native(file))?;
        let times =
            fs::FileTimes::new().set_modified(like.modified()?).set_accessed(like.accessed()?);
        file.set_times(times)?;
        // What several repos share nobody may write to; a copy is its repo's alone.
        if cfg!(unix) && !fs::symlink_metadata(&other)?.is_symlink() {
            file.set_permissions(like.permissions())?;
        }
        Ok(())
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        let file = no_follow(options.read(true).write(true)).open(self.native(at))?;
        Ok(Box::new(StdFile(regular(file)?)))
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create_new(true);
        Ok(Box::new(StdFile(options.open(self.native(at))?)))
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        let path = self.native(at);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        match no_follow(options.clone().create_new(true)).open(&path) {
            Ok(file) => {
                share_lock(&file);
                Ok(LockFile { file: Box::new(StdFile(file)), origin: Origin::Made })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = regular(no_follow(&mut options).open(&path)?)?;
                Ok(LockFile { file: Box::new(StdFile(file)), origin: Origin::Found })
            }
            Err(error) => Err(error),
        }
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        fs::create_dir(self.native(at))
    }

    fn make_root(&self) -> io::Result<()> {
        root::make(&self.root)
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        make_symlink(text, &self.native(at))
    }

    /// Windows makes an empty file first and a link of it then, and of a sandbox's host nothing is known.
    fn links_appear_whole(&self) -> bool {
        cfg!(unix)
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        fs::hard_link(self.native(from), self.native(at))
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        make_reflink(&self.native(from), &self.native(at))
    }

    fn reflink_of(&self, from: &Path, at: &CachePath) -> io::Result<()> {
        if fs::symlink_metadata(from)?.is_file() {
            make_reflink(from, &self.native(at))
        } else {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        patiently(|| fs::rename(self.native(from), self.native(to)))
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        patiently(|| fs::remove_file(self.native(at)))
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        fs::remove_dir(self.native(at))
    }
}

/// Repeats what a virus scanner or a reader may hold up for a moment: at most 6 times, 315 ms.
fn patiently(operation: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let operation = || operation().map_err(of_naming);
    let mut wait = std::time::Duration::from_millis(5);
    for _ in 0..6 {
        match operation() {
            Err(error) if group(&error) == ErrorGroup::Busy => {
                std::thread::sleep(wait);
                wait *= 2;
            }
            result => return result,
        }
    }
    operation()
}
