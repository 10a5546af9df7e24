//! The command on a disk that has room for a snapshot and for little more.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{fs, path::Path, process::Command};

use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

/// Mounts a disk that only the commands of this script see, kills a first run when it holds some of the large file, and
/// runs again. Without the right to mount it ends with 77.
const SCRIPT: &str = r#"
    disk=$1 command=$2
    mount -t tmpfs -o size=64m tmpfs "$disk" || exit 77
    "$command" download acme/model --quiet --limit-rate 8M & first=$!
    looks=0
    until find "$disk" -name '*.incomplete' -size +2048k | grep -q .; do
        looks=$((looks + 1))
        [ $looks -lt 400 ] || { echo "no part of the large file appeared" >&2; break; }
        sleep 0.02
    done
    kill -9 $first
    wait $first
    ended=$?
    [ $ended -eq 137 ] || { echo "the first run ended by itself: $ended" >&2; exit 76; }
    "$command" download acme/model --quiet
"#;
const NOT_PERMITTED: i32 = 77;

/// A hub with one large file and one small one.
fn hub(folder: &Path) -> RunningServer {
    let model = folder.join("hub/acme/model");
    fs::create_dir_all(&model).unwrap();
    let content: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(40 << 20).collect();
    fs::write(model.join("model.bin"), content).unwrap();
    fs::write(model.join("config.json"), "{}\n").unwrap();
    let server = Server::builder(folder.join("hub")).lfs_glob("*.bin").frozen().build();
    server.spawn_on_loopback().unwrap()
}

#[test]
fn a_killed_snapshot_goes_on_in_the_space_that_it_has_reserved() {
    let folder = TempDir::new().unwrap();
    let hub = hub(folder.path());
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let ended = Command::new("unshare")
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(&disk)
        .arg(env!("CARGO_BIN_EXE_hubstow"))
        .env("HF_HOME", disk.join("home"))
        .env("HF_ENDPOINT", hub.url())
        .output();
    let ended = match ended {
        Ok(ended) if ended.status.code() != Some(NOT_PERMITTED) => ended,
        Ok(_) | Err(_) => {
            eprintln!("skipped: nothing can be mounted here");
            return;
        }
    };
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}: {told}", ended.status);
}
