//! The real Python client before a folder and before a cache: everything that it reads is there, and what can't be is told.

use std::process::Command;

use serde_json::Value;

use crate::{Serving, Stage};

/// Where the Python with the client is, if anywhere.
const PYTHON: &str = "HUBSTOW_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/served.py");

/// Runs the script before a server; `None` where there is no Python.
#[track_caller]
pub(super) fn seen(
    stage: &Stage,
    serving: &Serving,
    home: &str,
    vars: &[(&str, &str)],
) -> Option<Value> {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!("skipped: {PYTHON} names no Python");
        return None;
    };
    let output = Command::new(python)
        .env_clear()
        .env("HOME", stage.path(""))
        .env("HF_HOME", stage.path(home))
        .env("HF_ENDPOINT", &serving.url)
        .env("HF_TOKEN", "s3cret")
        .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        .env("HF_HUB_DISABLE_SYMLINKS_WARNING", "1")
        .envs(vars.iter().copied())
        .arg(SCRIPT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_python_client_reads_a_folder_and_a_cache_alike() {
    let stage = Stage::new();
    let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut weights = (header.len() as u64).to_le_bytes().to_vec();
    weights.extend_from_slice(header.as_bytes());
    weights.extend_from_slice(&[0; 4]);
    std::fs::write(stage.path("models/acme/tiny/model.safetensors"), weights).unwrap();
    let folder = stage.serve(&["models", "--token", "s3cret"]);
    let Some(first) = seen(&stage, &folder, "linked", &[]) else { return };
    drop(folder);
    assert_eq!(first["who"], "hubstow");
    assert_eq!(first["files"].as_array().unwrap().len(), 4);
    assert_eq!(first["refused"], serde_json::json!([501, 501, 501]));

    // The client's own cache, with links and without.
    let linked = stage.serve(&["linked/hub", "--token", "s3cret"]);
    let degraded = seen(&stage, &linked, "degraded", &[("HF_HUB_DISABLE_SYMLINKS", "1")]);
    assert_eq!(degraded.unwrap(), first);
    drop(linked);
    let copied = stage.serve(&["degraded/hub", "--token", "s3cret"]);
    assert_eq!(seen(&stage, &copied, "third", &[]).unwrap(), first);
}
