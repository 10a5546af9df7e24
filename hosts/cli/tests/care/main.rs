//! `hubstow cache` as users and scripts see it: on caches that the command, the Python client and others have made.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

mod beside;
mod doubt;
mod peer;
mod relink;
mod report;
mod stage;

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use stage::{COMMIT, OTHER, Stage};

#[test]
fn repos_revisions_and_files_are_listed_in_every_format() {
    let stage = Stage::by_hand();
    let repos = stage.json(&["ls"]);
    let (tiny, rows) = (&repos[1], &repos[0]);
    assert_eq!(rows["id"], "dataset/acme/rows");
    assert_eq!(tiny["id"], "model/acme/tiny");
    // Two contents and one that lies in its snapshot; what nothing leads to is apart.
    assert_eq!(tiny["size"], 100 + 200 + 50);
    assert_eq!(tiny["orphaned"], 400);
    assert_eq!(tiny["copied"], 50);
    assert_eq!(tiny["refs"], json!(["main", "refs/pr/1"]));
    let revisions = stage.json(&["ls", "--revisions", "--filter", "type=model"]);
    let named: Vec<_> = revisions.as_array().unwrap().iter().map(|it| &it["revision"]).collect();
    assert_eq!(named, [COMMIT, OTHER]);
    let path = stage.cache().join("models--acme--tiny/snapshots").join(COMMIT);
    assert_eq!(revisions[0]["snapshot_path"], path.to_str().unwrap());
    let files = stage.json(&["ls", "--files", "--filter", "refs=main"]);
    let named: Vec<_> = files.as_array().unwrap().iter().map(|it| &it["file"]).collect();
    assert_eq!(named, ["rows.csv", "a.bin", "deep/b.bin"]);
    let quiet = stage.succeed(&["ls", "-q"]);
    assert_eq!(quiet, "dataset/acme/rows\nmodel/acme/tiny\n");
    let people = stage.succeed(&["ls"]);
    for word in ["ID ", "REFS", "main refs/pr/1", "400 B orphaned", "2 repo(s)"] {
        assert!(people.contains(word), "{people}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_is_asked_about_a_plan_that_was_not_shown() {
    for (args, plan, question) in [
        (&["rm", "acme/tiny"][..], "About to delete", "Remove this?"),
        (&["prune"], "About to delete", "Remove this?"),
        (&["move", "elsewhere"], "About to move", "Move this?"),
        (&["export", "dataset/acme/rows", "-o", "out.tar"], "About to export", "Export this?"),
        (&["relink", "--placement", "portable"], "About to convert", "Convert this?"),
    ] {
        for format in ["--json", "-q", "--format=human"] {
            let stage = Stage::by_hand();
            let shown = stage.on_terminal(&[args, &[format]].concat(), "n\n");
            let (plan, question) = (shown.find(plan), shown.find(question));
            assert!(plan.is_some() && plan < question, "{args:?} {format}: {shown}");
            assert_eq!(stage.json(&["ls"]).as_array().unwrap().len(), 2);
        }
    }
}

#[test]
fn filters_order_and_limit_choose_what_is_shown() {
    let stage = Stage::by_hand();
    let ids = |args: &[&str]| stage.succeed(&[&["ls", "-q"], args].concat());
    assert_eq!(ids(&["--sort", "size"]), "model/acme/tiny\ndataset/acme/rows\n");
    assert_eq!(ids(&["--sort", "size:asc", "--limit", "1"]), "dataset/acme/rows\n");
    assert_eq!(ids(&["--filter", "size>=350"]), "model/acme/tiny\n");
    assert_eq!(ids(&["--filter", "size<350", "-f", "type=dataset"]), "dataset/acme/rows\n");
    assert_eq!(ids(&["--filter", "accessed>1d"]), "");
    assert_eq!(stage.json(&["ls", "--filter", "refs=nothing"]), json!([]));
    for (args, word) in [
        (&["ls", "--filter", "size>much"][..], "much"),
        (&["ls", "--filter", "colour=red"], "colour"),
        (&["ls", "--sort", "age"], "age"),
        (&["prune", "--unused-for", "long"], "long"),
        (&["prune", "--max-size", "small"], "small"),
        (&["rm", "acme//tiny"], "acme//tiny"),
    ] {
        let error = stage.fail(args, 2);
        assert!(error["message"].as_str().unwrap().contains(word), "{args:?}: {error}");
    }
}

#[test]
fn a_tree_shows_every_entry_and_what_it_is() {
    let stage = Stage::by_hand();
    let tree = stage.succeed(&["ls", "--tree", "acme/tiny"]);
    for line in [
        "a.bin → ../../blobs/aaaa",
        "b.bin → ../../../blobs/bbbb",
        "lost  400 B  nothing leads to it",
    ] {
        assert!(tree.contains(line), "{tree}");
    }
    let entries = stage.json(&["ls", "--tree", "acme/tiny"]);
    let own = entries
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["role"] == "pointer" && it["kind"] == "file");
    assert_eq!(own.unwrap()["size"], 50);
}

#[test]
fn a_dry_run_tells_to_the_byte_what_removing_frees() {
    for target in [
        &["rm", "acme/tiny"][..],
        &["rm", "dataset/acme/rows"],
        &["rm", OTHER],
        &["rm", "hf://acme/tiny@main"],
        &["rm", "hf://acme/tiny/a.bin"],
        &["prune"],
        &["prune", "--max-size", "1b"],
        &["prune", "--keep-last", "0"],
    ] {
        let stage = Stage::by_hand();
        let before = stage.bytes();
        let told = stage.json(&[target, &["--dry-run"]].concat());
        assert_eq!(stage.bytes(), before, "{target:?}");
        let done = stage.json(&[target, &["--yes"]].concat());
        assert_eq!(told["freed"], done["freed"], "{target:?}");
        assert_eq!(before - stage.bytes(), done["freed"].as_u64().unwrap(), "{target:?}");
        assert_eq!((&told["dry_run"], &done["dry_run"]), (&json!(true), &json!(false)));
        for key in ["repos_deleted", "revisions_deleted", "files_deleted", "blobs_deleted"] {
            assert_eq!(told[key], done[key], "{target:?}: {key}");
        }
        assert_eq!(done["skipped"], json!([]));
    }
}

#[test]
fn nobody_to_be_asked_is_an_error_and_nothing_to_delete_is_none() {
    let stage = Stage::by_hand();
    let before = stage.bytes();
    let error = stage.fail(&["prune"], 2);
    assert!(error["hint"].as_str().unwrap().contains("--yes"), "{error}");
    assert_eq!(stage.bytes(), before);
    stage.json(&["prune", "--yes"]);
    let nothing = stage.json(&["prune"]);
    assert_eq!(nothing["freed"], 0);
    assert_eq!(stage.succeed(&["prune"]), "Nothing to delete.\n");
}

#[test]
fn names_of_nothing_and_of_two_things_are_told() {
    let stage = Stage::by_hand();
    for (target, code, word) in [
        ("acme/other", 3, "acme/other"),
        ("hf://acme/tiny@v9", 3, "v9"),
        ("hf://acme/tiny/none.bin", 3, "none.bin"),
        (&"c".repeat(40), 3, "cccc"),
        ("ACME/TWICE", 2, "model/acme/Twice"),
    ] {
        for name in ["Twice", "twice"] {
            fs::create_dir_all(stage.cache().join(format!("models--acme--{name}/snapshots")))
                .unwrap();
        }
        let error = stage.fail(&["rm", target, "--yes"], code);
        assert!(error["message"].as_str().unwrap().contains(word), "{target}: {error}");
    }
    assert!(
        stage.json(&["rm", "ACME/Tiny", "--dry-run"])["repos_deleted"] == 1,
        "case is forgiven"
    );
    let at = stage.cache().join("datasets--acme--rows/snapshots").join(OTHER);
    fs::create_dir(at).unwrap();
    let error = stage.fail(&["rm", OTHER, "--yes"], 2);
    assert!(error["message"].as_str().unwrap().contains(" and of "), "{error}");
}

#[test]
fn what_is_pinned_is_kept_until_it_is_unpinned() {
    let stage = Stage::by_hand();
    let detached = format!("acme/tiny@{OTHER}");
    assert_eq!(stage.json(&["pin", &detached])["changed"], true);
    assert_eq!(stage.json(&["pin", &detached])["changed"], false);
    let pruned = stage.json(&["prune", "--yes"]);
    assert_eq!(pruned["revisions_deleted"], 0);
    assert_eq!(pruned["kept"][0]["by"], "pinned");
    let revisions = stage.json(&["ls", "--revisions"]);
    let pinned: Vec<_> =
        revisions.as_array().unwrap().iter().filter(|it| it["pinned"] == true).collect();
    assert_eq!(pinned.len(), 1);
    assert_eq!(pinned[0]["revision"], OTHER);
    assert_eq!(stage.json(&["unpin", &detached])["changed"], true);
    assert_eq!(stage.json(&["prune", "--yes"])["revisions_deleted"], 1);
    stage.json(&["pin", "acme/tiny@main"]);
    let all = stage.json(&["rm", "acme/tiny", "--yes"]);
    assert_eq!((&all["repos_deleted"], &all["kept"][0]["by"]), (&json!(0), &json!("pinned")));
}

#[test]
fn damage_is_told_and_hides_nothing_else() {
    let stage = Stage::by_hand();
    let tiny = stage.cache().join("models--acme--tiny");
    fs::write(tiny.join("refs/odd"), "no commit").unwrap();
    symlink("../../blobs/none", tiny.join("snapshots").join(COMMIT).join("gone.bin")).unwrap();
    fs::write(stage.cache().join("models--acme--file"), "").unwrap();
    symlink("elsewhere", stage.cache().join("models--acme--linked")).unwrap();
    fs::write(stage.cache().join("notes.txt"), "mine").unwrap();
    let output = stage.run(&["ls", "--show-warnings", "-q"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "dataset/acme/rows\nmodel/acme/tiny\n");
    let told = String::from_utf8(output.stderr).unwrap();
    for word in ["refs/odd", "gone.bin", "models--acme--file", "models--acme--linked"] {
        assert!(told.contains(word), "{told}");
    }
    let files = stage.json(&["ls", "--files"]);
    let gone = files.as_array().unwrap().iter().find(|it| it["file"] == "gone.bin").unwrap();
    assert_eq!(gone["size"], Value::Null);
    // The odd ref may be for the revision that no other leads to.
    assert_eq!(stage.json(&["prune", "--yes"])["freed"], 400);
    assert!(stage.cache().join("notes.txt").exists());
}

#[test]
fn a_cache_that_is_none_is_told_and_one_that_is_not_there_is_empty() {
    let stage = Stage::by_hand();
    let file = stage.cache().join("file");
    fs::write(&file, "").unwrap();
    for dir in [file.to_str().unwrap(), "/nowhere/at/all"] {
        let error = stage.fail(&["ls", "--cache-dir", dir], 2);
        assert!(error["message"].as_str().unwrap().contains(dir), "{error}");
    }
    fs::remove_dir_all(stage.cache()).unwrap();
    assert_eq!(stage.json(&["ls"]), json!([]));
    assert_eq!(stage.succeed(&["ls"]), "No results found.\n");
    assert_eq!(stage.json(&["prune", "--yes"])["freed"], 0);
    assert!(!stage.cache().exists(), "looking and cleaning make nothing");
}
