//! Situations of people who share a machine or a name: several users of one cache, umasks, a repo that was renamed, a clock
//! that is wrong, and jobs that all start at once.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const MODEL: &[u8] = &[7; 300_000];
/// Members of one group.
const MEMBERS: [u32; 2] = [4321, 4322];
const GROUP: u32 = 4320;

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new() -> Self {
        Self::with(|router| router)
    }

    fn with(layer: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/acme/tiny");
        fs::create_dir_all(&repo).unwrap();
        fs::write(repo.join("model.bin"), MODEL).unwrap();
        fs::write(repo.join("config.json"), "{}\n").unwrap();
        let server = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16).build();
        let hub = RunningServer::start_on_loopback(layer(server.router())).unwrap();
        Self { folder, hub }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn repo(&self) -> PathBuf {
        self.cache().join("models--acme--tiny")
    }

    /// Begins with a cache that a group shares, where that can be tried.
    fn shared() -> Option<Self> {
        let stage = Self::new();
        is_root(&stage).then(|| stage.share())?;
        Some(stage)
    }

    /// Makes a cache that a group shares.
    fn share(&self) {
        fs::create_dir(self.cache()).unwrap();
        let setup = format!(
            "chmod 755 '{0}' && chgrp {GROUP} '{1}' && chmod 2775 '{1}'",
            self.folder.path().display(),
            self.cache().display()
        );
        assert!(Command::new("sh").args(["-ec", &setup]).status().unwrap().success());
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_by(Command::new(env!("CARGO_BIN_EXE_hubstow")), args)
    }

    fn command_by(&self, mut program: Command, args: &[&str]) -> Command {
        program
            .env_clear()
            .env("HF_HUB_CACHE", self.cache())
            .env("HF_ENDPOINT", self.hub.url())
            .arg("download")
            .args(args);
        program
    }

    /// Makes the command of a member of the group, with this umask.
    fn member(&self, member: u32, umask: &str, args: &[&str]) -> Command {
        let mut program = Command::new("setpriv");
        program
            .args([format!("--reuid={member}"), format!("--regid={GROUP}")])
            .args(["--clear-groups", "--", "sh", "-c"])
            .arg(format!("umask {umask}; exec \"$@\""))
            .args(["sh", env!("CARGO_BIN_EXE_hubstow")]);
        self.command_by(program, args)
    }
}

#[track_caller]
fn printed(output: &Output) -> PathBuf {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Only root can be somebody else; for anybody else the test is skipped.
fn is_root(stage: &Stage) -> bool {
    let is_root = fs::metadata(stage.folder.path()).unwrap().uid() == 0;
    if !is_root {
        println!("skipped: only root can be somebody else");
    }
    is_root
}

#[test]
fn what_is_stored_has_the_modes_that_the_umask_gives() {
    for (umask, file, folder) in
        [("022", 0o644, 0o755), ("002", 0o664, 0o775), ("077", 0o600, 0o700)]
    {
        let stage = Stage::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        shell.arg(env!("CARGO_BIN_EXE_hubstow"));
        printed(&stage.command_by(shell, &["acme/tiny", "--quiet"]).output().unwrap());
        for entry in fs::read_dir(stage.repo().join("blobs")).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), file, "umask {umask}: {path:?}");
        }
        for name in ["", "blobs", "refs", "snapshots"] {
            assert_eq!(mode(&stage.repo().join(name)), folder, "umask {umask}: {name}");
        }
    }
}

/// One after the other, with locks and private folders that the first one has made.
#[test]
fn members_of_a_group_fill_one_cache() {
    let Some(stage) = Stage::shared() else { return };
    let [first, second] = MEMBERS;
    let args = ["acme/tiny", "config.json", "--quiet"];
    printed(&stage.member(first, "002", &args).output().unwrap());
    let path = printed(&stage.member(second, "002", &["acme/tiny", "--quiet"]).output().unwrap());
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), MODEL);
    // What the second one has stored, the first one can replace.
    let forced = ["acme/tiny", "model.bin", "--quiet", "--force-download"];
    printed(&stage.member(first, "002", &forced).output().unwrap());
    printed(&stage.member(second, "002", &["acme/tiny", "--quiet", "--offline"]).output().unwrap());
}

/// What is private to a program is shared by whoever shares the cache, even if an administrator was the first to run it.
#[test]
fn a_member_goes_on_where_root_has_run_with_an_umask_of_its_own() {
    let Some(stage) = Stage::shared() else { return };
    let [first, second] = MEMBERS;
    let one = ["acme/tiny", "config.json", "--quiet"];
    printed(&stage.member(first, "002", &one).output().unwrap());
    // Another client has filled it: what is private to this one is not there yet.
    fs::remove_dir_all(stage.repo().join(".hubstow")).unwrap();
    fs::remove_dir_all(stage.cache().join(".locks")).unwrap();
    let mut root = Command::new("sh");
    root.args(["-c", "umask 022; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_hubstow")]);
    let again = [&one[..], &["--force-download"]].concat();
    printed(&stage.command_by(root, &again).output().unwrap());
    for private in [stage.repo().join(".hubstow"), stage.cache().join(".locks/models--acme--tiny")]
    {
        let made = fs::metadata(&private).unwrap();
        assert_eq!((made.gid(), mode(&private)), (GROUP, mode(&stage.repo())), "{private:?}");
    }
    for args in [&["model.bin"][..], &[], &["--force-download"], &["--offline"]] {
        let args = [&["acme/tiny", "--quiet"], args].concat();
        let output = stage.member(second, "002", &args).output().unwrap();
        printed(&output);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.is_empty(), "{args:?}: {told}");
    }
    let path = printed(&stage.member(first, "002", &["acme/tiny", "--quiet"]).output().unwrap());
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), MODEL);
    printed(&stage.command(&again).output().unwrap());
}

#[test]
fn what_was_proved_is_believed_where_root_or_the_reader_says_so() {
    let stage = Stage::new();
    if !is_root(&stage) {
        return;
    }
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(stage.folder.path().join("hub/acme/tiny/large.bin"), vec![7; 5 << 20]).unwrap();
    let args = ["acme/tiny", "large.bin", "-v"];
    assert!(stage.command(&args).output().unwrap().status.success());
    let is_read_by = |member| {
        let offline = [&args[..], &["--offline"]].concat();
        let ended = stage.member(member, "022", &offline).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{told}");
        told.contains("hashing a file")
    };
    let [member, other] = MEMBERS;
    assert!(!is_read_by(member), "root has proved it");
    let records = fs::read_dir(stage.repo().join(".hubstow/proved")).unwrap();
    let records = records.map(|entry| entry.unwrap().path());
    let given = records.map(|record| std::os::unix::fs::chown(record, Some(member), None).unwrap());
    assert!(given.count() > 0);
    assert!(!is_read_by(member), "it is his own word");
    assert!(is_read_by(other), "it is nobody's word but a member's");
}

#[test]
fn a_renamed_repo_comes_under_the_name_that_was_asked_for() {
    let renamed = |router: axum::Router| {
        router.layer(middleware::from_fn(async |request: Request, next: Next| {
            let asked = request.uri().to_string();
            if !asked.contains("acme/old-name") {
                return next.run(request).await;
            }
            let location = asked.replace("acme/old-name", "acme/tiny");
            let answer = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
            answer.header(header::LOCATION, location).body(Body::empty()).unwrap()
        }))
    };
    let stage = Stage::with(renamed);
    let repo = "acme/old-name";
    let path = printed(&stage.command(&[repo, "model.bin", "--quiet"]).output().unwrap());
    assert_eq!(fs::read(&path).unwrap(), MODEL);
    let folder = printed(&stage.command(&[repo, "--quiet"]).output().unwrap());
    assert_eq!(fs::read(folder.join("config.json")).unwrap(), b"{}\n");
    assert!(path.starts_with(stage.cache().join("models--acme--old-name")), "{path:?}");
    let offline = stage.command(&[repo, "model.bin", "--quiet", "--offline"]);
    assert_eq!(printed(&{ offline }.output().unwrap()), path);
}

/// Files from the future, as a machine has them whose clock was set back: nothing is taken for fresh or for old by that.
#[test]
fn a_clock_that_was_set_back_changes_nothing() {
    let stage = Stage::new();
    let path = printed(&stage.command(&["acme/tiny", "model.bin", "--quiet"]).output().unwrap());
    let blob = fs::canonicalize(&path).unwrap();
    for when in [SystemTime::now() + Duration::from_secs(400 * 86_400), SystemTime::UNIX_EPOCH] {
        let file = fs::File::options().write(true).open(&blob).unwrap();
        file.set_modified(when).unwrap();
        drop(file);
        stage.hub.clear_requests();
        for args in [&["--offline"][..], &[]] {
            let all = [&["acme/tiny", "model.bin", "--quiet"], args].concat();
            assert_eq!(printed(&stage.command(&all).output().unwrap()), path);
        }
        let fetched = stage.hub.requests().iter().any(|request| request.method == "GET");
        assert!(!fetched, "{when:?}: the content is here");
    }
}

#[test]
fn jobs_that_start_at_once_share_one_transfer() {
    let stage = Stage::new();
    let start = || {
        let mut command = stage.command(&["acme/tiny", "--quiet"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let jobs: Vec<_> = (0..12).map(|_| start()).collect();
    for job in jobs {
        let folder = printed(&job.wait_with_output().unwrap());
        assert_eq!(fs::read(folder.join("model.bin")).unwrap(), MODEL);
    }
    let requests = stage.hub.requests();
    let fetches = requests
        .iter()
        .filter(|request| request.method == "GET" && request.path.contains("/resolve/"));
    assert_eq!(fetches.count(), 2, "each file once, however many want it");
}

#[test]
fn whoever_may_start_too_few_threads_is_told_so_and_does_not_wait() {
    let stage = Stage::new();
    if !is_root(&stage) {
        return;
    }
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut ways = [0; 2];
    for limit in [1, 2, 3, 4, 6, 8, 12, 64] {
        let mut program = Command::new("timeout");
        // Nobody else is this user, so that all of its processes are counted here.
        let user = 5000 + limit;
        program.args(["60", "prlimit", &format!("--nproc={limit}")]);
        program.args(["setpriv", &format!("--reuid={user}"), &format!("--regid={user}")]);
        program.args(["--clear-groups", "--", env!("CARGO_BIN_EXE_hubstow")]);
        let cache = stage.folder.path().join(format!("cache-{limit}"));
        let mut command = stage.command_by(program, &["acme/tiny", "--quiet"]);
        let ended = command.env("HF_HUB_CACHE", cache).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        match ended.status.code() {
            Some(0) => ways[1] += 1,
            Some(1) if told.contains("ulimit -u") => ways[0] += 1,
            code => panic!("{limit} threads: {code:?}, {told}"),
        }
    }
    assert!(ways[0] >= 4 && ways[1] >= 1, "{ways:?}");
}

#[test]
fn whoever_may_remove_nothing_is_told_so() {
    let stage = Stage::new();
    if !is_root(&stage) {
        return;
    }
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    printed(&stage.command(&["acme/tiny", "--quiet"]).output().unwrap());
    let mut program = Command::new("setpriv");
    program.args(["--reuid=4321", "--regid=4321", "--clear-groups", "--"]);
    program.args([env!("CARGO_BIN_EXE_hubstow"), "cache", "rm", "acme/tiny", "--yes"]);
    let ended = program.env_clear().env("HF_HUB_CACHE", stage.cache()).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(7), "{told}");
    assert!(told.contains("nothing could be removed") && ended.stdout.is_empty(), "{told}");
    assert_eq!(fs::read_dir(stage.repo().join("blobs")).unwrap().count(), 2);
}
