//! What a run has learned of a hub is not asked again.

use std::sync::atomic::Ordering;

use crate::{
    scene::{Scene, file, runtime},
    script::Ranges,
};

/// The hub names what is small by its sha256 as well, as mirrors do, so the listing is asked about each file.
#[test]
fn a_hub_that_knows_no_chosen_paths_is_asked_for_them_once() {
    let scene = Scene::new(6, 0, Ranges::On);
    let hub = scene.hub();
    for name in scene.files.keys() {
        runtime().block_on(hub.download(&file(name))).unwrap();
    }
    assert_eq!(scene.script.asked_for_paths.load(Ordering::SeqCst), 1);
    runtime().block_on(scene.emptied().hub().download(&file("part-0/0000.txt"))).unwrap();
    assert_eq!(scene.script.asked_for_paths.load(Ordering::SeqCst), 2, "another run asks again");
}
