//! On a disk that is too small.

use std::{fs, process::Command};

use crate::stage::Stage;

/// Mounts a small disk that only this script sees, and runs the command with `@` for that disk. Without the right to mount it
/// ends with 77.
const SCRIPT: &str = r#"
    disk=$1; shift
    mount -t tmpfs -o size=256k tmpfs "$disk" || exit 77
    "$@"
    ended=$?
    find "$disk" -type f -o -type l
    exit $ended
"#;
const NOT_PERMITTED: i32 = 77;

#[test]
fn a_disk_without_room_is_told_before_anything_is_written() {
    let stage = Stage::new();
    let (tar, disk) = (stage.at("one.tar"), stage.at("disk"));
    stage.export(&stage.cache(), &tar);
    fs::create_dir(&disk).unwrap();
    let on_disk = |name: &str| format!("{disk}/{name}");
    for args in [
        &["export", "acme/tiny", "-o", &on_disk("out.tar")][..],
        &["export", "acme/tiny", "-o", &on_disk("out")],
        &["import", &tar, "--cache-dir", &on_disk("cache")],
        &["move", &on_disk("cache")],
    ] {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "sh", &disk]);
        command.arg(env!("CARGO_BIN_EXE_hubstow")).arg("cache").args(args);
        command.args(["--yes", "--json"]).env("HF_HUB_CACHE", stage.cache());
        let output = match command.output() {
            Ok(output) if output.status.code() != Some(NOT_PERMITTED) => output,
            Ok(_) | Err(_) => {
                eprintln!("skipped: nothing can be mounted here");
                return;
            }
        };
        let error = stage.fails(&output, 7, "room");
        assert_eq!(error["kind"], "no-space", "{args:?}");
        let left = String::from_utf8(output.stdout).unwrap();
        assert!(left.lines().all(|at| at.contains("/.locks/")), "{args:?} has left {left}");
        assert_eq!(Stage::contents(&stage.cache()).len(), 11, "nothing is lost");
    }
}
