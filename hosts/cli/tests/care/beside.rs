//! Cleaning beside downloads in other processes.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use hubstow_cache::{Cache, Durability, StdDisk, cache::lease::Leased};
use hubstow_core::{
    layout::RepoLayout,
    name::{Repo, RepoId, RepoKind},
    policy::Policy,
};
use hubstow_serve::{RunningServer, Server};
use serde_json::json;

use crate::{peer::Peer, stage::Stage};

const FILES: usize = 30;

fn hub(stage: &Stage) -> RunningServer {
    let repo = stage.folder().join("hub/acme/tiny");
    fs::create_dir_all(&repo).unwrap();
    for number in 0..FILES {
        fs::write(repo.join(format!("{number}.bin")), vec![u8::try_from(number).unwrap(); 20_000])
            .unwrap();
    }
    Server::builder(stage.folder().join("hub")).build().spawn_on_loopback().unwrap()
}

fn download(stage: &Stage, hub: &RunningServer) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
    command.env_clear().env("HOME", stage.folder()).env("HF_HUB_CACHE", stage.cache());
    command.env("HF_ENDPOINT", hub.url()).args(["download", "acme/tiny", "-q"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn layout() -> RepoLayout {
    RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("acme/tiny").unwrap()))
}

#[test]
fn a_repo_that_somebody_relies_on_is_not_cleaned() {
    let stage = Stage::by_hand();
    let cache = Cache::new(
        std::sync::Arc::new(StdDisk::new(stage.cache())),
        Policy::Compat,
        Durability::Fast,
    );
    let lease = cache.try_lease(&layout());
    assert!(matches!(lease, Leased::Held(_)));
    for args in [&["prune"][..], &["rm", "acme/tiny"]] {
        let done = stage.json(&[args, &["--yes"]].concat());
        assert_eq!(done["freed"], 0, "{done}");
        assert_eq!(done["kept"][0]["by"], "in-use", "{done}");
    }
    assert_eq!(stage.json(&["ls", "-f", "type=model"])[0]["in_use"], true);
    drop(lease);
    assert_eq!(stage.json(&["rm", "acme/tiny", "--yes"])["repos_deleted"], 1);
}

#[test]
fn a_download_waits_for_cleaning_that_is_under_way() {
    let stage = Stage::empty();
    let hub = hub(&stage);
    let at = stage.cache().join(".locks/.hubstow/models--acme--tiny.lease");
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    let cleaning = File::create(&at).unwrap();
    cleaning.lock().unwrap();
    let mut child = download(&stage, &hub);
    thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    assert!(pointers(&stage.cache()).is_empty(), "nothing is placed meanwhile");
    drop(cleaning);
    ends_well(child);
    assert_eq!(pointers(&stage.cache()).len(), FILES);
}

/// All entries of snapshots that are no folders.
fn pointers(cache: &Path) -> Vec<PathBuf> {
    let snapshots = cache.join("models--acme--tiny/snapshots");
    let (mut found, mut folders) = (Vec::new(), vec![snapshots]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.unwrap();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => found.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    found
}

/// How many rounds there are, if not as many as a test run has time for.
const ROUNDS: &str = "HUBSTOW_ROUNDS";
/// How many rounds there are otherwise, and how many with the Python client, which starts slowly.
const FEW: usize = 30;
const FEW_OF_PEER: usize = 6;

fn rounds(few: usize) -> usize {
    std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(few)
}

/// What is done beside a download, by turns.
const WORK: [&[&str]; 7] = [
    &["relink", "--placement", "portable", "--yes"],
    &["prune", "--yes"],
    &["relink", "--placement", "compat", "--yes"],
    &["rm", "acme/tiny", "--yes"],
    &["relink", "--placement", "nas", "--yes"],
    &["prune", "--keep-last", "0", "--yes"],
    &["relink", "--placement", "dedup", "--across", "--yes"],
];

/// Panics unless every file of a snapshot is there as the hub has it.
#[track_caller]
fn all_is_right(cache: &Path, when: &str) {
    for pointer in pointers(cache) {
        let name = pointer.file_stem().unwrap().to_str().unwrap().to_owned();
        let (content, text) = (fs::read(&pointer), fs::read_link(&pointer));
        let byte = name.parse::<u8>().unwrap();
        let is_right = content.as_ref().is_ok_and(|content| *content == vec![byte; 20_000]);
        let error = content.err();
        assert!(is_right, "{when}: {} → {text:?}: {error:?}", pointer.display());
    }
}

/// Downloads again and again while others clean and convert, kills one side or the other, and looks each time.
fn work_beside(
    stage: &Stage,
    rounds: usize,
    seed: u64,
    download: &dyn Fn() -> Child,
    time_ms: u64,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..rounds {
        let work = WORK[round % WORK.len()];
        let when = format!("round {round}, {work:?}");
        let mut child = download();
        thread::sleep(Duration::from_millis(random.u64(0..time_ms)));
        let (is_killed, is_work_killed) = (random.bool(), random.u8(0..4) == 0);
        let mut command = stage.command(work);
        let mut working = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if is_work_killed {
            thread::sleep(Duration::from_micros(random.u64(1_000..40_000)));
            working.kill().unwrap();
            working.wait().unwrap();
        } else {
            // There may be nothing of that name yet.
            let done = working.wait_with_output().unwrap();
            assert!(matches!(done.status.code(), Some(0 | 3)), "{when}: {done:?}");
        }
        if is_killed {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            ends_well(child);
        }
        all_is_right(&stage.cache(), &when);
    }
    ends_well(download());
    assert_eq!(pointers(&stage.cache()).len(), FILES);
    all_is_right(&stage.cache(), "in the end");
    stage.json(&["relink", "--placement", "compat", "--yes"]);
    stage.json(&["prune", "--yes"]);
    let again = stage.json(&["prune", "--dry-run"]);
    assert_eq!((&again["freed"], &again["steps"]), (&json!(0), &json!([])));
    assert_eq!(stage.json(&["ls", "--show-warnings"])[0]["size"], FILES * 20_000);
}

#[test]
fn downloads_beside_cleaning_and_conversions_lose_nothing_whoever_is_killed() {
    let stage = Stage::empty();
    let hub = hub(&stage);
    work_beside(&stage, rounds(FEW), 7, &|| download(&stage, &hub), 60);
}

#[test]
fn downloads_by_the_python_client_beside_cleaning_and_conversions_lose_nothing() {
    let Some(peer) = Peer::new(&[]) else { return };
    let files = Stage::empty();
    let hub = hub(&files);
    let download = || {
        let mut command = peer.command(&["get", "model", "acme/tiny"]);
        command.env("HF_ENDPOINT", hub.url()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    work_beside(&peer.stage, rounds(FEW_OF_PEER), 8, &download, 2_500);
}
