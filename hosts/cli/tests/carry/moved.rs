//! Moving a whole cache: on one disk, to another one, and what stays.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
};

use hubstow_cache::{Cache, Durability, StdDisk, cache::lease::Leased};
use hubstow_core::{
    layout::RepoLayout,
    name::{Repo, RepoId, RepoKind},
    policy::Policy,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::Stage;

const PAYLOAD: &str = "abababababababababababababababababababababababababababababababab";

/// A folder on another disk than the temporary one, where this machine has one.
pub(crate) fn other_disk() -> Option<TempDir> {
    let here = tempfile::tempdir().unwrap();
    let found = ["/dev/shm", "/run/user/0", "/var/tmp"].iter().find_map(|at| {
        let folder = tempfile::tempdir_in(at).ok()?;
        let devices = (fs::metadata(&folder).ok()?.dev(), fs::metadata(&here).ok()?.dev());
        (devices.0 != devices.1).then_some(folder)
    });
    if found.is_none() {
        println!("skipped: there is no other disk here");
    }
    found
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn left(done: &Value) -> Vec<String> {
    let left = done["left"].as_array().unwrap().iter();
    left.map(|it| it["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn on_one_disk_a_move_is_a_rename_and_copies_nothing() {
    let stage = Stage::new();
    let right = Stage::contents(&stage.cache());
    let blob = fs::metadata(stage.blob_of("deep/model.bin")).unwrap().ino();
    fs::write(stage.at("cache/mine.txt"), "mine").unwrap();
    let (first, second, third) = (stage.at("deep/er/hub"), stage.at("empty"), stage.at("third"));
    let told = stage.json(&["move", &first, "--dry-run"]);
    assert_eq!((&told["by"], &told["bytes"]), (&json!("rename"), &json!(0)));
    assert!(!stage.exists("deep"), "a dry run makes nothing");
    stage.json(&["move", &first, "--yes"]);
    assert!(!stage.exists("cache"));
    fs::create_dir(&second).unwrap();
    stage.json(&["move", &second, "--yes", "--link", "--cache-dir", &first]);
    assert_eq!(text(&fs::read_link(&first).unwrap()), second);
    assert_eq!(Stage::contents(&second), right);
    assert_eq!(fs::read_to_string(format!("{second}/mine.txt")).unwrap(), "mine");
    // By the link it is the cache itself that moves, and not the link.
    stage.json(&["move", &third, "--yes", "--link", "--cache-dir", &first]);
    assert_eq!(text(&fs::read_link(&first).unwrap()), third);
    assert_eq!(Stage::contents(&third), right);
    let inodes = Stage::files(&third).into_values().map(|it| it.ino());
    assert!(inodes.into_iter().any(|ino| ino == blob));
}

#[test]
fn to_another_disk_all_is_copied_and_proved_and_then_removed() {
    let stage = Stage::new();
    let Some(disk) = other_disk() else { return };
    let to = text(&disk.path().join("hub"));
    let (right, refs) = (Stage::contents(&stage.cache()), Stage::refs(&stage.cache()));
    let repo = stage.at("cache/models--acme--tiny");
    let absent = format!("{repo}/.no_exist/{}/none.json", stage.commit("main"));
    fs::create_dir_all(Path::new(&absent).parent().unwrap()).unwrap();
    fs::write(&absent, "").unwrap();
    let orphan = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
    fs::write(format!("{repo}/blobs/{orphan}"), "hello").unwrap();
    stage.json(&["pin", "acme/tiny@v1"]);
    let told = stage.json(&["move", &to, "--dry-run"]);
    assert_eq!(told["by"], "copy");
    let done = stage.json(&["move", &to, "--yes", "--link"]);
    assert_eq!(left(&done), Vec::<String>::new());
    assert_eq!((&done["linked"], &done["placed"]), (&json!(true), &json!(right.len())));
    assert!(done["freed"].as_u64().unwrap() >= told["bytes"].as_u64().unwrap());
    assert_eq!(text(&fs::read_link(stage.cache()).unwrap()), to);
    for cache in [&to, &stage.cache()] {
        assert_eq!((Stage::contents(cache), Stage::refs(cache)), (right.clone(), refs.clone()));
    }
    let there = |at: &str| fs::read(format!("{to}/models--acme--tiny/{at}"));
    assert_eq!(there(&format!("blobs/{orphan}")).unwrap(), b"hello");
    assert!(
        there(&format!(
            ".no_exist/{}/none.json",
            fs::read_to_string(format!("{to}/models--acme--tiny/refs/main")).unwrap()
        ))
        .is_ok()
    );
    let pinned = stage.json(&["ls", "--revisions", "--filter", "type=model"]);
    let pinned = pinned.as_array().unwrap().iter().filter(|it| it["pinned"] == true).count();
    assert_eq!(pinned, 1);
    let left = fs::read_dir(stage.folder()).unwrap().map(|it| it.unwrap().file_name());
    let aside = left.filter(|name| name.to_str().unwrap().ends_with(".moved")).count();
    assert_eq!(aside, 0);
    let again = stage.json(&["move", &stage.at("back"), "--yes", "--keep"]);
    assert_eq!((&again["by"], &again["freed"]), (&json!("copy"), &json!(0)));
    assert_eq!(Stage::contents(&stage.at("back")), Stage::contents(&to));
}

#[test]
fn pointers_take_the_form_that_the_new_disk_can_hold() {
    let stage = Stage::new();
    let right = Stage::contents(&stage.cache());
    let Some(disk) = other_disk() else { return };
    let to = text(&disk.path().join("hub"));
    stage.json(&["move", &to, "--yes", "--keep", "--placement", "portable"]);
    assert_eq!(Stage::contents(&to), right);
    assert!(Stage::files(&to).into_values().all(|metadata| metadata.is_file()));
    let back = stage.at("back");
    stage.json(&["move", &back, "--yes", "--cache-dir", &to]);
    assert_eq!(Stage::contents(&back), right);
    let links = Stage::files(&back).into_values().filter(fs::Metadata::is_symlink).count();
    assert_eq!(links, right.len(), "from copies they become links again");
}

#[test]
fn what_is_in_use_damaged_or_nobodys_stays_and_is_told() {
    let stage = Stage::new();
    let Some(disk) = other_disk() else { return };
    let to = text(&disk.path().join("hub"));
    let before = Stage::contents(&stage.cache());
    fs::write(stage.at("cache/mine.txt"), "mine").unwrap();
    symlink("/nowhere", stage.at("cache/models--acme--linked")).unwrap();
    let id = RepoId::parse("acme/rows").unwrap();
    let layout = RepoLayout::new(&Repo::new(RepoKind::Dataset, id));
    let disk = std::sync::Arc::new(StdDisk::new(stage.cache()));
    let cache = Cache::new(disk, Policy::Compat, Durability::Safe);
    let Leased::Held(lease) = cache.try_lease(&layout) else { panic!("no lease") };
    let blob = stage.blob_of("deep/model.bin");
    let good = fs::read(&blob).unwrap();
    let mut bad = good.clone();
    bad[5] ^= 1;
    fs::write(&blob, &bad).unwrap();
    let output = stage.run(&["move", &to, "--yes", "--json"]);
    stage.fails(&output, 6, "deep/model.bin");
    // What is damaged stays, with all of its repo.
    assert_eq!(fs::read(&blob).unwrap(), bad);
    assert_eq!(Stage::contents(&stage.cache()).len(), before.len());
    assert!(Stage::contents(&to).keys().all(|at| !at.ends_with("model.bin")));
    fs::write(&blob, &good).unwrap();
    let done = stage.json(&["move", &to, "--yes"]);
    let told = left(&done);
    for word in ["datasets--acme--rows", "mine.txt", "models--acme--linked"] {
        assert!(told.iter().any(|what| what.contains(word)), "{word}: {told:?}");
    }
    assert!(stage.exists("cache/datasets--acme--rows") && stage.exists("cache/mine.txt"));
    assert!(!stage.exists("cache/models--acme--tiny"));
    drop(lease);
    let output = stage.run(&["move", &to, "--yes", "--link", "--json"]);
    stage.fails(&output, 1, "mine.txt");
    assert_eq!(Stage::contents(&to), before);
    fs::remove_file(stage.at("cache/mine.txt")).unwrap();
    fs::remove_file(stage.at("cache/models--acme--linked")).unwrap();
    stage.json(&["move", &to, "--yes", "--link"]);
    assert_eq!(Stage::contents(&stage.cache()), before, "through the link");
}

#[test]
fn a_repo_in_which_somebody_works_is_renamed_by_nobody() {
    let stage = Stage::new();
    let layout = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("acme/tiny").unwrap()));
    let disk = std::sync::Arc::new(StdDisk::new(stage.cache()));
    let cache = Cache::new(disk, Policy::Compat, Durability::Safe);
    let Leased::Held(lease) = cache.try_lease(&layout) else { panic!("no lease") };
    let done = stage.json(&["move", &stage.at("to"), "--yes"]);
    assert_eq!((&done["by"], left(&done).len()), (&json!("copy"), 1));
    assert!(stage.exists("cache/models--acme--tiny"));
    drop(lease);
    stage.json(&["move", &stage.at("to"), "--yes"]);
    assert!(!stage.exists("cache/models--acme--tiny"));
}

#[test]
fn where_nothing_is_moved_nothing_is_said_of_the_new_place() {
    let stage = Stage::new();
    let (to, none) = (stage.at("to"), stage.at("none"));
    for link in [&[][..], &["--link"]] {
        let args = [&["move", &to, "--yes", "--cache-dir", &none], link].concat();
        let output = stage.run(&args);
        stage.fails(&output, 2, "is no cache directory");
        assert!(!stage.exists("to"));
    }
    fs::remove_dir_all(stage.at("cache/datasets--acme--rows")).unwrap();
    let layout = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("acme/tiny").unwrap()));
    let disk = std::sync::Arc::new(StdDisk::new(stage.cache()));
    let cache = Cache::new(disk, Policy::Compat, Durability::Safe);
    let Leased::Held(_lease) = cache.try_lease(&layout) else { panic!("no lease") };
    let output = stage.run(&["move", &to, "--yes"]);
    stage.fails(&output, 1, "nothing was moved");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!told.contains("HF_HUB_CACHE"), "{told}");
    let output = stage.command(&[("HF_HUB_CACHE", &none)], &["cache", "move", &to, "--yes"]);
    assert_eq!(stage.succeeds(&output), "Nothing was moved.\n");
}

#[test]
fn a_store_that_repos_share_goes_along_once_or_is_given_to_each() {
    let stage = Stage::new();
    let right = Stage::contents(&stage.cache());
    let cache = stage.cache();
    let blob = stage.blob_of("deep/model.bin");
    let payload = format!("{cache}/blobs/ab/{PAYLOAD}");
    fs::create_dir_all(format!("{cache}/blobs/ab")).unwrap();
    fs::write(format!("{cache}/blobs/.huggingface-shared-blobs"), "1\n").unwrap();
    fs::rename(&blob, &payload).unwrap();
    symlink(format!("../../blobs/ab/{PAYLOAD}"), &blob).unwrap();
    let user = format!("models--acme--tiny/blobs/{}", blob.file_name().unwrap().to_str().unwrap());
    fs::write(format!("{payload}.refs"), format!("{user}\n")).unwrap();
    let Some(disk) = other_disk() else { return };
    let (linked, plain) = (text(&disk.path().join("linked")), text(&disk.path().join("plain")));
    stage.json(&["move", &plain, "--yes", "--keep", "--placement", "portable"]);
    assert_eq!(Stage::contents(&plain), right);
    assert!(fs::metadata(format!("{plain}/blobs")).is_err());
    let bytes = Stage::bytes(&cache);
    let done = stage.json(&["move", &linked, "--yes"]);
    assert_eq!(left(&done), Vec::<String>::new());
    assert_eq!(Stage::contents(&linked), right);
    assert_eq!(fs::read(format!("{linked}/blobs/ab/{PAYLOAD}")).unwrap().len(), 300_000);
    let users = fs::read_to_string(format!("{linked}/blobs/ab/{PAYLOAD}.refs")).unwrap();
    assert_eq!(users, format!("{user}\n"));
    assert_eq!(
        fs::read_to_string(format!("{linked}/blobs/.huggingface-shared-blobs")).unwrap(),
        "1\n"
    );
    assert!(Stage::bytes(&cache) < bytes / 100, "nothing of worth is left");
    let sums = stage.json(&["ls", "--cache-dir", &linked]);
    assert_eq!(sums[1]["shared"], 300_000);
}

#[test]
fn what_is_in_the_new_place_already_stays_and_is_not_copied_again() {
    let stage = Stage::new();
    let (tar, to) = (stage.at("one.tar"), stage.at("to"));
    stage.export(&stage.cache(), &tar);
    stage.json(&["import", &tar, "--yes", "--cache-dir", &to]);
    let right = Stage::contents(&stage.cache());
    let told = stage.json(&["move", &to, "--dry-run"]);
    assert_eq!((&told["by"], &told["bytes"]), (&json!("copy"), &json!(0)));
    let done = stage.json(&["move", &to, "--yes"]);
    assert_eq!(done["placed"], 0);
    assert_eq!(Stage::contents(&to), right);
    assert!(Stage::contents(&stage.cache()).is_empty());
}
