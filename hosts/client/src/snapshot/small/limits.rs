//! How much of small files may be on its way at once, and when what has come is written.

/// Up to this size a file is small: it is held in memory, and fetched again from its start where a transfer breaks.
const SMALL_BYTES: u64 = 1 << 20;
/// How many bytes of small files are in memory at most, all together.
const HELD_BYTES: u64 = 8 << 20;
/// How many files make a group at most.
const MOST_IN_GROUP: usize = 96;
/// How many groups are written at once: while one waits for the disk the other is hashed.
const GROUPS: usize = 2;
/// How many files are made ready at once.
const READY: usize = 32;

/// Tells whether a file of this size is small.
pub(crate) fn is_small(size: Option<u64>) -> bool {
    size.is_some_and(|size| size <= SMALL_BYTES)
}

/// How much may be on its way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many files are asked for at once.
    pub(crate) in_flight: usize,
    /// How many files make a group.
    group: usize,
    /// From how many files on a group is written although as many are in flight as may be.
    group_from: usize,
}

/// What is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Files that are made ready, and not asked for yet.
    pub(crate) ready: usize,
    pub(crate) in_flight: usize,
    /// Files that are in memory, and wait to be written.
    pub(crate) received: usize,
    /// Groups that are being written.
    pub(crate) groups: usize,
    /// Files and bytes from the request to the end of the writing.
    pub(crate) held_files: usize,
    pub(crate) held_bytes: u64,
}

impl Limits {
    /// Says what may be done where so many files may be on their way: a part of them is in flight while others are written.
    pub(crate) fn of(in_flight: usize, files: usize) -> Self {
        let group = MOST_IN_GROUP.min(files / 3).max(1);
        Self { in_flight, group, group_from: group.div_ceil(3) }
    }

    /// Returns how many files make a group at most.
    pub(crate) fn group(&self) -> usize {
        self.group
    }

    /// Returns how many more files are worth making ready.
    pub(crate) fn worth_preparing(&self, load: &Load) -> usize {
        if load.ready < READY { READY } else { 0 }
    }

    /// Tells whether a file of this size may be asked for.
    pub(crate) fn admits(&self, load: &Load, size: u64) -> bool {
        let has_room = load.held_files == 0 || load.held_bytes.saturating_add(size) <= HELD_BYTES;
        load.in_flight < self.in_flight && has_room
    }

    /// Tells whether to write what has come: there is enough, or nothing else for the disk to do.
    pub(crate) fn is_group_due(&self, load: &Load) -> bool {
        let is_idle = load.groups == 0 && load.in_flight < self.in_flight;
        let enough = if is_idle { 1 } else { self.group_from };
        load.groups < GROUPS && load.received >= enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_small_up_to_a_mebibyte_and_only_where_its_size_is_known() {
        for (size, small) in
            [(None, false), (Some(0), true), (Some(1 << 20), true), (Some((1 << 20) + 1), false)]
        {
            assert_eq!(is_small(size), small, "{size:?}");
        }
    }

    #[test]
    fn what_makes_a_group_follows_from_files_that_may_be_open() {
        for (files, group, group_from) in
            [(352, 96, 32), (293, 96, 32), (69, 23, 8), (14, 4, 2), (4, 1, 1), (1, 1, 1)]
        {
            let expected = Limits { in_flight: 64, group, group_from };
            assert_eq!(Limits::of(64, files), expected, "{files} files");
        }
    }

    #[test]
    fn files_are_asked_for_while_there_is_room_in_flight_and_in_memory() {
        let limits = Limits::of(64, 352);
        let load = |in_flight, held_files, held_bytes| Load {
            in_flight,
            held_files,
            held_bytes,
            ..Load::default()
        };
        for (load, size, admitted) in [
            (load(0, 0, 0), 1 << 20, true),
            (load(63, 63, 0), 1, true),
            (load(64, 64, 0), 1, false),
            (load(1, 9, 8 << 20), 1, false),
            (load(1, 9, (8 << 20) - 1), 1, true),
            (load(0, 0, 0), u64::MAX, true),
            (load(0, 1, 1), u64::MAX, false),
        ] {
            assert_eq!(limits.admits(&load, size), admitted, "{load:?}, {size} bytes");
        }
    }

    #[test]
    fn a_group_is_written_when_there_is_enough_or_nothing_else_to_do() {
        let limits = Limits::of(64, 352);
        let load =
            |in_flight, received, groups| Load { in_flight, received, groups, ..Load::default() };
        for (load, due) in [
            (load(0, 0, 0), false),
            (load(0, 1, 0), true),
            (load(63, 1, 0), true),
            (load(64, 31, 0), false),
            (load(64, 32, 0), true),
            (load(0, 31, 1), false),
            (load(0, 32, 1), true),
            (load(0, 96, 2), false),
        ] {
            assert_eq!(limits.is_group_due(&load), due, "{load:?}");
        }
    }

    #[test]
    fn files_are_made_ready_until_enough_wait() {
        let limits = Limits::of(64, 352);
        for (ready, files) in [(0, 32), (31, 32), (32, 0), (63, 0)] {
            let load = Load { ready, ..Load::default() };
            assert_eq!(limits.worth_preparing(&load), files, "{ready}");
        }
    }
}
