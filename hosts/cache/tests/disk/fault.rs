//! Every point at which an operation can fail once, and the run after it (F5–F10, I17, I18).

use std::sync::Arc;

use hubstow_cache::{Cache, Durability};
use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    host::{self, Hub},
    kind::Kind,
    next::Next,
    rules::{self, Broken},
    sample::SMALL,
    scene::{EACH_METHOD, Scene, check_each},
    start::{Start, World},
    system::{Errno, moments},
    watch::{Event, Op},
};

/// A failing disk, a full one, missing rights, and an entry that is gone: one of each group that is treated alike.
const ERRORS: [Errno; 4] = [Errno::IO, Errno::NOSPC, Errno::ACCESS, Errno::NOENT];

const STARTS: [Start; 4] =
    [Start::Empty, Start::BlobExisting, Start::OtherLinksToTornBlob, Start::Twin];

#[test]
fn an_operation_that_fails_at_any_point_breaks_nothing_and_the_next_run_ends_it() {
    check_each(&Scene::all(&EACH_METHOD, &STARTS, Force::Off), |scene| {
        let mut next = Next::of(scene);
        let mut broken = Broken::new();
        for errno in ERRORS {
            broken.extend(moments().map_while(|at| failed(scene, &mut next, at, errno)).flatten());
        }
        broken
    });
}

/// Lets the `at`-th operation of a run fail, if it has so many.
fn failed(scene: &Scene, next: &mut Next<'_>, at: usize, errno: Errno) -> Option<Broken> {
    let world = scene.world();
    let (before, outside) = (world.tree(), world.tree_outside());
    let disk = world.disk_with(scene.kind, at, Event::Failure(errno));
    let run = scene.run(&disk);
    let operation = disk.watch().event()?;
    let after = world.tree();
    let mut broken = rules::always(&before, &after);
    broken.extend(rules::conduct(&disk));
    broken.extend(rules::acknowledged(&run, &after));
    broken.extend(next.check(&world, &after));
    if world.tree_outside() != outside {
        broken.push("something outside was touched".to_owned());
    }
    Some(broken.into_iter().map(|what| format!("{errno} at {operation}: {what}")).collect())
}

#[test]
fn what_is_safe_is_synced_and_what_is_fast_is_left_to_the_system() {
    for (durability, syncs) in [(Durability::Safe, true), (Durability::Fast, false)] {
        let world = World::new(Start::Empty, &SMALL);
        let disk = world.disk(Kind::ALL_LINKS);
        let cache = Cache::new(Arc::new(disk.clone()), Policy::Compat, durability);
        let run = host::place(&cache, &SMALL.target(), Force::Off, &mut Hub::of(&SMALL));
        run.result.unwrap();
        assert_eq!(disk.watch().did(Op::Sync), syncs, "{durability:?}");
    }
}
