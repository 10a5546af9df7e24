//! Kinds of disks: what each has and what it refuses.

use crate::{system::Errno, watch::Op};

/// How a disk answers to a link method.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// It does it.
    Works,
    /// It never does.
    Refused(Errno),
    /// It does it for a probe, and refuses when it matters.
    InProbes(Errno),
    /// It reports success and makes nothing.
    Pretended,
}

/// How a disk answers to locking.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Locks {
    /// A held lock keeps others out.
    Work,
    /// There are none.
    Missing(Errno),
    /// Everybody gets them, whoever else holds them (Lustre, GPFS and some NFS).
    Granted,
}

/// How a disk answers to being flushed as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flush {
    /// It brings everything to the disk.
    Works,
    /// It fails, always.
    Refused(Errno),
    /// It is not to be had.
    Missing,
}

/// One kind of disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// What a failing test calls it.
    pub(crate) name: &'static str,
    pub(crate) symlink: Way,
    /// Whether a symlink appears at once; on Windows it is an empty file first.
    pub(crate) whole_links: bool,
    pub(crate) hardlink: Way,
    pub(crate) reflink: Way,
    pub(crate) locks: Locks,
    pub(crate) flush: Flush,
    /// Whether it says that it does not tell names apart by case.
    pub(crate) folds: bool,
    /// Names that it takes for those of folders, as 8.3 names are: the other name, and the folder's own.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
    /// Whether it dates files by whole seconds.
    pub(crate) whole_seconds: bool,
    /// How much may still be written, where that is known.
    pub(crate) free_bytes: Option<u64>,
    /// What else it refuses.
    pub(crate) refuses: fn(Op) -> Option<Errno>,
    /// Which of several disks a path is on: nothing is renamed or linked from one to another.
    pub(crate) mount: fn(&str) -> u8,
    /// Whether this user may make nothing in the folder of a path.
    pub(crate) closed: fn(&str) -> bool,
}

const NO_SYMLINK: Way = Way::Refused(Errno::PERM);
const NO_HARDLINK: Way = Way::Refused(Errno::PERM);
const NO_REFLINK: Way = Way::Refused(Errno::OPNOTSUPP);

impl Kind {
    /// Everything works, as on btrfs or APFS.
    pub(crate) const ALL_LINKS: Self = Self {
        name: "all links",
        symlink: Way::Works,
        whole_links: true,
        hardlink: Way::Works,
        reflink: Way::Works,
        locks: Locks::Work,
        flush: Flush::Works,
        folds: false,
        aliases: &[],
        whole_seconds: false,
        free_bytes: None,
        refuses: |_| None,
        mount: |_| 0,
        closed: |_| false,
    };
    /// As on exFAT.
    pub(crate) const NO_LINKS: Self = Self {
        name: "no links",
        symlink: NO_SYMLINK,
        hardlink: NO_HARDLINK,
        reflink: NO_REFLINK,
        ..Self::ALL_LINKS
    };
    /// As on NTFS without the right to make symlinks.
    pub(crate) const HARDLINKS: Self =
        Self { name: "hard links", hardlink: Way::Works, ..Self::NO_LINKS };
    /// As on ReFS without the right to make symlinks, at its limit of hard links.
    pub(crate) const REFLINKS: Self = Self {
        name: "reflinks",
        hardlink: Way::Refused(Errno::MLINK),
        reflink: Way::Works,
        ..Self::NO_LINKS
    };
    /// A probe that succeeds promises nothing.
    pub(crate) const SYMLINKS_IN_PROBES: Self = Self {
        name: "symlinks in probes",
        symlink: Way::InProbes(Errno::ACCESS),
        ..Self::NO_LINKS
    };
    /// The same for hard links.
    pub(crate) const HARDLINKS_IN_PROBES: Self = Self {
        name: "hard links in probes",
        hardlink: Way::InProbes(Errno::MLINK),
        ..Self::NO_LINKS
    };
    /// As some SMB servers do.
    pub(crate) const PRETENDED: Self = Self {
        name: "pretended links",
        symlink: Way::Pretended,
        hardlink: Way::Pretended,
        reflink: Way::Pretended,
        ..Self::NO_LINKS
    };
    /// As in a sandbox: what is open has one handle, which seeks.
    pub(crate) const IN_ORDER: Self = Self {
        name: "no positioned writes",
        refuses: |op| (op == Op::SecondHandle).then_some(Errno::OPNOTSUPP),
        ..Self::ALL_LINKS
    };
    /// As a cache on a read-only mount.
    pub(crate) const READ_ONLY: Self = Self {
        name: "nothing that can be written",
        refuses: |op| (op.changes() || op == Op::OpenPrivate).then_some(Errno::ROFS),
        ..Self::ALL_LINKS
    };

    /// The same disk with other locks.
    pub(crate) const fn with_locks(self, locks: Locks) -> Self {
        Self { locks, ..self }
    }
}
