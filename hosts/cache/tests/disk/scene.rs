//! Every policy on every kind of disk that it can tell apart, from every start.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    disk::TestDisk,
    host::{self, Run},
    kind::Kind,
    rules::Broken,
    sample::{SMALL, Sample},
    start::{Start, World},
    system,
    tree::Tree,
};

/// The policies, each on the kinds of disks that it can tell apart.
pub(crate) const SETUPS: [(Policy, &Kind); 14] = [
    (Policy::Compat, &Kind::ALL_LINKS),
    (Policy::Compat, &Kind::NO_LINKS),
    (Policy::Compat, &Kind::SYMLINKS_IN_PROBES),
    (Policy::Dedup, &Kind::NO_LINKS),
    (Policy::Dedup, &Kind::HARDLINKS),
    (Policy::Dedup, &Kind::REFLINKS),
    (Policy::Dedup, &Kind::PRETENDED),
    (Policy::Nas, &Kind::ALL_LINKS),
    (Policy::Nas, &Kind::REFLINKS),
    (Policy::Nas, &Kind::HARDLINKS_IN_PROBES),
    (Policy::Portable, &Kind::ALL_LINKS),
    (Policy::Strict, &Kind::ALL_LINKS),
    (Policy::Strict, &Kind::NO_LINKS),
    (Policy::Strict, &Kind::SYMLINKS_IN_PROBES),
];

/// One disk for each method by which a pointer can come to be: for tests that disturb runs in many ways.
pub(crate) const EACH_METHOD: [(Policy, &Kind); 5] = [
    (Policy::Compat, &Kind::ALL_LINKS),
    (Policy::Dedup, &Kind::HARDLINKS),
    (Policy::Nas, &Kind::REFLINKS),
    (Policy::Compat, &Kind::SYMLINKS_IN_PROBES),
    (Policy::Portable, &Kind::NO_LINKS),
];

/// The starts that force makes a difference to.
pub(crate) const FORCED: [Start; 6] = [
    Start::BlobExisting,
    Start::BlobBorrowed,
    Start::PointerLinked,
    Start::PointerHolds,
    Start::Twin,
    Start::OtherLinks,
];

/// One run to be disturbed.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) policy: Policy,
    pub(crate) kind: Kind,
    pub(crate) start: Start,
    pub(crate) force: Force,
    pub(crate) sample: &'static Sample,
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let force = if self.force == Force::On { ", forced" } else { "" };
        write!(f, "{} on a disk with {} from {:?}{force}", self.policy, self.kind.name, self.start)
    }
}

impl Scene {
    /// Each of these setups from each of these starts that this system can have; where it is slow, some of them.
    pub(crate) fn all(setups: &[(Policy, &Kind)], starts: &[Start], force: Force) -> Vec<Self> {
        let sample: &Sample = &SMALL;
        let of = |(setup, &(policy, &kind)): (usize, &(Policy, &Kind))| {
            let possible = starts.iter().filter(|start| start.can_be()).enumerate();
            let tried =
                possible.filter(move |(at, _)| (setup + at).is_multiple_of(system::ONE_SCENE_OF));
            tried.map(move |(_, &start)| Self { policy, kind, start, force, sample })
        };
        setups.iter().enumerate().flat_map(of).collect()
    }

    /// The same with other content.
    pub(crate) fn with(self, sample: &'static Sample) -> Self {
        Self { sample, ..self }
    }

    /// A fresh world to run it in.
    pub(crate) fn world(&self) -> World {
        World::new(self.start, self.sample)
    }

    /// Runs to the end undisturbed: how, and what is there then.
    pub(crate) fn calm(&self) -> (Run, Tree) {
        let world = self.world();
        let run = self.run_healthy(&world);
        (run, world.tree())
    }

    /// Runs on a healthy disk of this kind.
    pub(crate) fn run_healthy(&self, world: &World) -> Run {
        self.run(&world.disk(self.kind))
    }

    /// Runs on this disk.
    pub(crate) fn run(&self, disk: &TestDisk) -> Run {
        host::run(disk, self.sample, self.policy, self.force)
    }
}

/// Checks every scene, two at a time, and names all that is broken.
#[track_caller]
pub(crate) fn check_each(scenes: &[Scene], check: impl Fn(&Scene) -> Broken + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut broken = Broken::new();
        while let Some(scene) = scenes.get(next.fetch_add(1, Ordering::Relaxed)) {
            broken.extend(check(scene).into_iter().map(|what| format!("{scene}: {what}")));
        }
        broken
    };
    let broken = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut broken = work();
        broken.extend(other.join().unwrap());
        broken
    });
    let shown: Vec<_> = broken.iter().take(20).map(String::as_str).collect();
    assert!(broken.is_empty(), "{} are broken, such as\n{}", broken.len(), shown.join("\n"));
}
