//! What nobody can tell is needed: refs and lists of pins that can't be read or understood. Nothing that they may keep goes.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        process::CommandExt as _,
    },
    path::Path,
    process::Output,
};

use serde_json::json;

use crate::stage::{COMMIT, Stage};

const NOBODY: u32 = 65534;

/// Something that stands where a file should be read.
type Damage = fn(&Path);

fn says(text: &'static [u8], at: &Path) {
    fs::write(at, text).unwrap();
}

fn closed(at: &Path) {
    fs::write(at, COMMIT).unwrap();
    fs::set_permissions(at, Permissions::from_mode(0o0)).unwrap();
}

fn damage(at: &Path, damage: Damage) {
    let _ = fs::remove_file(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    damage(at);
}

/// A model of which one branch alone leads to a revision, and another revision that no ref leads to.
fn stage() -> Stage {
    let stage = Stage::by_hand();
    fs::remove_dir_all(stage.cache().join("models--acme--tiny/refs/refs")).unwrap();
    stage
}

/// Runs it as somebody who owns nothing, where this is the one who may read all.
fn run(stage: &Stage, args: &[&str]) -> Output {
    let mut command = stage.command(args);
    let probe = stage.folder().join("probe");
    fs::write(&probe, "").unwrap();
    fs::set_permissions(&probe, Permissions::from_mode(0o0)).unwrap();
    if fs::read(&probe).is_ok() {
        fs::set_permissions(stage.folder(), Permissions::from_mode(0o755)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn of_a_repo_with_a_ref_that_can_not_be_told_no_revision_goes_by_a_rule() {
    #[rustfmt::skip]
    let table: [(&str, Damage, &str); 7] = [
        ("an empty one", |at| says(b"", at), "download that revision again"),
        ("half of one", |at| says(b"0123456789", at), "download that revision again"),
        ("no Unicode", |at| says(b"\xff\xfe\0", at), "download that revision again"),
        ("zeros", |at| says(&[0; 40], at), "download that revision again"),
        ("a link to nothing", |at| symlink("nowhere", at).unwrap(), "download that revision again"),
        ("a folder", |at| fs::create_dir(at).unwrap(), "remove that folder"),
        ("a file of another", closed, "as the user whom"),
    ];
    for (what, harm, way_out) in table {
        for rule in [&["prune"][..], &["prune", "--keep-last", "0"], &["prune", "--max-size", "0"]]
        {
            let stage = stage();
            damage(&stage.cache().join("models--acme--tiny/refs/main"), harm);
            let args = [rule, &["--dry-run", "--json"]].concat();
            let plan = run(&stage, &args);
            let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect(what);
            let steps = plan["steps"].as_array().unwrap().iter();
            let of_snapshots = "models--acme--tiny/snapshots/";
            let gone: Vec<_> = steps
                .filter(|step| step["path"].as_str().unwrap().starts_with(of_snapshots))
                .collect();
            assert!(gone.is_empty(), "{what}, {rule:?}: {gone:?}");
            assert!(plan["kept"].as_array().unwrap().iter().any(|it| it["by"] == "unsure"));
            let output = run(&stage, &[rule, &["--dry-run"]].concat());
            let told = told(&output);
            for word in ["refs/main", way_out, "nobody knows what is needed"] {
                assert!(told.contains(word), "{what}, {rule:?}: {word}: {told}");
            }
        }
    }
}

#[test]
fn what_such_a_ref_may_keep_goes_where_it_is_named_and_not_where_the_ref_is_pinned() {
    let tables: [Damage; 3] =
        [|at| says(b"", at), |at| symlink("x", at).unwrap(), |at| fs::create_dir(at).unwrap()];
    for harm in tables {
        let stage = stage();
        let repo = stage.cache().join("models--acme--tiny");
        stage.succeed(&["pin", "acme/tiny@main"]);
        damage(&repo.join("refs/main"), harm);
        stage.succeed(&["prune", "--yes"]);
        let plan = stage.json(&["rm", "acme/tiny", "--yes"]);
        assert_eq!(plan["revisions_deleted"], 0, "any may be the pinned one: {plan}");
        assert!(repo.join("snapshots").join(COMMIT).join("a.bin").exists());
        stage.succeed(&["unpin", "acme/tiny@main"]);
        stage.succeed(&["prune", "--yes"]);
        assert!(repo.join("snapshots").join(COMMIT).join("a.bin").exists());
        stage.succeed(&["rm", "acme/tiny", "--yes"]);
        assert!(!repo.exists(), "who names it wants it gone");
    }
}

#[test]
fn of_a_repo_with_pins_that_can_not_be_told_nothing_goes_and_they_stay_as_they_are() {
    let table: [(&str, Damage, &str); 6] = [
        ("no Unicode", |at| says(b"main\n\xff\n", at), "mend that list"),
        ("zeros", |at| says(&[0; 5], at), "mend that list"),
        ("no revision", |at| says(b"main\n../x\n", at), "mend that list"),
        ("a folder", |at| fs::create_dir(at).unwrap(), "mend that list"),
        ("a link to nothing", |at| symlink("nowhere", at).unwrap(), "as the user whom"),
        ("a file of another", closed, "as the user whom"),
    ];
    for (what, harm, way_out) in table {
        let stage = stage();
        let pins = stage.cache().join("models--acme--tiny/.hubstow/pins");
        damage(&pins, harm);
        let before = fs::symlink_metadata(&pins).unwrap().modified().unwrap();
        for args in [
            &["rm", "acme/tiny"][..],
            &["rm", &format!("acme/tiny@{COMMIT}")],
            &["prune"],
            &["prune", "--max-size", "0"],
        ] {
            let plan = run(&stage, &[args, &["--dry-run", "--json"]].concat());
            let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect(what);
            let steps = plan["steps"].as_array().unwrap().iter();
            let of_repo = |at: &str| at.starts_with("models--acme--tiny");
            let gone = steps.filter(|step| of_repo(step["path"].as_str().unwrap())).count();
            assert_eq!(gone, 0, "{what}, {args:?}: {plan}");
            if args[0] == "rm" {
                let output = run(&stage, &[args, &["--dry-run"]].concat());
                let told = told(&output);
                assert!(told.contains(".hubstow/pins") && told.contains(way_out), "{told}");
            }
        }
        let listed = run(&stage, &["ls", "--show-warnings"]);
        let told = told(&listed);
        assert!(told.contains(".hubstow/pins"), "{what}: {told}");
        let shown = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(shown.contains("not all can be read"), "{what}: {shown}");
        let output = run(&stage, &["pin", "acme/tiny"]);
        assert!(!output.status.success(), "{what}");
        assert_eq!(fs::symlink_metadata(&pins).unwrap().modified().unwrap(), before, "{what}");
    }
}

#[test]
fn who_shares_a_repo_folder_reads_its_pins_whatever_the_umask_was() {
    for (folder, file) in [(0o2775, 0o664), (0o755, 0o644), (0o700, 0o600)] {
        let stage = stage();
        let repo = stage.cache().join("models--acme--tiny");
        fs::set_permissions(&repo, Permissions::from_mode(folder)).unwrap();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "umask 077; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_hubstow")]);
        command.args(["cache", "pin", "acme/tiny", "--json"]).env("HF_HUB_CACHE", stage.cache());
        let output = command.output().unwrap();
        let pinned: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(pinned["pinned"], json!(true));
        let pins = fs::metadata(repo.join(".hubstow/pins")).unwrap();
        assert_eq!(pins.permissions().mode() & 0o7777, file, "{folder:o}");
    }
}
