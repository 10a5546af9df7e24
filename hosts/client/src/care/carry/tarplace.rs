//! Where a tar is made: under a private name, until it is whole.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_cache::{Disk, disk::DiskFile, fresh_nonce};
use hubstow_core::{layout::CachePath, name::Nonce};

use super::check_room;
use crate::api::error::{Error, ErrorKind};

/// Where a tar is made.
pub(super) struct TarPlace {
    disk: Arc<dyn Disk>,
    at: CachePath,
    private: CachePath,
}

impl TarPlace {
    /// Finds the place for a tar of this name, and removes what killed runs have left of it.
    ///
    /// # Errors
    /// The name of no file; a folder that can't be reached.
    pub(super) fn of(
        file: &Path,
        disk_of: impl Fn(&Path) -> Result<Arc<dyn Disk>, Error>,
    ) -> Result<Self, Error> {
        let wrong = || {
            let what = format!("`{}` is the name of no file", file.display());
            Error::new(ErrorKind::Usage, what).hint("name a folder, or a file that ends in .tar")
        };
        let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        let nonce = fresh_nonce().map_err(Error::from)?;
        let at = CachePath::root().listed(name).ok_or_else(wrong)?;
        let private = CachePath::root().listed(&format!(".{name}.{nonce}.part"));
        let place = Self { disk: disk_of(&folder)?, at, private: private.ok_or_else(wrong)? };
        place.remove_dead();
        Ok(place)
    }

    /// Tells whether something has its name.
    pub(super) fn is_taken(&self) -> io::Result<bool> {
        Ok(self.disk.entry(&self.at)?.is_some())
    }

    /// Removes what a killed run has left of the same tar.
    fn remove_dead(&self) {
        let names = self.disk.names(&CachePath::root()).unwrap_or_default();
        let prefix = format!(".{}.", self.at.base());
        let nonce = |name: &str| {
            let nonce = name.strip_prefix(&prefix)?.strip_suffix(".part")?;
            Nonce::parse(nonce).ok()
        };
        for name in names.iter().filter(|name| nonce(name).is_some()) {
            let Some(at) = CachePath::root().listed(name) else { continue };
            let is_free = |mut file: Box<dyn DiskFile>| file.try_lock().is_ok();
            if self.disk.open_private(&at).is_ok_and(is_free) {
                let _ = self.disk.remove(&at);
            }
        }
    }

    /// Makes sure that there is room for so many bytes.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), Error> {
        let root = CachePath::root();
        let free = self.disk.free_bytes(&root).ok().flatten();
        check_room(&self.disk.native(&root), bytes, free)
    }

    /// Makes the private file that becomes the tar.
    pub(super) fn create(&self) -> io::Result<Box<dyn DiskFile>> {
        let mut file = self.disk.create(&self.private)?;
        // Where locks are not to be had, nobody is kept from taking it for a dead run's; nobody else writes this tar.
        let _ = file.try_lock();
        Ok(file)
    }

    /// Gives it its name.
    pub(super) fn publish(&self) -> io::Result<()> {
        self.disk.rename(&self.private, &self.at)
    }

    /// Removes the private file.
    pub(super) fn discard(&self) {
        let _ = self.disk.remove(&self.private);
    }
}
