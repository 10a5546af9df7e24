//! In which order a large file is written, and what is read of it.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    scene::{LARGE, Scene, file, runtime},
    script::Ranges,
};

#[track_caller]
fn download(scene: &Scene) {
    let report = runtime().block_on(scene.hub().download(&file(LARGE))).unwrap();
    assert_eq!(std::fs::read(report.path).unwrap(), *scene.files.get(LARGE).unwrap());
}

#[test]
fn a_disk_that_takes_less_than_many_connections_bring_gets_a_file_from_the_front_on() {
    let scene = Scene::new(0, 96 << 20, Ranges::On);
    scene.script.connections.store(16, Ordering::SeqCst);
    scene.script.delay_ms.store(20, Ordering::SeqCst);
    scene.watch.write_takes(Duration::from_millis(3));
    download(&scene);
    let written = scene.watch.written();
    let jumps =
        written.iter().zip(written.iter().skip(1)).filter(|(one, next)| one.end != next.start);
    let jumps = jumps.count();
    assert!(scene.script.most_in_flight() >= 16, "{}", scene.script.most_in_flight());
    assert!(jumps * 3 < written.len(), "{jumps} of {}", written.len());
}

#[test]
fn what_comes_in_order_is_hashed_as_it_comes_and_not_read_again() {
    let scene = Scene::new(0, 24 << 20, Ranges::On);
    download(&scene);
    assert_eq!(scene.watch.written().last().unwrap().end, 24 << 20);
    assert_eq!(scene.watch.read_bytes(), 0);
}
