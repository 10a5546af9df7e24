//! What the system's metadata say of an entry.

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

pub(super) fn absent_is_none(result: io::Result<fs::Metadata>) -> io::Result<Option<Entry>> {
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
