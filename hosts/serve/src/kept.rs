//! Digests that outlive the process, in one file below the user's own cache, so that a restart serves at once.
//!
//! One line for each file: etag, stamp (size, times, inode) and path. A line counts only while the stamp is still that of the
//! file, and the whole record only while nobody else can write to it. What can't be read or written costs time and nothing
//! else. Nothing is ever written into what is served.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use hubstow_core::name::Etag;
use percent_encoding::{AsciiSet, percent_encode};

use crate::hash::{Stamp, Storage, sha256_of};

/// The first line: what is in the file, and in which version.
const HEAD: &str = "hubstow-serve digests 1\n";
/// The most bytes that are read: some four million files.
const LIMIT_BYTES: u64 = 1 << 30;
/// What is written otherwise in a path, so that it is one word of one line.
const IN_LINE: &AsciiSet = &AsciiSet::EMPTY.add(b'%').add(b' ').add(b'\n').add(b'\r').add(b'\t');

type Key = (String, Storage);

/// The digests of earlier runs, and where those of this run are added.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Stamp and etag by path.
    found: HashMap<Key, (String, Etag)>,
    file: Mutex<Option<File>>,
}

impl Kept {
    /// Reads the record of what is served from these roots, and makes it ready to be added to.
    pub(crate) fn of(folder: &Path, roots: &[PathBuf]) -> Self {
        let named: Vec<String> = roots.iter().map(|root| shown(root)).collect();
        let name = sha256_of(&named.join("\n"));
        let path = folder.join(format!("{}.digests", name.get(..32).unwrap_or_default()));
        let found = read(&path).unwrap_or_else(|error| {
            tracing::debug!(path = %path.display(), %error, "no digests are kept yet");
            HashMap::new()
        });
        let file = opened(folder, &path, &found).inspect_err(|error| {
            tracing::warn!(path = %path.display(), %error, "digests can't be kept");
        });
        Self { found, file: Mutex::new(file.ok()) }
    }

    /// Returns the digest of a file, where it is still as it was.
    pub(crate) fn recall(&self, path: &Path, stamp: &Stamp, storage: Storage) -> Option<Etag> {
        let (at, etag) = self.found.get(&(shown(path), storage))?;
        (*at == stamp.to_string()).then(|| etag.clone())
    }

    /// Writes down the digest of a file.
    pub(crate) fn keep(&self, path: &Path, stamp: &Stamp, etag: &Etag) {
        let line = line(&shown(path), &stamp.to_string(), etag);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = file.as_mut().map(|file| file.write_all(line.as_bytes())) {
            tracing::warn!(%error, "digests can't be kept any more");
            *file = None;
        }
    }
}

fn shown(path: &Path) -> String {
    percent_encode(path.as_os_str().as_encoded_bytes(), IN_LINE).to_string()
}

fn line(path: &str, stamp: &str, etag: &Etag) -> String {
    format!("{etag} {stamp} {path}\n")
}

/// Reads a record; the last line about a file counts. What makes no sense is passed over.
fn read(path: &Path) -> io::Result<HashMap<Key, (String, Etag)>> {
    let file = File::open(path)?;
    check_own(&file.metadata()?)?;
    let mut content = Vec::new();
    file.take(LIMIT_BYTES).read_to_end(&mut content)?;
    let content = String::from_utf8_lossy(&content);
    let Some(lines) = content.strip_prefix(HEAD) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another version"));
    };
    let mut found = HashMap::new();
    for line in lines.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let parts = line.split_once(' ').and_then(|(etag, rest)| {
            let (stamp, path) = rest.rsplit_once(' ')?;
            Some((Etag::parse(etag).ok()?, stamp, path))
        });
        if let Some((etag, stamp, path)) = parts {
            found.insert((path.to_owned(), Storage::of(&etag)), (stamp.to_owned(), etag));
        }
    }
    Ok(found)
}

/// Opens a record for more lines; where it holds anything but what counts, it is written anew first.
fn opened(folder: &Path, path: &Path, found: &HashMap<Key, (String, Etag)>) -> io::Result<File> {
    make_own(folder)?;
    check_own(&fs::metadata(folder)?)?;
    let lines = found.iter().map(|((path, _), (stamp, etag))| line(path, stamp, etag));
    let content: String = std::iter::once(HEAD.to_owned()).chain(lines).collect();
    if fs::metadata(path).map_or(0, |stat| stat.len()) != content.len() as u64 {
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        // What a killed process of the same number has left.
        drop(fs::remove_file(&beside));
        new_own(&beside)?.write_all(content.as_bytes())?;
        fs::rename(&beside, path)?;
    }
    let file = File::options().append(true).open(path)?;
    check_own(&file.metadata()?)?;
    Ok(file)
}

fn make_own(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn new_own(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Checks that nobody else can write: a line of theirs could say anything of any file.
fn check_own(stat: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if stat.mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write to it"));
        }
    }
    #[cfg(not(unix))]
    let _ = stat;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_counts_while_the_file_is_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let served = folder.path().join("with space\n and 100%");
        fs::write(&served, "x").unwrap();
        let stamp = Stamp::of(&fs::metadata(&served).unwrap());
        let etag = Etag::parse(&sha256_of("x")).unwrap();
        let records = folder.path().join("a/records");
        let of = || Kept::of(&records, &[folder.path().to_owned()]);
        of().keep(&served, &stamp, &etag);
        assert_eq!(of().recall(&served, &stamp, Storage::Lfs), Some(etag.clone()));
        assert_eq!(of().recall(&served, &stamp, Storage::Git), None);
        assert_eq!(of().recall(&served, &Stamp::default(), Storage::Lfs), None);
        assert_eq!(of().recall(folder.path(), &stamp, Storage::Lfs), None);
        let others = Kept::of(&records, &[PathBuf::from("/elsewhere")]);
        assert_eq!(others.recall(&served, &stamp, Storage::Lfs), None);
    }

    #[test]
    fn a_record_that_makes_no_sense_costs_nothing_but_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = [folder.path().to_owned()];
        let served = folder.path().join("f");
        fs::write(&served, "x").unwrap();
        let stamp = Stamp::of(&fs::metadata(&served).unwrap());
        let etag = Etag::parse(&sha256_of("x")).unwrap();
        let records = folder.path().join("records");
        Kept::of(&records, &root).keep(&served, &stamp, &etag);
        let path = fs::read_dir(&records).unwrap().next().unwrap().unwrap().path();
        let good = fs::read_to_string(&path).unwrap();
        let recalled = || Kept::of(&records, &root).recall(&served, &stamp, Storage::Lfs);
        assert!(recalled().is_some());
        for bad in [String::new(), "other 2\n".to_owned(), good.replace(' ', "")] {
            fs::write(&path, bad).unwrap();
            assert_eq!(recalled(), None);
        }
        // A line that was cut off by a crash does not count, those before it do.
        fs::write(&path, format!("{good}0000 1 2\n\n{etag} 5")).unwrap();
        assert!(recalled().is_some());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            assert_eq!(recalled(), None, "others can write to it");
        }
    }
}
