//! Hashing what is served before anybody asks for it.

use std::cell::Cell;

use crate::{listing::Entry, reader::Reader};

/// How far hashing ahead has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashProgress {
    /// The files that are done, of those that were not hashed at the start.
    pub files: u64,
    /// How many there were.
    pub of_files: u64,
    /// The bytes that are read, and those of files that were known meanwhile.
    pub len_bytes: u64,
    /// The bytes of all of them.
    pub of_len_bytes: u64,
}

/// Hashes files, the smallest first: most files are answered after a moment, however large the others are.
pub(crate) fn hash(reader: &Reader, mut entries: Vec<Entry>, tell: &dyn Fn(HashProgress)) {
    entries.sort_by(|one, other| (one.len_bytes, &one.path).cmp(&(other.len_bytes, &other.path)));
    entries.dedup_by(|one, other| one.path == other.path && one.storage == other.storage);
    let waiting: Vec<_> =
        entries.iter().map(|entry| reader.hashes.waits(entry.len_bytes)).collect();
    let progress = Cell::new(HashProgress {
        of_files: entries.len() as u64,
        of_len_bytes: entries.iter().map(|entry| entry.len_bytes).sum(),
        ..HashProgress::default()
    });
    if progress.get().of_files > 0 {
        tell(progress.get());
    }
    for (entry, waits) in entries.into_iter().zip(waiting) {
        // From here on it is counted by whoever hashes it.
        drop(waits);
        let path = entry.path.clone();
        let before = progress.get();
        let after = HashProgress {
            files: before.files + 1,
            len_bytes: before.len_bytes + entry.len_bytes,
            ..before
        };
        let on_read = |len_bytes: u64| {
            let mut now = progress.get();
            // A file that is read again, or has grown, counts once.
            now.len_bytes = after.len_bytes.min(now.len_bytes + len_bytes);
            progress.set(now);
            tell(now);
        };
        if let Err(error) = reader.hashed_telling(entry, &on_read) {
            tracing::debug!(path = %path.display(), %error, "a file can't be hashed ahead");
        }
        progress.set(after);
        tell(after);
    }
}
