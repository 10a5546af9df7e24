//! Finding out what a cache directory supports, by doing it: make, read through, remove.
//!
//! A probe leaves nothing behind, and its result is published only when it is known.

use std::io;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    policy::{Method, Support},
};

use crate::{
    cache::{Cache, Target},
    disk::Disk,
    failure::FsError,
    fresh_nonce,
};

/// What the probe's file holds; long enough that no filesystem keeps it in the entry itself.
const PROBE_CONTENT: &[u8] = &[0x68; 4096];

impl Cache {
    /// Probes a method in the repo folder of a target.
    ///
    /// # Errors
    /// The inner error says how the method was refused; the outer one that not even a file could be made.
    pub fn probe(&self, target: &Target, method: Method) -> Result<Result<(), io::Error>, FsError> {
        self.make_folders(&target.layout.private())?;
        let file = target.layout.scratch(&fresh_nonce()?);
        let link = target.layout.scratch(&fresh_nonce()?);
        self.probe_at(&file, &link, method)
    }

    /// Probes a method at the cache root itself, for reports; the private files are among the locks, which no peer
    /// scans.
    ///
    /// # Errors
    /// As [`Cache::probe`].
    pub fn probe_root(&self, method: Method) -> Result<Result<(), io::Error>, FsError> {
        let folder = RepoLayout::probe_folder();
        self.make_folders(&folder)?;
        let (file, link) =
            (RepoLayout::probe_file(&fresh_nonce()?), RepoLayout::probe_file(&fresh_nonce()?));
        let result = self.probe_at(&file, &link, method);
        self.remove_probe_folder();
        result
    }

    /// Removes the folder of probes, and the one above it where a probe was the first to need it.
    pub(crate) fn remove_probe_folder(&self) {
        let folder = RepoLayout::probe_folder();
        let _ = self.disk.remove_folder(&folder);
        let _ = self.disk.remove_folder(&folder.parent());
    }

    /// Finds out whether names that differ in case are two files at the cache root.
    ///
    /// # Errors
    /// A cache directory in which no file can be made.
    pub fn probe_case(&self) -> Result<bool, FsError> {
        let folder = RepoLayout::probe_folder();
        self.make_folders(&folder)?;
        let folded = self.disk.entry(&RepoLayout::folded_probe_folder());
        self.remove_probe_folder();
        folded.map(|entry| entry.is_none()).map_err(|error| FsError::io("look at", &folder, error))
    }

    fn probe_at(
        &self,
        file: &CachePath,
        link: &CachePath,
        method: Method,
    ) -> Result<Result<(), io::Error>, FsError> {
        let made = self.disk.create(file).and_then(|mut made| made.write_all(PROBE_CONTENT));
        if let Err(error) = made {
            self.discard(file);
            return Err(FsError::io("write", file, error));
        }
        let tried = match method {
            Method::Symlink => self.disk.symlink(file.base(), link),
            Method::Hardlink => self.disk.hardlink(file, link),
            Method::Reflink => self.disk.reflink(file, link),
            Method::Move | Method::Copy => Ok(()),
        };
        let result = match method {
            Method::Move | Method::Copy => tried,
            Method::Symlink | Method::Hardlink | Method::Reflink => {
                tried.and_then(|()| reads_through(&*self.disk, link))
            }
        };
        self.discard(link);
        self.discard(file);
        tracing::debug!(%method, works = result.is_ok(), "probed");
        Ok(result)
    }

    /// Returns the support that a probe's result stands for.
    #[must_use]
    pub fn support_of(result: &Result<(), io::Error>) -> Support {
        match result {
            Ok(()) => Support::Works,
            Err(_) => Support::Refused,
        }
    }
}

/// Some systems make links that can't be read, and some report success and make none.
fn reads_through(disk: &dyn Disk, link: &CachePath) -> io::Result<()> {
    let mut content = Vec::new();
    let file = disk.open(link)?;
    io::Read::read_to_end(&mut io::Read::take(file, 2 * PROBE_CONTENT.len() as u64), &mut content)?;
    if content == PROBE_CONTENT {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "what was made can't be read through"))
    }
}
