//! Runs that are killed at any moment: nothing is lost, nothing wrong is visible, and the next run finishes.

use std::{collections::BTreeMap, fs, process::Stdio, thread, time::Duration};

use crate::{
    moved::other_disk,
    stage::{Content, Stage},
};

const ROUNDS: u32 = 30;

/// Runs the command and kills it after some of the time that a whole run takes; tells whether it was still at work.
fn killed(stage: &Stage, args: &[&str], random: &mut fastrand::Rng) -> bool {
    let mut command = stage.prepared(&[], &[&["cache"], args, &["--yes", "-q"]].concat());
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_micros(random.u64(1_000..60_000)));
    let was_at_work = run.try_wait().unwrap().is_none();
    run.kill().unwrap();
    run.wait().unwrap();
    was_at_work
}

/// Adds some files, so that there is something to be killed at.
fn with_more(stage: &Stage) {
    let repo = stage.at("hub/acme/tiny");
    for number in 0..60 {
        fs::write(format!("{repo}/{number}.bin"), vec![number; 40_000]).unwrap();
    }
    let hub = hubstow_serve::Server::builder(stage.at("hub")).lfs_glob("*.bin").build();
    let hub = hub.spawn_on_loopback().unwrap();
    let vars = [("HF_ENDPOINT", hub.url())];
    stage.succeeds(&stage.command(&vars, &["download", "acme/tiny", "-q"]));
}

#[track_caller]
fn nothing_is_wrong(found: &BTreeMap<String, Content>, right: &BTreeMap<String, Content>) {
    for (at, content) in found {
        assert!(right.get(at) == Some(content), "{at}");
    }
}

#[test]
fn an_export_that_is_killed_leaves_no_tar_and_a_folder_that_goes_on() {
    let stage = Stage::new();
    with_more(&stage);
    let right = Stage::contents(&stage.cache());
    let (whole, whole_folder) = (stage.at("whole.tar"), stage.at("whole"));
    stage.json(&["export", "acme/tiny", "-o", &whole, "--yes"]);
    stage.json(&["export", "acme/tiny", "-o", &whole_folder, "--yes"]);
    let (mut random, mut kills) = (fastrand::Rng::with_seed(3), 0);
    for round in 0..ROUNDS {
        let (tar, folder) = (stage.at("killed.tar"), stage.at(&format!("killed-{round}")));
        if killed(&stage, &["export", "acme/tiny", "-o", &tar], &mut random) {
            kills += 1;
            // It has its name only when it is whole.
            let named = fs::read(&tar).ok();
            assert!(named.is_none_or(|content| content == fs::read(&whole).unwrap()));
        }
        if killed(&stage, &["export", "acme/tiny", "-o", &folder], &mut random) {
            kills += 1;
            nothing_is_wrong(&Stage::contents(&folder), &right);
        }
        stage.json(&["export", "acme/tiny", "-o", &tar, "--yes", "--force"]);
        assert!(fs::read(&tar).unwrap() == fs::read(&whole).unwrap());
        fs::remove_file(tar).unwrap();
        stage.json(&["export", "acme/tiny", "-o", &folder, "--yes"]);
        assert_eq!(Stage::tree(&folder), Stage::tree(&whole_folder), "round {round}");
        fs::remove_dir_all(folder).unwrap();
    }
    let left = fs::read_dir(stage.folder()).unwrap().map(|it| it.unwrap().file_name());
    let parts = left.filter(|name| name.to_str().unwrap().ends_with(".part")).count();
    assert_eq!(parts, 0, "what killed runs have left is removed");
    assert!(kills > ROUNDS / 3, "{kills} runs were killed at work");
}

#[test]
fn an_import_that_is_killed_shows_nothing_wrong_and_the_next_one_finishes() {
    let stage = Stage::new();
    with_more(&stage);
    let tar = stage.at("one.tar");
    stage.export(&stage.cache(), &tar);
    let (right, refs) = (Stage::contents(&stage.cache()), Stage::refs(&stage.cache()));
    let (mut random, mut kills) = (fastrand::Rng::with_seed(5), 0);
    for round in 0..ROUNDS {
        let cache = stage.at(&format!("to-{round}"));
        let placement = ["compat", "portable", "nas"][round as usize % 3];
        let args = ["import", &tar, "--cache-dir", &cache, "--placement", placement];
        for _ in 0..2 {
            kills += u32::from(killed(&stage, &args, &mut random));
            nothing_is_wrong(&Stage::contents(&cache), &right);
            for (at, commit) in Stage::refs(&cache) {
                assert_eq!(refs.get(&at), Some(&commit), "{at}");
                let snapshot = at.split('/').next().unwrap();
                let commit = String::from_utf8(commit.0).unwrap();
                assert!(fs::metadata(format!("{cache}/{snapshot}/snapshots/{commit}")).is_ok());
            }
        }
        stage.json(&[&args[..], &["--yes"]].concat());
        assert_eq!(Stage::contents(&cache), right, "round {round}");
        assert_eq!(Stage::refs(&cache), refs, "round {round}");
        let staged = Stage::files(&cache).into_keys().filter(|at| at.ends_with(".incomplete"));
        assert_eq!(staged.count(), 0, "round {round}");
        fs::remove_dir_all(cache).unwrap();
    }
    assert!(kills > ROUNDS / 3, "{kills} runs were killed at work");
}

#[test]
fn a_move_that_is_killed_loses_nothing_and_the_next_one_finishes() {
    let stage = Stage::new();
    with_more(&stage);
    let (right, refs) = (Stage::contents(&stage.cache()), Stage::refs(&stage.cache()));
    let Some(disk) = other_disk() else { return };
    let (mut random, mut kills) = (fastrand::Rng::with_seed(9), 0);
    for round in 0..ROUNDS {
        let from = stage.at(&format!("from-{round}"));
        stage.system("cp", &["-a", "cache", &from]);
        let to = disk.path().join(format!("to-{round}")).to_str().unwrap().to_owned();
        let placement = ["compat", "portable"][round as usize % 2];
        let args = ["move", &to, "--cache-dir", &from, "--placement", placement];
        for _ in 0..3 {
            kills += u32::from(killed(&stage, &args, &mut random));
            let (old, new) = (Stage::contents(&from), Stage::contents(&to));
            nothing_is_wrong(&old, &right);
            nothing_is_wrong(&new, &right);
            for at in right.keys() {
                assert!(
                    old.contains_key(at) || new.contains_key(at),
                    "round {round}: {at} is lost"
                );
            }
            let (old, new) = (Stage::refs(&from), Stage::refs(&to));
            for at in refs.keys() {
                assert!(
                    old.contains_key(at) || new.contains_key(at),
                    "round {round}: {at} is lost"
                );
            }
        }
        stage.json(&[&args[..], &["--yes"]].concat());
        assert_eq!(Stage::contents(&to), right, "round {round}");
        assert_eq!(Stage::refs(&to), refs, "round {round}");
        assert!(Stage::contents(&from).is_empty() && Stage::refs(&from).is_empty());
        fs::remove_dir_all(from).unwrap();
        fs::remove_dir_all(to).unwrap();
    }
    assert!(kills > ROUNDS / 3, "{kills} runs were killed at work");
}
