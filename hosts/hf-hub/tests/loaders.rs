//! The calls by which programs load models through `hf-hub`: what inference servers, examples and desktop programs do with it.

#![cfg(all(feature = "tokio", feature = "ureq"))]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use hubstow_hf_hub::{
    Cache, Repo, RepoType,
    api::{
        self,
        sync::{self, ApiBuilder},
        tokio as asynchronous,
    },
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const TOKEN: &str = "hf_of_the_house";
const SHARD_BYTES: usize = 200_000;

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new(token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors",
            "c": "model-1.safetensors"}}"#;
        for (name, content) in [
            ("config.json", b"{}".to_vec()),
            ("tokenizer.json", b"[]".to_vec()),
            ("1_Pooling/config.json", b"{\"mean\": true}".to_vec()),
            ("sentence_roberta_config.json", b"{}".to_vec()),
            ("model.safetensors.index.json", index.as_bytes().to_vec()),
            ("model-1.safetensors", vec![1; SHARD_BYTES]),
            ("model-2.safetensors", vec![2; SHARD_BYTES]),
        ] {
            let path = folder.path().join("hub/org/model").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let server = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16);
        let server = match token {
            Some(token) => server.token(token),
            None => server,
        };
        Self { hub: server.build().spawn_on_loopback().unwrap(), folder }
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().join("home/hub"))
    }

    fn sync(&self, token: Option<String>) -> sync::Api {
        let builder = ApiBuilder::from_cache(self.cache()).with_endpoint(self.hub.url().to_owned());
        builder.with_progress(false).with_token(token).build().unwrap()
    }

    fn tokio(&self) -> asynchronous::Api {
        let builder = asynchronous::ApiBuilder::from_cache(self.cache());
        builder.with_endpoint(self.hub.url().to_owned()).with_progress(false).build().unwrap()
    }
}

fn main_of(model: &str) -> Repo {
    Repo::with_revision(model.to_owned(), RepoType::Model, "main".to_owned())
}

/// As a library of tensors takes errors of others into its own.
fn wrapped(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    Box::new(error)
}

/// Follows the index of a model in several parts.
fn shards(repo: &sync::ApiRepo, index: &str) -> Result<Vec<PathBuf>, Box<dyn Error + Send + Sync>> {
    let index = fs::File::open(repo.get(index).map_err(wrapped)?)?;
    let index: serde_json::Value = serde_json::from_reader(index).map_err(wrapped)?;
    let map = index.get("weight_map").and_then(serde_json::Value::as_object).ok_or("no map")?;
    let names: BTreeSet<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
    names.into_iter().map(|name| repo.get(name).map_err(wrapped)).collect()
}

#[test]
fn a_model_in_parts_comes_by_its_index() {
    let stage = Stage::new(None);
    let repo = stage.sync(None).repo(main_of("org/model"));
    let parts = shards(&repo, "model.safetensors.index.json").unwrap();
    let contents: Vec<_> = parts.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(contents, [vec![1; SHARD_BYTES], vec![2; SHARD_BYTES]]);
    let missing = shards(&repo, "consolidated.index.json").unwrap_err();
    assert!(missing.downcast_ref::<sync::ApiError>().is_some(), "{missing}");
}

/// The first of these files that the repo has.
async fn first_of(repo: &asynchronous::ApiRepo, names: &[&str]) -> Option<PathBuf> {
    for name in names {
        match repo.get(name).await {
            Ok(path) => return Some(path),
            Err(error) => println!("{name}: {error}"),
        }
    }
    None
}

/// Returns the folder that has all artifacts of a model.
async fn artifacts(repo: &asynchronous::ApiRepo) -> Result<PathBuf, asynchronous::ApiError> {
    let _ = repo.get("1_Pooling/config.json").await;
    first_of(repo, &["sentence_bert_config.json", "sentence_roberta_config.json"]).await;
    first_of(repo, &["model.safetensors", "model.safetensors.index.json"]).await;
    repo.get("config.json").await?;
    let tokenizer = repo.get("tokenizer.json").await?;
    Ok(tokenizer.parent().unwrap().to_path_buf())
}

#[tokio::test]
async fn a_server_finds_all_artifacts_beside_the_last_one() {
    let stage = Stage::new(None);
    let root = artifacts(&stage.tokio().repo(main_of("org/model"))).await.unwrap();
    for name in ["config.json", "1_Pooling/config.json", "sentence_roberta_config.json"] {
        assert!(root.join(name).is_file(), "{name}");
    }
    assert!(!root.join("model.safetensors").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_repo() {
    let stage = Stage::new(None);
    let repo = Arc::new(stage.tokio().model("org/model".to_owned()));
    let siblings = repo.info().await.unwrap().siblings;
    let mut tasks = Vec::new();
    for sibling in siblings.into_iter().filter(|it| it.rfilename.ends_with(".safetensors")) {
        let repo = Arc::clone(&repo);
        tasks.push(tokio::spawn(async move { repo.get(&sibling.rfilename).await }));
    }
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        assert_eq!(fs::read(task.await.unwrap().unwrap()).unwrap().len(), SHARD_BYTES);
    }
}

static CACHE: OnceLock<Cache> = OnceLock::new();

#[tokio::test]
async fn a_program_with_async_asks_on_a_thread_that_may_block() {
    let stage = Stage::new(None);
    // Kept for the whole program, and taken by default where nobody has set one.
    let cache = CACHE.get_or_init(|| stage.cache());
    let url = stage.hub.url().to_owned();
    let listed = tokio::task::spawn_blocking(move || -> Result<Vec<String>, sync::ApiError> {
        let mut builder = ApiBuilder::from_cache(CACHE.get().cloned().unwrap_or_default());
        builder = builder.with_progress(false).with_token(None).with_endpoint(url);
        let repo = builder.build()?.repo(main_of("org/model"));
        let names: Vec<String> =
            repo.info()?.siblings.iter().map(|sibling| sibling.rfilename.clone()).collect();
        for name in ["config.json", "tokenizer.json", "generation_config.json"] {
            if names.contains(&name.to_owned()) {
                repo.get(name)?;
            }
        }
        Ok(names)
    });
    assert_eq!(listed.await.unwrap().unwrap().len(), 7);
    assert!(cache.model("org/model".to_owned()).get("tokenizer.json").is_some());
}

/// What many programs do with an error: they look for the status, by its number or by its type.
fn advice(error: &sync::ApiError) -> &'static str {
    let words = error.to_string();
    let status = match error {
        sync::ApiError::RequestError(failure) => failure.status().map(|status| status.as_u16()),
        sync::ApiError::IoError(_) | _ => None,
    };
    match status {
        Some(401) if words.contains("401") => "log in",
        Some(404) if words.contains("404") => "no such file",
        _ => "try again",
    }
}

#[test]
fn errors_name_the_status_that_programs_look_for() {
    let stage = Stage::new(Some(TOKEN));
    let without = stage.sync(None).model("org/model".to_owned()).get("config.json").unwrap_err();
    assert_eq!(advice(&without), "log in", "{without}");
    let repo = stage.sync(Some(TOKEN.to_owned())).model("org/model".to_owned());
    let missing = repo.get("model.onnx").unwrap_err();
    assert_eq!(advice(&missing), "no such file", "{missing}");
    assert!(repo.get("config.json").is_ok());
}

/// Bytes that a window shows, counted by every clone.
#[derive(Clone, Default)]
struct Shown {
    received: Arc<AtomicU64>,
    wanted: Arc<AtomicU64>,
}

impl asynchronous::Progress for Shown {
    async fn init(&mut self, size: usize, _filename: &str) {
        self.wanted.store(size as u64, Ordering::Relaxed);
    }

    async fn update(&mut self, size: usize) {
        self.received.fetch_add(size as u64, Ordering::Relaxed);
    }

    async fn finish(&mut self) {}
}

/// The same by a function that is only lent.
struct Told<'a, F: FnMut(usize)>(&'a mut F);

impl<F: FnMut(usize)> api::Progress for Told<'_, F> {
    fn init(&mut self, _size: usize, _filename: &str) {}

    fn update(&mut self, size: usize) {
        (self.0)(size);
    }

    fn finish(&mut self) {}
}

#[tokio::test]
async fn a_window_shows_how_far_a_task_is() {
    let stage = Stage::new(None);
    let (api, shown) = (stage.tokio(), Shown::default());
    let repo = api.model("org/model".to_owned());
    let size = api.metadata(&repo.url("model-1.safetensors")).await.unwrap().size();
    let progress = shown.clone();
    let task =
        tokio::spawn(
            async move { repo.download_with_progress("model-1.safetensors", progress).await },
        );
    let path = task.await.unwrap().unwrap();
    assert_eq!(fs::metadata(path).unwrap().len(), size as u64);
    let seen = (shown.received.load(Ordering::Relaxed), shown.wanted.load(Ordering::Relaxed));
    assert_eq!(seen, (size as u64, size as u64));

    let (mut sum, repo) = (0, stage.sync(None).model("org/model".to_owned()));
    repo.download_with_progress("model-2.safetensors", Told(&mut |size| sum += size)).unwrap();
    assert_eq!(sum, SHARD_BYTES);
}

/// Looks into the cache first, and puts the file where the program keeps its models.
fn fetched(stage: &Stage, name: &str, models: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let cached = stage.cache().repo(main_of("org/model")).get(name);
    let path = match cached {
        Some(path) => path,
        None => stage.sync(None).repo(main_of("org/model")).get(name)?,
    };
    let place = models.join(name);
    fs::create_dir_all(models)?;
    // What the cache shows may be a link: a hard link has to be one of the file itself.
    fs::hard_link(fs::canonicalize(path)?, &place)?;
    Ok(place)
}

#[test]
fn a_program_takes_files_out_of_the_cache() {
    let stage = Stage::new(None);
    let models = stage.folder.path().join("models");
    let place = fetched(&stage, "model-1.safetensors", &models).unwrap();
    assert_eq!(fs::read(place).unwrap().len(), SHARD_BYTES);
    let again = stage.folder.path().join("again");
    stage.hub.clear_requests();
    fetched(&stage, "model-1.safetensors", &again).unwrap();
    assert!(stage.hub.requests().is_empty(), "it is in the cache");
}
