//! The narrow set of primitive operations that observing and executing are written on.
//!
//! A disk knows paths of the cache and nothing of what they mean. The standard one works below a directory of the
//! system, natively and under WASI; tests put others in its place to fail or to die at a chosen operation.

pub mod cancel;
pub mod content;
pub(crate) mod exclusion;
pub mod failure;
pub mod patient;
pub(crate) mod root;
mod seen;
pub mod std_disk;
mod system;

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hubstow_core::layout::CachePath;

pub use self::seen::{Entry, FolderName, Found, Identity, Kind, Looked};

/// Whether a file was there before it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was not: opening has made it.
    Made,
    /// It was.
    Found,
}

/// A lock file that was opened.
pub struct LockFile {
    /// The file.
    pub file: Box<dyn DiskFile>,
    /// Whether it was there before.
    pub origin: Origin,
}

/// An open file.
pub trait DiskFile: Read + Write + Seek + Send {
    /// Brings the content to the disk. After an error the file must not be published (invariant I18).
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts or extends the file. Space that was reserved behind this length is free again, whatever the length was.
    ///
    /// # Errors
    /// Whatever the system says.
    fn set_len(&mut self, len_bytes: u64) -> io::Result<()>;

    /// Writes all of these bytes at an offset, wherever reading and writing in order have come to. Where that is after this
    /// is left open.
    ///
    /// # Errors
    /// Whatever the system says; some of the bytes may have been written then.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    /// Reads at an offset as `read` does in order.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(offset))?;
        self.read(into)
    }

    /// Makes another handle on the same open file: a lock on it is both's, and ends with the last of them. On either only
    /// [`write_at`](Self::write_at), [`read_at`](Self::read_at) and [`sync`](Self::sync) may be used then, which do not disturb
    /// each other.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` where it is not to be had, or where offsets are reached by seeking.
    fn second_handle(&self) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sees to it that bytes may be written far behind all others without the disk writing what is between.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` where it is not to be had.
    fn allow_holes(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the space of a range free that is reserved and holds nothing, without changing the file's length.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` where it is not to be had.
    fn free(&mut self, _from: u64, _len_bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns which filesystem the file is on, where [`sync_all`](Self::sync_all) is to be had and tells every failure
    /// that a sync of the file itself would tell.
    fn flushable(&self) -> Option<u64> {
        None
    }

    /// Brings everything on the file's filesystem to the disk. An error may be anybody's: each file must then be synced
    /// by itself. Failures since this file was opened are told, so of many files the one that was opened first is to be
    /// asked.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` where it is not to be had.
    fn sync_all(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Reserves space for bytes that are to be written, without changing the file's length.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` where it is not to be had.
    fn reserve(&mut self, _from: u64, _len_bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Begins to write these bytes to the disk without waiting for it, so that syncing later takes less time.
    ///
    /// # Errors
    /// Whatever the system says; nothing depends on it.
    fn start_writing(&mut self, _from: u64, _len_bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Tries to lock the file for this process alone.
    ///
    /// # Errors
    /// `WouldBlock` where somebody holds it; anything else where locks are not to be had.
    fn try_lock(&mut self) -> io::Result<()>;

    /// Tries to lock the file together with others who lock it in this way.
    ///
    /// # Errors
    /// `WouldBlock` where somebody holds it alone; anything else where such locks are not to be had.
    fn try_lock_shared(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Primitive operations on paths below one cache root. None follows a symlink at the last part unless it says so.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_cache::{Disk, StdDisk};
/// use hubstow_core::{layout::RepoLayout, name::{Repo, RepoId, RepoKind}};
///
/// let disk = StdDisk::new("/models");
/// let repo = Repo::new(RepoKind::Model, RepoId::parse("org/name")?);
/// println!("{}", disk.native(&RepoLayout::new(&repo).repo()).display());
/// # Ok(())
/// # }
/// ```
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
    /// Reads the text of a symlink, with slashes between its parts.
    ///
    /// # Errors
    /// Whatever the system says; text that is not Unicode.
    fn link_text(&self, at: &CachePath) -> io::Result<String>;
    /// Lists the names in a folder.
    ///
    /// # Errors
    /// Whatever the system says. Names that are not Unicode are left out: none of ours is such.
    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>>;
    /// Lists the names in a folder with what each is, without a look at each where the system can.
    ///
    /// # Errors
    /// As [`Disk::names`].
    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>>;
    /// Lists a folder and looks at every entry itself, as [`Disk::entry`] and [`Disk::link_text`] do. What is gone by then, or has
    /// become something else, is left out.
    ///
    /// # Errors
    /// As [`Disk::names`].
    fn look_into(&self, folder: &CachePath) -> io::Result<Vec<Looked>> {
        let mut looked = Vec::new();
        for FolderName { name, kind } in self.kinds(folder)? {
            let Some(at) = folder.listed(&name) else { continue };
            let found = if kind == Kind::Symlink {
                Ok(Found::Link(self.link_text(&at).unwrap_or_default()))
            } else {
                match self.entry(&at) {
                    Ok(Some(entry)) if entry.kind == kind => Ok(Found::Entry(entry)),
                    Ok(_) => continue,
                    Err(error) => Err(error),
                }
            };
            looked.push(Looked { name, kind, found });
        }
        Ok(looked)
    }
    /// Returns how many bytes may still be written on the filesystem of a path, or of the nearest folder above it that is
    /// there; `None` where that is not known.
    ///
    /// # Errors
    /// Whatever the system says.
    fn free_bytes(&self, _at: &CachePath) -> io::Result<Option<u64>> {
        Ok(None)
    }
    /// Returns a name for the time since the system was started, in which nothing is lost that was written here; `None`
    /// where it has none.
    fn boot(&self) -> Option<String> {
        None
    }
    /// Opens a file for reading, through links.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>>;
    /// Returns who owns an entry, in words, where the system knows owners.
    fn owner(&self, _at: &CachePath) -> Option<String> {
        None
    }
    /// Tells whether nobody but this user and the system's administrator can have put there what is at `at`, as far as
    /// owners and modes say; where the system has none, everything is the user's own.
    fn is_own(&self, _at: &CachePath) -> bool {
        true
    }
    /// Opens a file for reading that is the user's own, see [`Disk::is_own`].
    ///
    /// # Errors
    /// Whatever the system says; `PermissionDenied` where others can have written it.
    fn open_own(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.open(at)
    }
    /// Takes from all but the owner the right to change a file or folder.
    ///
    /// # Errors
    /// Whatever the system says.
    fn keep_to_owner(&self, _at: &CachePath) -> io::Result<()> {
        Ok(())
    }
    /// Gives a folder or a file the group and the mode of a folder; a file without what is of use to folders only.
    ///
    /// # Errors
    /// Whatever the system says.
    fn share_like(&self, _made: &CachePath, _other: &CachePath) -> io::Result<()> {
        Ok(())
    }
    /// Gives a private file the times of another and, unless that is reached through a link, its mode.
    ///
    /// # Errors
    /// Whatever the system says; nothing right depends on it.
    fn file_like(&self, _file: &CachePath, _other: &CachePath) -> io::Result<()> {
        Ok(())
    }
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
    /// Whatever the system says; anything but a regular file.
    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile>;
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
    /// Tells whether a symlink appears at once with its text, or not at all: then it needs no private name first.
    fn links_appear_whole(&self) -> bool {
        false
    }
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
    /// Makes a copy that shares its blocks of a regular file that is elsewhere on the system. It is of the file itself, never
    /// of what a link leads to.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` where it is not to be had.
    fn reflink_of(&self, _from: &Path, _at: &CachePath) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
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
