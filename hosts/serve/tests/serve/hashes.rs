//! What is not hashed yet holds up only those who need its hash, and what was hashed once is known after a restart.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use hubstow_serve::{Builder, HashProgress, RunningServer, Server};
use tempfile::TempDir;

use crate::{Answer, client::send, write};

/// So large that no test could wait for its hash; the file is sparse.
const HUGE_BYTES: u64 = 40 << 30;
/// More than is hashed before an answer.
const LARGE_BYTES: u64 = 257 << 20;

struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A model with a small file and one of this size.
    fn with_neighbour(len_bytes: u64) -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        write(&stage.root().join("org/name/small"), "abc");
        File::create(stage.large()).unwrap().set_len(len_bytes).unwrap();
        stage.age("small");
        stage.age("large");
        stage
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("served")
    }

    fn large(&self) -> PathBuf {
        self.root().join("org/name/large")
    }

    fn digests(&self) -> PathBuf {
        self.folder.path().join("digests")
    }

    /// Makes a file as old as most are, so that its digest counts.
    fn age(&self, name: &str) {
        let file = File::options().write(true).open(self.root().join("org/name").join(name));
        let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
        file.unwrap().set_modified(an_hour_ago).unwrap();
    }

    fn server(&self, options: impl FnOnce(Builder) -> Builder) -> Server {
        options(Server::builder(self.root())).build()
    }

    fn serve(&self) -> RunningServer {
        self.server(|builder| builder).spawn_on_loopback().unwrap()
    }
}

#[track_caller]
fn get(running: &RunningServer, path: &str) -> Answer {
    let answer = send(running.address(), &format!("GET {path}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

#[track_caller]
fn commit(running: &RunningServer) -> String {
    let info = get(running, "/api/models/org/name").json();
    info["sha"].as_str().unwrap().to_owned()
}

#[test]
fn a_small_file_never_waits_for_a_huge_neighbour() {
    let stage = Stage::with_neighbour(HUGE_BYTES);
    let running = stage.serve();
    let started = Instant::now();
    let answer = get(&running, "/org/name/resolve/main/small");
    assert_eq!(answer.text(), "abc");
    let commit = commit(&running);
    assert_eq!(answer.header("x-repo-commit"), Some(commit.as_str()));
    // What names no hash needs none.
    get(&running, "/api/models/org/name/refs");
    get(&running, "/api/models/org/name/commits/main");
    get(&running, "/api/models?full=true");
    get(&running, "/");
    let pinned = get(&running, &format!("/org/name/resolve/{commit}/small"));
    assert_eq!(pinned.text(), "abc");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn the_commit_that_stands_in_is_stable_and_changes_with_any_file() {
    let stage = Stage::with_neighbour(HUGE_BYTES);
    let first = commit(&stage.serve());
    let running = stage.serve();
    assert_eq!(commit(&running), first, "it is the same after a restart");
    // Same name, same size, other content.
    write(&stage.root().join("org/name/small"), "xyz");
    let second = commit(&running);
    assert_ne!(second, first);
    let gone = send(running.address(), &format!("GET /org/name/resolve/{first}/small"));
    // It could still be the commit by content.
    assert_eq!((gone.status, gone.header("retry-after")), (503, Some("10")));
    assert_eq!(get(&running, &format!("/org/name/resolve/{second}/small")).text(), "xyz");
    fs::rename(stage.large(), stage.root().join("org/name/larger")).unwrap();
    assert_ne!(commit(&running), second);
}

#[test]
fn once_all_is_hashed_the_commit_is_that_of_the_content_and_the_other_is_served_still() {
    let stage = Stage::with_neighbour(LARGE_BYTES);
    let server = stage.server(|builder| builder.keep_digests_in(stage.digests()));
    let running = server.clone().spawn_on_loopback().unwrap();
    let by_stamps = commit(&running);
    let told: Mutex<Vec<HashProgress>> = Mutex::default();
    server.hash_ahead(|progress| told.lock().unwrap().push(progress)).unwrap();
    let told = told.into_inner().unwrap();
    let total = LARGE_BYTES + 3;
    let all = |at: &HashProgress| (at.of_files, at.of_len_bytes) == (2, total);
    assert!(told.iter().all(all), "{told:?}");
    assert!(told.is_sorted_by_key(|at| (at.files, at.len_bytes)));
    let done = |files| told.iter().find(|at| at.files == files).map(|at| at.len_bytes);
    assert_eq!((done(0), done(1), done(2)), (Some(0), Some(3), Some(total)), "the small one first");
    let within = told.iter().filter(|at| (4..total).contains(&at.len_bytes)).count();
    assert!(within > 100, "a large file is told of piece by piece: {within}");
    let by_content = commit(&running);
    assert_ne!(by_content, by_stamps);
    for pinned in [&by_stamps, &by_content] {
        let answer = get(&running, &format!("/org/name/resolve/{pinned}/small"));
        assert_eq!(answer.header("x-repo-commit"), Some(pinned.as_str()));
        let info = get(&running, &format!("/api/models/org/name/revision/{pinned}"));
        assert_eq!(info.json()["sha"], pinned.as_str());
    }
    drop(running);

    // A restart knows it all, and hashes nothing.
    let server = stage.server(|builder| builder.keep_digests_in(stage.digests()));
    server.hash_ahead(|progress| panic!("{progress:?} was not known")).unwrap();
    assert_eq!(commit(&server.spawn_on_loopback().unwrap()), by_content);
    assert_eq!(
        entries(&stage.root()),
        ["large", "small"],
        "nothing is written into what is served"
    );

    // What has changed since is not believed.
    write(&stage.root().join("org/name/small"), "xyz");
    let server = stage.server(|builder| builder.keep_digests_in(stage.digests()));
    let running = server.spawn_on_loopback().unwrap();
    assert_ne!(commit(&running), by_content);
    assert_eq!(get(&running, "/org/name/resolve/main/small").text(), "xyz");
}

#[test]
fn digests_are_never_kept_in_what_is_served() {
    let stage = Stage::with_neighbour(3);
    let inside = stage.root().canonicalize().unwrap().join(".cache/digests");
    let server = stage.server(|builder| builder.keep_digests_in(&inside));
    server.hash_ahead(|_| ()).unwrap();
    assert!(!inside.exists());
}

fn entries(root: &Path) -> Vec<String> {
    let names = fs::read_dir(root.join("org/name")).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
