//! What the endpoint answers, request by request, over a folder made for the test.
//!
//! A row is a request and what its answer must show: the status, some headers (`!name` where a header must be absent)
//! and, after an empty line, the whole body. Everything runs on the loopback interface.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

mod asked;
#[cfg(unix)]
mod caches;
mod client;
mod content;
#[cfg(unix)]
mod hashes;
#[cfg(unix)]
mod left_out;
mod limits;
mod listings;
mod observed;
mod requests;
mod running;

use std::{
    fs,
    path::{Path, PathBuf},
};

use client::{Answer, send};
use hubstow_serve::{Builder, RunningServer, Server};
use tempfile::TempDir;

/// The git blob sha1 of `hello\n`.
const HELLO_SHA1: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
/// The sha256 of `hello\n`.
const HELLO_SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// A folder and a server over it.
struct Served {
    folder: TempDir,
    running: RunningServer,
}

impl Served {
    /// Serves files given as names and contents; `*.bin` are LFS files.
    fn over(files: &[(&str, &str)]) -> Self {
        Self::with(files, |builder| builder)
    }

    fn with(files: &[(&str, &str)], options: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The folder is deeper than the temporary one, so that there is an outside to reach for.
        let root = folder.path().join("served");
        fs::create_dir(&root).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        let server = options(Server::builder(&root).lfs_glob("*.bin")).build();
        for (name, content) in files {
            write(&root.join(name), content);
        }
        Self { folder, running: server.spawn_on_loopback().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("served")
    }

    fn write(&self, name: &str, content: &str) {
        write(&self.root().join(name), content);
    }

    #[track_caller]
    fn send(&self, request: &str) -> Answer {
        send(self.running.address(), request)
    }

    /// The commit of a revision of `org/name`.
    #[track_caller]
    fn commit(&self, revision: &str) -> String {
        let answer = self.send(&format!("GET /api/models/org/name/revision/{revision}"));
        answer.json()["sha"].as_str().expect("the revision exists").to_owned()
    }

    /// Sends a request and compares what `expected` names of the answer.
    #[track_caller]
    fn check(&self, request: &str, expected: &str) {
        let answer = self.send(request);
        let (head, body) = match expected.split_once("\n\n") {
            Some((head, body)) => (head, Some(body)),
            None => (expected, None),
        };
        let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
        let status: u16 = lines.next().unwrap().parse().unwrap();
        assert_eq!(answer.status, status, "{request}: {:?} {}", answer.headers, answer.text());
        for line in lines {
            if let Some(name) = line.strip_prefix('!') {
                assert_eq!(answer.header(name), None, "{request}: {name}");
            } else {
                let (name, value) = line.split_once(": ").unwrap();
                assert_eq!(answer.header(name), Some(value), "{request}: {name}");
            }
        }
        if let Some(body) = body {
            assert_eq!(answer.text(), body, "{request}");
        }
    }
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
