//! Private files that were just made: another process of ours that starts then must not take them for dead (I6, F24).

use std::sync::Arc;

use hubstow_cache::{Cache, Durability, Target};
use hubstow_core::{facts::Force, layout::RepoLayout, name::FileName};

use crate::{
    disk::TestDisk,
    host::{self, Hub},
    kind::Kind,
    rules::{self, Broken},
    sample::{SECOND, SMALL},
    scene::{EACH_METHOD, Scene, check_each},
    start::{Start, World},
    system::moments,
    watch::{Event, Op},
};

/// The disk of a process beside which another one starts just before its `at`-th operation: a name may be visible then, and
/// whatever protects the file not done yet, or not any more.
fn disturbed(
    world: &World,
    kind: Kind,
    at: usize,
    other: impl FnOnce() + Send + 'static,
) -> TestDisk {
    let noticed = |_: Op, _: &str| true;
    world.disk_with(kind, at, Event::Deed { noticed: Box::new(noticed), deed: Box::new(other) })
}

/// Another file of the same repo or folder.
fn second(layout: RepoLayout) -> Target {
    Target { layout, file: FileName::parse("second.bin").unwrap(), ..SECOND.target() }
}

/// Lets another process start at the `at`-th operation of a run, if it has so many.
fn joined(scene: &Scene, at: usize) -> Option<Broken> {
    let world = scene.world();
    let (other, policy) = (world.disk(scene.kind), scene.policy);
    let disk = disturbed(&world, scene.kind, at, move || {
        let (cache, target) = (host::cache(&other, policy), second(SECOND.target().layout));
        host::place(&cache, &target, Force::Off, &mut Hub::of(&SECOND)).result.unwrap();
    });
    let run = scene.run(&disk);
    let operation = disk.watch().event()?;
    let end = world.tree();
    let mut broken = rules::acknowledged(&run, &end);
    broken.extend(rules::clean(&end));
    if run.result.is_err() {
        broken.push(format!("it ends `{}`", run.end()));
    }
    broken.extend(run.ref_trouble.map(|trouble| format!("the ref is not written: {trouble}")));
    Some(broken.into_iter().map(|what| format!("at {operation}: {what}")).collect())
}

#[test]
fn a_process_that_starts_while_a_private_file_is_made_costs_no_ref_and_no_file() {
    let starts = [Start::Empty, Start::BlobExisting, Start::Twin];
    check_each(&Scene::all(&EACH_METHOD, &starts, Force::Off), |scene| {
        moments().map_while(|at| joined(scene, at)).flatten().collect()
    });
}

#[test]
fn a_process_that_starts_while_a_local_record_is_made_costs_no_download() {
    let mut broken = Broken::new();
    for at in moments() {
        let world = World::new(Start::Empty, &SMALL);
        let other = world.disk(Kind::NO_LINKS);
        let disk = disturbed(&world, Kind::NO_LINKS, at, move || {
            let cache = Cache::local(Arc::new(other), Durability::Safe);
            let target = second(RepoLayout::local());
            host::place(&cache, &target, Force::Off, &mut Hub::of(&SECOND)).result.unwrap();
            cache.record_local(&target).unwrap();
        });
        let cache = Cache::local(Arc::new(disk.clone()), Durability::Safe);
        let target = Target { layout: RepoLayout::local(), ..SMALL.target() };
        let run = host::place(&cache, &target, Force::Off, &mut Hub::of(&SMALL));
        let recorded = cache.record_local(&target);
        let Some(operation) = disk.watch().event() else { break };
        broken.extend(run.result.err().map(|error| format!("at {operation}: {error}")));
        broken.extend(recorded.err().map(|error| format!("at {operation}: {error}")));
        if cache.local_record(&target.file).is_none() {
            broken.push(format!("at {operation}: there is no record"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
