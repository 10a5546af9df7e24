//! Cleaning beside downloads in other processes.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use hubstow_cache::{Cache, Durability, StdDisk, care::lease::Leased};
use hubstow_core::{
    layout::RepoLayout,
    name::{Repo, RepoId, RepoKind},
    policy::Policy,
};
use hubstow_serve::{RunningServer, Server};
use serde_json::json;

use crate::stage::Stage;

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

#[test]
fn downloads_that_are_killed_while_others_clean_leave_nothing_that_dangles() {
    let stage = Stage::empty();
    let hub = hub(&stage);
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..24 {
        let mut child = download(&stage, &hub);
        let is_killed = random.bool();
        thread::sleep(Duration::from_millis(random.u64(0..60)));
        let cleaned = match round % 3 {
            0 => stage.run(&["rm", "acme/tiny", "--yes"]),
            1 => stage.run(&["prune", "--yes"]),
            _ => stage.run(&["prune", "--keep-last", "0", "--yes"]),
        };
        // There may be nothing of that name yet.
        assert!(matches!(cleaned.status.code(), Some(0 | 3)), "{cleaned:?}");
        if is_killed {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            ends_well(child);
        }
        for pointer in pointers(&stage.cache()) {
            assert!(fs::metadata(&pointer).is_ok(), "round {round}: {}", pointer.display());
        }
    }
    ends_well(download(&stage, &hub));
    assert_eq!(pointers(&stage.cache()).len(), FILES);
    stage.json(&["prune", "--yes"]);
    let again = stage.json(&["prune", "--dry-run"]);
    assert_eq!((&again["freed"], &again["steps"]), (&json!(0), &json!([])));
    assert_eq!(stage.json(&["ls", "--show-warnings"])[0]["size"], FILES * 20_000);
}
