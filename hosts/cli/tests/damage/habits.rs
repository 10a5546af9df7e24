//! What users and scripts rely on, whatever the damage is.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    FILES,
    scene::{Made, Scene, TINY},
    text, told,
};

/// The system's user who owns nothing.
const NOBODY: u32 = 65_534;

#[test]
fn what_fails_still_has_its_result_on_stdout_and_the_error_beside_it() {
    let scene = Scene::new(Made::Linked);
    scene.write("snapshots/{main}/config.json", "{}");
    let output = scene.run(&["cache", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(6));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let damage = &said["damage"][0];
    let blob = scene.named(&format!("{TINY}/blobs/{{config}}"));
    assert_eq!(damage["path"], blob.as_str());
    assert_eq!(damage["expected"], scene.named("{config}"));
    assert_eq!(damage["found"].as_str().unwrap().len(), 40);
    assert_eq!(damage["weight"], "harm");
    let file = scene.named("model/acme/tiny@{main}/config.json");
    assert_eq!(damage["files"], json!([file]));
    let told = String::from_utf8(output.stderr).unwrap();
    let error: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["kind"]),
        (&json!(6), &json!("content-mismatch"))
    );
    let quiet = scene.run(&["cache", "verify", "-q"]);
    assert_eq!(String::from_utf8(quiet.stdout).unwrap(), blob + "\n");
    let people = scene.run(&["cache", "verify"]);
    let told = String::from_utf8(people.stderr).unwrap();
    for word in [&file, "shorter", "2 B of", "1 thing is wrong", "--repair"] {
        assert!(told.contains(word), "{told}");
    }
    assert!(String::from_utf8(people.stdout).unwrap().contains("1 wrong"));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_read() {
    let scene = Scene::new(Made::Linked);
    for (args, code, word) in [
        (&["--online", "--offline"][..], 2, "--online"),
        (&["--dry-run"], 2, "--repair"),
        (&["--yes"], 2, "--repair"),
        (&["--revision", "main"], 2, "REPO"),
        (&["acme/tiny@v1", "--revision", "main"], 2, "--revision"),
        (&["hf://acme/tiny", "--repo-type", "model"], 2, "--repo-type"),
        (&["acme/none"], 3, "acme/none"),
        (&["acme/tiny", "--revision", "v9"], 3, "v9"),
        (&["hf://acme/tiny/none.txt"], 3, "none.txt"),
        (&["--cache-dir", "/nowhere/at/all"], 2, "/nowhere/at/all"),
    ] {
        let output = scene.run(&[&["cache", "verify", "--json"], args].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(word) && output.stdout.is_empty(), "{args:?}: {told}");
    }
    scene.remove("blobs/{config}");
    let output = scene.run(&["cache", "verify", "--repair", "--json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("nothing was repaired") && told.contains("--yes"), "{told}");
}

#[test]
fn only_what_was_named_is_read_and_told() {
    let scene = Scene::new(Made::Linked);
    scene.write("snapshots/{main}/config.json", "{}");
    scene.write("snapshots/{main}/other.json", "[]");
    let count = |args: &[&str]| {
        let (_, said) = scene.verify(args);
        (said["checked"].as_u64().unwrap(), told(&said).len())
    };
    let model = scene.named("hf://acme/tiny@{main}/deep/model.bin");
    let config = scene.named("hf://acme/tiny@{main}/config.json");
    let main = scene.named("{main}");
    assert_eq!(count(&[]), (6, 2));
    assert_eq!(count(&["acme/tiny"]), (5, 2));
    assert_eq!(count(&["acme/tiny", "--type", "model", "--revision", "v1"]), (2, 0));
    assert_eq!(count(&[&main]), (4, 2));
    assert_eq!(count(&["acme/twin"]), (1, 0));
    assert_eq!(count(&[&model]), (1, 0));
    assert_eq!(count(&[&config, &model]), (2, 1));
    let (code, _) = scene.verify(&[&config, "--repair", "--yes"]);
    assert_eq!(code, 0);
    assert_eq!(count(&["acme/tiny"]), (5, 1), "the other one was not named");
}

#[test]
fn what_is_missing_or_extra_is_told_and_fails_where_that_was_asked_for() {
    let scene = Scene::new(Made::Linked);
    scene.remove("snapshots/{main}/config.json");
    scene.write("snapshots/{main}/mine.txt", "mine");
    let missing = scene.named("model/acme/tiny@{main}/config.json");
    let extra = scene.named("model/acme/tiny@{main}/mine.txt");
    for args in [&["--offline"][..], &["--online"]] {
        let (code, said) = scene.verify(args);
        assert_eq!(code, 0, "{said}");
        assert_eq!((&said["missing"], &said["extra"]), (&json!([missing]), &json!([extra])));
        assert_eq!(said["untold"], 1, "nothing speaks of a user's own file: {said}");
    }
    assert_eq!(scene.verify(&["--fail-on-missing-files"]).0, 6);
    assert_eq!(scene.verify(&["--fail-on-extra-files", "--offline"]).0, 6);
    assert_eq!(scene.verify(&["acme/twin", "--fail-on-missing-files"]).0, 0);
    let repaired = scene.verify(&["--repair", "--yes"]).1;
    assert_eq!(repaired["repair"]["steps"], json!([]), "what was not asked for is not brought");
    assert!(scene.tiny("snapshots/{main}/mine.txt").exists());
}

#[test]
fn what_no_listing_is_kept_of_is_told_by_the_hub() {
    let scene = Scene::new(Made::Plain);
    fs::remove_dir_all(scene.tiny("trees")).unwrap();
    scene.write("snapshots/{main}/config.json", "{}");
    let (code, said) = scene.verify(&["--offline"]);
    assert_eq!((code, said["untold"].as_u64()), (0, Some(6)), "{said}");
    let (code, said) = scene.verify(&["--online"]);
    assert_eq!((code, said["untold"].as_u64()), (6, Some(0)), "{said}");
    assert_eq!(text(&said["damage"][0]["kind"]), "truncated");
    assert_eq!(scene.verify(&["--online", "--repair", "--yes"]).0, 0);
    assert_eq!(scene.right().len(), FILES);
}

#[test]
fn half_a_listing_says_nothing_of_what_is_there() {
    let scene = Scene::new(Made::Linked);
    scene.write("trees/{main}.json", "{\"format_version\": 1, \"files\": {");
    let (code, said) = scene.verify(&["--offline"]);
    assert_eq!((code, &said["extra"], &said["missing"]), (6, &json!([]), &json!([])), "{said}");
}

#[test]
fn what_is_right_costs_no_request_and_what_is_wrong_those_of_its_revision() {
    let scene = Scene::new(Made::Linked);
    let hub = Scene::own_hub();
    let args = ["cache", "verify", "--repair", "--yes", "--json", "--endpoint", hub.url()];
    assert!(scene.run(&args).status.success());
    assert_eq!(hub.requests().len(), 0);
    scene.write("snapshots/{main}/config.json", "{}");
    assert!(scene.run(&args).status.success());
    let asked: Vec<String> = hub.requests().iter().map(|it| it.path.clone()).collect();
    let commit = scene.named("{main}");
    assert!(asked.iter().all(|path| path.contains(&commit)), "{asked:?}");
    assert_eq!(asked.len(), 2, "a listing and a file: {asked:?}");
}

#[test]
fn the_files_of_a_local_folder_are_compared_with_their_records_and_with_the_hub() {
    let scene = Scene::new(Made::Linked);
    let folder = scene.home().join("here");
    let dir = folder.to_str().unwrap();
    let output = scene.run(&["download", "acme/tiny", "--local-dir", dir, "-q"]);
    assert!(output.status.success(), "{output:?}");
    let verify = |args: &[&str]| scene.verify(&[&["acme/tiny", "--local-dir", dir], args].concat());
    for args in [&["--offline"][..], &["--online"]] {
        let (code, said) = verify(args);
        assert_eq!(
            (code, said["checked"].as_u64(), said["proved"].as_u64()),
            (0, Some(4), Some(4))
        );
        assert_eq!((&said["missing"], &said["extra"]), (&json!([]), &json!([])));
    }
    fs::write(folder.join("mine.txt"), "mine").unwrap();
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::write(folder.join(".git/config"), "mine").unwrap();
    fs::create_dir_all(folder.join("refs/empty")).unwrap();
    fs::remove_file(folder.join("other.json")).unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    for args in [&["--offline"][..], &["--online"]] {
        let (code, said) = verify(args);
        assert_eq!((code, said["checked"].as_u64()), (6, Some(4)), "{said}");
        assert_eq!(said["damage"][0]["path"], "config.json");
        assert_eq!(said["damage"].as_array().unwrap().len(), 1, "{said}");
        assert_eq!(
            (&said["missing"], &said["extra"]),
            (&json!(["other.json"]), &json!(["mine.txt"]))
        );
    }
    // Of another revision, as the hub lists it, one file is the same.
    let (_, said) = verify(&["--online", "--revision", "v1"]);
    assert_eq!(
        (said["proved"].as_u64(), &said["extra"]),
        (Some(1), &json!(["mine.txt", "own.bin"]))
    );
    let output = scene.run(&["cache", "verify", "acme/tiny", "--local-dir", dir]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("download REPO --local-dir"), "{told}");
    for args in [&["--repair"][..], &["--cache-dir", dir], &["acme/twin"]] {
        let all = [&["cache", "verify", "acme/tiny", "--local-dir", dir], args].concat();
        assert_eq!(scene.run(&all).status.code(), Some(2), "{args:?}");
    }
    let none = scene.run(&["cache", "verify", "acme/tiny", "--local-dir", "/nowhere/at/all"]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn a_hub_that_is_away_leaves_what_is_kept_as_the_word() {
    let scene = Scene::new(Made::Linked);
    scene.remove("blobs/{config}");
    scene.remove("blobs/{model}");
    scene.link("snapshots/{main}/own.bin", "../../blobs/{other}");
    let args = ["cache", "verify", "--repair", "--yes", "--json", "--endpoint"];
    let output = scene.run(&[&args[..], &["http://127.0.0.1:1"]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{told}");
    assert!(told.contains("does not say"), "{told}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ends: BTreeSet<String> =
        said["repair"]["steps"].as_array().unwrap().iter().map(|it| text(&it["end"])).collect();
    assert_eq!(ends, ["done", "failed"].map(str::to_owned).into(), "{said}");
    assert_eq!(scene.right().len(), FILES - 2, "what is here was healed all the same");
    let own = said["repair"]["steps"].as_array().unwrap().iter();
    let own = own.filter(|it| text(&it["path"]).ends_with("own.bin")).map(|it| text(&it["end"]));
    assert_eq!(own.collect::<Vec<_>>(), ["failed"], "nobody tells who is wrong: {said}");
}

#[test]
fn no_proof_is_believed_and_a_wrong_one_is_struck_out() {
    let scene = Scene::new(Made::Linked);
    let large = vec![3_u8; 5 << 20];
    // What is large enough for its proof to be written down.
    scene.write("large", &large);
    let hash = crate::scene::hash(&large);
    fs::rename(scene.tiny("large"), scene.tiny(&format!("blobs/{hash}"))).unwrap();
    scene.link("snapshots/{main}/large.bin", &format!("../../blobs/{hash}"));
    let blob = scene.tiny(&format!("blobs/{hash}"));
    let old = std::time::SystemTime::now() - Duration::from_secs(200_000);
    fs::File::options().append(true).open(&blob).unwrap().set_modified(old).unwrap();
    assert_eq!(scene.verify(&["--offline"]).0, 0);
    let record = scene.tiny(&format!(".hubstow/proved/{hash}"));
    assert!(fs::read_to_string(&record).unwrap().contains(" 5242880 "), "it is proved");
    let mut changed = large.clone();
    changed[1000] ^= 1;
    fs::write(&blob, &changed).unwrap();
    fs::File::options().append(true).open(&blob).unwrap().set_modified(old).unwrap();
    let now = fs::metadata(&blob).unwrap();
    let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
    let line = format!(
        ". {} {} {} {}\n",
        now.ino(),
        now.len(),
        ns(now.mtime(), now.mtime_nsec()),
        ns(now.ctime(), now.ctime_nsec())
    );
    fs::write(&record, line).unwrap();
    let (code, said) = scene.verify(&["--offline"]);
    assert_eq!((code, text(&said["damage"][0]["kind"])), (6, "wrong-hash".to_owned()), "{said}");
    assert_eq!(fs::read_to_string(&record).unwrap(), "");
}

#[test]
fn another_user_reads_what_is_theirs_to_read_and_changes_nothing() {
    let scene = Scene::new(Made::Linked);
    for folder in [scene.home(), &scene.cache()] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    scene.write("snapshots/{main}/config.json", "{}");
    let close = |path: &str| {
        fs::set_permissions(scene.tiny(path), Permissions::from_mode(0o000)).unwrap();
    };
    close("blobs/{other}");
    close(".hubstow");
    close("trees");
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    let run = |args: &[&str]| {
        let mut command = scene.command();
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.args(["cache", "verify", "--json"]).args(args).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{told}"));
        (output.status.code(), said)
    };
    let (code, said) = run(&["--offline"]);
    assert_eq!(code, Some(6));
    let kinds: BTreeSet<String> = told(&said).into_iter().map(|(_, kind)| kind).collect();
    assert!(kinds.contains("unreadable") && kinds.contains("wrong-hash"), "{said}");
    if is_root {
        let before = scene.everything();
        let (code, said) = run(&["--repair", "--yes"]);
        assert_eq!(code, Some(7), "{said}");
        assert_eq!(scene.everything(), before);
    }
}

#[test]
fn a_repair_that_is_killed_leaves_nothing_worse_and_the_next_one_finishes() {
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..12 {
        let scene = Scene::new(if round % 2 == 0 { Made::Linked } else { Made::Plain });
        for file in ["config.json", "other.json", "deep/model.bin"] {
            scene.write(&format!("snapshots/{{main}}/{file}"), "damaged");
        }
        let (right, proved) = (scene.right(), scene.proved());
        let mut command = scene.command();
        command.args(["cache", "verify", "--repair", "--yes", "-q"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(random.u64(5..90)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(scene.right().is_superset(&right), "round {round}");
        assert!(scene.proved().is_superset(&proved), "round {round}");
        let (code, said) = scene.verify(&["--repair", "--yes"]);
        assert_eq!(code, 0, "round {round}: {said}");
        assert_eq!(scene.right().len(), FILES, "round {round}");
    }
}

#[test]
fn nothing_is_wrong_with_what_comes_and_goes_while_it_is_read() {
    let scene = Scene::new(Made::Linked);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                scene.run(&["cache", "rm", "acme/tiny", "--yes", "-q"]);
                scene.run(&["download", "acme/tiny", "-q"]);
            }
        });
        let found: Vec<_> = (0..60).map(|_| scene.verify(&["--offline"])).collect();
        stop.store(true, Ordering::Relaxed);
        for (code, said) in found {
            assert_eq!(code, 0, "{said}");
        }
    });
}
