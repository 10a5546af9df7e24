//! The real Python client on what was healed: it reads every file offline, and its own scan warns of nothing.

use std::process::Command;

use serde_json::Value;

use crate::{each, rows::Row, scene::Scene};

/// Where the Python with the client is, if anywhere.
const PYTHON: &str = "HUBSTOW_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/scanned.py");

#[track_caller]
fn python(scene: &Scene, args: &[&str]) -> String {
    let mut command = Command::new(std::env::var_os(PYTHON).unwrap());
    command
        .env_clear()
        .env("HOME", scene.home())
        .env("HF_HUB_CACHE", scene.cache())
        .env("HF_ENDPOINT", Scene::hub())
        .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .arg(SCRIPT)
        .args(args);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_python_client_reads_all_that_was_healed_and_warns_of_nothing() {
    if std::env::var_os(PYTHON).is_none() {
        println!("skipped: {PYTHON} names no Python");
        return;
    }
    each(|row: &Row| {
        if !row.online.is_empty() {
            return;
        }
        let scene = Scene::new(row.made);
        (row.make)(&scene);
        let (code, said) = scene.verify(&["--repair", "--yes"]);
        assert_eq!(code, 0, "{said}");
        let commits = ["{main}", "{v1}"].map(|name| scene.named(name));
        let read = python(&scene, &["read", "model", "acme/tiny", &commits[0], &commits[1]]);
        let scanned: Value = serde_json::from_str(&read).unwrap();
        assert_eq!(scanned["warnings"], serde_json::json!([]), "{}", row.name);
    });
}
