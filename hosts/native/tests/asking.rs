//! Questions in one line, as a program asks them: async, blocking, offline, with progress, and without downloading.

#![cfg(feature = "blocking")]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    fs,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use hubstow_native::{Config, ErrorKind, Event, Hub, blocking};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const MODEL: &[u8] = &[7; 300_000];
const WORDS: &[u8] = b"one two three\n";

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("acme/tiny/config.json", &b"{}\n"[..]),
            ("acme/tiny/data/words.txt", WORDS),
            ("acme/tiny/model.bin", MODEL),
            ("acme/tiny@v1/config.json", b"{\"v\": 1}\n"),
            ("datasets/acme/rows/train.csv", b"a,b\n"),
        ] {
            let path = folder.path().join("hub").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let server = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16).build();
        Self { hub: server.spawn_on_loopback().unwrap(), folder }
    }

    fn config(&self) -> Config {
        let mut config = Config::new(self.folder.path().join("cache"));
        config.set_endpoint(self.hub.url()).unwrap();
        config
    }

    fn hub(&self) -> Hub {
        Hub::new(self.config()).unwrap()
    }

    fn requests(&self) -> usize {
        let count = self.hub.requests().len();
        self.hub.clear_requests();
        count
    }
}

#[tokio::test]
async fn ordinary_questions_take_one_line() {
    let stage = Stage::new();
    let hub = stage.hub();
    let config = hub.model("acme/tiny").file("config.json").await.unwrap();
    assert_eq!(fs::read(config.path).unwrap(), b"{}\n");
    let old = hub.model("acme/tiny").revision("v1").file("config.json").await.unwrap();
    assert_eq!(fs::read(old.path).unwrap(), b"{\"v\": 1}\n");
    let all = hub.model("acme/tiny").snapshot().include(["*.json", "data/"]).await.unwrap();
    assert_eq!(all.files.len(), 2);
    let local = stage.folder.path().join("local");
    let copied = hub.model("acme/tiny").snapshot().exclude(["*.bin"]).local_dir(&local).await;
    assert_eq!(copied.unwrap().path, local);
    assert_eq!(fs::read(local.join("data/words.txt")).unwrap(), WORDS);
    let rows = hub.dataset("acme/rows").file("train.csv").await.unwrap();
    assert_eq!(fs::read(rows.path).unwrap(), b"a,b\n");
}

#[tokio::test]
async fn addresses_open_what_they_name() {
    let stage = Stage::new();
    let hub = stage.hub();
    let page = |path: &str| format!("{}{path}", stage.hub.url());
    for (address, expected) in [
        ("hf://acme/tiny/model.bin".to_owned(), MODEL),
        ("hf://acme/tiny@v1/config.json".to_owned(), b"{\"v\": 1}\n"),
        (page("/acme/tiny/blob/main/data/words.txt"), WORDS),
        (page("/datasets/acme/rows/resolve/main/train.csv?download=true"), b"a,b\n"),
    ] {
        let opened = hub.open(&address).await.unwrap();
        assert_eq!(fs::read(&opened.path).unwrap(), expected, "{address}");
        let planned = hub.open(&address).plan().await.unwrap();
        assert_eq!(planned.path, opened.path, "{address}");
        assert_eq!(hub.open(&address).cached().unwrap().unwrap().path, opened.path);
    }
    let folder = hub.open(page("/acme/tiny/tree/main/data")).await.unwrap();
    assert_eq!(folder.files.len(), 1);
    let error = hub.open("https://elsewhere.test/acme/tiny").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn what_is_cached_needs_no_runtime_and_no_request() {
    let stage = Stage::new();
    let hub = stage.hub();
    let file = || hub.model("acme/tiny").file("model.bin");
    assert!(file().cached().unwrap().is_none());
    assert!(hub.model("acme/tiny").snapshot().cached().unwrap().is_none());
    assert_eq!(stage.requests(), 0);
    let blocking = blocking::Hub::from(hub.clone());
    let here = blocking.model("acme/tiny").file("model.bin").download().unwrap();
    stage.requests();
    assert_eq!(file().cached().unwrap().unwrap().path, here.path);
    assert!(hub.model("acme/tiny").file("nothing.bin").cached().unwrap().is_none());
    let offline = blocking.model("acme/tiny").file("config.json").offline().download();
    assert_eq!(offline.unwrap_err().kind(), ErrorKind::NotCached);
    assert_eq!(stage.requests(), 0);
    // A name that is none is told, whatever is asked.
    for error in [
        hub.model("acme//tiny").file("model.bin").cached().unwrap_err(),
        hub.model("acme/tiny").file("../up").cached().unwrap_err(),
        blocking.model("acme/tiny").revision("a..b").snapshot().download().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:#}");
    }
}

#[test]
fn the_blocking_face_works_inside_of_a_runtime_and_outside() {
    let stage = Stage::new();
    let ask = || {
        let hub = blocking::Hub::new(stage.config()).unwrap();
        hub.model("acme/tiny").snapshot().force().download().unwrap().files.len()
    };
    assert_eq!(ask(), 3);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(async { ask() }), 3);
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    assert_eq!(threads.block_on(async { ask() }), 3);
}

#[test]
fn what_a_runtime_lacks_is_an_error_and_no_panic() {
    let stage = Stage::new();
    let hub = stage.hub();
    let question = || hub.model("acme/tiny").file("config.json").download();
    let error = at_once(question()).unwrap().unwrap_err();
    assert!(error.to_string().contains("no tokio runtime"), "{error:#}");
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = bare.block_on(question()).unwrap_err();
    assert!(error.to_string().contains("no timers"), "{error:#}");
    assert!(error.way_out().unwrap().contains("enable_time"));
}

/// Polls a future that should end at once.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_repo_can_be_looked_at_without_downloading() {
    let stage = Stage::new();
    let hub = stage.hub();
    let repo = hub.model("acme/tiny");
    let info = repo.info().await.unwrap();
    assert_eq!(info.files.len(), 3);
    assert!(!info.gated && !info.private && !info.disabled);
    let files = repo.list_files().await.unwrap();
    let model = files.iter().find(|listed| listed.file.as_str() == "model.bin").unwrap();
    assert_eq!(model.size, Some(MODEL.len() as u64));
    assert_eq!(model.etag.as_ref().unwrap().as_str().len(), 64);
    let refs = repo.refs().await.unwrap();
    let names: Vec<_> = refs.branches.iter().chain(&refs.tags).map(|named| &*named.name).collect();
    assert!(names.contains(&"main") && names.contains(&"v1"), "{names:?}");
    assert!(repo.exists().await.unwrap());
    assert!(!hub.model("acme/other").exists().await.unwrap());
    assert!(repo.file("config.json").exists().await.unwrap());
    assert!(!repo.file("other.json").exists().await.unwrap());
    assert_eq!(repo.file("data/words.txt").read().await.unwrap(), WORDS);
    assert_eq!(repo.file("model.bin").read().await.unwrap(), MODEL);
    assert_eq!(repo.file("data/words.txt").read_range(4..7).await.unwrap(), &WORDS[4..7]);
    assert_eq!(repo.file("data/words.txt").read_range(8..99).await.unwrap(), &WORDS[8..]);
    assert_eq!(repo.file("data/words.txt").read_range(99..100).await.unwrap(), "");
    assert!(!stage.folder.path().join("cache/models--acme--tiny/blobs").exists());
    // From the cache, once it is there.
    repo.file("model.bin").await.unwrap();
    stage.requests();
    assert_eq!(repo.file("model.bin").offline().read().await.unwrap(), MODEL);
    assert_eq!(repo.file("model.bin").offline().read_range(1..3).await.unwrap(), &MODEL[1..3]);
    assert_eq!(stage.requests(), 0);
}

#[tokio::test]
async fn each_question_tells_its_own_events() {
    let stage = Stage::new();
    let counted = Arc::new(AtomicUsize::new(0));
    let hub = stage.hub();
    let (question, mut events) = hub.model("acme/tiny").file("model.bin").with_events();
    let reading = tokio::spawn(async move {
        let mut received = 0;
        while let Some(event) = next(&mut events).await {
            if let Event::Received { bytes, .. } = event {
                received += bytes;
            }
        }
        received
    });
    question.await.unwrap();
    assert_eq!(reading.await.unwrap(), MODEL.len() as u64);
    let finished = Arc::clone(&counted);
    let other = hub.model("acme/tiny").snapshot().on_event(move |event| {
        if let Event::Finished { .. } = event {
            finished.fetch_add(1, Ordering::Relaxed);
        }
    });
    other.await.unwrap();
    assert_eq!(counted.load(Ordering::Relaxed), 3);
}

async fn next(events: &mut hubstow_native::Events) -> Option<Event> {
    use futures_core::Stream as _;
    std::future::poll_fn(|context| Pin::new(&mut *events).poll_next(context)).await
}

#[tokio::test]
async fn an_error_says_what_a_program_needs() {
    let stage = Stage::new();
    let hub = stage.hub();
    let error = hub.model("acme/nothing").file("config.json").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::RepoNotFound, Some(404)));
    assert!(!error.is_transient());
    drop(stage.hub);
    let error = hub.model("acme/tiny").file("config.json").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HubUnreachable);
    assert!(error.is_transient(), "{error:#}");
}

#[tokio::test]
async fn the_next_endpoint_answers_where_one_is_away_and_none_is_asked_for_a_better_answer() {
    let stage = Stage::new();
    let other = Server::builder(stage.folder.path().join("hub/datasets")).build();
    let other = other.spawn_on_loopback().unwrap();
    // Nobody listens there any more.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("http://{away}");
    let left = Arc::new(AtomicUsize::new(0));
    let hub = |endpoints: [&str; 2]| {
        let (left, endpoints) = (Arc::clone(&left), endpoints.map(str::to_owned));
        let cache = tempfile::tempdir_in(stage.folder.path()).unwrap().keep();
        let hub = Hub::builder().cache_dir(cache).endpoints(endpoints).no_proxy().build().unwrap();
        hub.on_event(move |event| {
            if let Event::EndpointLeft { .. } = event {
                left.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let both = hub([&away, stage.hub.url()]);
    let file = both.model("acme/tiny").file("model.bin").await.unwrap();
    assert_eq!(fs::read(file.path).unwrap(), MODEL);
    assert_eq!(both.model("acme/tiny").file("config.json").read().await.unwrap(), &b"{}\n"[..]);
    assert_eq!(left.load(Ordering::Relaxed), 1, "what was away is not asked again at once");
    let explained = both.model("acme/tiny").file("model.bin").plan().await.unwrap();
    assert_eq!(explained.endpoints.len(), 1);
    let blocking = blocking::Hub::from(hub([&away, stage.hub.url()]));
    let all =
        tokio::task::spawn_blocking(move || blocking.model("acme/tiny").snapshot().download());
    assert_eq!(all.await.unwrap().unwrap().files.len(), 3);
    stage.requests();
    let error = hub([other.url(), stage.hub.url()]).model("acme/tiny").file("model.bin").await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::RepoNotFound);
    assert_eq!(stage.requests(), 0, "the first one has said that there is none");
    let error = hub([&away, other.url()]).model("acme/tiny").file("model.bin").await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains(&format!("{} was asked after {away} (", other.url())), "{text}");
}
