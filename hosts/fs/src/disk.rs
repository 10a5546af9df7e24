//! The narrow set of primitive operations that observing and executing are written on.
//!
//! A disk knows paths of the cache and nothing of what they mean. The standard one works below a directory of the
//! system, natively and under WASI; tests put others in its place to fail or to die at a chosen operation.

use std::{
    fs, io,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hubstow_core::layout::CachePath;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symlink, whatever it leads to.
    Symlink,
    /// A directory.
    Directory,
    /// A device, a pipe, a socket.
    Other,
}

/// Which bytes a regular file held at one moment, as far as the system can tell without reading them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// Returns the identity as one line of text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// Which bytes it holds.
    pub identity: Identity,
}

/// An open file.
pub trait DiskFile: Read + Write + Seek + Send {
    /// Brings the content to the disk. After an error the file must not be published (invariant I18).
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// Whatever the system says.
    fn set_len(&mut self, len_bytes: u64) -> io::Result<()>;

    /// Tries to lock the file for this process alone.
    ///
    /// # Errors
    /// `WouldBlock` where somebody holds it; anything else where locks are not to be had.
    fn try_lock(&mut self) -> io::Result<()>;
}

/// Primitive operations on paths below one cache root. None follows a symlink at the last part unless it says so.
pub trait Disk: Send + Sync {
    /// Returns the path as the system knows it, for messages and results.
    fn native(&self, at: &CachePath) -> PathBuf;
    /// Looks at an entry itself.
    ///
    /// # Errors
    /// Whatever the system says; an absent entry is no error.
    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>>;
    /// Looks at what an entry leads to.
    ///
    /// # Errors
    /// As [`Disk::entry`].
    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>>;
    /// Returns when what an entry leads to was last changed.
    ///
    /// # Errors
    /// Whatever the system says.
    fn modified(&self, at: &CachePath) -> io::Result<SystemTime>;
    /// Reads the text of a symlink.
    ///
    /// # Errors
    /// Whatever the system says; text that is not Unicode.
    fn link_text(&self, at: &CachePath) -> io::Result<String>;
    /// Lists the names in a folder.
    ///
    /// # Errors
    /// Whatever the system says. Names that are not Unicode are left out: none of ours is such.
    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>>;
    /// Opens a file for reading, through links.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a private regular file for reading and writing.
    ///
    /// # Errors
    /// Whatever the system says; anything but a regular file.
    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>>;
    /// Makes a file that was not there.
    ///
    /// # Errors
    /// Whatever the system says, also where something is there already.
    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a lock file, making it if need be, never cutting it.
    ///
    /// # Errors
    /// Whatever the system says; anything but a regular file. The flag tells whether it was made.
    fn open_lock(&self, at: &CachePath) -> io::Result<(Box<dyn DiskFile>, bool)>;
    /// Makes one folder.
    ///
    /// # Errors
    /// Whatever the system says.
    fn make_folder(&self, at: &CachePath) -> io::Result<()>;
    /// Makes the cache root and everything above it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn make_root(&self) -> io::Result<()>;
    /// Makes a symlink with this text.
    ///
    /// # Errors
    /// Whatever the system says.
    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()>;
    /// Gives a file a second name.
    ///
    /// # Errors
    /// Whatever the system says.
    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()>;
    /// Makes a copy that shares its blocks.
    ///
    /// # Errors
    /// Whatever the system says.
    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()>;
    /// Renames, replacing what is at the target.
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()>;
    /// Removes a file or a link.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove(&self, at: &CachePath) -> io::Result<()>;
    /// Removes an empty folder.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove_folder(&self, at: &CachePath) -> io::Result<()>;
}

/// The system's own filesystem below one directory.
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

    fn try_lock(&mut self) -> io::Result<()> {
        self.0.try_lock().map_err(io::Error::from)
    }
}

fn entry_of(metadata: &fs::Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_symlink() => Kind::Symlink,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    };
    Entry { kind, len_bytes: metadata.len(), identity: identity_of(metadata) }
}

#[cfg(unix)]
fn identity_of(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity(format!(
        "{} {} {}.{:09} {}.{:09}",
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ))
}

#[cfg(not(unix))]
fn identity_of(metadata: &fs::Metadata) -> Identity {
    let nanos = |time: io::Result<SystemTime>| {
        let since = time.ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        since.map_or(0, |since| since.as_nanos())
    };
    let (modified, created) = (nanos(metadata.modified()), nanos(metadata.created()));
    Identity(format!("{} {modified} {created}", metadata.len()))
}

fn absent_is_none(result: io::Result<fs::Metadata>) -> io::Result<Option<Entry>> {
    match result {
        Ok(metadata) => Ok(Some(entry_of(&metadata))),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
        let parts = at.as_str().split('/').filter(|part| !part.is_empty());
        parts.fold(self.root.clone(), |path, part| path.join(part))
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        absent_is_none(fs::symlink_metadata(self.native(at)))
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        absent_is_none(fs::metadata(self.native(at)))
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        fs::metadata(self.native(at))?.modified()
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        let text = fs::read_link(self.native(at))?;
        let text = text.into_os_string().into_string();
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

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(StdFile(regular(fs::File::open(self.native(at))?)?)))
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

    fn open_lock(&self, at: &CachePath) -> io::Result<(Box<dyn DiskFile>, bool)> {
        let path = self.native(at);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        match no_follow(options.clone().create_new(true)).open(&path) {
            Ok(file) => {
                share_lock(&file);
                Ok((Box::new(StdFile(file)), true))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = no_follow(&mut options).open(&path)?;
                Ok((Box::new(StdFile(regular(file)?)), false))
            }
            Err(error) => Err(error),
        }
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        fs::create_dir(self.native(at))
    }

    fn make_root(&self) -> io::Result<()> {
        fs::create_dir_all(&self.root)
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        make_symlink(text, &self.native(at))
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        fs::hard_link(self.native(from), self.native(at))
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        make_reflink(&self.native(from), &self.native(at))
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

/// Repeats what a virus scanner or a reader may hold up for a moment (Windows 5, 32, 33): at most 6 times, 315 ms.
fn patiently(operation: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let mut wait = std::time::Duration::from_millis(5);
    for _ in 0..6 {
        match operation() {
            Err(error) if crate::failure::group(&error) == crate::failure::ErrorGroup::Busy => {
                std::thread::sleep(wait);
                wait *= 2;
            }
            result => return result,
        }
    }
    operation()
}
