//! What the tests ask of the system itself, and what only some systems have.

use std::{fs, io, path::Path};

#[cfg(unix)]
pub(crate) use rustix::io::Errno;
#[cfg(unix)]
pub(crate) use unix::{allocated, look, symlink};
#[cfg(windows)]
pub(crate) use windows::{Errno, allocated, look, symlink};

/// What tells one file from another, and one state of it from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) number: u64,
    /// How many names it has.
    pub(crate) names: u64,
    pub(crate) modified_ns: i128,
    /// When anything about it was changed; 0 where the system does not tell.
    pub(crate) changed_ns: i128,
}

/// Which file is at the end of all links.
pub(crate) fn number(path: &Path) -> io::Result<u64> {
    Ok(look(&fs::canonicalize(path)?)?.number)
}

/// Of how many scenes one is tried: Windows is tried under Wine, which is slow.
pub(crate) const ONE_SCENE_OF: usize = if cfg!(windows) { 3 } else { 1 };

/// The operations at which something happens, in tests that try each: under Wine, which is slow, every fifth.
pub(crate) fn moments() -> impl Iterator<Item = usize> {
    (1..).step_by(if cfg!(windows) { 5 } else { 1 })
}

/// Whether symlinks can be made here: Windows may refuse them, and Wine only says that it has made them.
pub(crate) fn makes_links() -> bool {
    static MAKES: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let at = folder.path().join("link");
        symlink("file", &at).is_ok() && fs::read(at).is_ok()
    });
    *MAKES
}

#[cfg(unix)]
mod unix {
    use std::{
        fs::{self, Metadata},
        io,
        os::unix::fs::MetadataExt,
        path::Path,
    };

    pub(crate) use std::os::unix::fs::symlink;

    use super::Look;

    /// Looks at an entry itself.
    pub(crate) fn look(path: &Path) -> io::Result<Look> {
        let found = fs::symlink_metadata(path)?;
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Ok(Look {
            number: found.ino(),
            names: found.nlink(),
            modified_ns: ns(found.mtime(), found.mtime_nsec()),
            changed_ns: ns(found.ctime(), found.ctime_nsec()),
        })
    }

    /// What a file takes of the disk, reserved space included.
    pub(crate) fn allocated(file: &Metadata) -> u64 {
        file.blocks() * 512
    }
}

#[cfg(windows)]
mod windows {
    use std::{
        fmt,
        fs::{self, Metadata, OpenOptions},
        io,
        os::windows::fs::{OpenOptionsExt as _, symlink_dir, symlink_file},
        path::Path,
        time::UNIX_EPOCH,
    };

    use windows_sys::Win32::{
        Foundation as codes,
        Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT},
    };

    use super::Look;

    /// An error of the system by its number: what it says where other systems have an errno of this name.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Errno(u32);

    impl Errno {
        /// What links are refused with, for want of a right.
        pub(crate) const PERM: Self = Self(codes::ERROR_PRIVILEGE_NOT_HELD);
        pub(crate) const ACCESS: Self = Self(codes::ERROR_ACCESS_DENIED);
        pub(crate) const NOENT: Self = Self(codes::ERROR_FILE_NOT_FOUND);
        pub(crate) const IO: Self = Self(codes::ERROR_IO_DEVICE);
        pub(crate) const NOSPC: Self = Self(codes::ERROR_DISK_FULL);
        pub(crate) const ROFS: Self = Self(codes::ERROR_WRITE_PROTECT);
        pub(crate) const XDEV: Self = Self(codes::ERROR_NOT_SAME_DEVICE);
        pub(crate) const MLINK: Self = Self(codes::ERROR_TOO_MANY_LINKS);
        pub(crate) const INVAL: Self = Self(codes::ERROR_INVALID_NAME);
        pub(crate) const OPNOTSUPP: Self = Self(codes::ERROR_NOT_SUPPORTED);
        pub(crate) const NOSYS: Self = Self(codes::ERROR_INVALID_FUNCTION);
        pub(crate) const NOLCK: Self = Self(codes::ERROR_SHARING_BUFFER_EXCEEDED);
    }

    impl From<Errno> for io::Error {
        fn from(errno: Errno) -> Self {
            Self::from_raw_os_error(errno.0.cast_signed())
        }
    }

    impl fmt::Debug for Errno {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            io::Error::from(*self).fmt(f)
        }
    }

    impl fmt::Display for Errno {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            io::Error::from(*self).fmt(f)
        }
    }

    pub(crate) fn symlink(text: impl AsRef<Path>, at: impl AsRef<Path>) -> io::Result<()> {
        let (text, at) = (text.as_ref(), at.as_ref());
        let to_folder = at.parent().is_some_and(|folder| folder.join(text).is_dir());
        if to_folder { symlink_dir(text, at) } else { symlink_file(text, at) }?;
        let is_there = fs::symlink_metadata(at).is_ok_and(|made| made.is_symlink());
        if is_there { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Looks at an entry itself.
    pub(crate) fn look(path: &Path) -> io::Result<Look> {
        let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
        let file = OpenOptions::new().access_mode(0).custom_flags(flags).open(path)?;
        let told = winapi_util::file::information(&file)?;
        let modified = file.metadata()?.modified()?.duration_since(UNIX_EPOCH);
        let modified_ns = modified.map_or(0, |since| since.as_nanos().cast_signed());
        let (number, names) = (told.file_index(), told.number_of_links());
        Ok(Look { number, names, modified_ns, changed_ns: 0 })
    }

    /// What a file takes of the disk, as far as it can be told.
    pub(crate) fn allocated(file: &Metadata) -> u64 {
        file.len()
    }
}
