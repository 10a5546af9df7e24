//! A hub by a script, a cache in a folder of its own, and workers that can be waited for.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use bytes::Bytes;
use hubstow_client::{
    Beside, Config, Durability, FileRequest, Hub, Parts, SnapshotReport, SnapshotRequest, Workers,
};
use hubstow_core::{
    hub::Endpoint,
    name::{Repo, RepoId, RepoKind, Revision},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    disk::{Watch, WatchedDisk},
    script::{Ranges, ScriptedHub},
};

/// The one large file.
pub(crate) const LARGE: &str = "weights/large.bin";

/// A thread for each piece of work.
#[derive(Default)]
pub(crate) struct Threads {
    running: Mutex<usize>,
    ended: Condvar,
}

impl Threads {
    /// Waits until nothing runs.
    pub(crate) fn rest(&self) {
        let running = self.running.lock().unwrap();
        drop(self.ended.wait_while(running, |running| *running > 0).unwrap());
    }
}

struct SharedThreads(Arc<Threads>);

impl Workers for SharedThreads {
    fn start(&self, work: Box<dyn FnOnce() + Send>) {
        *self.0.running.lock().unwrap() += 1;
        let threads = Arc::clone(&self.0);
        thread::spawn(move || {
            work();
            *threads.running.lock().unwrap() -= 1;
            threads.ended.notify_all();
        });
    }

    fn beside(&self) -> Beside {
        Beside::Threads
    }
}

/// What a test plays in.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) files: BTreeMap<String, Bytes>,
    pub(crate) script: Arc<ScriptedHub>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) threads: Arc<Threads>,
}

impl Scene {
    /// Makes one of so many small files, and a large one of so many bytes if there are any.
    pub(crate) fn new(small: usize, large_bytes: usize, ranges: Ranges) -> Self {
        let content = |at: usize| Bytes::from(format!("small file {at}\n").repeat(1 + at % 50));
        let mut files: BTreeMap<_, _> =
            (0..small).map(|at| (format!("part-{}/{at:04}.txt", at % 3), content(at))).collect();
        if large_bytes > 0 {
            let bytes: Vec<u8> = (0..large_bytes).map(|at| (at * 31 / 7) as u8).collect();
            files.insert(LARGE.to_owned(), bytes.into());
        }
        Self {
            folder: tempfile::tempdir().unwrap(),
            script: Arc::new(ScriptedHub::new(files.clone(), ranges)),
            files,
            watch: Arc::default(),
            threads: Arc::default(),
        }
    }

    /// The same hub with an empty cache.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            files: self.files.clone(),
            script: Arc::clone(&self.script),
            watch: Arc::default(),
            threads: Arc::default(),
        }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.folder.path().join("cache"));
        config.endpoint = Endpoint::parse("https://hub.test").unwrap();
        config.durability = Durability::Fast;
        config
    }

    pub(crate) fn hub(&self) -> Hub {
        self.hub_of(self.config(), None)
    }

    pub(crate) fn hub_of(&self, config: Config, descriptors: Option<usize>) -> Hub {
        let watch = Arc::clone(&self.watch);
        let mut parts = Parts::new(
            Arc::clone(&self.script) as _,
            Box::new(move |directory| Ok(Arc::new(WatchedDisk::new(directory, &watch)))),
            Arc::new(SharedThreads(Arc::clone(&self.threads))),
        );
        parts.descriptors = descriptors;
        Hub::with_parts(config, parts).unwrap()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Compares all files with what the hub has.
    #[track_caller]
    pub(crate) fn check(&self, report: &SnapshotReport) {
        assert_eq!(report.files.len(), self.files.len());
        for (name, content) in &self.files {
            assert_eq!(&fs::read(report.path.join(name)).unwrap(), content, "{name}");
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

pub(crate) fn file(name: &str) -> FileRequest {
    FileRequest::parse("acme/model", name).unwrap()
}

pub(crate) fn snapshot() -> SnapshotRequest {
    let repo = Repo::new(RepoKind::Model, RepoId::parse("acme/model").unwrap());
    SnapshotRequest::new(repo, Revision::parse("main").unwrap())
}

/// Lists all files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found
}
