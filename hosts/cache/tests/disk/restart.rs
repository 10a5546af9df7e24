//! Runs that are killed and started again at once, over and over (I6).

use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    kind::Kind,
    rules::{self, Broken},
    sample::{LARGE, OURS, pointer},
    scene::{EACH_METHOD, Scene, check_each},
    start::Start,
    system::moments,
    tree::{Bytes, Tree, What},
    watch::Event,
};

/// How often a run is killed before one is let be.
const KILLS: usize = 20;

/// How many bytes of content leftovers hold.
fn held(tree: &Tree) -> usize {
    let bytes = |path: &&str| match tree.what(path) {
        Some(What::File(Bytes::Right, _)) => LARGE.content.len(),
        Some(What::File(Bytes::Part(len) | Bytes::Wrong(len, _), _)) => *len,
        Some(What::File(Bytes::Text(text), _)) => text.len(),
        Some(What::Folder | What::Link(_) | What::Other) | None => 0,
    };
    tree.leftovers().iter().map(bytes).sum()
}

/// Kills a run at its `at`-th change, if it has so many, again and again without a pause, and then lets one be.
fn killed_again_and_again(scene: &Scene, at: usize) -> Option<Broken> {
    let world = scene.world();
    let mut operation = None;
    let mut broken = Broken::new();
    for kill in 0..KILLS {
        let disk = world.disk_with(scene.kind, at, Event::Death);
        scene.run(&disk);
        let Some(died) = disk.watch().event() else { break };
        operation = Some(died);
        let left = world.tree();
        if held(&left) > 2 * LARGE.content.len() {
            broken.push(format!("after {kill} kills {} bytes are left", held(&left)));
        }
    }
    let operation = operation?;
    let dead = world.tree();
    let run = scene.run_healthy(&world);
    let end = world.tree();
    broken.extend(rules::always(&dead, &end));
    broken.extend(rules::acknowledged(&run, &end));
    if !end.serves(&pointer(OURS)) {
        broken.push(format!("it ends `{}`", run.end()));
    }
    broken.extend(rules::clean(&end));
    Some(broken.into_iter().map(|what| format!("killed at {operation}: {what}")).collect())
}

#[test]
fn what_is_killed_again_and_again_at_one_point_leaves_little_and_ends_when_it_is_let_be() {
    let starts = [Start::Empty, Start::BlobExisting, Start::Twin];
    let mut scenes = Scene::all(&EACH_METHOD, &starts, Force::Off);
    scenes.extend(Scene::all(&[(Policy::Compat, &Kind::ALL_LINKS)], &[Start::Part], Force::Off));
    let scenes: Vec<_> = scenes.into_iter().map(|scene| scene.with(&LARGE)).collect();
    check_each(&scenes, |scene| {
        moments().map_while(|at| killed_again_and_again(scene, at)).flatten().collect()
    });
}
