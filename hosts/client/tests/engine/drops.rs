//! Whoever stops waiting, at whatever moment, loses nothing that matters and leaves nothing behind.

use std::{fs, future::poll_fn, path::Path, pin::pin, task::Poll};

use hubstow_client::{Event, Hub};

use crate::{
    scene::{LARGE, Scene, file, files_below, runtime, snapshot},
    script::Ranges,
};

/// Polls a future so many times and drops it then; tells whether it has ended before.
fn ends_within(polls: usize, future: impl Future) -> bool {
    runtime().block_on(async {
        let mut future = pin!(future);
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            match future.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending if left == 0 => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    })
}

/// Lists the private files of a cache, with how many bytes of the disk each takes.
fn private_files(cache: &Path) -> Vec<(String, u64)> {
    let is_private = |path: &&std::path::PathBuf| {
        let path = path.to_string_lossy();
        path.ends_with(".incomplete") || path.ends_with(".tmp")
    };
    let of = |path: &std::path::PathBuf| {
        Some((path.display().to_string(), taken_bytes(&fs::metadata(path).ok()?)))
    };
    files_below(cache).iter().filter(is_private).filter_map(of).collect()
}

#[cfg(unix)]
fn taken_bytes(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn taken_bytes(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Sees that no more is left than one part of each file, and that everything that was open is closed.
#[track_caller]
fn check_left(scene: &Scene, polls: usize) {
    scene.threads.rest();
    assert_eq!(scene.watch.open(), 0, "after {polls} polls something is still open");
    let left = private_files(&scene.cache());
    let bytes: u64 = left.iter().map(|(_, bytes)| bytes).sum();
    // Only the large file is worth a part.
    let limit = scene.files.get(LARGE).map_or(0, |content| content.len() as u64 + (64 << 10));
    assert!(left.len() <= 1 && bytes <= limit, "after {polls} polls: {left:?}");
}

/// Sees that somebody else can go on at once, and gets everything.
#[track_caller]
fn check_goes_on(scene: &Scene, polls: usize) {
    let hub = scene.hub().on_event(move |event| {
        let waits = matches!(event, Event::Waiting { .. } | Event::Retrying { .. });
        assert!(!waits, "after {polls} polls: {event:?}");
    });
    scene.check(&runtime().block_on(hub.snapshot(&snapshot())).unwrap());
    scene.threads.rest();
    assert_eq!(private_files(&scene.cache()), [], "after {polls} polls");
}

/// Drops a question after each number of polls, each time in an empty cache, and once more over what the times before have
/// left.
fn drop_at_every_await<T>(scene: &Scene, ask: impl AsyncFn(&Hub) -> T) {
    for polls in 1.. {
        let fresh = scene.emptied();
        let ended = ends_within(polls, ask(&fresh.hub()));
        check_left(&fresh, polls);
        check_goes_on(&fresh, polls);
        if ended {
            assert!(polls > 3, "it has ended after {polls} polls");
            break;
        }
    }
    for polls in 1.. {
        let ended = ends_within(polls, ask(&scene.hub()));
        check_left(scene, polls);
        if ended {
            break;
        }
    }
    check_goes_on(scene, 0);
}

#[test]
fn a_download_can_be_dropped_at_every_await() {
    for ranges in [Ranges::On, Ranges::Off] {
        let scene = Scene::new(0, 2 << 20, ranges);
        drop_at_every_await(&scene, async |hub| hub.download(&file(LARGE)).await);
    }
}

#[test]
fn a_download_of_a_small_file_can_be_dropped_at_every_await() {
    let scene = Scene::new(1, 0, Ranges::On);
    drop_at_every_await(&scene, async |hub| hub.download(&file("part-0/0000.txt")).await);
}

#[test]
fn a_snapshot_can_be_dropped_at_every_await() {
    let scene = Scene::new(9, 1 << 21, Ranges::On);
    drop_at_every_await(&scene, async |hub| hub.snapshot(&snapshot()).await);
}
