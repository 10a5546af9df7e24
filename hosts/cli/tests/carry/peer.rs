//! The real Python client reads what is left, offline and without a new warning.

use std::{ffi::OsString, fs, process::Command};

use serde_json::{Value, json};

use crate::{moved::other_disk, stage::Stage};

/// Where the Python with the client is, if anywhere.
const PYTHON: &str = "HUBSTOW_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/scanned.py");

struct Peer<'a> {
    python: OsString,
    stage: &'a Stage,
}

impl<'a> Peer<'a> {
    fn new(stage: &'a Stage) -> Option<Self> {
        let python = std::env::var_os(PYTHON);
        if python.is_none() {
            println!("skipped: {PYTHON} names no Python");
        }
        Some(Self { python: python?, stage })
    }

    #[track_caller]
    fn python(&self, cache: &str, args: &[&str]) -> String {
        let mut command = Command::new(&self.python);
        command
            .env_clear()
            .env("HOME", self.stage.folder())
            .env("HF_HUB_CACHE", cache)
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .arg(SCRIPT)
            .args(args);
        self.stage.succeeds(&command.output().unwrap())
    }

    /// Reads every snapshot, and looks for warnings.
    #[track_caller]
    fn reads(&self, cache: &str) {
        let scan: Value = serde_json::from_str(&self.python(cache, &["scan"])).unwrap();
        assert_eq!(scan["warnings"], json!([]), "{cache}");
        assert_eq!(scan["repos"].as_array().unwrap().len(), 2, "{cache}");
        for (kind, repo) in [("model", "acme/tiny"), ("dataset", "acme/rows")] {
            self.python(cache, &["offline", kind, repo]);
        }
    }
}

#[test]
fn the_python_client_reads_what_was_exported_imported_and_moved() {
    let stage = Stage::new();
    let Some(peer) = Peer::new(&stage) else { return };
    let (tar, folder) = (stage.at("one.tar"), stage.at("one"));
    stage.export(&stage.cache(), &tar);
    stage.export(&stage.cache(), &folder);
    peer.reads(&folder);
    let unpacked = stage.at("unpacked");
    stage.system("tar", &["xf", &tar, "-C", &unpacked]);
    peer.reads(&unpacked);
    for placement in ["compat", "portable", "nas"] {
        let cache = stage.at(placement);
        stage.json(&["import", &tar, "--yes", "--cache-dir", &cache, "--placement", placement]);
        peer.reads(&cache);
    }
    for (to, placement) in [
        (other_disk(), "compat"),
        (other_disk(), "portable"),
        (Some(tempfile::tempdir().unwrap()), "compat"),
    ] {
        let Some(to) = to else { continue };
        let cache = to.path().join("hub").to_str().unwrap().to_owned();
        let from = stage.at("from");
        stage.system("cp", &["-a", "cache", "from"]);
        let args = ["move", &cache, "--yes", "--link", "--cache-dir", &from];
        stage.json(&[&args[..], &["--placement", placement]].concat());
        peer.reads(&cache);
        peer.reads(&from);
        fs::remove_file(&from).unwrap();
    }
}
