//! The same caches for the real Python client: both say the same of them, and it reads what is left.
//!
//! Where they differ, and why the command's way is kept:
//! - a repo with one thing wrong is dropped by the Python client, and shown here with all the rest of it;
//! - blobs that no snapshot leads to and downloads that are not finished are told here;
//! - sizes in JSON are bytes.

use std::{ffi::OsString, fs, os::unix::fs::symlink, process::Command};

use hubstow_serve::{RunningServer, Server};
use serde_json::Value;

use crate::stage::Stage;

/// Where the Python with the client is, if anywhere.
const PYTHON: &str = "HUBSTOW_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/scanned.py");
const PAYLOAD: &str = "abababababababababababababababababababababababababababababababab";

/// The Python client, a hub, and a cache.
pub(crate) struct Peer {
    python: OsString,
    pub(crate) stage: Stage,
    pub(crate) hub: RunningServer,
    vars: Vec<(&'static str, &'static str)>,
}

impl Peer {
    pub(crate) fn new(vars: &[(&'static str, &'static str)]) -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            println!("skipped: {PYTHON} names no Python");
            return None;
        };
        let stage = Stage::empty();
        for repo in ["acme/tiny", "datasets/acme/rows"] {
            let repo = stage.folder().join("hub").join(repo);
            fs::create_dir_all(repo.join("deep")).unwrap();
            fs::write(repo.join("config.json"), "{}\n").unwrap();
            fs::write(repo.join("same.json"), "{}\n").unwrap();
            fs::write(repo.join("deep/model.bin"), vec![7; 5000]).unwrap();
        }
        let hub = serve(&stage);
        Some(Self { python, stage, hub, vars: vars.to_vec() })
    }

    /// The files of the hub change, and with them its commit.
    pub(crate) fn next_revision(&mut self) {
        fs::write(self.stage.folder().join("hub/acme/tiny/config.json"), "{\"next\": 1}\n")
            .unwrap();
        self.hub = serve(&self.stage);
    }

    /// Runs the script of the Python client.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command
            .env_clear()
            .env("HOME", self.stage.folder())
            .env("HF_HUB_CACHE", self.stage.cache())
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .envs(self.vars.iter().copied())
            .arg(SCRIPT)
            .args(args);
        command
    }

    #[track_caller]
    pub(crate) fn python(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn scan(&self) -> Value {
        serde_json::from_str(&self.python(&["scan"])).unwrap()
    }

    /// Compares what both say of every repo, revision and file, but for those that the Python client does not show.
    #[track_caller]
    pub(crate) fn agree(&self, hidden: &[&str]) {
        let theirs = self.scan();
        let mut repos = self.stage.json(&["ls"]).as_array().unwrap().clone();
        repos.retain(|repo| !hidden.contains(&repo["repo_id"].as_str().unwrap()));
        let their_repos = theirs["repos"].as_array().unwrap();
        assert_eq!(repos.len(), their_repos.len(), "{repos:?} {theirs}");
        for (our, their) in repos.iter().zip(their_repos) {
            for key in ["repo_type", "repo_id", "size", "files", "last_accessed", "last_modified"] {
                assert_eq!(our[key], their[key], "{key}: {our} {their}");
            }
            let id = our["repo_id"].as_str().unwrap();
            let of_repo = |mut rows: Value| {
                rows.as_array_mut()
                    .unwrap()
                    .retain(|row| row["repo_id"] == id && row["repo_type"] == our["repo_type"]);
                rows.as_array().unwrap().clone()
            };
            let revisions = of_repo(self.stage.json(&["ls", "--revisions"]));
            let their_revisions = their["revisions"].as_array().unwrap();
            assert_eq!(revisions.len(), their_revisions.len(), "{id}");
            for (our, their) in revisions.iter().zip(their_revisions) {
                for key in ["revision", "size", "last_modified", "snapshot_path", "refs"] {
                    assert_eq!(our[key], their[key], "{key}: {our} {their}");
                }
                let files = of_repo(self.stage.json(&["ls", "--files"]));
                let of_revision = files.iter().filter(|file| file["revision"] == our["revision"]);
                let named: Vec<_> =
                    of_revision.map(|file| (file["file"].clone(), file["size"].clone())).collect();
                let their_files = their["files"].as_array().unwrap().iter();
                let their_named: Vec<_> =
                    their_files.map(|file| (file["file"].clone(), file["size"].clone())).collect();
                assert_eq!(named, their_named);
            }
        }
    }
}

fn serve(stage: &Stage) -> RunningServer {
    let server = Server::builder(stage.folder().join("hub")).lfs_glob("*.bin").build();
    server.spawn_on_loopback().unwrap()
}

#[test]
fn both_say_the_same_of_what_the_python_client_has_made() {
    for vars in [&[][..], &[("HF_HUB_DISABLE_SYMLINKS", "1")]] {
        let Some(mut peer) = Peer::new(vars) else { return };
        peer.python(&["get", "model", "acme/tiny"]);
        peer.python(&["get", "dataset", "acme/rows"]);
        peer.agree(&[]);
        peer.next_revision();
        peer.python(&["get", "model", "acme/tiny"]);
        peer.agree(&[]);
        assert_eq!(
            peer.stage.json(&["ls", "--revisions", "-f", "type=model"]).as_array().unwrap().len(),
            2
        );
        // Its ref is all that a download into a folder leaves in the cache.
        let folder = peer.stage.folder().join("here");
        fs::create_dir_all(peer.stage.folder().join("hub/acme/third")).unwrap();
        fs::write(peer.stage.folder().join("hub/acme/third/a.txt"), "a").unwrap();
        peer.hub = serve(&peer.stage);
        peer.python(&["get", "model", "acme/third", "", folder.to_str().unwrap()]);
        peer.agree(&["acme/third"]);
    }
}

#[test]
fn the_python_client_reads_what_is_left_and_warns_of_nothing_new() {
    for vars in [&[][..], &[("HF_HUB_DISABLE_SYMLINKS", "1")]] {
        let Some(mut peer) = Peer::new(vars) else { return };
        peer.python(&["get", "model", "acme/tiny"]);
        peer.python(&["get", "dataset", "acme/rows"]);
        peer.next_revision();
        peer.python(&["get", "model", "acme/tiny"]);
        let pruned = peer.stage.json(&["prune", "--yes"]);
        assert_eq!(pruned["revisions_deleted"], 1);
        peer.python(&["offline", "model", "acme/tiny"]);
        peer.python(&["offline", "dataset", "acme/rows"]);
        peer.agree(&[]);
        assert_eq!(peer.scan()["warnings"], serde_json::json!([]));
        let again = peer.stage.json(&["prune", "--yes"]);
        assert_eq!((again["freed"].as_u64(), &again["skipped"]), (Some(0), &serde_json::json!([])));
        peer.stage.json(&["rm", "dataset/acme/rows", "--yes"]);
        peer.stage.json(&["rm", "hf://acme/tiny/config.json", "--yes"]);
        peer.agree(&[]);
        assert_eq!(peer.scan()["warnings"], serde_json::json!([]));
        peer.python(&["get", "model", "acme/tiny"]);
        peer.python(&["offline", "model", "acme/tiny"]);
    }
}

#[test]
fn both_say_the_same_of_a_store_that_repos_share_and_it_is_emptied_with_its_last_user() {
    let Some(peer) = Peer::new(&[]) else { return };
    peer.python(&["get", "model", "acme/tiny"]);
    peer.python(&["get", "dataset", "acme/rows"]);
    let cache = peer.stage.cache();
    let payload = cache.join("blobs/ab").join(PAYLOAD);
    fs::create_dir_all(payload.parent().unwrap()).unwrap();
    fs::write(cache.join("blobs/.huggingface-shared-blobs"), "1\n").unwrap();
    let mut users = String::new();
    for repo in ["models--acme--tiny", "datasets--acme--rows"] {
        let blobs = fs::read_dir(cache.join(repo).join("blobs")).unwrap();
        let large =
            blobs.map(|entry| entry.unwrap()).find(|entry| entry.metadata().unwrap().len() == 5000);
        let large = large.unwrap();
        fs::rename(large.path(), &payload).unwrap();
        symlink(format!("../../blobs/ab/{PAYLOAD}"), large.path()).unwrap();
        users += &format!("{repo}/blobs/{}\n", large.file_name().to_str().unwrap());
    }
    fs::write(cache.join(format!("blobs/ab/{PAYLOAD}.refs")), users).unwrap();
    peer.agree(&[]);
    assert_eq!(peer.stage.json(&["ls"])[0]["shared"], 5000);
    let one = peer.stage.json(&["rm", "acme/tiny", "--yes"]);
    assert!(one["freed"].as_u64().unwrap() < 1000, "{one}");
    assert_eq!(one["shared_blobs_deleted"], 0);
    peer.python(&["offline", "dataset", "acme/rows"]);
    let other = peer.stage.json(&["rm", "dataset/acme/rows", "--yes"]);
    assert!(other["freed"].as_u64().unwrap() > 5000, "{other}");
    assert!(!payload.exists());
}
