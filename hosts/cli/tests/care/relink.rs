//! `hubstow cache relink` on a cache like those that users report: some repos with blobs and copies of them, most with files in
//! their snapshots only, three revisions each.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{peer::Peer, stage::Stage};

const REPOS: usize = 75;
/// So many have blobs and copies of them.
const WITH_BLOBS: usize = 23;
const REVISIONS: usize = 3;

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn commit(revision: usize) -> String {
    format!("{revision:040x}")
}

fn write(at: PathBuf, content: &[u8]) {
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, content).unwrap();
}

/// The files of a revision: one that all have, one that each repo has, one of its own.
fn files(repo: usize, revision: usize) -> [(String, Vec<u8>); 4] {
    [
        (".gitattributes".to_owned(), b"*.bin filter=lfs\n".to_vec()),
        ("deep/shared.bin".to_owned(), vec![7; 3000]),
        ("model.bin".to_owned(), format!("repo {repo} ").repeat(200).into_bytes()),
        ("config.json".to_owned(), format!("{{\"revision\": {revision}}}").into_bytes()),
    ]
}

/// The reported cache, smaller.
pub(crate) fn reported(repos: usize) -> Stage {
    let stage = Stage::empty();
    for repo in 0..repos {
        let at = stage.cache().join(format!("models--acme--m{repo}"));
        write(at.join("refs/main"), commit(REVISIONS - 1).as_bytes());
        fs::create_dir_all(at.join("blobs")).unwrap();
        for revision in 0..REVISIONS {
            let snapshot = at.join("snapshots").join(commit(revision));
            for (name, content) in files(repo, revision) {
                write(snapshot.join(&name), &content);
                if repo * REPOS < WITH_BLOBS * repos && name.ends_with(".bin") {
                    write(at.join("blobs").join(sha256(&content)), &content);
                }
            }
        }
    }
    stage
}

/// What every snapshot shows, by path.
fn shown(stage: &Stage) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![stage.cache()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path);
            } else if path.components().any(|part| part.as_os_str() == "snapshots") {
                found.push((path.clone(), fs::read(path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found
}

/// What `du -sb` tells: the sizes of all entries, each file once.
fn apparent(stage: &Stage) -> i64 {
    let (mut files, mut others, mut folders) = (BTreeMap::new(), 0, vec![stage.cache()]);
    while let Some(folder) = folders.pop() {
        others += fs::metadata(&folder).unwrap().len();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() {
                files.insert(metadata.ino(), metadata.len());
            } else {
                others += metadata.len();
            }
        }
    }
    (others + files.values().sum::<u64>()).cast_signed()
}

/// Converts, and checks that what was told before and after is what has become free.
#[track_caller]
fn convert(stage: &Stage, args: &[&str]) -> Value {
    let args = [&["relink"], args].concat();
    let (before, seen) = (stage.bytes(), shown(stage));
    let told = stage.json(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(stage.bytes(), before, "{args:?}: a dry run changes nothing");
    // Trying links out may have removed an empty folder that a killed run has left.
    let apparent = apparent(stage);
    let done = stage.json(&[&args[..], &["--yes"]].concat());
    assert_eq!(done["skipped"], json!([]), "{args:?}");
    assert_eq!(told["freed"], done["freed"], "{args:?}");
    let freed = before.cast_signed() - stage.bytes().cast_signed();
    assert_eq!(done["freed"], freed, "{args:?}");
    assert_eq!(done["du"], apparent - self::apparent(stage), "{args:?}: as du -sb tells it");
    for key in
        ["du", "symlinks", "hardlinks", "copies", "blobs_made", "blobs_shared", "blobs_dropped"]
    {
        assert_eq!(told[key], done[key], "{args:?}: {key}");
    }
    assert!(shown(stage) == seen, "{args:?}: the snapshots show something else");
    let again = stage.json(&[&args[..], &["--dry-run"]].concat());
    assert_eq!((&again["steps"], &again["freed"]), (&json!([]), &json!(0)), "{args:?}");
    done
}

#[test]
fn links_that_become_files_which_no_listing_proves_are_told() {
    let stage = reported(1);
    convert(&stage, &["--placement", "compat"]);
    let args = ["relink", "--placement", "portable", "--dry-run"];
    assert_eq!(stage.json(&args)["unlisted"], 6);
    let listed = |(name, content): &(String, Vec<u8>)| {
        let file = json!({
            "size": content.len(), "blob_id": "f".repeat(40),
            "lfs_sha256": sha256(content), "lfs_size": content.len(),
        });
        (name.clone(), file)
    };
    let files = files(0, 1);
    let files: serde_json::Map<_, _> =
        files.iter().filter(|(name, _)| name.ends_with(".bin")).map(listed).collect();
    let listing = json!({ "format_version": 1, "files": files }).to_string();
    let at = format!("models--acme--m0/trees/{}.json", commit(1));
    write(stage.cache().join(at), listing.as_bytes());
    assert_eq!(stage.json(&args)["unlisted"], 4);
    let told = String::from_utf8(stage.run(&args).stderr).unwrap();
    assert!(told.contains("of 4 files only the name of the blob"), "{told}");
    assert_eq!(stage.json(&["relink", "--placement", "compat", "--dry-run"])["unlisted"], 0);
}

#[test]
fn the_reported_cache_becomes_links_and_files_again_and_frees_what_was_told() {
    let stage = reported(REPOS);
    let compat = convert(&stage, &["--placement", "compat"]);
    assert_eq!(compat["symlinks"], REPOS * REVISIONS * 4);
    // Those that are not there: two of some repos, and four to six of the others.
    let with = WITH_BLOBS * (1 + REVISIONS);
    let without = (REPOS - WITH_BLOBS) * (3 + REVISIONS);
    assert_eq!(compat["blobs_made"], with + without);
    let dedup = convert(&stage, &["--placement", "dedup"]);
    assert_eq!(dedup["freed"], 0, "no byte is there twice in a repo");
    let across = convert(&stage, &["--placement", "dedup", "--across"]);
    let attributes = "*.bin filter=lfs\n".len();
    let configs: usize = (0..REVISIONS).map(|it| files(0, it)[3].1.len()).sum();
    assert_eq!(across["freed"], (REPOS - 1) * (3000 + attributes + configs));
    let portable = convert(&stage, &["--placement", "portable"]);
    assert!(portable["freed"].as_i64().unwrap() < 0, "{portable}");
    // The one that a blob is made of has its file already.
    let nas = convert(&stage, &["--placement", "nas"]);
    assert_eq!(nas["hardlinks"], REPOS * 3 * (REVISIONS - 1));
    convert(&stage, &["--placement", "strict"]);
    convert(&stage, &["acme/m1", "model/acme/m2", "--placement", "portable"]);
}

#[test]
fn people_read_what_becomes_of_it_and_quiet_says_the_bytes() {
    let stage = reported(2);
    let shown = stage.succeed(&["relink", "--placement", "compat", "--dry-run"]);
    for word in ["24 files become symlinks", "model/acme/m0", "model/acme/m1", "frees"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let freed = stage.json(&["relink", "--placement", "compat", "--dry-run"])["freed"].clone();
    assert_eq!(
        stage.succeed(&["relink", "--placement", "compat", "-q", "--dry-run"]),
        format!("{freed}\n")
    );
    let done = stage.succeed(&["relink", "--placement", "compat", "--yes"]);
    assert!(done.starts_with("Converted: 24 files became symlinks"), "{done}");
    assert_eq!(stage.succeed(&["relink", "--placement", "compat"]), "Nothing to convert.\n");
}

#[test]
fn what_can_not_be_meant_is_told_with_the_word_that_is_wrong() {
    let stage = reported(1);
    for (args, code, word) in [
        (&["relink", "--placement", "compat"][..], 2, "--yes"),
        (&["relink", "--placement", "compat", "--across", "--yes"], 2, "compat"),
        (&["relink", "acme/none", "--placement", "compat", "--yes"], 3, "acme/none"),
        (&["relink", "hf://acme/m0@main", "--placement", "compat", "--yes"], 2, "acme/m0@main"),
        (&["relink", "hf://acme/m0/model.bin", "--placement", "nas", "--yes"], 2, "model.bin"),
    ] {
        let before = stage.bytes();
        let error = stage.fail(args, code);
        let told = format!("{} {}", error["message"], error["hint"]);
        assert!(told.contains(word), "{args:?}: {told}");
        assert_eq!(stage.bytes(), before, "{args:?}");
    }
    let none = Stage::empty();
    let nothing = none.json(&["relink", "--placement", "compat"]);
    assert_eq!((&nothing["freed"], &nothing["symlinks"]), (&json!(0), &json!(0)));
    assert!(!none.cache().exists(), "looking at nothing makes nothing");
}

#[test]
fn damage_and_what_is_in_use_is_told_and_left_alone() {
    let stage = reported(2);
    let blob = sha256(&files(0, 0)[2].1);
    let at = stage.cache().join("models--acme--m0/blobs").join(blob);
    fs::write(&at, "overwritten through a link").unwrap();
    let lease = stage.cache().join(".locks/.hubstow/models--acme--m1.lease");
    write(lease.clone(), b"");
    let held = fs::File::open(lease).unwrap();
    held.lock().unwrap();
    let done = stage.json(&["relink", "--placement", "compat", "--yes"]);
    let kept: Vec<_> = done["kept"].as_array().unwrap().iter().map(|it| &it["by"]).collect();
    assert_eq!(kept, ["in-use", "damaged"]);
    assert_eq!(fs::read_to_string(at).unwrap(), "overwritten through a link");
    for revision in 0..REVISIONS {
        let snapshot = stage.cache().join("models--acme--m0/snapshots").join(commit(revision));
        assert_eq!(fs::read(snapshot.join("model.bin")).unwrap(), files(0, 0)[2].1);
    }
}

#[test]
fn killed_at_any_moment_it_has_lost_nothing_and_the_next_run_ends_it() {
    let mut random = fastrand::Rng::with_seed(11);
    let stage = reported(12);
    let seen = shown(&stage);
    let policies = ["compat", "portable", "nas", "portable", "dedup"];
    for round in 0..50 {
        let policy = policies[round % policies.len()];
        let mut command = stage.command(&["relink", "--placement", policy, "--yes", "-q"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(random.u64(2_000..60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(shown(&stage) == seen, "round {round}: something is lost on the way to {policy}");
        if random.bool() {
            convert(&stage, &["--placement", policy]);
        }
    }
    convert(&stage, &["--placement", "compat"]);
    let pruned = stage.json(&["prune", "--yes"]);
    assert_eq!(pruned["skipped"], json!([]));
    assert_eq!(stage.json(&["prune", "--dry-run"])["steps"], json!([]));
}

#[test]
fn a_plan_is_written_down_and_read_again_as_it_was() {
    use hubstow_core::{
        care::{
            Id, Role, Stamp,
            relink::{Act, Because, Left, Plan, Source, Step, Why},
        },
        policy::Method,
    };
    let over = Stamp(u128::MAX - 7);
    let step =
        |act, by, from| Step { act, id: Id(7), role: Role::Blob, by, from, why: Why::Alone, over };
    let plan = Plan {
        steps: vec![
            step(Act::Make, Some(Method::Hardlink), None),
            step(Act::Place, Some(Method::Symlink), Some(Source::Made(Id(3)))),
            step(Act::Share, Some(Method::Reflink), Some(Source::Entry { id: Id(4), over })),
            step(Act::Drop, None, None),
        ],
        left: vec![Left { id: Id(9), because: Because::Damaged }],
        freed_bytes: -12,
    };
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "{text}");
}

#[test]
fn a_blob_that_was_renamed_into_a_snapshot_is_made_again() {
    let stage = reported(1);
    stage.json(&["relink", "--placement", "compat", "--yes"]);
    let at = stage.cache().join("models--acme--m0");
    let blob = at.join("blobs").join(sha256(&files(0, 0)[2].1));
    let first = at.join("snapshots").join(commit(0)).join("model.bin");
    fs::remove_file(&first).unwrap();
    fs::rename(&blob, &first).unwrap();
    symlink("/nowhere/at/all", at.join("snapshots").join(commit(1)).join("odd.bin")).unwrap();
    for policy in ["compat", "portable"] {
        let told = stage.json(&["relink", "--placement", policy, "--yes"]);
        assert_eq!(told["skipped"], json!([]), "{policy}");
        for revision in 0..REVISIONS {
            let snapshot = at.join("snapshots").join(commit(revision));
            assert_eq!(fs::read(snapshot.join("model.bin")).unwrap(), files(0, 0)[2].1);
        }
        assert_eq!(fs::symlink_metadata(&first).unwrap().is_symlink(), policy == "compat");
    }
    assert!(Path::new(&at.join("snapshots").join(commit(1)).join("odd.bin")).is_symlink());
}

#[test]
fn times_and_modes_of_contents_stay_as_they_were() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = reported(1);
    stage.json(&["relink", "--placement", "compat", "--yes"]);
    let blob = stage.cache().join("models--acme--m0/blobs").join(sha256(&files(0, 0)[2].1));
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o640)).unwrap();
    let file = fs::File::options().write(true).open(&blob).unwrap();
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    file.set_modified(long_ago).unwrap();
    stage.json(&["relink", "--placement", "portable", "--yes"]);
    for revision in 0..REVISIONS {
        let at = stage.cache().join("models--acme--m0/snapshots").join(commit(revision));
        let metadata = fs::metadata(at.join("model.bin")).unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o640, "{revision}");
        assert_eq!(metadata.modified().unwrap(), long_ago, "{revision}");
    }
}

#[test]
fn the_python_client_reads_every_step_offline_and_warns_of_nothing() {
    for vars in [&[][..], &[("HF_HUB_DISABLE_SYMLINKS", "1")]] {
        let Some(mut peer) = Peer::new(vars) else { return };
        peer.python(&["get", "model", "acme/tiny"]);
        peer.python(&["get", "dataset", "acme/rows"]);
        peer.next_revision();
        peer.python(&["get", "model", "acme/tiny"]);
        let revisions = peer.stage.json(&["ls", "--revisions", "-f", "type=model"]);
        let revisions: Vec<String> = revisions
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["revision"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(revisions.len(), 2);
        for args in [
            &["--placement", "compat"][..],
            &["--placement", "dedup", "--across"],
            &["--placement", "portable"],
            &["--placement", "nas", "--across"],
            &["--placement", "portable"],
            &["--placement", "strict"],
        ] {
            convert(&peer.stage, args);
            for revision in &revisions {
                peer.python(&["offline", "model", "acme/tiny", revision]);
            }
            peer.python(&["offline", "dataset", "acme/rows"]);
            peer.agree(&[]);
            assert_eq!(peer.scan()["warnings"], json!([]), "{args:?}");
        }
        // It goes on with what it finds.
        peer.next_revision();
        peer.python(&["get", "model", "acme/tiny"]);
        peer.python(&["offline", "model", "acme/tiny"]);
    }
}

#[test]
fn the_python_client_reads_the_reported_cache_after_each_conversion() {
    let Some(mut peer) = Peer::new(&[]) else { return };
    peer.stage = reported(3);
    for policy in ["compat", "dedup", "portable"] {
        convert(&peer.stage, &["--placement", policy]);
        for repo in ["acme/m0", "acme/m1", "acme/m2"] {
            peer.python(&["offline", "model", repo, &commit(1)]);
            peer.python(&["offline", "model", repo]);
        }
        peer.agree(&[]);
        assert_eq!(peer.scan()["warnings"], json!([]), "{policy}");
    }
}
