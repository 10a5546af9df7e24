//! Open files by wasi:filesystem itself: the standard library's own writes go through a stream, at half the speed.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::LazyLock,
};

use hubstow_cache::disk::{DiskFile, Entry, Identity, Kind};
use wasip2::{
    clocks::wall_clock::Datetime,
    filesystem::{
        preopens::get_directories,
        types::{
            Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode,
            MetadataHashValue, OpenFlags, PathFlags,
        },
    },
};

use crate::folders::{Way, way_to};

/// The most bytes that are asked for at once; the host gives no more than it likes.
const READ_BYTES: usize = 1 << 20;

/// An open file and the place where it is read or written next.
pub(crate) struct WasiFile {
    descriptor: Descriptor,
    at: u64,
}

/// How a file is opened.
#[derive(Clone, Copy)]
pub(crate) struct Opening {
    /// Whether a link at the last part of the path is followed.
    pub(crate) through_links: bool,
    /// Whether the file is made, and must not have been there.
    pub(crate) new: bool,
    /// Whether it may be written.
    pub(crate) write: bool,
}

impl WasiFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// Whatever the host says; anything but a regular file; a path that no folder of this sandbox has.
    pub(crate) fn open(path: &Path, how: Opening) -> io::Result<Self> {
        let (folder, relative) = opened_folder(path)?;
        let path_flags =
            if how.through_links { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
        let open_flags =
            if how.new { OpenFlags::CREATE | OpenFlags::EXCLUSIVE } else { OpenFlags::empty() };
        let flags = if how.write {
            DescriptorFlags::READ | DescriptorFlags::WRITE
        } else {
            DescriptorFlags::READ
        };
        let descriptor =
            folder.open_at(path_flags, &relative, open_flags, flags).map_err(io_error)?;
        if descriptor.get_type().map_err(io_error)? != DescriptorType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
        }
        Ok(Self { descriptor, at: 0 })
    }
}

/// Looks at an entry itself.
///
/// # Errors
/// Whatever the host says; an absent entry is no error.
pub(crate) fn entry(path: &Path) -> io::Result<Option<Entry>> {
    entry_with(PathFlags::empty(), path)
}

/// Looks at what an entry leads to.
///
/// # Errors
/// As [`entry`].
pub(crate) fn entry_through(path: &Path) -> io::Result<Option<Entry>> {
    entry_with(PathFlags::SYMLINK_FOLLOW, path)
}

/// The host's hash tells one file from another, as an inode does; without it, two files of one size and one moment would be
/// one.
fn entry_with(flags: PathFlags, path: &Path) -> io::Result<Option<Entry>> {
    let (folder, relative) = opened_folder(path)?;
    let looked = folder.stat_at(flags, &relative).and_then(|stat| {
        let hash = folder.metadata_hash_at(flags, &relative)?;
        Ok((stat, hash))
    });
    match looked {
        Ok((stat, hash)) => Ok(Some(entry_of(&stat, &hash))),
        Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => Ok(None),
        Err(code) => Err(io_error(code)),
    }
}

fn entry_of(stat: &DescriptorStat, hash: &MetadataHashValue) -> Entry {
    let nanos = |time: Option<Datetime>| {
        time.map_or(0, |time| {
            i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds)
        })
    };
    Entry {
        kind: match stat.type_ {
            DescriptorType::RegularFile => Kind::File,
            DescriptorType::Directory => Kind::Directory,
            DescriptorType::SymbolicLink => Kind::Symlink,
            DescriptorType::Unknown
            | DescriptorType::BlockDevice
            | DescriptorType::CharacterDevice
            | DescriptorType::Fifo
            | DescriptorType::Socket => Kind::Other,
        },
        len_bytes: stat.size,
        // A sandbox is not told more.
        allocated_bytes: stat.size,
        identity: Identity {
            // The hash speaks of the disk, too.
            device: 0,
            file: u128::from(hash.upper) << 64 | u128::from(hash.lower),
            len_bytes: stat.size,
            modified_ns: nanos(stat.data_modification_timestamp),
            changed_ns: nanos(stat.status_change_timestamp),
        },
        names: stat.link_count,
        accessed_ns: nanos(stat.data_access_timestamp),
        readable_by_all: false,
    }
}

/// Returns the opened folder that a path is in, and the way from there.
fn opened_folder(path: &Path) -> io::Result<(&'static Descriptor, String)> {
    static OPENED: LazyLock<Vec<(Descriptor, String)>> = LazyLock::new(get_directories);
    let Way { folder, rest } = way_to(path, OPENED.iter().map(|(_, name)| name.as_str()))?;
    let (folder, _) = OPENED.get(folder).ok_or(io::ErrorKind::PermissionDenied)?;
    Ok((folder, rest))
}

/// Checks that a directory is one that can be reached, whether it is there or not.
///
/// # Errors
/// `PermissionDenied` where the host has opened neither it nor anything above it.
pub(crate) fn check_reach(directory: &Path) -> io::Result<()> {
    opened_folder(directory).map(drop)
}

impl Read for WasiFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = into.len().min(READ_BYTES);
        let (bytes, _) = self.descriptor.read(wanted as u64, self.at).map_err(io_error)?;
        let Some(room) = into.get_mut(..bytes.len()) else {
            return Err(io::Error::other("the host gave more bytes than were asked for"));
        };
        room.copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Write for WasiFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let written = self.descriptor.write(from, self.at).map_err(io_error)?;
        self.at += written;
        usize::try_from(written).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for WasiFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.descriptor.stat().map_err(io_error)?.size, by),
        };
        self.at = base.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl DiskFile for WasiFile {
    fn sync(&mut self) -> io::Result<()> {
        self.descriptor.sync_data().map_err(io_error)
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.descriptor.set_size(len_bytes).map_err(io_error)
    }

    fn try_lock(&mut self) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a sandbox has no locks"))
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the codes that mean nothing to a cache need no kind"
)]
fn io_error(code: ErrorCode) -> io::Error {
    use io::ErrorKind as Kind;
    let kind = match code {
        ErrorCode::Access | ErrorCode::NotPermitted => Kind::PermissionDenied,
        ErrorCode::Exist => Kind::AlreadyExists,
        ErrorCode::NoEntry => Kind::NotFound,
        ErrorCode::NotDirectory => Kind::NotADirectory,
        ErrorCode::IsDirectory => Kind::IsADirectory,
        ErrorCode::NotEmpty => Kind::DirectoryNotEmpty,
        ErrorCode::InsufficientSpace => Kind::StorageFull,
        ErrorCode::Quota => Kind::QuotaExceeded,
        ErrorCode::FileTooLarge => Kind::FileTooLarge,
        ErrorCode::ReadOnly => Kind::ReadOnlyFilesystem,
        ErrorCode::NameTooLong => Kind::InvalidFilename,
        ErrorCode::Unsupported | ErrorCode::Invalid => Kind::Unsupported,
        ErrorCode::Busy | ErrorCode::TextFileBusy => Kind::ResourceBusy,
        ErrorCode::CrossDevice => Kind::CrossesDevices,
        ErrorCode::TooManyLinks => Kind::TooManyLinks,
        ErrorCode::Interrupted => Kind::Interrupted,
        _ => Kind::Other,
    };
    io::Error::new(kind, code.message())
}
