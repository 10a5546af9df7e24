//! The state of a run, and every state that a run can start from.

use hubstow_core::{
    facts::{Demand, PlaceFacts, RefFile},
    model::{Answers, DiskKind},
    policy::{Method, Methods, Policy, Support},
};

use crate::world::{BlobAt, OtherAt, PeerAt, PointerAt, RefAt, StagedAt, World, answers};

/// What may still go wrong, or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    /// Nothing will.
    Calm,
    /// One deed of a peer, or one crash, may come at any moment.
    Pending,
    /// A crash has come; this is the next run.
    Crashed,
    /// A peer has interfered.
    Disturbed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) methods: Methods,
    pub(crate) demand: Demand,
    /// What the user asked for: `Any` or `Fresh`.
    pub(crate) wanted: Demand,
    pub(crate) luck: Luck,
}

/// How many states one policy and disk can have.
pub(crate) const STATES: usize = 8 * 6 * 4 * 3 * 3 * 2 * 27 * 3 * 2 * 4;

impl State {
    pub(crate) fn facts(&self, policy: Policy) -> PlaceFacts {
        PlaceFacts {
            policy,
            demand: self.demand,
            pointer: self.world.seen_pointer(),
            blob: self.world.seen_blob(),
            staged: self.world.seen_staged(),
            twin: self.world.seen_twin(),
            methods: self.methods,
            ref_file: match self.world.ref_file {
                RefAt::Ours => RefFile::Current,
                RefAt::Elsewhere => RefFile::Behind,
            },
        }
    }

    /// The start of the next run after a crash: nothing of this run's knowledge is left.
    pub(crate) fn after_crash(&self) -> Self {
        Self {
            world: self.world.after_crash(),
            methods: Methods::UNTRIED,
            demand: self.wanted,
            luck: Luck::Crashed,
            ..*self
        }
    }

    /// The number of this state among [`STATES`].
    pub(crate) fn index(&self) -> usize {
        let World { pointer, blob, staged, other, peer, ref_file } = self.world;
        let Methods { symlink, hardlink, reflink } = self.methods;
        [
            (pointer as usize, 8),
            (blob as usize, 6),
            (staged as usize, 4),
            (other as usize, 3),
            (peer as usize, 3),
            (ref_file as usize, 2),
            (symlink as usize, 3),
            (hardlink as usize, 3),
            (reflink as usize, 3),
            (self.demand as usize, 3),
            (self.wanted as usize, 2),
            (self.luck as usize, 4),
        ]
        .into_iter()
        .fold(0, |index, (digit, base)| index * base + digit)
    }
}

/// Every world in which a run can start.
pub(crate) fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for pointer in [
        PointerAt::Absent,
        PointerAt::Link,
        PointerAt::Stray,
        PointerAt::Right,
        PointerAt::Wrong,
        PointerAt::Folder,
        PointerAt::Alias,
    ] {
        for blob in [BlobAt::Absent, BlobAt::Right, BlobAt::Wrong, BlobAt::Store, BlobAt::Folder] {
            for staged in
                [StagedAt::Absent, StagedAt::Partial, StagedAt::Complete, StagedAt::Elsewhere]
            {
                for other in [OtherAt::Absent, OtherAt::Link, OtherAt::Right] {
                    for ref_file in [RefAt::Ours, RefAt::Elsewhere] {
                        let peer = PeerAt::Absent;
                        worlds.push(World { pointer, blob, staged, other, peer, ref_file });
                    }
                }
            }
        }
    }
    worlds
}

/// A policy on a kind of disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) disk: DiskKind,
}

/// Every policy on every kind of disk. Methods that are not on the policy's ladder are left out: no decision depends on
/// them, which `place_rules` checks for every fact there is.
pub(crate) fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for policy in Policy::ALL.iter().copied() {
        let answers = |method| -> &[Answers] {
            if policy.ladder().contains(&method) { Answers::ALL } else { &[Answers::Yes] }
        };
        for symlink in answers(Method::Symlink).iter().copied() {
            for hardlink in answers(Method::Hardlink).iter().copied() {
                for reflink in answers(Method::Reflink).iter().copied() {
                    let disk = DiskKind { symlink, hardlink, reflink };
                    setups.push(Setup { policy, disk });
                }
            }
        }
    }
    setups
}

/// Everything that may be known of the methods on a policy's ladder, right or not.
pub(crate) fn knowledge(policy: Policy) -> Vec<Methods> {
    let supports = |method| -> &[Support] {
        if policy.ladder().contains(&method) { Support::ALL } else { &[Support::Untried] }
    };
    let mut known = Vec::new();
    for symlink in supports(Method::Symlink).iter().copied() {
        for hardlink in supports(Method::Hardlink).iter().copied() {
            for reflink in supports(Method::Reflink).iter().copied() {
                known.push(Methods { symlink, hardlink, reflink });
            }
        }
    }
    known
}

/// Tells whether a run would start with this knowledge on this disk: nothing is known, or all is, as the disk is.
pub(crate) fn likely(setup: Setup, known: Methods) -> bool {
    let ladder = setup.policy.ladder();
    let as_it_is = |method| match (answers(setup.disk, method), known.support(method)) {
        (Answers::Yes, support) => support == Support::Works,
        (Answers::No, support) => support == Support::Refused,
        (Answers::OnlyProbe, support) => support != Support::Untried,
    };
    known == Methods::UNTRIED || ladder.iter().all(|method| as_it_is(*method))
}
