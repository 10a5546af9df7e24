//! `hubstow cache export`, `import` and `move` as users see them: on caches that the command and the Python client have made, with what
//! the system's own tools make of them, and on tars that somebody has made to do harm.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

mod beside;
mod foreign;
mod hostile;
mod kills;
mod moved;
mod packed;
mod peer;
mod small;
mod stage;

use std::fs;

use serde_json::json;

use stage::Stage;

#[test]
fn where_an_export_can_not_go_that_place_is_named_and_nothing_is_made() {
    let stage = Stage::new();
    let inside = format!("{}/models--acme--tiny/out", stage.cache());
    let before = Stage::tree(&stage.cache());
    fs::write(stage.at("file"), "").unwrap();
    let (in_cache, in_file) = (format!("{}/out.tar", stage.cache()), stage.at("file/deep/out"));
    for (to, code, words) in [
        ("out.tar.gz", 2, "compressed"),
        ("out.tgz", 2, "compressed"),
        ("out.ZIP", 2, "compressed"),
        ("out.tar.zst", 2, "compressed"),
        (&stage.cache(), 2, "in the cache"),
        (&inside, 2, "in the cache"),
        (&in_cache, 2, "in the cache"),
        ("cache/../cache/new", 2, "in the cache"),
        (&in_file, 1, "choose another place with --output"),
        ("/proc/hubstow/out", 1, "choose another place with --output"),
        ("/proc/hubstow.tar", 1, "choose another place with --output"),
    ] {
        let output = stage.run(&["export", "acme/tiny", "-o", to, "--yes"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(words), "{to}: {told}");
        if code == 2 {
            assert_eq!(output.status.code(), Some(2), "{to}: {told}");
        } else {
            assert!(told.contains(to) && !told.contains("--cache-dir"), "{to}: {told}");
        }
    }
    let left: Vec<_> = fs::read_dir(stage.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["hub", "cache", "file"].contains(&name.as_str()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(Stage::tree(&stage.cache()), before);
}

#[test]
fn what_is_exported_from_any_cache_is_the_same_to_the_byte() {
    let stage = Stage::new();
    let (tar, folder) = (stage.at("one.tar"), stage.at("one"));
    stage.export(&stage.cache(), &tar);
    stage.export(&stage.cache(), &folder);
    let args = ["export", "acme/tiny", "dataset/acme/rows", "-o", "-", "--yes"];
    assert!(stage.run(&args).stdout == fs::read(&tar).unwrap(), "and so is what comes to stdout");
    let unpacked = stage.at("unpacked");
    stage.system("tar", &["xf", &tar, "-C", &unpacked]);
    assert_eq!(Stage::tree(&unpacked), Stage::tree(&folder), "the folder is the tar, unpacked");
    for (name, vars, placement) in [
        ("linked", &[][..], "compat"),
        ("plain", &[("HF_HUB_DISABLE_SYMLINKS", "1")], "portable"),
        ("shared", &[], "nas"),
    ] {
        for from in [&tar, &folder] {
            let cache = stage.at(&format!("{name}-{}", from.ends_with(".tar")));
            let to = ["import", from, "--yes", "--cache-dir", &cache, "--placement", placement];
            // The variable alone says it as well.
            let args = if vars.is_empty() { &to[..] } else { &to[..5] };
            let done = stage.json_with(vars, args);
            assert_eq!(done["files_here"], 0);
            assert_eq!(Stage::contents(&cache), Stage::contents(&stage.cache()), "{name}");
            let again = format!("{cache}.tar");
            stage.export(&cache, &again);
            assert!(fs::read(&again).unwrap() == fs::read(&tar).unwrap(), "{name} from {from}");
            let nothing = stage.json_with(vars, &["import", from, "--cache-dir", &cache]);
            assert_eq!((&nothing["placed"], &nothing["bytes"]), (&json!(0), &json!(0)));
        }
    }
}

#[test]
fn each_content_is_once_in_an_export_and_each_snapshot_by_itself_is_whole() {
    let stage = Stage::new();
    let both = stage.json(&["export", "acme/tiny", "-o", &stage.at("both"), "--dry-run"]);
    let one = stage.json(&["export", "acme/tiny@main", "-o", &stage.at("one"), "--dry-run"]);
    // Of the other revision only one small file is its own.
    let own = u64::try_from(stage::OLD_CONFIG.len()).unwrap();
    assert_eq!(both["bytes"].as_u64().unwrap(), one["bytes"].as_u64().unwrap() + own);
    assert!(!stage.exists("both"), "a dry run writes nothing");
    stage.json(&["export", "acme/tiny@main", "-o", &stage.at("one"), "--yes"]);
    let main = Stage::contents(&stage.cache());
    let commit = stage.commit("main");
    let of_main: Vec<_> =
        main.iter().filter(|(at, _)| at.contains("tiny") && at.contains(&commit)).collect();
    let exported = Stage::contents(&stage.at("one"));
    assert_eq!(exported.iter().collect::<Vec<_>>(), of_main);
    for (path, metadata) in Stage::files(&stage.at("one")) {
        assert!(metadata.is_file(), "{path}: there are no links in an export");
    }
}

#[test]
fn an_export_is_a_cache_that_the_command_uses_offline() {
    let stage = Stage::new();
    let folder = stage.at("one");
    stage.export(&stage.cache(), &folder);
    let vars = [("HF_HUB_CACHE", folder.as_str()), ("HF_HUB_OFFLINE", "1")];
    for revision in ["main", "v1"] {
        let output = stage.command(&vars, &["download", "acme/tiny", "--revision", revision, "-q"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(Stage::contents(&folder), Stage::contents(&stage.cache()), "it has healed itself");
}

#[test]
fn what_is_there_is_never_replaced_without_being_asked() {
    let stage = Stage::new();
    let (tar, folder) = (stage.at("one.tar"), stage.at("one"));
    fs::write(&tar, "mine").unwrap();
    let export = |to: &str, more: &[&str]| {
        let args = ["export", "acme/tiny", "-o", to, "--yes"];
        stage.run(&[&args, more].concat())
    };
    stage.fails(&export(&tar, &[]), 2, "one.tar");
    assert_eq!(fs::read_to_string(&tar).unwrap(), "mine");
    stage.succeeds(&export(&tar, &["--force"]));
    assert!(fs::metadata(&tar).unwrap().len() > 4);

    stage.succeeds(&export(&folder, &[]));
    let before = Stage::tree(&folder);
    let again = stage.json(&["export", "acme/tiny", "-o", &folder, "--yes"]);
    assert_eq!((&again["written"], again["kept"].as_u64()), (&json!(0), again["files"].as_u64()));
    assert_eq!(Stage::tree(&folder), before);
    let wrong = format!("{folder}/models--acme--tiny/refs/main");
    fs::write(&wrong, "0".repeat(40)).unwrap();
    stage.fails(&export(&folder, &[]), 2, "refs/main");
    stage.succeeds(&export(&folder, &["--force"]));
    assert_eq!(Stage::tree(&folder), before);
    // Another repo comes beside it, and another revision into the same one.
    stage.json(&["export", "dataset/acme/rows", "-o", &folder, "--yes"]);
    let (all, whole) = (stage.at("all"), stage.at("whole"));
    stage.export(&stage.cache(), &all);
    assert_eq!(Stage::tree(&folder), Stage::tree(&all));
    stage.json(&["export", "acme/tiny@v1", "-o", &whole, "--yes"]);
    stage.json(&["export", "acme/tiny@main", "-o", &whole, "--yes"]);
    let cache = stage.at("from-whole");
    stage.json(&["import", &whole, "--yes", "--cache-dir", &cache]);
    let tiny = Stage::contents(&stage.cache());
    let tiny: Vec<_> = tiny.iter().filter(|(at, _)| at.contains("tiny")).collect();
    assert_eq!(Stage::contents(&cache).iter().collect::<Vec<_>>(), tiny);
}

#[test]
fn damaged_content_is_refused_by_name_and_nothing_half_made_is_left() {
    let stage = Stage::new();
    let blob = stage.blob_of("deep/model.bin");
    let mut content = fs::read(&blob).unwrap();
    content[1000] ^= 1;
    fs::write(&blob, content).unwrap();
    let tar = stage.at("one.tar");
    let output = stage.run(&["export", "acme/tiny", "-o", &tar, "--yes", "--json"]);
    let error = stage.fails(&output, 6, "deep/model.bin");
    assert!(error["hint"].as_str().unwrap().contains("--repair"), "{error}");
    assert!(!stage.exists("one.tar"));
    let left = fs::read_dir(stage.folder()).unwrap().map(|it| it.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_str().unwrap().starts_with(".one")).collect();
    assert!(left.is_empty(), "{left:?}");
    let folder = stage.at("one");
    let output = stage.run(&["export", "acme/tiny", "-o", &folder, "--yes", "--json"]);
    stage.fails(&output, 6, "deep/model.bin");
    assert!(!stage.exists("one/models--acme--tiny/.hubstow/export.json"), "it is not complete");
    assert!(Stage::contents(&folder).iter().all(|(at, _)| !at.ends_with("model.bin")));
    fs::remove_file(&blob).unwrap();
    let output = stage.run(&["export", "acme/tiny", "-o", &tar, "--yes", "--json"]);
    stage.fails(&output, 6, "deep/model.bin");
}

#[test]
fn nobody_to_be_asked_and_wrong_words_are_told() {
    let stage = Stage::new();
    let (tar, cache) = (stage.at("one.tar"), stage.cache());
    stage.export(&cache, &tar);
    for (args, code, word) in [
        (&["export", "acme/tiny", "-o", "x"][..], 2, "asked"),
        (&["import", &tar, "--cache-dir", "elsewhere"], 2, "asked"),
        (&["move", "elsewhere"], 2, "asked"),
        (&["export", "acme/none", "-o", "x", "--yes"], 3, "acme/none"),
        (&["export", "acme/tiny@none", "-o", "x", "--yes"], 3, "none"),
        (&["import", "nowhere", "--yes"], 2, "nowhere"),
        (&["import", &cache, "--yes"], 2, "in the cache"),
        (&["import", &tar, "--repo", "../x", "--yes"], 2, "../x"),
        (&["move", &cache, "--yes"], 2, "already"),
        (&["move", &format!("{cache}/in"), "--yes"], 2, "itself"),
        (&["move", &tar, "--yes"], 2, "no folder"),
        (&["export", "acme/tiny", "-o", &format!("{tar}/x"), "--yes"], 1, "one.tar"),
    ] {
        let output = stage.run(&[args, &["--json"]].concat());
        stage.fails(&output, code, word);
    }
    for packed in ["gzip", "zip"] {
        let at = stage.at("packed");
        let start: &[u8] = if packed == "zip" { b"PK\x03\x04" } else { b"\x1f\x8b" };
        fs::write(&at, start).unwrap();
        let output = stage.run(&["import", &at, "--yes", "--json"]);
        assert!(stage.fails(&output, 2, packed)["hint"].as_str().unwrap().contains("unpack"));
    }
}
