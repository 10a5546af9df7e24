//! Bringing many complete staged files to the disk at once, before any of them is published.
//!
//! One flush of the filesystem costs about as much as the sync of one file, however many files it is for. It promises
//! nothing by itself: a file that no flush has covered is synced by itself before it is published, and one whose own sync
//! has failed is never published (invariants I11, I18).

use std::collections::BTreeMap;

use hubstow_core::{facts::Staged, layout::CachePath};

use crate::{
    cache::Durability,
    observe::view::View,
    staged::{OnDisk, StagedFile, next_opened},
};

/// From how many files on one flush is for all of them: it costs what one sync does, but waits for others' bytes too.
const FLUSH_FROM_FILES: usize = 2;

impl View {
    /// Brings complete staged files to the disk: those of one filesystem by one flush where that is to be had, and each by
    /// itself where the flush fails. Files on a disk without such a flush are left as they are; publishing syncs them.
    ///
    /// Nothing is returned: what could not be synced can't be published, and says why then.
    pub fn sync_group(&self, files: &mut [&mut StagedFile]) {
        if self.cache.durability == Durability::Fast {
            return;
        }
        let mut disks = BTreeMap::<u64, Vec<&mut StagedFile>>::new();
        // The files of one folder are on one disk.
        let mut known = BTreeMap::<CachePath, Option<u64>>::new();
        for staged in files.iter_mut() {
            if staged.state() != Staged::Complete || staged.on_disk != OnDisk::Unsure {
                continue;
            }
            let disk = known.entry(staged.at().parent());
            if let Some(disk) = *disk.or_insert_with(|| staged.file.flushable()) {
                disks.entry(disk).or_default().push(staged);
            }
        }
        disks.into_values().for_each(sync_together);
    }
}

/// Brings files of one filesystem to the disk.
fn sync_together(mut files: Vec<&mut StagedFile>) {
    if files.len() >= FLUSH_FROM_FILES && flush_for(&mut files) {
        return;
    }
    for staged in files {
        if let Err(error) = staged.sync() {
            tracing::debug!(path = %staged.at(), %error, "a complete file did not reach the disk");
        }
    }
}

/// Flushes the filesystem for all of these files; tells whether that went well.
fn flush_for(files: &mut [&mut StagedFile]) -> bool {
    // A handle tells of failures since it was opened, so the oldest one tells of all bytes of all these files.
    let Some(oldest) = files.iter_mut().min_by_key(|staged| staged.opened) else {
        return true;
    };
    if let Err(error) = oldest.file.sync_all() {
        tracing::debug!(%error, files = files.len(), "a flush failed; each file is synced by itself");
        if let Some(oldest) = files.iter_mut().min_by_key(|staged| staged.opened) {
            // What it has told once it does not tell again.
            oldest.opened = next_opened();
        }
        return false;
    }
    tracing::debug!(files = files.len(), "flushed");
    for staged in files {
        staged.on_disk = OnDisk::Synced;
    }
    true
}
