//! Work that nobody waits for any more: it ends soon, and leaves what a killed run would leave, or less (I6).

use hubstow_cache::{
    FsError,
    disk::cancel::{Cancel, Cancelled},
};
use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    files::{FIRST, files, filled, targets},
    host::{self, Failed, Hub, Run},
    kind::{Kind, Locks},
    rules::{self, Broken},
    sample::{HUGE, LARGE},
    scene::{EACH_METHOD, Scene, check_each},
    start::{Start, World},
    system::moments,
    tree::Tree,
    watch::{Event, Op},
};

const STARTS: [Start; 6] = [
    Start::Empty,
    Start::BlobExisting,
    Start::BlobTorn,
    Start::PointerHolds,
    Start::Twin,
    Start::OtherLinks,
];

/// Runs until it is cancelled at the `at`-th operation that counts.
fn run_cancelled(
    scene: &Scene,
    world: &World,
    at: usize,
    counts: fn(Op, &str) -> bool,
) -> (Run, crate::disk::TestDisk) {
    let cancel = Cancel::default();
    let deed = cancel.clone();
    let event = Event::Deed { noticed: Box::new(counts), deed: Box::new(move || deed.cancel()) };
    let disk = world.disk_with(scene.kind, at, event);
    let cache = host::cache(&disk, scene.policy).stopped_by(cancel);
    let run = host::place(&cache, &scene.sample.target(), scene.force, &mut Hub::of(scene.sample));
    (run, disk)
}

fn is_content(op: Op, path: &str) -> bool {
    op == Op::Read && (path.contains("/blobs/") || path.contains("/snapshots/"))
}

fn is_cancelled(run: &Run) -> bool {
    match &run.result {
        Err(Failed::Disk(FsError::Io { source, .. }) | Failed::Staged(source)) => {
            Cancelled::caused(source)
        }
        Err(_) | Ok(_) => false,
    }
}

/// Cancels a run at its `at`-th operation, if it has so many, and lets another follow.
fn cancelled(scene: &Scene, (calm, calm_end): &(Run, Tree), at: usize) -> Option<Broken> {
    let world = scene.world();
    let before = world.tree();
    let (run, disk) = run_cancelled(scene, &world, at, |_, _| true);
    let operation = disk.watch().event()?;
    let left = world.tree();
    let mut broken = rules::always(&before, &left);
    broken.extend(rules::conduct(&disk));
    broken.extend(rules::acknowledged(&run, &left));
    if run.result.is_err() && !is_cancelled(&run) {
        broken.push(format!("it ends `{}`", run.end()));
    }
    let scratch = left.leftovers().into_iter().filter(|path| path.ends_with(".tmp"));
    broken.extend(scratch.map(|path| format!("`{path}` was left")));

    let second = scene.run_healthy(&world);
    let end = world.tree();
    broken.extend(rules::acknowledged(&second, &end));
    broken.extend(rules::clean(&end));
    if second.end() != calm.end() || end.shape() != calm_end.shape() {
        broken.push(format!("an end of its own:\n{}", end.differences(calm_end)));
    }
    Some(broken.into_iter().map(|what| format!("cancelled at {operation}: {what}")).collect())
}

#[test]
fn a_run_that_is_cancelled_at_any_operation_leaves_nothing_half_and_the_next_one_ends_it() {
    let mut scenes = Scene::all(&EACH_METHOD, &STARTS, Force::Off);
    let parts = Scene::all(&EACH_METHOD[..1], &[Start::Part], Force::Off);
    scenes.extend(parts.into_iter().map(|scene| scene.with(&LARGE)));
    check_each(&scenes, |scene| {
        let calm = scene.calm();
        moments().map_while(|at| cancelled(scene, &calm, at)).flatten().collect()
    });
}

#[test]
fn copying_and_hashing_end_within_a_piece() {
    let (linked, copied) = ((Policy::Compat, Kind::ALL_LINKS), (Policy::Portable, Kind::NO_LINKS));
    for ((policy, kind), start, pieces) in [
        (linked, Start::BlobExisting, 5),
        (copied, Start::BlobExisting, 10),
        (linked, Start::Twin, 10),
        (copied, Start::PointerHolds, 5),
        (linked, Start::Part, 4),
        ((Policy::Compat, Kind::ALL_LINKS.with_locks(Locks::Granted)), Start::Part, 4),
    ] {
        let scene = Scene { policy, kind, start, force: Force::Off, sample: &HUGE };
        for at in 1..=pieces {
            let world = scene.world();
            let (run, disk) = run_cancelled(&scene, &world, at, is_content);
            assert!(is_cancelled(&run), "{scene}, piece {at}: {}", run.end());
            let reads = disk.watch().matching(is_content);
            assert_eq!(reads, at, "{scene}, piece {at}");
        }
    }
}

#[test]
fn many_files_are_left_after_the_one_that_was_looked_at() {
    for count in [5, 100] {
        let files = files(count);
        let (world, all, cancel) = (filled(&files), targets(&files), Cancel::default());
        let disk = world.disk(Kind::ALL_LINKS);
        let cache = host::cache(&disk, Policy::Compat);
        let cache = cache.remembering(&all[0].layout).stopped_by(cancel.clone());
        let mut looks = cache.observe_many(&all, FIRST);
        looks.by_ref().take(3).for_each(|look| assert!(look.is_ok()));
        cancel.cancel();
        let before = disk.watch().operations();
        assert!(looks.all(|look| look.is_err()));
        cache.record_proofs(&all[0].layout, &all[0].commit, &all);
        assert_eq!(disk.watch().operations(), before);
    }
}
