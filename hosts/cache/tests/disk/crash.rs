//! Every point at which a run can be killed, and the run after it.

use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    host::Run,
    kind::Kind,
    rules::{self, Broken},
    sample::{BLOBS, LARGE, SNAPSHOTS, WORTH},
    scene::{FORCED, SETUPS, Scene, check_each},
    start::Start,
    system::moments,
    tree::Tree,
    watch::Event,
};

#[test]
fn doing_it_again_changes_nothing() {
    check_each(&everything(), |scene| {
        let world = scene.world();
        if scene.run_healthy(&world).result.is_err() {
            return Broken::new();
        }
        let (first, disk) = (world.tree(), world.disk(scene.kind));
        let again = Scene { force: Force::Off, ..*scene }.run(&disk);
        let mut broken = rules::acknowledged(&again, &world.tree());
        broken.extend(disk.watch().changes().into_iter().map(|change| format!("{change:?}")));
        if world.tree() != first {
            broken.push(format!("it is not the same:\n{}", world.tree().differences(&first)));
        }
        broken
    });
}

#[test]
#[cfg_attr(windows, ignore = "starts thousands of runs, which takes Wine many minutes")]
fn a_run_that_is_killed_at_any_change_leaves_nothing_wrong_and_the_next_one_ends_it() {
    check_each(&everything(), killed_at_every_change);
}

#[test]
fn what_a_killed_run_has_fetched_is_not_fetched_again() {
    let starts = [Start::Empty, Start::Part, Start::PoisonedPart];
    let setups = [(Policy::Compat, &Kind::ALL_LINKS), (Policy::Portable, &Kind::NO_LINKS)];
    let scenes = Scene::all(&setups, &starts, Force::Off);
    let large: Vec<_> = scenes.into_iter().map(|scene| scene.with(&LARGE)).collect();
    check_each(&large, killed_at_every_change);
}

fn everything() -> Vec<Scene> {
    let mut scenes = Scene::all(&SETUPS, &Start::ALL, Force::Off);
    scenes.extend(Scene::all(&SETUPS, &FORCED, Force::On));
    scenes
}

fn killed_at_every_change(scene: &Scene) -> Broken {
    let calm = scene.calm();
    moments().map_while(|at| killed(scene, &calm, at)).flatten().collect()
}

/// Kills a run at its `at`-th change, if it has so many, and lets another follow.
fn killed(scene: &Scene, (calm, calm_end): &(Run, Tree), at: usize) -> Option<Broken> {
    let world = scene.world();
    let (before, outside) = (world.tree(), world.tree_outside());
    let disk = world.disk_with(scene.kind, at, Event::Death);
    scene.run(&disk);
    let operation = disk.watch().event()?;
    let dead = world.tree();
    let mut broken = rules::always(&before, &dead);
    broken.extend(rules::conduct(&disk));

    let second = scene.run_healthy(&world);
    let end = world.tree();
    broken.extend(rules::always(&dead, &end));
    broken.extend(rules::acknowledged(&second, &end));
    if second.result.is_ok() {
        broken.extend(rules::clean(&end));
    }
    if second.end() != calm.end() {
        broken.push(format!("the next run ends `{}`, not `{}`", second.end(), calm.end()));
    }
    if second.fetched > affordable(scene, &dead) {
        broken.push(format!("{} bytes were fetched again", second.fetched));
    }
    // A forced run leaves what it replaces as it finds it, so what was here before may show in the end.
    if scene.force == Force::Off && end.shape() != calm_end.shape() {
        broken.push(format!("an end of its own:\n{}", end.differences(calm_end)));
    }
    if world.tree_outside() != outside {
        broken.push("something outside was touched".to_owned());
    }
    Some(broken.into_iter().map(|what| format!("killed at {operation}: {what}")).collect())
}

/// How many bytes a run may fetch after a crash (I6).
fn affordable(scene: &Scene, dead: &Tree) -> usize {
    let mut published = [BLOBS, SNAPSHOTS].into_iter().flat_map(|f| dead.below(f));
    let held = published.any(|(path, _)| !path.ends_with(".incomplete") && dead.serves(path));
    let poisoned = scene.start == Start::PoisonedPart;
    match (scene.force, dead.longest_part(scene.sample)) {
        (Force::Off, _) if held => 0,
        (Force::Off | Force::On, part) if part >= WORTH && !poisoned => {
            scene.sample.content.len() - part
        }
        (Force::Off | Force::On, _) => scene.sample.content.len(),
    }
}
