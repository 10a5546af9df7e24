//! Whole downloads that a hostile component decides: a typed error within the bound, and not one change on the disk.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use hubstow_core::decide::{Decider, LinkedCore};
use hubstow_core::hub::Endpoint;
use hubstow_native::{Config, Error, ErrorKind, FileRequest, Hub, SnapshotRequest};
use hubstow_serve::{RunningServer, Server};
use hubstow_wasmtime::{CoreError, Options};
use tempfile::TempDir;

use crate::guest::hostile;

/// How long a download that is decided by an enemy may take: a few calls of a second each.
const BOUND: Duration = Duration::from_secs(4);

/// Everything below a folder: what it is, and what would change if anybody touched it.
type Fingerprint = BTreeMap<PathBuf, (u64, u32, u64, i64, i64, Vec<u8>)>;

fn fingerprint(folder: &Path) -> Fingerprint {
    let mut all = Fingerprint::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let held = match meta.file_type() {
                kind if kind.is_symlink() => {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                }
                kind if kind.is_file() => fs::read(&path).unwrap(),
                _ => Vec::new(),
            };
            let touched = (meta.mtime(), meta.mtime_nsec());
            let seen = (meta.ino(), meta.mode(), meta.nlink(), touched.0, touched.1, held);
            if meta.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path, seen);
        }
    }
    all
}

/// A hub whose branch has moved on, and a cache with the commit before.
struct Scene {
    folder: TempDir,
    hub: RunningServer,
}

impl Scene {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/org/model");
        fs::create_dir_all(&repo).unwrap();
        fs::write(repo.join("config.json"), r#"{"layers": 2}"#).unwrap();
        fs::write(repo.join("model.bin"), vec![1; 300_000]).unwrap();
        let hub = Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
        let scene = Self { folder, hub };
        scene.run(&scene.hub_of(Arc::new(LinkedCore)), Wanted::All).unwrap();
        fs::write(repo.join("model.bin"), vec![2; 300_000]).unwrap();
        fs::write(repo.join("more.bin"), vec![3; 200_000]).unwrap();
        scene
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn hub_of(&self, decider: Arc<dyn Decider>) -> Hub {
        let endpoint = Endpoint::parse(self.hub.url()).unwrap();
        let mut config = Config::new(self.cache());
        config.endpoint = endpoint;
        Hub::with_decider(config, decider).unwrap()
    }

    fn run(&self, hub: &Hub, wanted: Wanted) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            match wanted {
                Wanted::File(file) => {
                    hub.download(&FileRequest::parse("org/model", file)?).await.map(|_| ())
                }
                Wanted::All => {
                    let repo = FileRequest::parse("org/model", "model.bin")?;
                    let request = SnapshotRequest::new(repo.repo, repo.revision);
                    hub.snapshot(&request).await.map(|_| ())
                }
            }
        })
    }

    /// Lets the component decide a download, which must fail in time and change nothing.
    #[track_caller]
    fn withstands(&self, attack: &str, wanted: Wanted) -> Error {
        self.withstands_but_for(attack, wanted, |_, _| false)
    }

    /// The same where something private may be left.
    #[track_caller]
    fn withstands_but_for(
        &self,
        attack: &str,
        wanted: Wanted,
        may_change: fn(&Path, bool) -> bool,
    ) -> Error {
        let before = fingerprint(&self.cache());
        let hub = self.hub_of(Arc::new(hostile(attack, Options::default())));
        let begin = Instant::now();
        let error = self.run(&hub, wanted).unwrap_err();
        assert!(begin.elapsed() < BOUND, "{attack}, {wanted:?}: {:?}", begin.elapsed());
        assert_eq!(error.kind(), ErrorKind::Undecided, "{attack}, {wanted:?}: {error}");
        let after = fingerprint(&self.cache());
        for path in before.keys().chain(after.keys()) {
            let (was, is) = (before.get(path), after.get(path));
            let same = was == is || may_change(path, was.is_some());
            assert!(same, "{attack}, {wanted:?}: {} changed", path.display());
        }
        error
    }
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    File(&'static str),
    All,
}

const WANTED: [Wanted; 2] = [Wanted::File("more.bin"), Wanted::File("model.bin")];

fn core_error(error: &Error) -> Option<&CoreError> {
    error.source()?.downcast_ref()
}

#[test]
fn an_attack_on_the_process_ends_the_download_and_changes_nothing() {
    let scene = Scene::make();
    for attack in ["loop", "allocate", "recurse", "trap", "fill-memory"] {
        for wanted in WANTED {
            let error = scene.withstands(attack, wanted);
            if !matches!(wanted, Wanted::All) {
                assert!(core_error(&error).is_some(), "{attack}: {error}");
            }
        }
    }
}

#[test]
fn a_decision_that_the_facts_do_not_allow_changes_nothing() {
    let scene = Scene::make();
    for attack in [
        "move-a-published-blob",
        "move-an-unverified-file",
        "reuse-what-is-absent",
        "seal-an-unverified-file",
        "place-over-something-else",
        "link-to-a-twin",
        "point-at-nothing",
        "mark-as-missing",
        "ask-the-hub-for-ever",
        "probe-everything",
    ] {
        for wanted in WANTED {
            scene.withstands(attack, wanted);
        }
    }
}

/// The first probe is as it should be, and removes what it makes.
#[test]
fn a_probe_for_ever_leaves_nothing() {
    let scene = Scene::make();
    for wanted in WANTED {
        scene.withstands_but_for("probe-for-ever", wanted, |path, was_there| {
            was_there && path.is_dir()
        });
    }
}

/// The first fetch is as it should be; what has come is kept for the next run under a private name, and a lock file too.
#[test]
fn a_fetch_for_ever_is_one_fetch() {
    let scene = Scene::make();
    scene.withstands_but_for("fetch-for-ever", Wanted::File("more.bin"), |path, was_there| {
        let name = path.file_name().unwrap().to_string_lossy();
        let folder = was_there && path.is_dir();
        folder || name.ends_with(".incomplete") || name.ends_with(".lock")
    });
    let files = scene.hub.requests().into_iter().filter(|it| it.path.contains("more.bin"));
    assert_eq!(files.filter(|it| it.method == "GET").count(), 1);
}

#[test]
fn a_lie_about_what_is_meant_changes_nothing() {
    let scene = Scene::make();
    for attack in [
        "serve-what-is-not-there",
        "go-on-without-an-answer",
        "look-up-for-ever",
        "mark-what-exists",
        "fetch-before-asking",
        "etag=../../etc/passwd",
        "etag=/etc/passwd",
        "etag=CON",
        "commit=../../etc/passwd",
        "commit=main",
        "size-of-its-own",
    ] {
        scene.withstands(attack, Wanted::File("more.bin"));
    }
}
