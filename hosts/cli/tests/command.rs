//! The command as users and scripts see it: the built binary against a hub on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use hubstow_serve::{RunningServer, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

const FILES: [(&str, &str); 3] =
    [("config.json", "{}\n"), ("data/train.csv", "a,b\n"), ("model.safetensors", "weights")];
const TOKEN: &str = "hf_neverShownAnywhere";

/// A hub with one repo, and an empty cache.
struct Stage {
    folder: TempDir,
    server: RunningServer,
}

impl Stage {
    fn new() -> Self {
        Self::with_token(None)
    }

    fn with_token(token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/acme/tiny");
        for (name, content) in FILES {
            let path = repo.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let mut server = Server::builder(folder.path().join("hub")).lfs_glob("*.safetensors");
        if let Some(token) = token {
            server = server.token(token);
        }
        let server = server.build().spawn_on_loopback().unwrap();
        Self { folder, server }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .env_clear()
            .env("HF_HOME", self.folder.path().join("home"))
            .env("HF_ENDPOINT", self.server.url())
            .env("TMPDIR", self.folder.path())
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the command and returns its JSON error, after checking that nothing is on stdout.
    #[track_caller]
    fn fail(&self, args: &[&str], exit_code: i32) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit_code), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        let error: Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
        let fields: Vec<_> = error["error"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["code", "hint", "kind", "message"]);
        assert_eq!(error["error"]["code"], json!(exit_code));
        error["error"].clone()
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("home/hub")
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_file_prints_its_path_alone_or_as_the_last_line() {
    let stage = Stage::new();
    let human = stage.succeed(&["download", "acme/tiny", "data/train.csv"]);
    let quiet = stage.succeed(&["download", "hf://acme/tiny@main/data/train.csv", "-q"]);
    assert_eq!(human.lines().last(), Some(quiet.trim_end()));
    assert_eq!(quiet.lines().count(), 1);
    assert_eq!(fs::read_to_string(quiet.trim_end()).unwrap(), "a,b\n");
}

/// Windows stores no such names.
#[cfg(not(windows))]
#[test]
fn a_name_that_looks_like_a_pattern_is_that_file_where_there_is_one() {
    let stage = Stage::new();
    let repo = stage.folder.path().join("hub/acme/tiny");
    for name in ["what?.txt", "what1.txt", "a*b[c].txt", "axbc.txt"] {
        fs::write(repo.join(name), name).unwrap();
    }
    let snapshot = stage.succeed(&["download", "acme/tiny", "wh?t1.txt", "-q"]);
    let snapshot = Path::new(snapshot.trim_end());
    let held = || {
        let names = fs::read_dir(snapshot).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(held(), ["what1.txt"]);
    for name in ["what?.txt", "a*b[c].txt"] {
        for flags in [&["-q", "--dry-run"][..], &["-q"], &["-q", "--offline"]] {
            let printed = stage.succeed(&[&["download", "acme/tiny", name], flags].concat());
            assert_eq!(Path::new(printed.trim_end()), snapshot.join(name), "{flags:?}");
        }
        assert_eq!(fs::read_to_string(snapshot.join(name)).unwrap(), name);
    }
    assert_eq!(held(), ["a*b[c].txt", "what1.txt", "what?.txt"]);
}

#[test]
fn a_snapshot_as_json_is_the_object_of_the_contract() {
    let stage = Stage::new();
    let text = stage.succeed(&["download", "acme/tiny", "--json", "--placement", "portable"]);
    let found: Value = serde_json::from_str(&text).unwrap();
    let folder = found["path"].as_str().unwrap();
    assert!(folder.ends_with(found["commit"].as_str().unwrap()));
    assert_eq!(found["bytes_downloaded"], json!(14));
    assert!(found["requests"].as_u64().unwrap() > 3);
    let keys: Vec<_> = found.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["bytes_downloaded", "commit", "files", "path", "requests"]);
    let files = found["files"].as_array().unwrap();
    for (file, (name, content)) in files.iter().zip(FILES) {
        let path = Path::new(folder).join(name);
        assert_eq!(
            *file,
            json!({
                "file": name, "path": path, "size": content.len(), "etag": file["etag"],
                "action": "fetched", "by": "move", "reason": "moved-by-policy",
            })
        );
        assert_eq!(fs::read_to_string(path).unwrap(), content);
    }
    assert_eq!(files.len(), FILES.len());
}

#[test]
fn a_pinned_file_costs_no_request() {
    let stage = Stage::new();
    let first: Value =
        serde_json::from_str(&stage.succeed(&["download", "acme/tiny", "--json"])).unwrap();
    let commit = first["commit"].as_str().unwrap();
    stage.server.clear_requests();
    let args = ["download", "acme/tiny", "config.json", "--revision", commit, "--json"];
    let again: Value = serde_json::from_str(&stage.succeed(&args)).unwrap();
    assert_eq!(again["requests"], json!(0));
    assert_eq!(again["files"][0]["action"], json!("reused"));
    assert!(stage.server.requests().is_empty());
}

#[test]
fn a_dry_run_writes_nothing() {
    let stage = Stage::new();
    let text = stage.succeed(&["download", "acme/tiny", "--dry-run", "--json"]);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["dry_run"], json!(true));
    assert_eq!(found["files"].as_array().unwrap().len(), FILES.len());
    assert!(found["files"][0]["action"] == json!("fetched"));
    let text = stage.succeed(&["download", "acme/tiny", "config.json", "--dry-run"]);
    assert!(text.lines().last().unwrap().ends_with("config.json"));
    assert!(!stage.cache().exists());
}

#[test]
fn patterns_and_names_choose_files() {
    let stage = Stage::new();
    let names = |args: &[&str]| -> Vec<String> {
        let text = stage.succeed(&[&["download", "acme/tiny", "--json"], args].concat());
        let found: Value = serde_json::from_str(&text).unwrap();
        let files = found["files"].as_array().unwrap().iter();
        files.map(|file| file["file"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["data/"]), ["data/train.csv"]);
    assert_eq!(names(&["config.json", "*.csv"]), ["config.json", "data/train.csv"]);
    assert_eq!(names(&["--exclude", "data/*", "*.json"]), ["model.safetensors"]);
    assert_eq!(names(&["--include", "*a*", "--exclude", "*.csv"]), ["model.safetensors"]);
}

#[test]
fn what_goes_wrong_has_its_exit_code_and_its_object() {
    let stage = Stage::new();
    let kind = |args: &[&str], exit_code| stage.fail(args, exit_code)["kind"].clone();
    assert_eq!(kind(&["download", "acme/tiny", "nope.json"], 3), "entry-not-found");
    assert_eq!(kind(&["download", "acme/tiny", "*.json", "*.bin"], 3), "entry-not-found");
    assert_eq!(kind(&["download", "acme/nope"], 3), "repo-not-found");
    assert_eq!(kind(&["download", "acme/tiny", "--revision", "v9"], 3), "revision-not-found");
    assert_eq!(kind(&["download", "acme/tiny", "config.json", "--offline"], 4), "not-cached");
    assert_eq!(kind(&["download", "acme/tiny", "../x"], 2), "usage");
    assert_eq!(kind(&["download", "acme//tiny"], 2), "usage");
    if !cfg!(feature = "wasmtime") {
        assert_eq!(kind(&["download", "acme/tiny", "--host", "wasmtime"], 2), "usage");
    }
    assert_eq!(kind(&["download", "acme/tiny", "--no-such-flag"], 2), "usage");
    assert_eq!(kind(&["explain", "acme/tiny"], 2), "usage");
    assert!(!stage.cache().join("models--acme--nope/snapshots").exists());
}

#[test]
fn a_hub_that_is_not_there_is_unreachable() {
    let stage = Stage::new();
    let args = ["download", "acme/tiny", "config.json", "--endpoint", "http://127.0.0.1:1"];
    assert_eq!(stage.fail(&args, 8)["kind"], "hub-unreachable");
}

#[test]
fn a_token_opens_the_door_and_shows_itself_nowhere() {
    let stage = Stage::with_token(Some(TOKEN));
    assert_eq!(stage.fail(&["download", "acme/tiny"], 5)["kind"], "access-refused");
    for args in [
        &["download", "acme/tiny", "-vv", "--token", TOKEN][..],
        &["download", "acme/tiny", "nope", "-vv", "--token", TOKEN],
        &["env", "--json", "--token", TOKEN],
        &["env", "--token", TOKEN, "--no-such-flag"],
    ] {
        let output = stage.run(args);
        let said = format!("{}{}", stderr(&output), String::from_utf8_lossy(&output.stdout));
        assert!(!said.is_empty());
        assert!(!said.contains(TOKEN), "{args:?}");
    }
    let env: Value =
        serde_json::from_str(&stage.succeed(&["env", "--json", "--token", TOKEN])).unwrap();
    assert_eq!(env["token"], json!(true));
    assert_eq!(env["writable"], json!(true));
}

#[test]
fn an_explanation_ends_with_what_would_be_done() {
    let stage = Stage::new();
    let text = stage.succeed(&["explain", "acme/tiny", "config.json", "--json"]);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["chain"][0]["question"], json!("resolve"));
    let decisions: Vec<_> = found["chain"].as_array().unwrap().iter().collect();
    assert!(decisions.iter().any(|link| link["decision"] == json!("fetch")));
    let human = stage.succeed(&["explain", "acme/tiny", "config.json"]);
    assert!(human.contains("because"));
    assert!(!stage.cache().join("models--acme--tiny").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let stage = Stage::new();
    let mut child = stage
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}

#[test]
fn serve_prints_its_url_first_and_serves() {
    let stage = Stage::new();
    let hub = stage.folder.path().join("hub");
    let mut child = stage
        .command(&["serve", hub.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let args = ["download", "acme/tiny", "config.json", "-q", "--endpoint", url.trim_end()];
    let output = stage.run(&args);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_demo_holds_what_it_says_and_leaves_nothing() {
    let stage = Stage::new();
    let text = stage.succeed(&["demo"]);
    assert!(text.contains("All checked"));
    assert!(text.lines().all(|line| line.chars().count() <= 90));
    let told: Value = serde_json::from_str(&stage.succeed(&["demo", "--json"])).unwrap();
    assert_eq!(told["ok"], json!(true));
    let left = fs::read_dir(stage.folder.path()).unwrap().count();
    assert_eq!(left, 1, "only the hub of this test");
}

#[test]
fn help_manual_and_completions_are_there() {
    let stage = Stage::new();
    for args in [
        &["--help"][..],
        &["download", "--help"],
        &["man"],
        &["man", "download"],
        &["man", "cache", "rm"],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["--version"],
    ] {
        assert!(stage.succeed(args).contains("hubstow"), "{args:?}");
    }
    assert!(stage.succeed(&["man", "cache", "rm"]).contains(".TH hubstow-cache-rm 1"));
    let unknown = stage.run(&["man", "cache", "none"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("`hubstow cache` has no subcommand `none`"));
    assert_eq!(stage.run(&[]).status.code(), Some(2));
}

#[test]
fn a_cache_directory_that_can_not_be_made_is_named_at_once() {
    let stage = Stage::new();
    let file = stage.folder.path().join("a-file");
    fs::write(&file, "").unwrap();
    let cache = file.join("cache");
    let output = stage.run(&[
        "download",
        "acme/tiny",
        "config.json",
        "--cache-dir",
        cache.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("can't make the folder `{}`", cache.display())));
}

#[test]
fn logs_say_within_which_question_a_request_was_sent() {
    let stage = Stage::new();
    let logged = |args: &[&str]| stderr(&stage.run(args));
    let one = logged(&["download", "acme/tiny", "config.json", "-v", "--color", "never"]);
    for words in [
        "download{repo=model acme/tiny revision=main file=config.json}",
        "request{method=HEAD url=",
        "asked status=",
    ] {
        assert!(one.contains(words), "{words}: {one}");
    }
    let all = logged(&["download", "acme/tiny", "-v", "--color", "never"]);
    assert!(all.contains("snapshot{repo=model acme/tiny revision=main}"), "{all}");
}
