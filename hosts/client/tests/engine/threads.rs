//! No disk is touched on an async thread, whatever is asked.

use std::{sync::atomic::Ordering, thread};

use hubstow_client::{ErrorKind, Hub, SnapshotRequest};
use hubstow_core::{facts::Reach, name::Revision};

use crate::{
    scene::{LARGE, Scene, file, runtime, snapshot},
    script::{COMMIT, Ranges},
};

/// Asks something, and sees that this thread has touched no disk since the last time.
#[track_caller]
fn check<T>(what: &str, scene: &Scene, asked: impl Future<Output = T>) -> T {
    let done = runtime().block_on(asked);
    scene.threads.rest();
    let touched = scene.watch.touched_by(thread::current().id());
    assert_eq!(touched, None, "{what}: this is what the async thread has done first");
    assert!(scene.watch.threads() > 0, "{what}: nobody has touched the disk");
    done
}

fn offline(scene: &Scene) -> Hub {
    let mut config = scene.config();
    config.reach = Reach::Offline;
    scene.hub_of(config, None)
}

fn pinned() -> Revision {
    Revision::parse(COMMIT).unwrap()
}

#[test]
fn a_download_touches_the_disk_on_workers_only() {
    let scene = Scene::new(3, 3 << 20, Ranges::On);
    let (hub, small) = (scene.hub(), "part-0/0000.txt");
    check("cold", &scene, hub.download(&file(small))).unwrap();
    check("large", &scene, hub.download(&file(LARGE))).unwrap();
    check("warm, which the hub confirms by 304", &scene, hub.download(&file(LARGE))).unwrap();
    check("forced", &scene, hub.download(&file(LARGE).forced())).unwrap();
    check("pinned", &scene, hub.download(&file(LARGE).at(pinned()))).unwrap();
    for round in ["missing, which is marked", "missing, and marked"] {
        let error = check(round, &scene, hub.download(&file("nothing.txt"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EntryNotFound);
    }
    *scene.script.wrong.lock().unwrap() = Some(b"something else".as_slice().into());
    check("wrong content first", &scene, hub.download(&file("part-1/0001.txt"))).unwrap();
    check("explained", &scene, hub.explain(&file(LARGE))).unwrap();
    check("explained before it is here", &scene, hub.explain(&file("part-2/0002.txt"))).unwrap();
    check("offline", &scene, offline(&scene).download(&file(LARGE))).unwrap();
    scene.script.is_away.store(true, Ordering::SeqCst);
    check("stale", &scene, hub.download(&file(small))).unwrap();
}

#[test]
fn a_snapshot_touches_the_disk_on_workers_only() {
    let scene = Scene::new(100, 3 << 20, Ranges::On);
    let hub = scene.hub();
    check("foretold", &scene, hub.forecast(&snapshot())).unwrap();
    scene.check(&check("cold", &scene, hub.snapshot(&snapshot())).unwrap());
    check("warm", &scene, hub.snapshot(&snapshot())).unwrap();
    let pinned = SnapshotRequest::new(snapshot().repo, pinned());
    check("pinned", &scene, hub.snapshot(&pinned)).unwrap();
    check("offline", &scene, offline(&scene).snapshot(&snapshot())).unwrap();
    scene.script.is_away.store(true, Ordering::SeqCst);
    check("stale", &scene, hub.snapshot(&snapshot())).unwrap();
    let kept = scene.cache().join(format!("models--acme--model/trees/{COMMIT}.json"));
    std::fs::remove_file(kept).unwrap();
    check("offline as it is", &scene, offline(&scene).snapshot(&snapshot())).unwrap();
}

#[test]
fn a_local_folder_is_touched_on_workers_only() {
    let scene = Scene::new(3, 3 << 20, Ranges::On);
    check("cached", &scene, scene.hub().download(&file(LARGE))).unwrap();
    let local_dir = Some(scene.folder.path().join("local"));
    let mut config = scene.config();
    config.local_dir = local_dir;
    let hub = scene.hub_of(config, None);
    check("copied from the cache", &scene, hub.download(&file(LARGE))).unwrap();
    scene.check(&check("the others", &scene, hub.snapshot(&snapshot())).unwrap());
    check("warm", &scene, hub.snapshot(&snapshot())).unwrap();
}

/// What the tests above look for is seen where it is there.
#[test]
fn questions_that_need_no_runtime_touch_the_disk_where_they_are_asked() {
    let scene = Scene::new(3, 0, Ranges::On);
    let one = file("part-0/0000.txt").at(pinned());
    assert!(scene.hub().download_cached(&one).unwrap().is_none());
    assert!(scene.watch.touched_by(thread::current().id()).is_some());
}
