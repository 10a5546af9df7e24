//! Finding out before a download, and not after it, that the disk is too small.
//!
//! What a dead run has reserved for a content is not used by others: it is there for whoever goes on with that content, and
//! is free again where the leftover is removed.

use std::{collections::HashMap, io};

use crate::{
    cache::{
        leftovers::{RESERVE_FROM_BYTES, Writer},
        target::Target,
    },
    disk::failure::{ErrorGroup, FsError, group},
    observe::view::View,
    staged::{
        Keep, StagedFile,
        leftover::{Leftover, Worth},
    },
};

/// There is less space than is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// How many bytes may still be written, with what leftovers that are of no use set free.
    pub free_bytes: u64,
    /// How many are to be written, without those for which space is reserved.
    pub needed_bytes: u64,
}

/// What staging a content takes of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Need {
    /// How many bytes more are used while it is staged.
    needed_bytes: u64,
    /// How many are set free by it.
    freed_bytes: u64,
}

/// What becomes of a leftover when its content is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its bytes, and what is reserved for more, become those of the staged file.
    Continued { held_bytes: u64, allocated_bytes: u64 },
    /// It is removed.
    Removed { allocated_bytes: u64 },
    /// It stays with its writer.
    Kept,
}

impl View {
    /// Tells whether the contents of targets of one repo, none of which is in its place, are more than the disk still
    /// takes, as far as it tells.
    ///
    /// # Errors
    /// A disk that can't be looked at.
    pub fn shortage<T: AsRef<Target>>(&self, targets: &[T]) -> io::Result<Option<Shortage>> {
        let Some(first) = targets.first().map(T::as_ref) else { return Ok(None) };
        let Some(free) = self.cache.disk.free_bytes(&first.layout.blobs())? else {
            return Ok(None);
        };
        let contents: HashMap<_, _> =
            targets.iter().map(T::as_ref).map(|target| (&target.etag, target)).collect();
        let mut total = Need::default();
        for target in contents.into_values() {
            self.cancel.check()?;
            let leftovers = self.leftovers(target);
            total = total.and(Need::of(target.size.unwrap_or(0), &fates(&leftovers)));
        }
        Ok(total.beyond(free))
    }

    /// Reserves what a staged file still misses, so that a shortage is told now; what is worth it is left for later then.
    /// Its length, which is what resuming relies on, is not changed.
    pub(crate) fn reserve(&self, mut staged: StagedFile) -> Result<StagedFile, FsError> {
        match staged.reserve(RESERVE_FROM_BYTES) {
            Err(error) if is_shortage(&error) => {
                let at = staged.at().clone();
                self.abandon(staged, Keep::IfWorth);
                Err(FsError::io("reserve space for", &at, error))
            }
            // It can't be done here, which says nothing of the space.
            Ok(()) | Err(_) => Ok(staged),
        }
    }
}

impl Need {
    fn of(size_bytes: u64, fates: &[Fate]) -> Self {
        let mut need = Self { needed_bytes: size_bytes, freed_bytes: 0 };
        for fate in fates {
            match *fate {
                // What a filesystem packs takes less than its length.
                Fate::Continued { held_bytes, allocated_bytes } => {
                    let has = held_bytes.max(allocated_bytes);
                    need.needed_bytes = need.needed_bytes.saturating_sub(has);
                }
                Fate::Removed { allocated_bytes } => {
                    need.freed_bytes = need.freed_bytes.saturating_add(allocated_bytes);
                }
                Fate::Kept => {}
            }
        }
        need
    }

    fn and(self, other: Self) -> Self {
        Self {
            needed_bytes: self.needed_bytes.saturating_add(other.needed_bytes),
            freed_bytes: self.freed_bytes.saturating_add(other.freed_bytes),
        }
    }

    /// Says what is missing on a disk with so much space.
    fn beyond(self, free_bytes: u64) -> Option<Shortage> {
        let free_bytes = free_bytes.saturating_add(self.freed_bytes);
        let needed_bytes = self.needed_bytes;
        (free_bytes < needed_bytes).then_some(Shortage { free_bytes, needed_bytes })
    }
}

/// Says what [`View::adopt`] would do with leftovers of one content, longest first. One that is continued may be copied
/// and then removed, which comes to the same: where there is no space for a copy it is taken over.
fn fates(leftovers: &[Leftover]) -> Vec<Fate> {
    let best = leftovers.iter().position(|leftover| leftover.worth == Worth::Continuing);
    let fate = |(number, leftover): (usize, &Leftover)| {
        let allocated_bytes = leftover.entry.allocated_bytes;
        match leftover.writer {
            Writer::Gone if Some(number) == best => {
                Fate::Continued { held_bytes: leftover.held.total_bytes(), allocated_bytes }
            }
            Writer::Gone | Writer::Silent => Fate::Removed { allocated_bytes },
            Writer::Alive => Fate::Kept,
        }
    };
    leftovers.iter().enumerate().map(fate).collect()
}

fn is_shortage(error: &io::Error) -> bool {
    group(error) == ErrorGroup::NoSpace || error.kind() == io::ErrorKind::FileTooLarge
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn continued(len: u64, allocated: u64) -> Fate {
        Fate::Continued { held_bytes: len * MIB, allocated_bytes: allocated * MIB }
    }

    fn removed(allocated: u64) -> Fate {
        Fate::Removed { allocated_bytes: allocated * MIB }
    }

    #[test]
    fn what_is_reserved_for_a_content_is_there_for_it() {
        // Size, leftovers, what is needed more, what is set free; in MiB.
        let rows: [(u64, &[Fate], u64, u64); 10] = [
            (40, &[], 40, 0),
            (40, &[continued(3, 40)], 0, 0),
            (40, &[continued(3, 3)], 37, 0),
            (40, &[continued(3, 1)], 37, 0),
            (40, &[continued(40, 40)], 0, 0),
            (40, &[continued(3, 64)], 0, 0),
            (40, &[Fate::Kept], 40, 0),
            (40, &[removed(40)], 40, 40),
            (40, &[continued(3, 40), removed(2), Fate::Kept, removed(5)], 0, 7),
            (0, &[removed(1)], 0, 1),
        ];
        for (size, fates, needed, freed) in rows {
            let need = Need { needed_bytes: needed * MIB, freed_bytes: freed * MIB };
            assert_eq!(Need::of(size * MIB, fates), need, "{size} MiB, {fates:?}");
        }
    }

    #[test]
    fn what_leftovers_set_free_counts_as_free_and_no_more_is_told_than_is_needed() {
        let need = |needed_bytes, freed_bytes| Need { needed_bytes, freed_bytes };
        let two = need(40, 0).and(need(10, 8));
        let short = |free_bytes, needed_bytes| Some(Shortage { free_bytes, needed_bytes });
        for (need, free, shortage) in [
            (need(0, 0), 0, None),
            (need(40, 0), 40, None),
            (need(40, 0), 39, short(39, 40)),
            (two, 42, None),
            (two, 41, short(49, 50)),
            (need(u64::MAX, 0).and(need(1, 0)), u64::MAX, None),
        ] {
            assert_eq!(need.beyond(free), shortage, "{need:?} where {free} are free");
        }
    }
}
