//! How many files and connections are open at once follows from how many may be, and a shortage is waited out.

use std::{thread, time::Duration};

use hubstow_client::Durability;

use crate::{
    scene::{Scene, runtime, snapshot},
    script::Ranges,
};

#[test]
fn no_more_is_open_at_once_than_may_be() {
    for (descriptors, files) in [(32, 40), (64, 200), (256, 400)] {
        let scene = Scene::new(files, 0, Ranges::On);
        let hub = scene.hub_of(scene.config(), Some(descriptors));
        scene.check(&runtime().block_on(hub.snapshot(&snapshot())).unwrap());
        let (open, in_flight) = (scene.watch.most_open(), scene.script.most_in_flight());
        assert!(open > 0 && in_flight > 0);
        assert!(
            open + in_flight <= descriptors,
            "{open} files and {in_flight} connections of {descriptors}"
        );
    }
}

/// What is seen where nothing limits it, so that the test above can fail.
#[test]
fn where_no_limit_is_known_many_more_are_open() {
    let scene = Scene::new(400, 0, Ranges::On);
    scene.check(&runtime().block_on(scene.hub().snapshot(&snapshot())).unwrap());
    let (open, in_flight) = (scene.watch.most_open(), scene.script.most_in_flight());
    assert!(open + in_flight > 64, "{open} files and {in_flight} connections");
}

#[test]
fn files_that_others_have_open_are_waited_for() {
    let scene = Scene::new(20, 0, Ranges::On);
    scene.watch.limit(1);
    let watch = std::sync::Arc::clone(&scene.watch);
    let others = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        watch.limit(0);
    });
    scene.check(&runtime().block_on(scene.hub().snapshot(&snapshot())).unwrap());
    others.join().unwrap();
}

#[test]
#[cfg_attr(
    windows,
    ignore = "where case is folded, folders are listed too, for which nothing is left then"
)]
fn fewer_files_than_anybody_knows_of_are_made_to_do() {
    let scene = Scene::new(60, 0, Ranges::On);
    // Each file holds its lock, so the files of one group can't be open beside all locks.
    scene.watch.limit(20);
    let mut config = scene.config();
    config.durability = Durability::Safe;
    let hub = scene.hub_of(config, Some(64));
    scene.check(&runtime().block_on(hub.snapshot(&snapshot())).unwrap());
}
