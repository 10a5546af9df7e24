//! Every point at which a run can be killed, and the run after it.

use hubstow_core::facts::Force;

use crate::{
    host::Run,
    rules::{self, Broken},
    sample::{CHUNK, SIZE, blob},
    scene::{SETUPS, Scene, check_each},
    start::{Start, World},
    tree::Tree,
    watch::Event,
};

#[test]
fn a_run_that_is_killed_at_any_change_leaves_nothing_wrong_and_the_next_one_ends_it() {
    check_each(&Scene::all(&SETUPS, &Start::ALL), |scene| {
        let calm = scene.calm();
        let mut broken = Broken::new();
        for at in 1.. {
            match killed(scene, &calm, at) {
                Some(found) => {
                    broken.extend(found.into_iter().map(|what| format!("killed at {at}: {what}")));
                }
                None => return broken,
            }
        }
        broken
    });
}

/// Kills a run at its `at`-th change, if it has so many, and lets others follow.
fn killed(scene: &Scene, (calm, calm_end): &(Run, Tree), at: usize) -> Option<Broken> {
    let world = World::new(scene.start);
    let (before, outside) = (world.tree(), world.tree_outside());
    let disk = world.disk_with(scene.kind, at, Event::Death);
    crate::host::run(&disk, scene.policy, scene.force);
    if !disk.watch().happened() {
        return None;
    }
    let dead = world.tree();
    let mut broken = rules::always(&before, &dead);
    broken.extend(rules::conduct(&disk));

    let second = scene.run_healthy(&world);
    let end = world.tree();
    broken.extend(rules::always(&dead, &end));
    broken.extend(rules::acknowledged(&second, &end));
    broken.extend(rules::clean(&end));
    if second.end() != calm.end() {
        broken.push(format!("the next run ends `{}`, not `{}`", second.end(), calm.end()));
    }
    if second.fetched > affordable(scene, &dead) {
        broken.push(format!("{} bytes were fetched again", second.fetched));
    }
    if end.shape() != calm_end.shape() {
        broken.push(format!("an end of its own:\n{}", end.differences(calm_end)));
    }

    let third = Scene { force: Force::Off, ..*scene };
    third.run_healthy(&world);
    if second.result.is_ok() && world.tree() != end {
        broken.push(format!("once more is not nothing:\n{}", world.tree().differences(&end)));
    }
    if world.tree_outside() != outside {
        broken.push("something outside was touched".to_owned());
    }
    Some(broken)
}

/// How many bytes a run may fetch after a crash (I6): none of what is here counts twice but one chunk.
fn affordable(scene: &Scene, dead: &Tree) -> usize {
    let held = dead.serves(&blob()) || dead.pointers().any(|(path, _)| dead.serves(path));
    match scene.force {
        Force::Off if held => 0,
        Force::Off | Force::On => SIZE - dead.longest_part() + CHUNK,
    }
}
