//! What an import is taken from: a folder, a tar, or one file. Its entries are listed first, and only regular files among them
//! are ever opened; what links say is text, and is looked up among the same entries.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_cache::{
    Disk,
    disk::{
        Kind,
        cancel::Cancel,
        content::{Hasher, pass_through},
    },
};
use hubstow_core::{layout::CachePath, name::Etag};

use super::{
    LeftOut,
    bring::Found,
    tarball::{self, Slice},
};
use crate::{
    api::error::{Error, ErrorKind, from_io},
    engine::Engine,
};

/// How deep folders are listed: deeper than any name of a file can be.
const DEPTH_LIMIT: usize = 128;
/// How many entries are taken of one source.
pub(super) const ENTRY_LIMIT: usize = 4_000_000;
/// How many links are followed one after the other.
const LINK_LIMIT: usize = 8;

/// One entry of a source.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A regular file, where it is, and its length.
    File { at: Place, len_bytes: u64 },
    /// A link, with its text.
    Link(String),
}

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A file of its own.
    Alone(CachePath),
    /// A stretch of the tar, from here on.
    Within(u64),
}

/// Everything that an import may take.
pub(super) struct Source {
    disk: Arc<dyn Disk>,
    /// The tar, if it is one.
    tar: Option<CachePath>,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) left_out: Vec<LeftOut>,
    /// Where a tar breaks off, if it does.
    pub(super) broken: Option<String>,
}

impl Source {
    /// Lists what is at a path.
    ///
    /// # Errors
    /// Nothing is there, or it can't be read; a file that is packed in a way that is not read here.
    pub(super) fn open(engine: &Engine, path: &Path, cancel: &Cancel) -> Result<Self, Error> {
        let shown = path.display();
        let (above, name) = split(path);
        let parent = engine.disk_of(&above)?;
        let here = CachePath::root().listed(&name);
        let entry = here.as_ref().map(|at| parent.through(at)).transpose();
        let unread = |error| from_io(&format!("`{shown}` can't be read"), error);
        match entry.map_err(unread)?.flatten().map(|entry| (entry.kind, entry.len_bytes)) {
            Some((Kind::File, len_bytes)) => {
                let at = here.unwrap_or_else(CachePath::root);
                Self::of_file(parent, at, len_bytes, path, cancel)
            }
            Some((Kind::Directory, _)) => Self::of_folder(engine, path, cancel),
            Some((Kind::Symlink | Kind::Other, _)) => {
                Err(Error::new(ErrorKind::Usage, format!("`{shown}` is no folder and no file")))
            }
            // A path such as `/` or `..` has no name of its own.
            None if path.is_dir() => Self::of_folder(engine, path, cancel),
            None => Err(Error::new(ErrorKind::Usage, format!("there is no `{shown}`"))
                .hint("name a folder, or a tar")),
        }
    }

    fn empty(disk: Arc<dyn Disk>) -> Self {
        let (entries, left_out) = (BTreeMap::new(), Vec::new());
        Self { disk, tar: None, entries, left_out, broken: None }
    }

    fn of_file(
        disk: Arc<dyn Disk>,
        at: CachePath,
        len_bytes: u64,
        path: &Path,
        cancel: &Cancel,
    ) -> Result<Self, Error> {
        let shown = path.display();
        let unread = |error| from_io(&format!("`{shown}` can't be read"), error);
        let mut file = disk.open(&at).map_err(unread)?;
        let mut start = Vec::new();
        (&mut *file).take(tarball::BLOCK as u64).read_to_end(&mut start).map_err(unread)?;
        if let Some(packed) = packed(&start) {
            let what = format!("`{shown}` is packed with {packed}, which is not read here");
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("unpack it first, and import the folder or the tar"));
        }
        let mut source = Self::empty(disk);
        if tarball::is_tar(&start) {
            file.seek(SeekFrom::Start(0)).map_err(unread)?;
            tarball::list(&mut *file, len_bytes, cancel, &mut source).map_err(unread)?;
            source.tar = Some(at);
            return Ok(source);
        }
        if path.extension().is_some_and(|extension| extension == "tar") {
            return Err(Error::new(ErrorKind::ContentMismatch, format!("`{shown}` is no tar"))
                .hint("copy it again from where it was made"));
        }
        let name = at.base().to_owned();
        source.entries.insert(name, Entry::File { at: Place::Alone(at), len_bytes });
        Ok(source)
    }

    fn of_folder(engine: &Engine, path: &Path, cancel: &Cancel) -> Result<Self, Error> {
        let mut source = Self::empty(engine.disk_of(path)?);
        let mut folders = vec![(CachePath::root(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let names = match source.disk.kinds(&folder) {
                Ok(names) if depth < DEPTH_LIMIT => names,
                Ok(_) => {
                    source.left_out.push(LeftOut::new(folder.as_str(), "it is too deep"));
                    continue;
                }
                Err(error) if depth == 0 => {
                    let what = format!("`{}` can't be listed", path.display());
                    return Err(from_io(&what, error));
                }
                Err(error) => {
                    source.left_out.push(LeftOut::new(folder.as_str(), error.to_string()));
                    continue;
                }
            };
            cancel.check().map_err(|error| from_io("listing was left", error))?;
            for name in names {
                let Some(at) = folder.listed(&name.name) else { continue };
                match name.kind {
                    Kind::Directory => folders.push((at, depth + 1)),
                    kind @ (Kind::File | Kind::Symlink | Kind::Other) => source.add(at, kind),
                }
            }
        }
        Ok(source)
    }

    fn add(&mut self, at: CachePath, kind: Kind) {
        let path = at.as_str().to_owned();
        let entry = match kind {
            Kind::Symlink => self.disk.link_text(&at).map(Entry::Link),
            Kind::File => match self.disk.entry(&at) {
                Ok(Some(entry)) => {
                    Ok(Entry::File { len_bytes: entry.len_bytes, at: Place::Alone(at) })
                }
                Ok(None) => return,
                Err(error) => Err(error),
            },
            Kind::Other => Err(io::Error::other("it is no regular file")),
            Kind::Directory => return,
        };
        match entry {
            Ok(entry) => {
                self.entries.insert(path, entry);
            }
            Err(error) => self.left_out.push(LeftOut::new(path, error.to_string())),
        }
    }

    /// Returns the names below a folder, without it.
    pub(super) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = self.entries.range(prefix.clone()..);
        from.map_while(move |(path, entry)| Some((path.strip_prefix(&prefix)?, entry)))
    }

    /// Follows links among the entries to a regular file: its path and length.
    pub(super) fn resolve(&self, path: &str) -> Option<(String, u64)> {
        let mut path = path.to_owned();
        for _ in 0..=LINK_LIMIT {
            match self.entries.get(&path)? {
                Entry::File { len_bytes, .. } => return Some((path, *len_bytes)),
                Entry::Link(text) => path = joined(&path, text)?,
            }
        }
        None
    }

    /// Opens a regular file among the entries.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn found(&self, path: &str) -> io::Result<Found> {
        let Some(Entry::File { at, len_bytes }) = self.entries.get(path) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        match (at, &self.tar) {
            (Place::Alone(at), _) => {
                let content = Box::new(self.disk.open(at)?);
                Ok(Found { content, file: Some(self.disk.native(at)) })
            }
            (Place::Within(start), Some(tar)) => {
                let content = Box::new(Slice::new(self.disk.open(tar)?, *start, *len_bytes)?);
                Ok(Found { content, file: None })
            }
            (Place::Within(_), None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Reads a small file; `None` where it can't be read or is longer than the limit.
    pub(super) fn read(&self, path: &str, limit_bytes: u64) -> Option<Vec<u8>> {
        let (path, len_bytes) = self.resolve(path)?;
        let mut content = Vec::new();
        let found = self.found(&path).ok().filter(|_| len_bytes <= limit_bytes)?;
        found.content.take(limit_bytes).read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Computes both hashes that a hub may name a file by: its sha256, and that of git.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn hashes(&self, path: &str, cancel: &Cancel) -> io::Result<[String; 2]> {
        let (_, len_bytes) = self.resolve(path).ok_or(io::ErrorKind::NotFound)?;
        let mut found = self.found(path)?;
        let none = |len: usize| Etag::parse(&"0".repeat(len)).map_err(io::Error::other);
        let mut sha256 = Hasher::new(&none(64)?, None);
        let mut git = Hasher::new(&none(40)?, Some(len_bytes));
        let also = |bytes: &[u8]| {
            git.update(bytes);
            Ok(())
        };
        pass_through(&mut found.content, &mut sha256, cancel, also)?;
        Ok([sha256, git].map(|hasher| hasher.finish().err().unwrap_or_default()))
    }
}

/// Returns the path that a link at `path` means; `None` where that is not among the entries.
fn joined(path: &str, text: &str) -> Option<String> {
    let text = text.replace('\\', "/");
    if text.starts_with('/') || text.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Splits a path into its folder and its name.
fn split(path: &Path) -> (PathBuf, String) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (folder.map_or_else(|| PathBuf::from("."), Path::to_owned), name.to_owned())
}

/// Says what a file is packed with, by its first bytes.
fn packed(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ", "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
    ];
    KNOWN.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_means_a_path_among_the_entries_or_none() {
        for (path, text, expected) in [
            ("r/snapshots/c/a", "../../blobs/e", Some("r/blobs/e")),
            ("r/snapshots/c/d/a", "..\\..\\..\\blobs\\e", Some("r/blobs/e")),
            ("a", "./b", Some("b")),
            ("a/b", "../../x", None),
            ("a", "/etc/passwd", None),
            ("a", "C:/x", None),
        ] {
            assert_eq!(joined(path, text).as_deref(), expected, "{path} → {text}");
        }
    }
}
