//! Downloads of a Xet repo: from the store where that goes well, from the hub's own address where it does not, and the
//! right bytes in either case.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hubstow_native::{Config, Event, FileReport, FileRequest, Hub, SnapshotRequest, Token, Xet};
use hubstow_core::hub::Endpoint;
use hubstow_xet_tests::{
    Asked, COMMIT, File, Grant, HUB_TOKEN, Hub as Served, STORE_TOKEN, Store, noise, sha256,
};
use tempfile::TempDir;

/// A store, a hub that names it, and a cache.
struct Stage {
    store: Store,
    hub: Served,
    cache: TempDir,
}

impl Stage {
    async fn set(grant: Grant) -> Self {
        let store = Store::start().await;
        let hub = Served::start(store.line.url(), grant).await;
        Self { store, hub, cache: tempfile::tempdir().unwrap() }
    }

    /// Puts a file into the store and the hub.
    async fn put(&self, name: &str, content: &[u8]) {
        let xet_hash = self.store.upload(content).await;
        self.put_as(name, content, xet_hash);
    }

    /// Puts a file into the hub, which gives it this Xet hash.
    fn put_as(&self, name: &str, content: &[u8], xet_hash: String) {
        self.hub.put(name, File { content: content.to_vec(), xet_hash, stall_at: None });
    }

    fn config(&self) -> Config {
        let mut config = Config::new(self.cache.path().join("hub"));
        config.endpoint = Endpoint::parse(self.hub.url()).unwrap();
        config.token = Some(Token::new(HUB_TOKEN).unwrap());
        config.stall_timeout = Duration::from_secs(5);
        config
    }

    /// Downloads a file with a new hub, and checks that it is right.
    #[track_caller]
    fn checked(&self, report: &FileReport, content: &[u8]) -> Vec<Asked> {
        let came = std::fs::read(&report.path).unwrap();
        assert_eq!(came.len(), content.len());
        assert_eq!(sha256(&came), sha256(content));
        self.hub.asked()
    }

    async fn download(&self, name: &str) -> FileReport {
        Hub::new(self.config()).unwrap().download(&request(name)).await.unwrap()
    }
}

fn request(name: &str) -> FileRequest {
    FileRequest::parse("org/name", name).unwrap()
}

fn whole() -> SnapshotRequest {
    let FileRequest { repo, revision, .. } = request("any");
    SnapshotRequest::new(repo, revision)
}

fn contents(asked: &[Asked]) -> usize {
    asked.iter().filter(|asked| asked.is_content()).count()
}

fn grants(asked: &[Asked]) -> usize {
    asked.iter().filter(|asked| asked.is_grant()).count()
}

/// Returns every path below a folder, relative to it.
fn paths(folder: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(folder).unwrap().display().to_string());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    found
}

/// The files that everything must be able to bring: noise, what repeats itself, and what is small.
fn files() -> [(&'static str, Vec<u8>); 3] {
    [
        ("noise.bin", noise(1, 5 << 20)),
        ("repeated.bin", noise(2, 256 << 10).repeat(12)),
        ("deep/small.txt", b"a few words".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn content_comes_from_the_store_and_none_from_the_hub() {
    for grant in [Grant::Body, Grant::Headers] {
        let stage = Stage::set(grant).await;
        for (name, content) in files() {
            stage.put(name, &content).await;
            let report = stage.download(name).await;
            let asked = stage.checked(&report, &content);
            assert_eq!((contents(&asked), grants(&asked)), (0, 1), "{name}: {asked:?}");
        }
        assert!(stage.store.line.connections() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_asks_for_one_token_and_leaves_nothing_of_the_store_behind() {
    let stage = Stage::set(Grant::Body).await;
    for (name, content) in files() {
        stage.put(name, &content).await;
    }
    let hub = Hub::new(stage.config()).unwrap();
    let report = hub.snapshot(&whole()).await.unwrap();
    for (report, (name, content)) in report.files.iter().zip({
        let mut files = files();
        files.sort();
        files
    }) {
        assert_eq!(report.file.as_str(), name);
        assert_eq!(sha256(&std::fs::read(&report.path).unwrap()), sha256(&content));
    }
    // The small one comes from the hub: of the store it would take two requests.
    let asked = stage.hub.asked();
    assert_eq!((contents(&asked), grants(&asked)), (1, 1), "{asked:?}");
    let size: usize = files().iter().map(|(_, content)| content.len()).sum();
    assert_eq!(hub.traffic().bytes_downloaded, size as u64);
    let paths = paths(stage.cache.path());
    let foreign = ["xet", "staging", "shard", ".tmp", ".locks/.hubstow/"];
    for path in paths.iter().filter(|path| !path.ends_with(".lease")) {
        assert!(!foreign.iter().any(|word| path.contains(word)), "{path} of {paths:#?}");
    }
    // A client that reports about itself does so when it is dropped.
    drop(hub);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.store.reports(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_never_sees_the_token_of_the_hub() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(3, 3 << 20);
    stage.put("noise.bin", &content).await;
    let asked = stage.checked(&stage.download("noise.bin").await, &content);
    assert!(stage.store.line.heard(STORE_TOKEN));
    assert!(!stage.store.line.heard(HUB_TOKEN));
    let authorization = format!("Bearer {HUB_TOKEN}");
    assert!(asked.iter().all(|asked| asked.authorization.as_ref() == Some(&authorization)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_time_is_over_is_used_for_one_file() {
    let stage = Stage::set(Grant::Expired).await;
    let hub = Hub::new(stage.config()).unwrap();
    for (at, (name, content)) in files().into_iter().enumerate() {
        stage.put(name, &content).await;
        let report = hub.download(&request(name)).await.unwrap();
        let asked = stage.checked(&report, &content);
        assert_eq!((contents(&asked), grants(&asked)), (0, 1), "{at}: {asked:?}");
    }
}

/// Where a part that the hub's own address has brought ends; the rest comes from the store.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_here_is_continued_from_the_store() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(4, 6 << 20);
    let (part, xet_hash) = (2 << 20, stage.store.upload(&content).await);
    let file = File { content: content.clone(), xet_hash: xet_hash.clone(), stall_at: Some(part) };
    stage.hub.put("noise.bin", file);
    let mut config = stage.config();
    (config.xet, config.stall_timeout) = (Xet::Off, Duration::from_secs(60));
    let received = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&received);
    let hub = Hub::new(config).unwrap().on_event(move |event| {
        if let Event::Received { bytes, .. } = event {
            *counted.lock().unwrap() += bytes;
        }
    });
    let wanted = request("noise.bin");
    let stopped = async {
        // The last step is told when more comes, which never does.
        while *received.lock().unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        ended = hub.download(&wanted) => panic!("{ended:?}"),
        () = stopped => {}
    }
    drop(hub);
    assert_eq!(contents(&stage.hub.asked()), 1);

    let already = Arc::new(Mutex::new(None));
    let told = Arc::clone(&already);
    let hub = Hub::new(stage.config()).unwrap().on_event(move |event| {
        if let Event::Started { already, .. } = event {
            *told.lock().unwrap() = Some(*already);
        }
    });
    let report = hub.download(&wanted).await.unwrap();
    let asked = stage.checked(&report, &content);
    assert_eq!((contents(&asked), grants(&asked)), (0, 1), "{asked:?}");
    assert_eq!(*already.lock().unwrap(), Some(part as u64));
    assert_eq!(hub.traffic().bytes_downloaded, (content.len() - part) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_store_is_down_the_hub_brings_the_content() {
    let stage = Stage::set(Grant::Body).await;
    for (name, content) in files() {
        stage.put(name, &content).await;
    }
    stage.store.line.cut();
    let hub = Hub::new(stage.config()).unwrap();
    for (at, (name, content)) in files().into_iter().enumerate() {
        let report = hub.download(&request(name)).await.unwrap();
        let asked = stage.checked(&report, &content);
        // It is asked twice for the first file, and then left alone.
        let expected = (1, if at == 0 { 2 } else { 0 });
        assert_eq!((contents(&asked), grants(&asked)), expected, "{name}: {asked:?}");
    }
    assert!(stage.store.line.connections() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stands_still_is_not_waited_for() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(15, 3 << 20);
    stage.put("noise.bin", &content).await;
    stage.store.line.hold();
    let mut config = stage.config();
    config.stall_timeout = Duration::from_millis(500);
    let hub = Hub::new(config).unwrap();
    let (begin, wanted) = (Instant::now(), request("noise.bin"));
    let report = hub.download(&wanted).await.unwrap();
    let asked = stage.checked(&report, &content);
    assert_eq!(contents(&asked), 1, "{asked:?}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

/// The store's client would make folders of its own beyond the link.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn where_the_private_folder_is_a_link_the_hub_brings_the_content() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(16, 3 << 20);
    stage.put("noise.bin", &content).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let locks = stage.config().cache_dir.join(".locks");
    std::fs::create_dir_all(&locks).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), locks.join(".hubstow")).unwrap();
    let asked = stage.checked(&stage.download("noise.bin").await, &content);
    assert_eq!(contents(&asked), 1, "{asked:?}");
    assert_eq!(paths(elsewhere.path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_folder_is_filled_from_the_store_and_the_cache_is_left_alone() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(17, 3 << 20);
    stage.put("noise.bin", &content).await;
    let local = tempfile::tempdir().unwrap();
    let mut config = stage.config();
    config.local_dir = Some(local.path().to_owned());
    let hub = Hub::new(config).unwrap();
    let report = hub.download(&request("noise.bin")).await.unwrap();
    let asked = stage.checked(&report, &content);
    assert_eq!((contents(&asked), grants(&asked)), (0, 1), "{asked:?}");
    assert_eq!(report.path, local.path().join("noise.bin"));
    assert!(!stage.config().cache_dir.exists());
    let left = paths(local.path());
    assert!(!left.iter().any(|path| path.contains("staging")), "{left:#?}");
}

/// The content lies in two objects of the store, of which it gives one.
#[tokio::test(flavor = "multi_thread")]
async fn the_hub_continues_what_the_store_has_begun() {
    let stage = Stage::set(Grant::Body).await;
    let begin = noise(13, 4 << 20);
    stage.put("begin.bin", &begin).await;
    let content = [begin.clone(), noise(14, 4 << 20)].concat();
    stage.put("noise.bin", &content).await;
    stage.checked(&stage.download("begin.bin").await, &begin);
    assert_eq!(stage.store.line.objects(), 1);
    stage.store.line.close_to_others();
    let asked = stage.checked(&stage.download("noise.bin").await, &content);
    let gets: Vec<_> = asked.iter().filter(|asked| asked.is_content()).collect();
    let [Asked { range: Some(range), .. }] = gets[..] else { panic!("{asked:?}") };
    let from: usize = range["bytes=".len()..range.len() - 1].parse().unwrap();
    assert!(from > 1 << 20 && from <= begin.len(), "{range}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_token_is_given_the_hub_brings_the_content() {
    for status in [401, 403, 404] {
        let stage = Stage::set(Grant::Refused(status)).await;
        let hub = Hub::new(stage.config()).unwrap();
        let mut asked = Vec::new();
        for (name, content) in files() {
            stage.put(name, &content).await;
            let report = hub.download(&request(name)).await.unwrap();
            asked.extend(stage.checked(&report, &content));
        }
        assert_eq!((contents(&asked), grants(&asked)), (3, 1), "{status}: {asked:?}");
        assert_eq!(stage.store.line.connections(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_has_under_a_wrong_hash_is_never_taken() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(5, 3 << 20);
    stage.put("right.bin", &content).await;
    let mut wrong = vec![("unknown", "ab".repeat(32), 1), ("no hash", "../etc".to_owned(), 1)];
    for (what, other, gets) in [
        ("as long", noise(6, 3 << 20), 1),
        ("longer", noise(7, 4 << 20), 1),
        // The hub continues what the store has begun, and what comes of that is dropped.
        ("shorter", noise(8, 2 << 20), 2),
        ("its beginning", content[..2 << 20].to_vec(), 1),
    ] {
        wrong.push((what, stage.store.upload(&other).await, gets));
    }
    for (what, xet_hash, gets) in wrong {
        let cache = tempfile::tempdir().unwrap();
        let mut config = stage.config();
        config.cache_dir = cache.path().to_owned();
        stage.put_as("wrong.bin", &content, xet_hash);
        let hub = Hub::new(config).unwrap();
        let report = hub.download(&request("wrong.bin")).await.unwrap();
        let asked = stage.checked(&report, &content);
        assert_eq!(contents(&asked), gets, "{what}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_not_asked_where_that_is_switched_off() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(9, 3 << 20);
    stage.put("noise.bin", &content).await;
    let home = stage.cache.path().display().to_string();
    let config = Config::from_vars(|name| match name {
        "HF_HUB_DISABLE_XET" => Some("1".to_owned()),
        "HF_ENDPOINT" => Some(stage.hub.url().to_owned()),
        "HF_HOME" => Some(home.clone()),
        _ => None,
    });
    let hub = Hub::new(config.unwrap()).unwrap();
    let report = hub.download(&request("noise.bin")).await.unwrap();
    let asked = stage.checked(&report, &content);
    assert_eq!((contents(&asked), grants(&asked)), (1, 0), "{asked:?}");
    assert_eq!(stage.store.line.connections(), 0);
}

/// `hf-xet` needs several threads; in a runtime with one it brings its own.
#[tokio::test(flavor = "current_thread")]
async fn a_program_with_one_thread_is_served_from_the_store_too() {
    let stage = Stage::set(Grant::Body).await;
    let content = noise(10, 3 << 20);
    stage.put("noise.bin", &content).await;
    let asked = stage.checked(&stage.download("noise.bin").await, &content);
    assert_eq!((contents(&asked), grants(&asked)), (0, 1), "{asked:?}");
}

/// A hub outlives runtimes: connections and threads of one that has ended are not used.
#[test]
fn a_hub_is_of_use_in_one_runtime_after_another() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let serving = runtime();
    let stage = serving.block_on(Stage::set(Grant::Body));
    let hub = Hub::new(stage.config()).unwrap();
    for seed in [11, 12] {
        let (name, content) = (format!("{seed}.bin"), noise(seed, 3 << 20));
        serving.block_on(stage.put(&name, &content));
        let report = runtime().block_on(hub.download(&request(&name))).unwrap();
        let asked = stage.checked(&report, &content);
        assert_eq!((contents(&asked), grants(&asked)), (0, 1), "{asked:?}");
        assert!(report.path.display().to_string().contains(COMMIT));
    }
    drop(hub);
}
