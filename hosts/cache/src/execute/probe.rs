//! Finding out what a cache directory supports, by doing it: make, read through, remove.
//!
//! A probe leaves nothing behind, and its result is published only when it is known.

use std::io;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::Nonce,
    policy::{Method, Support},
};

use crate::{
    cache::{private::LINK_TRIES, target::Target},
    disk::{Disk, failure::FsError},
    fresh_nonce,
    observe::view::View,
};

/// What the probe's file holds; long enough that no filesystem keeps it in the entry itself.
const PROBE_CONTENT: &[u8] = &[0x68; 4096];

impl View {
    /// Probes a method in the repo folder of a target.
    ///
    /// # Errors
    /// The inner error says how the method was refused; the outer one that not even a file could be made.
    pub fn probe(&self, target: &Target, method: Method) -> Result<Result<(), io::Error>, FsError> {
        let scratch = |nonce: &Nonce| target.layout.link_scratch(&target.file, nonce);
        self.beside(&target.pointer(), &scratch, &mut |name| {
            self.probe_with(method, || Ok(name(&fresh_nonce()?)))
        })
    }

    /// Probes a method at the cache root itself, for reports; the private files are among the locks, which no peer
    /// scans.
    ///
    /// # Errors
    /// As [`View::probe`].
    pub fn probe_root(&self, method: Method) -> Result<Result<(), io::Error>, FsError> {
        self.cache.in_probe_folder(|| {
            self.probe_with(method, || Ok(RepoLayout::probe_file(&fresh_nonce()?)))
        })
    }

    /// Finds out whether names that differ in case are two files at the cache root.
    ///
    /// # Errors
    /// A cache directory in which no file can be made.
    pub fn probe_case(&self) -> Result<bool, FsError> {
        self.cache.in_probe_folder(|| {
            let folder = RepoLayout::folded_probe_folder();
            let folded = self.cache.disk.entry(&folder);
            let is_one = folded.map_err(|error| FsError::io("look at", &folder, error))?.is_some();
            Ok(!is_one)
        })
    }

    fn probe_with(
        &self,
        method: Method,
        name: impl Fn() -> Result<CachePath, FsError>,
    ) -> Result<Result<(), io::Error>, FsError> {
        let mut tries_left = LINK_TRIES;
        loop {
            let (file, link) = (name()?, name()?);
            let made =
                self.cache.disk.create(&file).and_then(|mut made| made.write_all(PROBE_CONTENT));
            if let Err(error) = made {
                self.cache.discard(&file);
                return Err(FsError::io("write", &file, error));
            }
            let tried = match method {
                Method::Symlink => self.cache.disk.symlink(file.base(), &link),
                Method::Hardlink => self.cache.disk.hardlink(&file, &link),
                Method::Reflink => self.cache.disk.reflink(&file, &link),
                Method::Move | Method::Copy => Ok(()),
            };
            let made = tried.is_ok();
            let result = match method {
                Method::Move | Method::Copy => tried,
                Method::Symlink | Method::Hardlink | Method::Reflink => {
                    tried.and_then(|()| reads_through(&*self.cache.disk, &link))
                }
            };
            tries_left -= 1;
            let gone = |at| matches!(self.cache.disk.entry(at), Ok(None));
            let again = result.is_err() && tries_left > 0 && (gone(&file) || made && gone(&link));
            self.cache.discard(&link);
            self.cache.discard(&file);
            if !again {
                tracing::debug!(%method, works = result.is_ok(), "probed");
                return Ok(result);
            }
        }
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
