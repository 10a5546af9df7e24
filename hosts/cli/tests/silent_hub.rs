//! A hub that takes requests and never answers, over a snapshot that is cached.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    middleware::{self, Next},
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

/// What the hub does not answer.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Silent {
    Nowhere,
    /// It says which commit a branch is at, and then lists nothing.
    AtListings,
    Everywhere,
}

/// What a caller is told to wait for a lookup, in seconds; it may be sent twice.
const LOOKUP_TIMEOUT: &str = "2";
const LIMIT: Duration = Duration::from_secs(6);
/// When a command that still waits is ended.
const PATIENCE: Duration = Duration::from_secs(10);

struct Stage {
    folder: TempDir,
    hub: RunningServer,
    silent: Arc<AtomicU8>,
}

impl Stage {
    /// A hub whose snapshot is cached.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let silent = Arc::new(AtomicU8::new(Silent::Nowhere as u8));
        let shared = Arc::clone(&silent);
        let layer = middleware::from_fn(move |request: Request, next: Next| {
            let of_listings = request.uri().path().contains("/tree/");
            let from = if of_listings { Silent::AtListings } else { Silent::Everywhere };
            let is_silent = shared.load(Relaxed) >= from as u8;
            async move {
                if is_silent {
                    std::future::pending::<()>().await;
                }
                next.run(request).await
            }
        });
        let router = Server::builder(folder.path().join("hub")).build().router();
        let hub = RunningServer::start_on_loopback(router.layer(layer)).unwrap();
        let stage = Self { folder, hub, silent };
        stage.write("config.json", "{}\n");
        let ended = stage.download();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        stage
    }

    fn write(&self, name: &str, content: &str) {
        let model = self.folder.path().join("hub/acme/tiny");
        fs::create_dir_all(&model).unwrap();
        fs::write(model.join(name), content).unwrap();
    }

    /// Downloads; a command that waits for too long is ended.
    fn download(&self) -> Output {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hubstow"))
            .args(["download", "acme/tiny"])
            .env_clear()
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HUB_CACHE", self.folder.path().join("cache"))
            .env("HF_HUB_ETAG_TIMEOUT", LOOKUP_TIMEOUT)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() && begin.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        // It may have ended by itself.
        let _ = child.kill();
        child.wait_with_output().unwrap()
    }
}

#[track_caller]
fn check(silent: Silent) {
    let stage = Stage::new();
    // The branch moves, so that the cached listing is of another commit.
    stage.write("added.json", "{}\n");
    stage.silent.store(silent as u8, Relaxed);
    let begin = Instant::now();
    let ended = stage.download();
    let took = begin.elapsed();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{took:?}, {}: {told}", ended.status);
    assert!(told.contains("is served as it is cached, unconfirmed"), "{told}");
    let folder = String::from_utf8(ended.stdout).unwrap();
    let served = Path::new(folder.lines().last().unwrap()).join("config.json");
    assert_eq!(fs::read_to_string(served).unwrap(), "{}\n");
    assert!(took < LIMIT, "it took {took:?}: {told}");
}

#[test]
fn a_hub_that_says_nothing_is_waited_for_as_long_as_the_caller_says() {
    check(Silent::Everywhere);
}

#[test]
fn a_hub_that_names_a_commit_and_lists_nothing_is_waited_for_no_longer() {
    check(Silent::AtListings);
}
