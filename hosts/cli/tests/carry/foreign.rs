//! What was not made by an export: caches as tools copy them, folders of users, and plain files.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
};

use hubstow_serve::Server;
use serde_json::Value;

use crate::stage::Stage;

/// Imports into a fresh cache, which then serves what the source did.
#[track_caller]
fn arrives(stage: &Stage, from: &str, name: &str) -> String {
    let cache = stage.at(&format!("to-{name}"));
    let done = stage.json(&["import", from, "--yes", "--cache-dir", &cache]);
    assert_eq!(done["left_out"].as_array().unwrap().len(), 0, "{name}: {done}");
    assert_eq!(Stage::contents(&cache), Stage::contents(&stage.cache()), "{name}");
    assert_eq!(Stage::refs(&cache), Stage::refs(&stage.cache()), "{name}");
    let again = stage.json(&["import", from, "--yes", "--cache-dir", &cache]);
    assert_eq!(again["placed"], 0, "{name}");
    cache
}

#[test]
fn a_name_with_a_line_break_stays_on_its_line() {
    let stage = Stage::new();
    fs::create_dir(stage.at("odd")).unwrap();
    fs::write(stage.at("odd/a\nwarning: all is well"), "x").unwrap();
    let output = stage.run(&["import", "odd", "--repo", "acme/tiny@main", "--yes"]);
    let told = stage.fails(&output, 1, "nothing of");
    assert!(told.is_null());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("a\\nwarning: all is well"), "{text}");
}

#[test]
fn a_cache_is_taken_in_however_it_was_copied() {
    let stage = Stage::new();
    stage.system("cp", &["-a", "cache", "linked"]);
    arrives(&stage, &stage.at("linked"), "linked");
    stage.system("cp", &["-rL", "cache", "followed"]);
    arrives(&stage, &stage.at("followed"), "followed");
    for (name, args) in [
        ("gnu", &["-cf"][..]),
        ("pax", &["--format=posix", "-cf"]),
        ("ustar", &["--format=ustar", "-cf"]),
        ("followed.tar", &["-h", "-cf"]),
    ] {
        let tar = stage.at(&format!("{name}.tar"));
        stage.system("tar", &[args, &[&tar, "cache"]].concat());
        arrives(&stage, &tar, name);
    }
    stage.system("zip", &["-q", "-r", "--symlinks", "links.zip", "cache"]);
    stage.system("unzip", &["-q", "links.zip", "-d", "unzipped"]);
    arrives(&stage, &stage.at("unzipped"), "unzipped");
}

#[test]
fn links_that_a_copy_has_flattened_are_understood() {
    let stage = Stage::new();
    stage.system("cp", &["-a", "cache", "flat"]);
    let flat = stage.at("flat");
    for (name, metadata) in Stage::files(&flat) {
        if metadata.is_symlink() {
            let at = Path::new(&flat).join(name);
            let text = fs::read_link(&at).unwrap().to_str().unwrap().replace('/', "\\");
            fs::remove_file(&at).unwrap();
            fs::write(&at, text).unwrap();
        }
    }
    arrives(&stage, &flat, "flat");
}

#[test]
fn a_cache_in_which_one_content_has_two_names_is_taken_from_a_tar() {
    let stage = Stage::new();
    let folder = stage.at("one");
    stage.export(&stage.cache(), &folder);
    let nas = stage.at("nas");
    stage.json(&["import", &folder, "--yes", "--cache-dir", &nas, "--placement", "nas"]);
    let files = Stage::files(&nas).into_values();
    assert!(files.filter(|it| it.nlink() > 1).count() > 4, "there are further names of one file");
    let tar = stage.at("nas.tar");
    stage.system("tar", &["-cf", &tar, "-C", &nas, "."]);
    arrives(&stage, &tar, "nas");
}

fn download_to(stage: &Stage, folder: &str) {
    let hub = Server::builder(stage.at("hub")).lfs_glob("*.bin").build();
    let hub = hub.spawn_on_loopback().unwrap();
    let endpoint = hub.url();
    let cache = stage.at("nothing");
    let vars = [("HF_ENDPOINT", endpoint), ("HF_HUB_CACHE", cache.as_str())];
    let args = ["download", "acme/tiny", "-q", "--local-dir", folder];
    stage.succeeds(&stage.command(&vars, &args));
}

fn left_out(done: &Value) -> Vec<(&str, &str)> {
    let left = done["left_out"].as_array().unwrap().iter();
    left.map(|it| (it["what"].as_str().unwrap(), it["why"].as_str().unwrap())).collect()
}

#[test]
fn a_local_folder_is_taken_by_its_records_and_what_has_none_is_told() {
    let stage = Stage::new();
    let (folder, cache) = (stage.at("local"), stage.at("to"));
    download_to(&stage, &folder);
    fs::write(format!("{folder}/mine.txt"), "mine").unwrap();
    let unnamed = stage.takes_nothing(&["import", &folder, "--yes", "--cache-dir", &cache]);
    assert!(left_out(&unnamed).iter().any(|(_, why)| why.contains("--repo")), "{unnamed}");
    assert_eq!(unnamed["placed"], 0);
    let args = ["import", &folder, "--repo", "acme/tiny", "--yes", "--cache-dir", &cache];
    let named = stage.json(&args);
    let left = left_out(&named);
    assert_eq!((left.len(), left[0].0), (1, "mine.txt"), "{named}");
    let main = stage.commit("main");
    let of_main = |cache: &str| {
        let all = Stage::contents(cache).into_iter();
        all.filter(|(at, _)| at.contains(&main)).collect::<Vec<_>>()
    };
    assert_eq!(of_main(&cache), of_main(&stage.cache()));
    // A cache that knows the commit needs no word of the user's.
    let known = stage.at("known");
    stage.system("cp", &["-a", "cache", "known"]);
    let lost = format!("{known}/models--acme--tiny/snapshots/{main}/deep/model.bin");
    let blob = fs::canonicalize(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    fs::remove_file(blob).unwrap();
    let found = stage.json(&["import", &folder, "--yes", "--cache-dir", &known]);
    assert_eq!(found["placed"], 1, "{found}");
    assert_eq!(of_main(&known), of_main(&stage.cache()));
}

#[test]
fn a_plain_file_is_taken_where_a_kept_listing_has_its_name_and_hash() {
    let stage = Stage::new();
    let main = stage.commit("main");
    let lost = stage.at(&format!("cache/models--acme--tiny/snapshots/{main}/deep/model.bin"));
    let blob = fs::canonicalize(&lost).unwrap();
    let content = fs::read(&blob).unwrap();
    let whole = Stage::contents(&stage.cache());
    for place in ["copied/deep/model.bin", "copied/x/deep/model.bin", "model/deep/model.bin"] {
        fs::remove_file(&lost).unwrap();
        let v1 = stage.commit("v1");
        let other = stage.at(&format!("cache/models--acme--tiny/snapshots/{v1}/deep/model.bin"));
        fs::remove_file(&other).unwrap();
        fs::remove_file(&blob).unwrap();
        let at = stage.at(place);
        fs::create_dir_all(Path::new(&at).parent().unwrap()).unwrap();
        fs::write(&at, &content).unwrap();
        fs::write(stage.at("copied/config.json"), "{}\n").unwrap_or_default();
        let done = stage.json(&["import", &stage.at(place.split('/').next().unwrap()), "--yes"]);
        assert_eq!(done["placed"], 2, "both revisions list it: {done}");
        assert_eq!(Stage::contents(&stage.cache()), whole, "{place}");
    }
    // Of this name, and not it.
    fs::create_dir_all(stage.at("other/deep")).unwrap();
    let mut wrong = content;
    wrong[7] ^= 1;
    fs::write(stage.at("other/deep/model.bin"), wrong).unwrap();
    fs::write(stage.at("other/notes.txt"), "mine").unwrap();
    symlink("/etc/hostname", stage.at("other/rows.csv")).unwrap();
    let done = stage.takes_nothing(&["import", &stage.at("other"), "--yes"]);
    let left = left_out(&done);
    let named: Vec<&str> = left.iter().map(|(what, _)| *what).collect();
    assert_eq!(named, ["deep/model.bin", "notes.txt", "rows.csv"], "{done}");
    assert!(left[0].1.contains("hash"), "{done}");
}

#[test]
fn nothing_that_serves_here_is_replaced_and_a_ref_moves_only_as_the_plan_says() {
    let stage = Stage::new();
    let tar = stage.at("one.tar");
    stage.export(&stage.cache(), &tar);
    let cache = stage.at("to");
    stage.json(&["import", &tar, "--yes", "--cache-dir", &cache]);
    let main = stage.commit("main");
    let config = format!("{cache}/models--acme--tiny/snapshots/{main}/config.json");
    let tree = format!("{cache}/models--acme--tiny/trees/{main}.json");
    fs::remove_file(&config).unwrap();
    fs::remove_file(tree).unwrap();
    fs::write(&config, "another one's").unwrap();
    let reference = format!("{cache}/models--acme--tiny/refs/main");
    fs::write(&reference, stage.commit("v1")).unwrap();
    let told = stage.json(&["import", &tar, "--dry-run", "--cache-dir", &cache]);
    let left = left_out(&told);
    assert!(left.iter().any(|(what, why)| what.ends_with("config.json") && why.contains("stays")));
    assert_eq!(told["repos"][0]["refs"]["main"], main);
    stage.json(&["import", &tar, "--yes", "--cache-dir", &cache]);
    assert_eq!(fs::read_to_string(config).unwrap(), "another one's");
    assert_eq!(fs::read_to_string(reference).unwrap(), main);
}
