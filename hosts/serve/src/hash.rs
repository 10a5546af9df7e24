//! The content identities of files, computed once per state of a file and remembered.
//!
//! It blocks: callers run it off the async threads. A digest is remembered under the path together with what `stat`
//! says (size, times, inode); a changed file is hashed again, and two callers never hash the same file at once.
//!
//! INVARIANT (settled): a digest of a file that was modified a moment ago is used but not remembered, because another
//! write within the same tick of the filesystem's clock would look the same.

use std::{
    cell::Cell,
    collections::HashMap,
    fmt::{self, Write as _},
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hubstow_core::name::{ContentHash, Etag};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::kept::Kept;

/// How long after a modification a digest is not trusted again: several ticks of the clock that stamps files, which
/// are at most 16 ms apart on common systems.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_millis(50);
/// How often a file that changes while it is read is tried again.
const TRIES: usize = 3;
/// The most files remembered, about 200 bytes each; then everything is forgotten.
const REMEMBERED_LIMIT: usize = 500_000;
/// The size of the buffer that files are read through.
const BUFFER_BYTES: usize = 256 * 1024;

/// How the content of a file is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Storage {
    /// In git: the etag is the sha1 of the git blob.
    Git,
    /// In LFS: the etag is the sha256 of the content.
    Lfs,
}

impl Storage {
    /// Returns the storage whose etags look like this one.
    pub(crate) fn of(etag: &Etag) -> Self {
        match etag.content_hash() {
            ContentHash::Sha256 => Self::Lfs,
            ContentHash::GitBlobSha1 | ContentHash::Opaque => Self::Git,
        }
    }
}

/// What `stat` says of a file; equal stamps mean the same content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    len_bytes: u64,
    modified: Option<SystemTime>,
    /// Inode and time of the last change of anything, where the system has them.
    identity: (u64, i64, i64),
}

impl Stamp {
    pub(crate) fn of(stat: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt as _;
            (stat.ino(), stat.ctime(), stat.ctime_nsec())
        };
        #[cfg(not(unix))]
        let identity = (0, 0, 0);
        Self { len_bytes: stat.len(), modified: stat.modified().ok(), identity }
    }

    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Tells whether a change from now on would show.
    pub(crate) fn is_settled(&self) -> bool {
        // A time in the future says nothing about now and would never settle; it is trusted as it is.
        self.modified.is_none_or(|at| at.elapsed().map_or(true, |age| age >= SETTLED_AFTER))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = |at: SystemTime| match at.duration_since(UNIX_EPOCH) {
            Ok(since) => format!("{}", since.as_nanos()),
            Err(before) => format!("-{}", before.duration().as_nanos()),
        };
        let modified = self.modified.map_or_else(|| "?".to_owned(), since);
        let (inode, seconds, nanos) = self.identity;
        write!(f, "{} {modified} {inode} {seconds} {nanos}", self.len_bytes)
    }
}

type Key = (PathBuf, Storage);
/// The last digest of one file; its lock is held while the file is hashed.
type Slot = Arc<Mutex<Option<(Stamp, Etag)>>>;

/// The digests of all files seen so far.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    slots: Mutex<HashMap<Key, Slot>>,
    waiting: Waiting,
    kept: Option<Kept>,
}

/// What is not hashed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) files: u64,
    pub(crate) len_bytes: u64,
}

/// Counts what is not hashed yet.
#[derive(Debug, Default)]
struct Waiting {
    files: AtomicU64,
    len_bytes: AtomicU64,
}

impl Waiting {
    /// Counts a file until the value is dropped.
    fn count(&self, len_bytes: u64) -> Waits<'_> {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.len_bytes.fetch_add(len_bytes, Ordering::Relaxed);
        Waits { waiting: self, left_bytes: Cell::new(len_bytes) }
    }
}

/// A file that is not hashed yet.
pub(crate) struct Waits<'a> {
    waiting: &'a Waiting,
    left_bytes: Cell<u64>,
}

impl Waits<'_> {
    /// Counts bytes of it as done; never more than there were.
    fn advance(&self, len_bytes: u64) {
        let done = len_bytes.min(self.left_bytes.get());
        self.left_bytes.update(|left| left - done);
        self.waiting.len_bytes.fetch_sub(done, Ordering::Relaxed);
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.waiting.files.fetch_sub(1, Ordering::Relaxed);
        self.advance(self.left_bytes.get());
    }
}

/// A file opened for reading, with what was true of it at that moment.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) len_bytes: u64,
    pub(crate) stamp: Stamp,
    pub(crate) etag: Etag,
}

impl Hashes {
    /// Makes digests of which earlier ones are kept.
    pub(crate) fn kept(kept: Kept) -> Self {
        Self { kept: Some(kept), ..Self::default() }
    }

    /// Returns the digest of a file that was just seen as `stamp` says, where it is known without reading the file or
    /// waiting for anybody.
    pub(crate) fn known(&self, path: &Path, stamp: &Stamp, storage: Storage) -> Option<Etag> {
        let slot = self.slot(path, storage);
        let mut known = match slot.try_lock() {
            Ok(known) => known,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.recalled(path, stamp, storage, &mut known)
    }

    /// Takes over what somebody else says of a file that is as `stamp` says.
    pub(crate) fn told(&self, path: &Path, stamp: &Stamp, etag: &Etag) {
        let slot = self.slot(path, Storage::of(etag));
        if let Ok(mut known) = slot.try_lock() {
            *known = Some((stamp.clone(), etag.clone()));
        }
    }

    /// Counts a file as not hashed yet, until the value is dropped.
    pub(crate) fn waits(&self, len_bytes: u64) -> Waits<'_> {
        self.waiting.count(len_bytes)
    }

    /// Opens the file; size and etag are those of the file behind the handle.
    ///
    /// # Errors
    /// The file can't be read, or it changes all the time.
    pub(crate) fn open(&self, path: &Path, storage: Storage) -> io::Result<Opened> {
        self.open_telling(path, storage, &|_| ())
    }

    /// As [`Hashes::open`], and tells of each piece that is read for the digest how many bytes it has.
    ///
    /// # Errors
    /// As [`Hashes::open`].
    pub(crate) fn open_telling(
        &self,
        path: &Path,
        storage: Storage,
        tell: &dyn Fn(u64),
    ) -> io::Result<Opened> {
        let slot = self.slot(path, storage);
        let mut known = locked(&slot);
        let file = File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        if let Some(etag) = self.recalled(path, &stamp, storage, &mut known) {
            return Ok(Opened { file, len_bytes: stamp.len_bytes, stamp, etag });
        }
        let waits = self.waiting.count(stamp.len_bytes);
        let on_read = |len_bytes: u64| {
            waits.advance(len_bytes);
            tell(len_bytes);
        };
        let opened = hash_file(path, storage, &mut known, &on_read)?;
        if let (Some(kept), Some((stamp, etag))) = (&self.kept, known.as_ref()) {
            kept.keep(path, stamp, etag);
        }
        Ok(opened)
    }

    /// Returns what is not hashed yet.
    pub(crate) fn backlog(&self) -> Backlog {
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Backlog { files: now(&self.waiting.files), len_bytes: now(&self.waiting.len_bytes) }
    }

    fn recalled(
        &self,
        path: &Path,
        stamp: &Stamp,
        storage: Storage,
        known: &mut Option<(Stamp, Etag)>,
    ) -> Option<Etag> {
        if let Some((_, etag)) = known.as_ref().filter(|(at, _)| at == stamp) {
            return Some(etag.clone());
        }
        let etag = self.kept.as_ref()?.recall(path, stamp, storage)?;
        *known = Some((stamp.clone(), etag.clone()));
        Some(etag)
    }

    fn slot(&self, path: &Path, storage: Storage) -> Slot {
        let mut slots = locked(&self.slots);
        if slots.len() >= REMEMBERED_LIMIT {
            slots.clear();
        }
        Arc::clone(slots.entry((path.to_owned(), storage)).or_default())
    }
}

/// A lock whose holder panicked guards a value that is whole all the same: each is replaced in one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash_file(
    path: &Path,
    storage: Storage,
    known: &mut Option<(Stamp, Etag)>,
    on_read: &dyn Fn(u64),
) -> io::Result<Opened> {
    for _ in 0..TRIES {
        let mut file = File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let settled = stamp.is_settled();
        let hex = match storage {
            Storage::Git => git_blob_sha1(&mut file, stamp.len_bytes, on_read)?,
            Storage::Lfs => hex(&consumed(&mut file, Sha256::new(), on_read)?),
        };
        if Stamp::of(&file.metadata()?) != stamp {
            continue;
        }
        let etag = Etag::parse(&hex).map_err(io::Error::other)?;
        *known = settled.then(|| (stamp.clone(), etag.clone()));
        file.rewind()?;
        return Ok(Opened { file, len_bytes: stamp.len_bytes, stamp, etag });
    }
    Err(io::Error::other("the file changes while it is read"))
}

fn git_blob_sha1(from: &mut File, len_bytes: u64, on_read: &dyn Fn(u64)) -> io::Result<String> {
    let hasher = Sha1::new_with_prefix(format!("blob {len_bytes}\0"));
    Ok(hex(&consumed(from, hasher, on_read)?))
}

fn consumed<D: sha1::Digest>(
    from: &mut File,
    mut hasher: D,
    on_read: &dyn Fn(u64),
) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_vec()),
            Ok(read) => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                on_read(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the sha1 of some text, as hex digits.
pub(crate) fn sha1_of(text: &str) -> String {
    hex(&Sha1::digest(text))
}

/// Returns the sha1 that git gives a blob with this text, as hex digits.
pub(crate) fn git_blob_sha1_of(text: &str) -> String {
    sha1_of(&format!("blob {}\0{text}", text.len()))
}

/// Returns the sha256 of some text, as hex digits.
pub(crate) fn sha256_of(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        assert_eq!(git_blob_sha1_of("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(
            sha256_of("hello\n"),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "hello\n").unwrap();
        let hashes = Hashes::default();
        let git = hashes.open(&path, Storage::Git).unwrap();
        assert_eq!((git.len_bytes, git.etag.as_str()), (6, git_blob_sha1_of("hello\n").as_str()));
        let lfs = hashes.open(&path, Storage::Lfs).unwrap();
        assert_eq!((lfs.len_bytes, lfs.etag.as_str()), (6, sha256_of("hello\n").as_str()));
    }

    #[test]
    fn a_digest_is_remembered_once_the_file_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let hashes = Hashes::default();
        let remembered = |content: &str| {
            let opened = hashes.open(&path, Storage::Git).unwrap();
            assert_eq!(opened.etag.as_str(), git_blob_sha1_of(content));
            hashes.known(&path, &Stamp::of(&path.metadata().unwrap()), Storage::Git).is_some()
        };
        for content in ["one", "two", "six"] {
            std::fs::write(&path, content).unwrap();
            assert!(!remembered(content), "{content} may still change unseen");
            let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(an_hour_ago).unwrap();
            assert!(remembered(content), "{content} has settled");
        }
    }
}
