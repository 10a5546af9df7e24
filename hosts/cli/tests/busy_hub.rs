//! A hub that limits the rate: whoever is told to wait, waits for all, and nothing is given up for it.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, header::RETRY_AFTER},
    middleware::{self, Next},
    response::Response,
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const FILES: usize = 300;
/// How long the hub is busy, from the first request for content on.
const BUSY: Duration = Duration::from_secs(4);
/// How many requests for small files are on their way at once, so that each may be the first to be refused.
const IN_FLIGHT: usize = 64;
/// How many more may be refused: to find out whether the hub is still busy takes some.
const REFUSED_LIMIT: usize = IN_FLIGHT + 16;

/// What a hub that can be busy has done.
#[derive(Default)]
struct Record {
    is_limiting: bool,
    /// When the first request for content came.
    begin: Option<Instant>,
    /// How many requests were refused.
    refused: usize,
}

impl Record {
    /// Tells whether a request is to be refused.
    fn refuses(&mut self, path: &str) -> bool {
        let now = Instant::now();
        if self.is_limiting && path.contains("/resolve/") {
            self.begin.get_or_insert(now);
        }
        let busy = self.begin.is_some_and(|begin| now - begin < BUSY);
        self.refused += usize::from(busy);
        busy
    }
}

struct Stage {
    folder: TempDir,
    hub: RunningServer,
    record: Arc<Mutex<Record>>,
}

impl Stage {
    fn new(retry_after_s: u64) -> Self {
        // In memory where the system offers that: it is the hub that this is about, not the disk.
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let model = folder.path().join("hub/acme/many");
        fs::create_dir_all(&model).unwrap();
        for at in 0..FILES {
            fs::write(model.join(format!("{at:03}.txt")), format!("file {at}\n")).unwrap();
        }
        let record = Arc::<Mutex<Record>>::default();
        let shared = Arc::clone(&record);
        let layer = middleware::from_fn(move |request: Request, next: Next| {
            let refused = lock(&shared).refuses(request.uri().path());
            async move {
                if !refused {
                    return next.run(request).await;
                }
                let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
                answer.header(RETRY_AFTER, retry_after_s).body(Body::empty()).unwrap()
            }
        });
        let router = Server::builder(folder.path().join("hub")).frozen().build().router();
        let hub = RunningServer::start_on_loopback(router.layer(layer)).unwrap();
        Self { folder, hub, record }
    }

    /// Downloads into a cache of this name; returns how long it took, or `None` where it took too long.
    fn download(&self, cache: &str, limit: Duration) -> (Duration, Option<Output>) {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hubstow"))
            .args(["download", "acme/many", "--quiet"])
            .env_clear()
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HUB_CACHE", self.folder.path().join(cache))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > limit {
                child.kill().unwrap();
                child.wait().unwrap();
                return (begin.elapsed(), None);
            }
            thread::sleep(Duration::from_millis(5));
        }
        (begin.elapsed(), Some(child.wait_with_output().unwrap()))
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn check(retry_after_s: u64) {
    let stage = Stage::new(retry_after_s);
    let (work, ended) = stage.download("calm", Duration::from_secs(60));
    assert!(ended.unwrap().status.success());
    lock(&stage.record).is_limiting = true;
    let limit = BUSY.mul_f64(1.5) + work;
    let (took, ended) = stage.download("limited", limit + Duration::from_secs(4));
    let refused = lock(&stage.record).refused;
    let counts =
        format!("{took:?} in all, {work:?} where the hub is calm; {refused} requests refused");
    assert!(ended.is_some(), "it has not ended: {counts}");
    let ended = ended.unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}: {counts}\n{told}", ended.status);
    assert!(took <= limit, "more than {limit:?}: {counts}");
    assert!(refused <= REFUSED_LIMIT, "more than {REFUSED_LIMIT} refusals: {counts}");
}

#[test]
fn a_wait_that_ends_before_the_hub_is_free_costs_no_file() {
    check(1);
}

#[test]
fn a_wait_that_one_file_is_told_holds_for_all_of_the_hub() {
    check(2);
}
