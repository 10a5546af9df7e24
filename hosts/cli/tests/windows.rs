//! The command on Windows, or under Wine, where symlinks are refused or only seem to be made: what this project is for.

#![cfg(windows)]
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use axum::{
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const MODEL: &[u8] = &[7; 300_000];
const CONFIG: &[u8] = b"{}\n";
/// The files that a hub has here.
const FILES: [&str; 3] = ["config.json", "model.bin", "sub/config.json"];

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for revision in ["tiny", "tiny@next"] {
            for (name, content) in files {
                let path = folder.path().join("hub/acme").join(revision).join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
        let server = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16).build();
        let router = server.router().layer(middleware::from_fn(under_any_name));
        Self { hub: RunningServer::start_on_loopback(router).unwrap(), folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .env("HF_HUB_CACHE", self.folder.path().join("cache"))
            .env("HF_ENDPOINT", self.hub.url())
            .args(["download", "acme/tiny", "--quiet"])
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn download(&self, args: &[&str]) -> PathBuf {
        printed(&self.run(args))
    }

    /// Returns how often content was asked for since this was asked last.
    fn fetched(&self) -> usize {
        let requests = self.hub.requests();
        self.hub.clear_requests();
        let is_content = |path: &str, method: &str| method == "GET" && path.contains("/resolve/");
        requests.iter().filter(|one| is_content(&one.path, &one.method)).count()
    }
}

/// Gives the config under names as well that a hub on Windows can't hold.
async fn under_any_name(mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if let Some((repo, rest)) = path.split_once("/resolve/")
        && let Some((revision, file)) = rest.split_once('/')
        && !FILES.contains(&file)
    {
        *request.uri_mut() = format!("{repo}/resolve/{revision}/config.json").parse().unwrap();
    }
    next.run(request).await
}

#[track_caller]
fn printed(output: &Output) -> PathBuf {
    assert!(output.status.success(), "{}", said(output));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Lets a path be longer than 260 characters.
fn long(path: &Path) -> PathBuf {
    PathBuf::from(format!(r"\\?\{}", path.display().to_string().replace('/', "\\")))
}

#[test]
fn what_is_new_is_moved_and_what_others_use_is_copied() {
    let stage = Stage::new(&[("model.bin", MODEL), ("sub/config.json", b"{}\n")]);
    let first = stage.download(&[]);
    assert_eq!(stage.fetched(), 2);
    assert_eq!(fs::read(first.join("model.bin")).unwrap(), MODEL);
    // The other revision has the same commit content under another name: nothing comes but its listing.
    let second = stage.download(&["--revision", "next"]);
    assert_eq!(fs::read(second.join("sub/config.json")).unwrap(), b"{}\n");
    assert_eq!(stage.fetched(), 0);
    stage.download(&["--offline"]);
    stage.download(&["model.bin", "--force-download"]);
    assert_eq!(stage.fetched(), 1);
    fs::write(first.join("model.bin"), &MODEL[1..]).unwrap();
    assert_eq!(stage.run(&["--offline"]).status.code(), Some(6));
    stage.download(&[]);
    assert_eq!(fs::read(first.join("model.bin")).unwrap(), MODEL);
}

#[test]
fn every_policy_has_a_way() {
    for policy in ["compat", "dedup", "nas", "portable"] {
        let stage = Stage::new(&[("model.bin", MODEL)]);
        let path = stage.download(&["model.bin", "--placement", policy]);
        assert_eq!(fs::read(path).unwrap(), MODEL, "{policy}");
        stage.download(&["model.bin", "--placement", policy, "--offline"]);
    }
}

#[test]
fn paths_may_be_longer_than_260_characters() {
    let folder = "d".repeat(90);
    let name = format!("{folder}/{folder}/{folder}/file.txt");
    let stage = Stage::new(&[("config.json", CONFIG)]);
    let path = stage.download(&[&name]);
    assert!(path.as_os_str().len() > 260, "{path:?}");
    let plain = path.display().to_string();
    let path = if plain.starts_with(r"\\?\") { path } else { long(&path) };
    assert_eq!(fs::read(path).unwrap(), CONFIG);
    stage.download(&[&name, "--offline"]);
}

/// A hub holds names that no file of Windows can have: each fails by its name, and the others are there.
#[test]
fn names_that_windows_keeps_fail_by_themselves() {
    let stage = Stage::new(&[("config.json", CONFIG)]);
    for (name, why) in [
        ("aux.txt", "keeps the name for a device"),
        ("sub/nul", "keeps the name for a device"),
        ("end.", "drops a dot or a space at the end"),
        ("space ", "drops a dot or a space at the end"),
    ] {
        let output = stage.run(&[name]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", said(&output));
        assert!(said(&output).contains(why), "{name}: {}", said(&output));
    }
    stage.download(&["config.json"]);
}

#[test]
fn two_at_once_share_one_transfer_and_an_open_file_is_no_obstacle() {
    let stage = Stage::new(&[("model.bin", MODEL)]);
    let start = || {
        let mut command = stage.command(&["model.bin"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let jobs = [start(), start(), start()];
    let mut paths = jobs.map(|job| printed(&job.wait_with_output().unwrap()));
    paths.sort();
    assert_eq!(stage.fetched(), 1);
    let [first, .., last] = &paths;
    assert_eq!(first, last);
    // Somebody reads it while it is replaced.
    let reader = fs::File::open(first).unwrap();
    let output = stage.run(&["model.bin", "--force-download"]);
    let content = fs::read(first).unwrap();
    assert!(content == MODEL, "{}: {} bytes", said(&output), content.len());
    drop(reader);
    stage.download(&["model.bin"]);
}

#[test]
fn the_demo_runs() {
    let output = Command::new(env!("CARGO_BIN_EXE_hubstow")).arg("demo").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", said(&output));
    assert!(told.contains("All checked"), "{told}");
}
