//! Snapshots of many small files: how many requests they take, and how much memory.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use hubstow_serve::{RunningServer, Server};
use serde_json::Value;
use tempfile::TempDir;

/// A hub with a model of many small files, and a cache.
struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    fn new(files: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("hub/acme/many");
        write_files(&model, files);
        let hub = Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
        Self { folder, hub }
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("hub/acme/many")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .args(["download", "acme/many", "--json"])
            .args(arguments)
            .env_clear()
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HUB_CACHE", self.folder.path().join("cache"));
        command
    }

    /// Downloads, and returns the report and the methods of the requests that it took.
    fn download(&self, arguments: &[&str]) -> (Value, Vec<String>) {
        self.hub.clear_requests();
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let requests = self.hub.requests().into_iter().map(|request| request.method).collect();
        (serde_json::from_slice(&stdout).unwrap(), requests)
    }
}

fn write_files(model: &Path, files: usize) {
    for at in 0..files {
        let folder = model.join(format!("part-{:02}", at % 20));
        fs::create_dir_all(&folder).unwrap();
        let content = format!("file {at}\n").repeat(1 + at % 97);
        fs::write(folder.join(format!("{at:05}.txt")), content).unwrap();
    }
}

#[track_caller]
fn check(report: &Value, action: &str, files: usize) {
    let all = report["files"].as_array().unwrap();
    let done = all.iter().filter(|file| file["action"] == action).count();
    assert_eq!((done, all.len()), (files, files), "{action}");
}

#[test]
fn many_files_take_one_request_each_and_none_once_they_are_here() {
    const FILES: usize = 2000;
    let stage = Stage::new(FILES);
    let (report, requests) = stage.download(&[]);
    check(&report, "fetched", FILES);
    assert!(requests.len() <= FILES + 6, "{} requests", requests.len());
    assert!(requests.iter().all(|method| method == "GET"), "nothing is asked of a single file");

    let second = stage.folder.path().join("hub/acme/many@v2");
    write_files(&second, FILES);
    fs::rename(second.join("part-00/00000.txt"), second.join("renamed.txt")).unwrap();
    let (report, requests) = stage.download(&["--revision", "v2"]);
    check(&report, "placed", FILES);
    assert!(requests.len() <= 6, "{requests:?}");

    let commit = report["commit"].as_str().unwrap();
    let (report, requests) = stage.download(&["--revision", commit]);
    check(&report, "reused", FILES);
    assert_eq!(requests, Vec::<String>::new());
    let (report, requests) = stage.download(&["--offline", "--revision", "v2"]);
    check(&report, "reused", FILES);
    assert_eq!(requests, Vec::<String>::new());
    let (report, requests) = stage.download(&["--revision", "v2"]);
    check(&report, "reused", FILES);
    assert_eq!(requests.len(), 1);

    fs::remove_dir_all(stage.model().join("part-01")).unwrap();
    let (report, requests) = stage.download(&["--include", "part-02/*"]);
    check(&report, "placed", FILES / 20);
    assert!(requests.len() <= 6, "{requests:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn twenty_thousand_files_take_little_memory() {
    const FILES: usize = 20_000;
    const LIMIT_KIB: u64 = 64 << 10;
    let stage = Stage::new(FILES);
    for (arguments, what) in [(&[][..], "cold"), (&[], "warm")] {
        let report = fs::File::create(stage.folder.path().join("report.json")).unwrap();
        let mut child =
            stage.command(arguments).stdout(report).stderr(Stdio::inherit()).spawn().unwrap();
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut peak_kib = 0;
        let ended = loop {
            if let Some(peak) = peak_of(&status) {
                peak_kib = peak;
            }
            if let Some(ended) = child.try_wait().unwrap() {
                break ended;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        assert!(ended.success(), "{what}");
        assert!(peak_kib < LIMIT_KIB, "{what}: {peak_kib} KiB");
    }
}

/// Reads the largest resident set that a process has had, without its code where that is not optimised, which is three times as
/// much then.
#[cfg(target_os = "linux")]
fn peak_of(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let code = if cfg!(debug_assertions) { kib("RssFile:")? } else { 0 };
    kib("VmHWM:")?.checked_sub(code)
}
