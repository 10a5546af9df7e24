//! Downloads that their caller gives up: they end soon, and leave nothing that costs space.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use hubstow_native::{Config, Durability, FileRequest, Hub};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 256 * MIB;
const FILE: &str = "model.bin";
/// How long anything may take that is only waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hub with one large file, and a cache.
struct Stage {
    folder: TempDir,
    server: RunningServer,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("hub/acme/large");
        fs::create_dir_all(&model).unwrap();
        File::create(model.join(FILE)).unwrap().set_len(SIZE).unwrap();
        let server =
            Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
        Self { folder, server }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// A hub whose files are regular ones: what another revision holds is copied.
    fn hub(&self, set: impl FnOnce(&mut Config)) -> Hub {
        let var = |name: &str| match name {
            "HF_ENDPOINT" => Some(self.server.url().to_owned()),
            "HF_HUB_CACHE" => Some(self.cache().display().to_string()),
            "HF_HUB_DISABLE_SYMLINKS" => Some("1".to_owned()),
            _ => None,
        };
        let mut config = Config::from_vars(var).unwrap();
        config.durability = Durability::Fast;
        set(&mut config);
        Hub::new(config).unwrap()
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn request() -> FileRequest {
    FileRequest::parse("acme/large", FILE).unwrap()
}

/// Returns how many bytes of the disk everything below a folder takes.
fn taken_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => taken_bytes(&entry.path()),
            // It may be gone by now.
            Ok(_) | Err(_) => entry.metadata().map_or(0, |metadata| metadata.blocks() * 512),
        })
        .sum()
}

#[test]
fn a_copy_that_nobody_waits_for_any_more_stops_soon_and_leaves_nothing() {
    let stage = Stage::new();
    let runtime = runtime();
    let hub = stage.hub(|_| {});
    runtime.block_on(hub.download(&request())).unwrap();
    let first = taken_bytes(&stage.cache());
    // The branch moves; its large file is what the other snapshot holds, and is copied from there.
    fs::write(stage.folder.path().join("hub/acme/large/config.json"), "{}\n").unwrap();

    let copying = runtime.spawn(async move { hub.download(&request()).await });
    let begin = Instant::now();
    while taken_bytes(&stage.cache()) < first + 8 * MIB {
        assert!(begin.elapsed() < PATIENCE && !copying.is_finished(), "nothing was copied");
        thread::sleep(Duration::from_millis(1));
    }
    copying.abort();
    let dropped = taken_bytes(&stage.cache());
    let watched = stage.cache();
    let most = thread::spawn(move || {
        let mut most = 0;
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(1) {
            most = most.max(taken_bytes(&watched));
            thread::sleep(Duration::from_millis(2));
        }
        most
    });
    // It waits for what still runs on other threads.
    drop(runtime);
    let most = most.join().unwrap();
    let (copied, more) = ((dropped - first) / MIB, most.saturating_sub(dropped) / MIB);
    assert!(more <= 32, "{copied} MiB were copied when it was given up, and {more} MiB after that");
    let left = taken_bytes(&stage.cache()).saturating_sub(first) / MIB;
    assert!(left <= 1, "{left} MiB are left of a copy that was given up");
}

#[test]
fn downloads_that_are_given_up_again_and_again_keep_what_came_and_no_more() {
    const TIMES: u64 = 100;
    const MARGIN_BYTES: u64 = 16 * MIB;
    let stage = Stage::new();
    let runtime = runtime();
    let rate = std::num::NonZeroU64::new(64_000_000);
    let hub = stage.hub(|config| config.limit_rate = rate);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..TIMES {
        let given_up = Duration::from_millis(random.u64(5..60));
        let ended = runtime.block_on(async { timeout(given_up, hub.download(&request())).await });
        assert!(ended.is_err(), "it has come, and nothing was given up");
    }
    let received = hub.traffic().bytes_downloaded;
    // It waits for what still runs on other threads.
    drop(runtime);
    let blobs = stage.cache().join("models--acme--large/blobs");
    let (taken, parts) = (taken_bytes(&blobs), fs::read_dir(&blobs).unwrap().count());
    assert!(
        taken <= received + MARGIN_BYTES,
        "{received} bytes came, and {parts} parts take {taken}"
    );

    let again = self::runtime().block_on(stage.hub(|_| {}).download(&request())).unwrap();
    assert_eq!(fs::metadata(again.path).unwrap().len(), SIZE);
    assert_eq!(taken_bytes(&blobs), 0, "what was given up is left beside the file");
}
