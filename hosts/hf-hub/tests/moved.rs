//! Programs that were written for `hf-hub`, as they are.

#![cfg(all(feature = "tokio", feature = "ureq"))]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hubstow_hf_hub::{
    Cache, Repo, RepoType,
    api::{self, sync, tokio as asynchronous},
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const MODEL: &[u8] = &[7; 300_000];

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("org/model/config.json", &b"{}\n"[..]),
            ("org/model/model.bin", MODEL),
            ("org/model@v1/config.json", b"{\"v\": 1}\n"),
            ("datasets/org/rows/train.csv", b"a,b\n"),
        ] {
            let path = folder.path().join("hub").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let server = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16).build();
        Self { hub: server.spawn_on_loopback().unwrap(), folder }
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().join("home/hub"))
    }

    fn sync(&self) -> sync::Api {
        let builder = sync::ApiBuilder::from_cache(self.cache());
        builder.with_endpoint(self.hub.url().to_owned()).with_progress(false).build().unwrap()
    }

    fn tokio(&self) -> asynchronous::Api {
        let builder = asynchronous::ApiBuilder::from_cache(self.cache());
        builder.with_endpoint(self.hub.url().to_owned()).with_progress(false).build().unwrap()
    }
}

#[derive(Clone, Default)]
struct Counted {
    size: Arc<AtomicUsize>,
    came: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Counted {
    fn check(&self) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        assert_eq!(
            (of(&self.size), of(&self.came), of(&self.ended)),
            (MODEL.len(), MODEL.len(), 1)
        );
    }
}

impl api::Progress for Counted {
    fn init(&mut self, size: usize, _filename: &str) {
        self.size.store(size, Ordering::Relaxed);
    }

    fn update(&mut self, size: usize) {
        self.came.fetch_add(size, Ordering::Relaxed);
    }

    fn finish(&mut self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl asynchronous::Progress for Counted {
    async fn init(&mut self, size: usize, _filename: &str) {
        self.size.store(size, Ordering::Relaxed);
    }

    async fn update(&mut self, size: usize) {
        self.came.fetch_add(size, Ordering::Relaxed);
    }

    async fn finish(&mut self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn files_come_without_async() {
    let stage = Stage::new();
    let api = stage.sync();
    let repo = api.model("org/model".to_owned());
    assert!(stage.cache().model("org/model".to_owned()).get("config.json").is_none());
    let path = repo.get("config.json").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"{}\n");
    assert_eq!(stage.cache().model("org/model".to_owned()).get("config.json"), Some(path.clone()));
    stage.hub.clear_requests();
    assert_eq!(repo.get("config.json").unwrap(), path);
    assert_eq!(stage.hub.requests().len(), 0, "what is here is not asked for");
    let old = Repo::with_revision("org/model".to_owned(), RepoType::Model, "v1".to_owned());
    assert_eq!(fs::read(api.repo(old).get("config.json").unwrap()).unwrap(), b"{\"v\": 1}\n");
    let rows = api.dataset("org/rows".to_owned()).get("train.csv").unwrap();
    assert_eq!(fs::read(rows).unwrap(), b"a,b\n");
    let counted = Counted::default();
    repo.download_with_progress("model.bin", counted.clone()).unwrap();
    counted.check();
    let info = repo.info().unwrap();
    assert_eq!(info.siblings.len(), 2);
    assert_eq!(info.sha.len(), 40);
    assert!(repo.url("config.json").ends_with("/org/model/resolve/main/config.json"));
    let sync::ApiError::RequestError(missing) = repo.get("nothing.bin").unwrap_err() else {
        panic!("a file that is not there is no matter of the disk");
    };
    assert_eq!(missing.status().map(|status| status.as_u16()), Some(404));
    assert!(!missing.is_connect() && !missing.is_timeout());
}

#[test]
fn what_the_hub_says_of_a_file_is_had_without_it() {
    let stage = Stage::new();
    let api = stage.sync();
    let repo = api.model("org/model".to_owned());
    let found = api.metadata(&repo.url("model.bin")).unwrap();
    assert_eq!((found.size(), found.etag().len()), (MODEL.len(), 64));
    assert_eq!(found.commit_hash(), repo.info().unwrap().sha);
    assert!(api.metadata(&repo.url("nothing.bin")).is_err());
    assert!(api.metadata("https://elsewhere.test/x").is_err());
}

#[test]
fn a_program_that_writes_the_cache_itself_finds_its_places() {
    let stage = Stage::new();
    let commit = stage.sync().model("org/model".to_owned()).info().unwrap().sha;
    let model = stage.cache().model("org/model".to_owned());
    model.create_ref(&commit).unwrap();
    let folder = model.pointer_path(&commit);
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(model.blob_path("x").parent().unwrap()).unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    assert_eq!(model.get("config.json"), Some(folder.join("config.json")));
    assert!(model.create_ref("../../elsewhere").is_err());
    let repo = stage.cache().path().join("models--org--model");
    assert!(fs::read_dir(repo).unwrap().all(|it| !it.unwrap().path().ends_with(".ref-")));
}

/// Both errors can be one of a program's.
#[derive(Debug)]
enum Theirs {
    Sync,
    Tokio,
}

impl From<sync::ApiError> for Theirs {
    fn from(_error: sync::ApiError) -> Self {
        Self::Sync
    }
}

impl From<asynchronous::ApiError> for Theirs {
    fn from(_error: asynchronous::ApiError) -> Self {
        Self::Tokio
    }
}

#[tokio::test]
async fn each_face_has_an_error_of_its_own() {
    async fn fails(stage: &Stage) -> Result<(), Theirs> {
        stage.tokio().model("org/nothing".to_owned()).get("config.json").await?;
        Ok(())
    }
    fn fails_too(stage: &Stage) -> Result<(), Theirs> {
        stage.sync().model("org/nothing".to_owned()).get("config.json")?;
        Ok(())
    }
    let stage = Stage::new();
    assert!(matches!(fails(&stage).await, Err(Theirs::Tokio)));
    assert!(matches!(fails_too(&stage), Err(Theirs::Sync)));
}

/// Progress that can't leave its thread.
struct Here<'a>(&'a std::cell::Cell<usize>);

impl api::Progress for Here<'_> {
    fn init(&mut self, _size: usize, _filename: &str) {}

    fn update(&mut self, size: usize) {
        self.0.set(self.0.get() + size);
    }

    fn finish(&mut self) {}
}

#[test]
fn progress_is_told_on_the_thread_that_asks() {
    let (stage, came) = (Stage::new(), std::cell::Cell::new(0));
    let repo = stage.sync().model("org/model".to_owned());
    repo.download_with_progress("model.bin", Here(&came)).unwrap();
    assert_eq!(came.get(), MODEL.len());
}

#[tokio::test]
async fn files_come_with_async() {
    let stage = Stage::new();
    let repo = stage.tokio().model("org/model".to_owned());
    let path: PathBuf = repo.get("config.json").await.unwrap();
    assert_eq!(fs::read(path).unwrap(), b"{}\n");
    let counted = Counted::default();
    let model = repo.download_with_progress("model.bin", counted.clone()).await.unwrap();
    assert_eq!(fs::read(model).unwrap(), MODEL);
    counted.check();
    assert_eq!(repo.info().await.unwrap().siblings.len(), 2);
    assert!(repo.get("nothing.bin").await.is_err());
}

/// What `hf-hub` tests of itself, where it needs no network.
#[test]
fn the_facts_that_hf_hub_tests_hold_here() {
    let home = std::env::var("HF_HOME").map(|home| home + "/token");
    let path = Cache::from_env().token_path().to_str().unwrap().to_owned();
    assert!(home.map_or(path.ends_with("huggingface/token"), |home| home == path), "{path}");
    for (text, is_one) in [
        (r#"{"siblings": [{"rfilename": "a.txt"}], "sha": "abc"}"#, true),
        (r#"{"siblings": [], "sha": "abc", "more": 1}"#, true),
        (r#"{"sha": "abc"}"#, false),
        (r#"{"siblings": [{"name": "a.txt"}], "sha": "abc"}"#, false),
        (r#"{"error": "Repository not found"}"#, false),
    ] {
        assert_eq!(serde_json::from_str::<api::RepoInfo>(text).is_ok(), is_one, "{text}");
    }
}

#[test]
fn names_in_the_cache_are_those_of_everybody() {
    let repo = Repo::dataset("org/rows".to_owned());
    assert_eq!(repo.folder_name(), "datasets--org--rows");
    assert_eq!(repo.url(), "datasets/org/rows");
    assert_eq!(repo.api_url(), "datasets/org/rows/revision/main");
    let of_pull = Repo::with_revision("gpt2".to_owned(), RepoType::Model, "refs/pr/1".to_owned());
    assert_eq!(of_pull.url_revision(), "refs%2Fpr%2F1");
}

#[test]
fn an_endpoint_may_be_several_with_spaces_between_them() {
    let stage = Stage::new();
    // Nobody listens there any more.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let builder = sync::ApiBuilder::from_cache(stage.cache()).with_progress(false);
    let api = builder.with_endpoint(format!("http://{away} {}", stage.hub.url())).build().unwrap();
    let model = api.model("org/model".to_owned()).get("model.bin").unwrap();
    assert_eq!(fs::read(model).unwrap(), MODEL);
}
