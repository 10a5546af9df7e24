//! How many names each file has while a plan is made, and how many bytes are free.

use alloc::collections::BTreeMap;

use crate::{care::held::Held, policy::Method};

/// The files of a cache, by number.
pub(super) struct Files {
    names: BTreeMap<u64, (u64, u64)>,
    /// How many of the names are in the cache.
    here: BTreeMap<u64, u64>,
    next: u64,
    freed_bytes: i64,
}

impl Files {
    pub(super) fn of(held: &Held) -> Self {
        let contents = held.iter().filter_map(|(_, entry)| entry.content);
        let names: BTreeMap<u64, (u64, u64)> =
            contents.map(|content| (content.file, (content.len_bytes, content.names))).collect();
        let next = names.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        let mut here: BTreeMap<u64, u64> = BTreeMap::new();
        for content in held.iter().filter_map(|(_, entry)| entry.content) {
            let names = here.entry(content.file).or_default();
            *names = names.saturating_add(1);
        }
        Self { names, here, next, freed_bytes: 0 }
    }

    /// Returns how many names a file had in the cache at first.
    pub(super) fn names_here(&self, file: u64) -> u64 {
        self.here.get(&file).copied().unwrap_or_default()
    }

    pub(super) fn len_of(&self, file: u64) -> u64 {
        self.names.get(&file).map_or(0, |(len_bytes, _)| *len_bytes)
    }

    /// A file loses a name; with the last one its bytes are free.
    pub(super) fn take(&mut self, file: u64) {
        let Some((len_bytes, names)) = self.names.get_mut(&file) else { return };
        *names = names.saturating_sub(1);
        if *names == 0 {
            self.freed_bytes = self.freed_bytes.saturating_add_unsigned(*len_bytes);
        }
    }

    /// Something gets the content of a file by this method; returns which file it is then.
    pub(super) fn give(&mut self, by: Method, file: u64, len_bytes: u64) -> u64 {
        match by {
            Method::Symlink => file,
            Method::Hardlink => {
                if let Some((_, names)) = self.names.get_mut(&file) {
                    *names = names.saturating_add(1);
                }
                file
            }
            Method::Reflink | Method::Copy | Method::Move => {
                let new = self.next;
                self.next = new.saturating_add(1);
                self.names.insert(new, (len_bytes, 1));
                self.freed_bytes = self.freed_bytes.saturating_sub_unsigned(len_bytes);
                new
            }
        }
    }

    pub(super) fn freed_bytes(&self) -> i64 {
        self.freed_bytes
    }
}
