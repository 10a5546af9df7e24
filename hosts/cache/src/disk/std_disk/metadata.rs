//! What the system's metadata say of an entry.

#[cfg(not(windows))]
use std::path::Path;
use std::{fs, io, time::SystemTime};

use crate::disk::{Entry, Identity, Kind, system};

pub(super) fn kind_of(kind: fs::FileType) -> Kind {
    match kind {
        kind if kind.is_symlink() => Kind::Symlink,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    }
}

/// Returns the kind of an entry of a listing. Where the listing itself does not tell, it is looked at, and may be gone.
pub(super) fn listed_kind(entry: &fs::DirEntry) -> io::Result<Option<Kind>> {
    match entry.file_type() {
        Ok(kind) => Ok(Some(kind_of(kind))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn entry_of(metadata: &fs::Metadata) -> Entry {
    Entry {
        kind: kind_of(metadata.file_type()),
        len_bytes: metadata.len(),
        allocated_bytes: system::allocated_bytes(metadata),
        identity: identity_of(metadata),
        names: names(metadata),
        accessed_ns: accessed_ns(metadata),
        readable_by_all: system::readable_by_all(metadata),
    }
}

#[cfg(unix)]
fn names(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn names(_metadata: &fs::Metadata) -> u64 {
    1
}

fn accessed_ns(metadata: &fs::Metadata) -> i128 {
    let accessed = metadata.accessed().ok();
    let since = accessed.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos().cast_signed())
}

#[cfg(unix)]
fn identity_of(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Identity {
        device: metadata.dev(),
        file: metadata.ino().into(),
        len_bytes: metadata.size(),
        modified_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
    }
}

#[cfg(not(unix))]
fn identity_of(metadata: &fs::Metadata) -> Identity {
    let nanos = |time: io::Result<SystemTime>| {
        let since = time.ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        since.map_or(0, |since| since.as_nanos())
    };
    Identity {
        device: 0,
        file: nanos(metadata.created()),
        len_bytes: metadata.len(),
        modified_ns: nanos(metadata.modified()).cast_signed(),
        changed_ns: 0,
    }
}

/// Looks at an entry itself.
#[cfg(not(windows))]
pub(super) fn of_itself(path: &Path) -> io::Result<Entry> {
    Ok(entry_of(&fs::symlink_metadata(path)?))
}

/// Looks at what is at the end of all links.
#[cfg(not(windows))]
pub(super) fn through_links(path: &Path) -> io::Result<Entry> {
    Ok(entry_of(&fs::metadata(path)?))
}

#[cfg(windows)]
pub(super) use by_handle::{of_itself, through_links};

/// What only an open file tells: which one it is, and how many names it has. Files of one length that were made at the same
/// moment could not be told apart by their times.
#[cfg(windows)]
mod by_handle {
    use std::{fs, io, os::windows::fs::OpenOptionsExt as _, path::Path};

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    };

    use super::entry_of;
    use crate::disk::{Entry, Identity, Kind};

    pub(in super::super) fn of_itself(path: &Path) -> io::Result<Entry> {
        match open(path, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT) {
            Ok(file) => look_at(&file),
            // What others have open for themselves alone is seen all the same.
            Err(_) => Ok(entry_of(&fs::symlink_metadata(path)?)),
        }
    }

    pub(in super::super) fn through_links(path: &Path) -> io::Result<Entry> {
        match open(path, FILE_FLAG_BACKUP_SEMANTICS) {
            Ok(file) => look_at(&file),
            Err(_) => Ok(entry_of(&fs::metadata(path)?)),
        }
    }

    /// Opens an entry only to look at it, which nothing that others do with it prevents.
    fn open(path: &Path, flags: u32) -> io::Result<fs::File> {
        fs::OpenOptions::new().access_mode(0).custom_flags(flags).open(path)
    }

    fn look_at(file: &fs::File) -> io::Result<Entry> {
        let mut entry = entry_of(&file.metadata()?);
        if entry.kind != Kind::File {
            return Ok(entry);
        }
        // Where a server does not number its files, nothing tells which names are one file's.
        if let Ok(told) = winapi_util::file::information(file)
            && told.file_index() != 0
        {
            entry.names = told.number_of_links();
            let (device, file) = (told.volume_serial_number(), told.file_index().into());
            entry.identity = Identity { device, file, ..entry.identity };
        }
        Ok(entry)
    }
}

pub(super) fn absent_is_none(result: io::Result<Entry>) -> io::Result<Option<Entry>> {
    match result {
        Ok(entry) => Ok(Some(entry)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

    use super::of_itself;

    #[test]
    fn files_of_one_length_that_were_made_at_the_same_moment_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let [one, other] = ["one", "other"].map(|name| {
            let path = folder.path().join(name);
            fs::write(&path, name.get(..1).unwrap()).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_times(fs::FileTimes::new().set_modified(now)).unwrap();
            of_itself(&path).unwrap()
        });
        assert_eq!(one.identity.modified_ns, other.identity.modified_ns);
        assert_ne!(one.identity.file, other.identity.file);
        let second = folder.path().join("second");
        fs::hard_link(folder.path().join("one"), &second).unwrap();
        assert_eq!(of_itself(&second).unwrap().identity.file, one.identity.file);
        assert_eq!(of_itself(&second).unwrap().names, 2);
    }
}
