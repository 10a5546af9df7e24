//! Where records of what is proved are kept, and which of them count.
//!
//! A record lets bytes be served unread. In a cache that others can write to, one of theirs could say anything of any file.
//! So a record counts only where it and its folder belong to this user or to the system's administrator, and nobody else can
//! write to them. Where the cache has no such place, records are kept in a folder of the user's own, if there is one.

use std::{path::Path, sync::Arc};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    policy::Policy,
};
use sha2::{Digest as _, Sha256};

use crate::{
    cache::{Cache, Durability, folders::KnownFolders, read_up_to},
    disk::{
        Disk,
        content::hex,
        failure::{FsError, with_causes},
    },
    observe::view::{Recording, View},
};

impl View {
    /// Keeps records on this disk where those in the cache directory would not count.
    #[must_use]
    pub fn with_own_records(mut self, disk: Arc<dyn Disk>) -> Self {
        let shape = self.cache.shape;
        self.own_records = Some(Cache::new(disk, Policy::Portable, Durability::Fast, shape));
        self
    }

    /// Returns the places that records may be in, the best first.
    pub(crate) fn record_places(&self) -> impl Iterator<Item = &Cache> {
        [Some(&self.cache), self.own_records.as_ref()].into_iter().flatten()
    }

    /// Returns the place that records are written to, if there is one where they count.
    pub(crate) fn place_for_records(&self, layout: &RepoLayout) -> Option<&Cache> {
        let in_cache = usize::from(self.recording == Recording::Apart);
        self.record_places().skip(in_cache).find(|place| match place.has_place_for_records(layout) {
            Ok(has) => has,
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "there is no folder for what is proved");
                false
            }
        })
    }
}

impl Cache {
    fn has_place_for_records(&self, layout: &RepoLayout) -> Result<bool, FsError> {
        let folder = layout.proofs();
        self.make_folders(&folder, &KnownFolders::default())?;
        Ok(self.disk.is_own(&folder))
    }

    /// Reads a record; empty where there is none that counts.
    pub(crate) fn read_record(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        limit_bytes: u64,
    ) -> Vec<u8> {
        if !self.disk.is_own(&layout.proofs()) {
            return Vec::new();
        }
        let file = self.disk.open_own(at).ok();
        file.and_then(|file| read_up_to(file, limit_bytes).ok().flatten()).unwrap_or_default()
    }

    /// Returns the number of the disk that records are on.
    pub(crate) fn disk_of_records(&self, layout: &RepoLayout) -> u64 {
        let folder = self.disk.entry(&layout.private());
        folder.ok().flatten().map_or(0, |folder| folder.identity.device)
    }

    /// Writes a record.
    pub(crate) fn write_record(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        content: &[u8],
    ) -> Result<(), FsError> {
        self.write_whole(layout, at, content, &KnownFolders::default())
    }
}

/// Returns the name of the folder for records of a cache directory among those of others.
#[must_use]
pub fn records_folder(cache_dir: &Path) -> String {
    /// As much of the hash as tells directories apart.
    const DIGITS: usize = 32;
    let mut name = hex(&Sha256::digest(cache_dir.as_os_str().as_encoded_bytes()));
    name.truncate(DIGITS);
    name
}
