//! Several processes that place the same file at the same time (F24, F41–F43, I9).

use std::{sync::Barrier, thread};

use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    host::{self, Run},
    kind::{Kind, Locks},
    rules::{self, Broken},
    sample::{LARGE, OURS, pointer},
    scene::Scene,
    start::{Start, World},
    system::Errno,
    tree::{Tree, What},
};

/// Policies on disks: linked, hard linked, moved, and copied from a blob.
const SETUPS: [(Policy, Kind); 4] = [
    (Policy::Compat, Kind::ALL_LINKS),
    (Policy::Dedup, Kind::HARDLINKS),
    (Policy::Portable, Kind::NO_LINKS),
    (Policy::Compat, Kind::SYMLINKS_IN_PROBES),
];

const STARTS: [Start; 3] = [Start::Empty, Start::BlobTorn, Start::Twin];

/// Runs all at once, and names what is broken.
fn all_at_once(policy: Policy, kind: Kind, start: Start, processes: usize) -> (Vec<Run>, Broken) {
    let world = World::new(start, &LARGE);
    let (before, barrier) = (world.tree(), Barrier::new(processes));
    let disks: Vec<_> = (0..processes).map(|_| world.disk(kind)).collect();
    let runs: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = disks
            .iter()
            .map(|disk| {
                scope.spawn(|| {
                    barrier.wait();
                    host::run(disk, &LARGE, policy, Force::Off)
                })
            })
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let end = world.tree();
    let mut broken = rules::always(&before, &end);
    broken.extend(disks.iter().flat_map(rules::conduct));
    broken.extend(rules::clean(&end));
    let (_, calm) = Scene { policy, kind, start, force: Force::Off, sample: &LARGE }.calm();
    if is_link(&end) != is_link(&calm) {
        broken.push(format!("the pointer is {:?}", end.what(&pointer(OURS))));
    }
    for run in &runs {
        broken.extend(rules::acknowledged(run, &end));
        if run.result.is_err() {
            broken.push(format!("one ends `{}`", run.end()));
        }
    }
    (runs, broken)
}

fn is_link(tree: &Tree) -> bool {
    matches!(tree.what(&pointer(OURS)), Some(What::Link(_)))
}

#[track_caller]
fn check(locks: Locks, judge: impl Fn(&[Run]) -> Broken) {
    let mut broken = Broken::new();
    for (policy, kind) in SETUPS {
        for start in STARTS {
            for processes in [2, 4] {
                let kind = kind.with_locks(locks);
                let (runs, found) = all_at_once(policy, kind, start, processes);
                let found = found.into_iter().chain(judge(&runs));
                let name = format!("{processes} with {policy}, {}, {start:?}", kind.name);
                broken.extend(found.map(|what| format!("{name}: {what}")));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn where_locks_work_one_fetches_and_all_are_served() {
    check(Locks::Work, |runs| {
        let fetched: usize = runs.iter().map(|run| run.fetched).sum();
        let once = fetched <= LARGE.content.len();
        if once { Broken::new() } else { vec![format!("{fetched} bytes were fetched")] }
    });
}

#[test]
#[cfg_attr(
    windows,
    ignore = "without locks several replace what others read, which NTFS does and Wine refuses"
)]
fn where_everybody_gets_the_lock_all_are_served_all_the_same() {
    check(Locks::Granted, |_| Broken::new());
}

#[test]
#[cfg_attr(
    windows,
    ignore = "without locks several replace what others read, which NTFS does and Wine refuses"
)]
fn where_there_are_no_locks_all_are_served_all_the_same() {
    check(Locks::Missing(Errno::NOSYS), |_| Broken::new());
}
