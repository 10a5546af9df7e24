//! Every point at which a peer can interfere, with everything it may do (F42–F45, I8).

use std::sync::{Arc, Mutex};

use hubstow_cache::Target;
use hubstow_core::{facts::Force, name::FileName};

use crate::{
    host::{self, Hub},
    next::Next,
    peer::Deed,
    rules::{self, Broken},
    sample::{OURS, SECOND, pointer},
    scene::{EACH_METHOD, Scene, check_each},
    start::Start,
    system::moments,
    tree::Tree,
    watch::{Event, Op},
};

const STARTS: [Start; 3] = [Start::Empty, Start::OtherLinks, Start::Twin];

#[test]
#[cfg_attr(windows, ignore = "starts thousands of runs, which takes Wine many minutes")]
fn a_peer_that_interferes_at_any_point_never_makes_us_serve_wrong_content() {
    check_each(&Scene::all(&EACH_METHOD, &STARTS, Force::Off), |scene| {
        let mut next = Next::of(scene);
        let mut broken = Broken::new();
        for deed in Deed::ALL {
            broken
                .extend(moments().map_while(|at| disturbed(scene, &mut next, at, deed)).flatten());
        }
        broken
    });
}

#[test]
fn another_process_of_ours_that_starts_at_any_point_changes_nothing_for_this_one() {
    let starts = [Start::Empty, Start::BlobExisting, Start::Twin];
    check_each(&Scene::all(&EACH_METHOD, &starts, Force::Off), |scene| {
        let (_, calm) = scene.calm();
        moments().map_while(|at| joined(scene, &calm, at)).flatten().collect()
    });
}

/// Lets another process place another file of the repo before the `at`-th operation of a run that could notice. It
/// looks for what dead runs have left, and must not take this one for dead.
fn joined(scene: &Scene, calm: &Tree, at: usize) -> Option<Broken> {
    let world = scene.world();
    let (other, policy) = (world.disk(scene.kind), scene.policy);
    let second = Target { file: FileName::parse("second.bin").unwrap(), ..SECOND.target() };
    let act = move || {
        let cache = host::cache(&other, policy);
        host::place(&cache, &second, Force::Off, &mut Hub::of(&SECOND)).result.unwrap();
    };
    let noticed = |op: Op, _: &str| !op.has_handle();
    let event = Event::Deed { noticed: Box::new(noticed), deed: Box::new(act) };
    let disk = world.disk_with(scene.kind, at, event);
    let run = scene.run(&disk);
    let operation = disk.watch().event()?;
    let end = world.tree();
    let mut broken = rules::acknowledged(&run, &end);
    broken.extend(rules::clean(&end));
    let ours = pointer(OURS);
    if end.what(&ours) != calm.what(&ours) {
        broken.push(format!("the pointer is {:?}, not {:?}", end.what(&ours), calm.what(&ours)));
    }
    Some(broken.into_iter().map(|what| format!("at {operation}: {what}")).collect())
}

/// Lets a peer do something before the `at`-th operation of a run that could notice, if it has so many.
fn disturbed(scene: &Scene, next: &mut Next<'_>, at: usize, deed: Deed) -> Option<Broken> {
    let world = scene.world();
    let (root, outside, sample) = (world.root(), world.tree_outside(), scene.sample);
    let seen = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&seen);
    let act = move || {
        let done = deed.done_to(&root, sample).is_ok();
        *slot.lock().unwrap() = done.then(|| Tree::of(&root, sample));
    };
    let noticed = move |op, path: &str| deed.is_noticed(op, path);
    let event = Event::Deed { noticed: Box::new(noticed), deed: Box::new(act) };
    let disk = world.disk_with(scene.kind, at, event);
    let run = scene.run(&disk);
    let operation = disk.watch().event()?;
    let Some(before) = seen.lock().unwrap().take() else {
        return Some(Broken::new());
    };
    let after = world.tree();
    let mut broken = rules::always(&before, &after);
    broken.extend(rules::conduct(&disk));
    // What happens after the last look has begun, nobody can know.
    if disk.watch().looked_since(&pointer(OURS)) {
        broken.extend(rules::acknowledged(&run, &after));
    }
    // What a peer has put there serves as well as ours: it is not replaced, unless that is being done already.
    let ours = [pointer(OURS), sample.blob()];
    let seen = ours.iter().filter(|path| disk.watch().looked_since(path) && before.serves(path));
    let seen = seen.filter(|_| !operation.starts_with("Rename"));
    let replaced = seen.filter(|path| !after.kept(&before, path));
    broken.extend(replaced.map(|path| format!("`{path}` served and was replaced")));
    if let (Err(error), false) = (&run.result, deed.may_end_us()) {
        broken.push(format!("it gives up: {error}"));
    }
    broken.extend(next.check(&world, &after));
    if world.tree_outside() != outside {
        broken.push("something outside was touched".to_owned());
    }
    Some(broken.into_iter().map(|what| format!("{deed:?} at {operation}: {what}")).collect())
}
