//! `--local-dir`: the files themselves, with the records that the Python client keeps of them.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Uri, header},
    middleware::{self, Next},
    response::Response,
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const MODEL: &[u8] = &[7; 300_000];
/// What stands for a dot in the folder of the hub: it passes over names of other programs, and this one has to have them.
const DOT: &str = "dot-";

/// Lets the hub have names that begin with a dot.
async fn dotted(mut request: Request, next: Next) -> Response {
    let mut meant = request.uri().to_string();
    for name in ["git", "cache"] {
        meant = meant.replace(&format!("/.{name}/"), &format!("/{DOT}{name}/"));
    }
    *request.uri_mut() = meant.parse::<Uri>().unwrap();
    let (mut head, body) = next.run(request).await.into_parts();
    let is_listing = head.headers.get(header::CONTENT_TYPE);
    if !is_listing.is_some_and(|kind| kind.to_str().unwrap().starts_with("application/json")) {
        return Response::from_parts(head, body);
    }
    let body = to_bytes(body, 1 << 20).await.unwrap();
    head.headers.remove(header::CONTENT_LENGTH);
    let listing = String::from_utf8(body.to_vec()).unwrap().replace(DOT, ".");
    Response::from_parts(head, Body::from(listing))
}

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join("hub/acme/tiny").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let hub = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16);
        let router = hub.build().router().layer(middleware::from_fn(dotted));
        Self { hub: RunningServer::start_on_loopback(router).unwrap(), folder }
    }

    fn local(&self, name: &str) -> PathBuf {
        self.folder.path().join("local").join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hubstow"))
            .env_clear()
            .env("HF_HOME", self.folder.path().join("home"))
            .env("HF_ENDPOINT", self.hub.url())
            .args(["download", "acme/tiny"])
            .args(args)
            .output()
            .unwrap()
    }

    /// Downloads into the local folder and returns what is printed.
    #[track_caller]
    fn download(&self, args: &[&str]) -> String {
        let local = self.local("");
        let all = [args, &["--local-dir", local.to_str().unwrap(), "--quiet"]].concat();
        let output = self.run(&all);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Returns how many files were fetched since this or [`Stage::sent`] was asked last.
    fn fetched(&self) -> usize {
        let requests = self.hub.requests();
        let fetches =
            requests.iter().filter(|it| it.method == "GET" && it.path.contains("/resolve/"));
        self.hub.clear_requests();
        fetches.count()
    }

    /// Returns how many requests of a method were sent since this was asked last.
    fn sent(&self, method: &str) -> usize {
        let count = self.hub.requests().iter().filter(|request| request.method == method).count();
        self.hub.clear_requests();
        count
    }
}

#[test]
fn files_are_regular_and_recorded_as_the_python_client_does() {
    let stage = Stage::new(&[("model.bin", MODEL), ("sub/config.json", b"{}\n")]);
    let folder = stage.download(&[]);
    assert_eq!(PathBuf::from(folder), stage.local(""));
    assert_eq!(fs::read(stage.local("model.bin")).unwrap(), MODEL);
    assert!(fs::symlink_metadata(stage.local("model.bin")).unwrap().is_file());
    let record = ".cache/huggingface/download/sub/config.json.metadata";
    let record = fs::read_to_string(stage.local(record)).unwrap();
    let lines: Vec<_> = record.lines().collect();
    assert!(
        matches!(lines[..], [commit, etag, time]
        if commit.len() == 40 && etag.len() == 40 && time.parse::<f64>().is_ok()),
        "{record}"
    );
    assert_eq!(fs::read_to_string(stage.local(".cache/huggingface/.gitignore")).unwrap(), "*");
    assert!(!stage.local("CACHEDIR.TAG").exists(), "the tag is for the state, not for the files");
    assert!(!stage.folder.path().join("home/hub").exists(), "the cache is not touched");
}

#[test]
fn what_is_there_is_not_fetched_again_and_what_was_changed_is() {
    let stage = Stage::new(&[("model.bin", MODEL)]);
    assert_eq!(PathBuf::from(stage.download(&["model.bin"])), stage.local("model.bin"));
    assert_eq!(stage.sent("GET"), 1);
    stage.download(&["model.bin"]);
    assert_eq!(stage.sent("GET"), 0);
    stage.download(&["model.bin", "--offline"]);
    assert_eq!(stage.hub.requests().len(), 0);
    fs::write(stage.local("model.bin"), &MODEL[1..]).unwrap();
    stage.download(&["model.bin"]);
    assert_eq!(stage.sent("GET"), 1);
    assert_eq!(fs::read(stage.local("model.bin")).unwrap(), MODEL);
}

#[test]
fn what_the_cache_holds_is_copied_from_there() {
    let stage = Stage::new(&[("model.bin", MODEL)]);
    assert!(stage.run(&["model.bin", "--quiet"]).status.success());
    assert_eq!(stage.sent("GET"), 1);
    stage.download(&["model.bin"]);
    assert_eq!(stage.sent("GET"), 0);
    assert_eq!(fs::read(stage.local("model.bin")).unwrap(), MODEL);
}

#[test]
fn a_complete_cache_fills_a_local_folder_offline() {
    let (config, repo) = ("sub/config.json", "home/hub/models--acme--tiny");
    let stage = Stage::new(&[("model.bin", MODEL), (config, b"{}\n")]);
    assert!(stage.run(&["--quiet"]).status.success());
    stage.hub.clear_requests();
    for (case, args) in [
        ("whole", &["--offline"][..]),
        ("file by file", &["model.bin", config, "--offline"]),
        ("one file", &["model.bin", "--offline"]),
    ] {
        stage.download(args);
        assert_eq!(fs::read(stage.local("model.bin")).unwrap(), MODEL, "{case}");
        let is_alone = args.len() == 2;
        assert_eq!(fs::read(stage.local(config)).is_err(), is_alone, "{case}");
        stage.download(args);
        fs::remove_dir_all(stage.local("")).unwrap();
    }
    // Its links say what it holds where no listing does.
    fs::remove_dir_all(stage.folder.path().join(repo).join("trees")).unwrap();
    stage.download(&["model.bin", "--offline"]);
    stage.download(&["--offline"]);
    assert_eq!(fs::read(stage.local("model.bin")).unwrap(), MODEL);
    assert_eq!(fs::read(stage.local(config)).unwrap(), b"{}\n");
    assert_eq!(stage.hub.requests().len(), 0);
}

#[test]
fn what_another_program_obeys_is_refused_and_all_else_is_there() {
    // The same content twice: what is here already must not get there either.
    let stage = Stage::new(&[
        ("config.json", b"[hooks]\nupdate = touch /tmp/x\n"),
        (".hg/hgrc", b"[hooks]\nupdate = touch /tmp/x\n"),
        ("dot-git/config", b"[core]\nfsmonitor = touch /tmp/x\n"),
        ("sub/GIT~1/config", b"[core]\n"),
        (".jj/repo/config.toml", b"x"),
        (".gitattributes", b"* -text\n"),
        (".github/ci.yml", b"on: push\n"),
    ]);
    let local = stage.local("");
    let to_local = ["--local-dir", local.to_str().unwrap()];
    let output = stage.run(&to_local);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("4 of 7 files failed"), "{told}");
    assert!(told.contains("`.git/config`") && told.contains("another program obeys"), "{told}");
    assert!(told.contains("--exclude"), "{told}");
    for (name, is_there) in [
        ("config.json", true),
        (".gitattributes", true),
        (".github/ci.yml", true),
        (".hg", false),
        (".git", false),
        ("dot-git", false),
        ("sub", false),
        (".jj", false),
    ] {
        assert_eq!(stage.local(name).exists(), is_there, "{name}");
    }
    for name in [".hg/hgrc", ".git/config"] {
        let one = stage.run(&[name, to_local[0], to_local[1]]);
        assert_eq!(one.status.code(), Some(1), "{name}");
    }
    stage.download(&["--exclude", ".hg/*", ".git/*", "sub/*", ".jj/*"]);
    assert!(stage.run(&["--quiet"]).status.success(), "the cache takes all of them");
}

#[test]
fn what_belongs_to_the_clients_of_the_folder_is_left_out_with_a_warning() {
    for (at_hub, record) in [
        (
            "dot-cache/huggingface/download/config.json.metadata",
            ".cache/huggingface/download/config.json.metadata",
        ),
        (
            "CACHE~1/HUGGIN~1/download/config.json.metadata",
            "CACHE~1/HUGGIN~1/download/config.json.metadata",
        ),
    ] {
        let stage = Stage::new(&[("config.json", b"{}"), (at_hub, b"forged")]);
        let local = stage.local("");
        let to_local = ["--local-dir", local.to_str().unwrap()];
        for dry_run in [&["--dry-run"][..], &[], &[]] {
            let output = stage.run(&[&to_local, dry_run].concat());
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{told}");
            assert!(told.contains("warning") && told.contains(record), "{told}");
            assert_eq!(told.matches(record).count(), 1, "{told}");
        }
        assert!(stage.local("config.json").exists());
        assert!(!stage.local("CACHE~1").exists() && !stage.local("dot-cache").exists());
        let own =
            fs::read_to_string(stage.local(".cache/huggingface/download/config.json.metadata"));
        assert_eq!(own.unwrap().lines().count(), 3, "the record is ours");
        let one = stage.run(&[record, to_local[0], to_local[1]]);
        assert_eq!(one.status.code(), Some(1), "who asks for it by name is told");
    }
}

/// The record of such a file can't have its name and more.
#[test]
fn a_name_as_long_as_disks_bear_is_there_and_fetched_once() {
    let long = format!("{}.bin", "n".repeat(246));
    let stage = Stage::new(&[(&long, MODEL), ("config.json", b"{}")]);
    for (args, files) in [(&[long.as_str()][..], 1), (&[], 2)] {
        for fetched in [files, 0] {
            stage.download(args);
            assert!(fs::read(stage.local(&long)).unwrap() == MODEL);
            assert_eq!(stage.fetched(), fetched, "{args:?}");
        }
        stage.download(&[args, &["--offline"]].concat());
        assert_eq!(stage.hub.requests().len(), 0, "{args:?}");
        fs::remove_dir_all(stage.local("")).unwrap();
    }
}
