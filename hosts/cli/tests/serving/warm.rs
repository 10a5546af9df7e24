//! `hubstow serve warm`: what is fetched before anybody asks for it, and how the word is told from a folder.

use std::fs;

use serde_json::{Value, json};

use crate::Stage;

fn said(output: &std::process::Output) -> (Value, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert!(!report.is_null(), "{text}");
    (report, text)
}

#[test]
fn what_is_named_and_what_is_pinned_is_fetched_into_a_disk() {
    let stage = Stage::new();
    let hub = stage.serve(&["models"]);
    stage.write("pins.txt", "# of the team\ndataset/acme/rows\nacme/tiny@v1 # the old one\n");
    let args = ["serve", "warm", "acme/tiny", "--pins", "pins.txt", "--disk", "disk", "--json"];
    let output = stage.run(&[&args[..], &["--endpoint", &hub.url]].concat());
    let (report, _) = said(&output);
    let revision = |repo: &str, revision: &str, files: u64, bytes: u64| json!({ "repo": repo, "revision": revision, "files": files, "bytes": bytes });
    assert_eq!(
        report,
        json!([
            revision("model acme/tiny", "main", 3, 10),
            revision("model acme/tiny", "v1", 1, 11),
            revision("dataset acme/rows", "main", 1, 8),
        ])
    );
    let rows = stage.path("disk/datasets--acme--rows/refs/main");
    let commit = fs::read_to_string(rows).unwrap();
    let train = stage.path(&format!("disk/datasets--acme--rows/snapshots/{commit}/train.csv"));
    assert_eq!(fs::read_to_string(train).unwrap(), "a,b\n1,2\n");
}

#[test]
fn a_node_that_runs_is_asked_for_every_byte_and_nothing_is_kept() {
    let stage = Stage::new();
    let node = stage.serve(&["models", "--log-format", "json"]);
    let output = stage.run(&["serve", "warm", "acme/tiny", "--endpoint", &node.url, "--json"]);
    let (report, _) = said(&output);
    assert_eq!(report[0]["bytes"], 10);
    let log = fs::read_to_string(&node.log).unwrap();
    for file in ["config.json", "deep/weights.bin"] {
        let line = log.lines().find(|line| line.contains("\"GET\"") && line.contains(file));
        assert!(line.is_some(), "{file} was not fetched: {log}");
    }
    assert!(!stage.path(".cache/huggingface").exists());
}

#[test]
fn what_fails_is_said_and_stops_nothing_else() {
    let stage = Stage::new();
    let hub = stage.serve(&["models"]);
    let args = ["serve", "warm", "acme/none", "acme/tiny", "--disk", "disk", "--json"];
    let output = stage.run(&[&args[..], &["--endpoint", &hub.url]].concat());
    let (report, text) = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(report.as_array().unwrap().len(), 1);
    assert!(text.contains("model acme/none at `main` is not warm"), "{text}");
    assert!(text.contains("1 of 2 could not be fetched"), "{text}");
    // Its reason is told once, and of one alone by the error itself.
    let args = ["serve", "warm", "acme/none", "--disk", "disk", "--endpoint", &hub.url];
    let output = stage.run(&args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.matches("not found").count(), 1, "{text}");
    let output = stage.run(&[&args[..2], &["acme/tiny@v1"], &args[3..]].concat());
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("acme/tiny at v1: 1 file, "), "{shown}");
    stage.write("pins.txt", "acme/tiny\nno such name\n");
    for (args, expected) in [
        (&["serve", "warm", "--pins", "pins.txt", "--disk", "disk"][..], "line 2 of the pins"),
        (&["serve", "warm", "--pins", "none.txt", "--disk", "disk"], "none.txt"),
        (&["serve", "warm", "acme/tiny"], "which node is to be asked?"),
        (&["serve", "warm"], "REPO"),
        (&["serve", "warm", "a/b/c/d", "--disk", "disk"], "a/b/c/d"),
    ] {
        let output = stage.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(expected), "{args:?}: {text}");
    }
}

#[test]
fn a_folder_called_warm_is_served_by_its_path() {
    let stage = Stage::new();
    stage.write("warm/acme/here/config.json", "{}\n");
    for dirs in [&["./warm"][..], &["models", "warm"]] {
        let serving = stage.serve(dirs);
        let (status, body) = serving.get("/acme/here/resolve/main/config.json");
        assert_eq!((status, body.as_str()), (200, "{}\n"), "{dirs:?}");
    }
}
