//! The command where a process may have few files open.

#![cfg(unix)]
use std::{fs, process::Command};

use hubstow_serve::Server;
use serde_json::Value;
use tempfile::TempDir;

const FILES: usize = 1500;

#[test]
fn many_files_come_however_few_may_be_open_at_once() {
    // In memory where the system offers that: it is the files that this is about, not the disk.
    let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let model = folder.path().join("hub/acme/many");
    fs::create_dir_all(&model).unwrap();
    for at in 0..FILES {
        fs::write(model.join(format!("{at:04}.txt")), format!("file {at}\n")).unwrap();
    }
    let hub =
        Server::builder(folder.path().join("hub")).frozen().build().spawn_on_loopback().unwrap();
    for limit in ["256", "64"] {
        // The hard limit as well, so that it can't be raised.
        let ended = Command::new("sh")
            .args(["-c", r#"ulimit -n "$1" && exec "$2" download acme/many --json"#, "sh", limit])
            .arg(env!("CARGO_BIN_EXE_hubstow"))
            .env_clear()
            .env("HF_ENDPOINT", hub.url())
            .env("HF_HUB_CACHE", folder.path().join(limit))
            .output()
            .unwrap();
        // Of very many failures the first ones tell enough.
        let told: String = String::from_utf8_lossy(&ended.stderr).chars().take(500).collect();
        assert!(ended.status.success(), "{limit} may be open: {}: {told}", ended.status);
        let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(report["files"].as_array().unwrap().len(), FILES, "{limit} may be open");
    }
}
