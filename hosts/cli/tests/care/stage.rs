//! A cache that was made by hand, and the command on it.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The commit of the refs.
pub(crate) const COMMIT: &str = "0123456789012345678901234567890123456789";
/// A commit without a ref.
pub(crate) const OTHER: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";

pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A model with two revisions, one of them without a ref, and a blob that nothing leads to; and a dataset.
    pub(crate) fn by_hand() -> Self {
        let stage = Self::empty();
        let tiny = stage.cache().join("models--acme--tiny");
        let write = |path: PathBuf, len: usize| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![7; len]).unwrap();
        };
        let link = |text: &str, path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(text, path).unwrap();
        };
        for (etag, len) in [("aaaa", 100), ("bbbb", 200), ("lost", 400)] {
            write(tiny.join("blobs").join(etag), len);
        }
        let (main, other) =
            (tiny.join("snapshots").join(COMMIT), tiny.join("snapshots").join(OTHER));
        link("../../blobs/aaaa", main.join("a.bin"));
        link("../../../blobs/bbbb", main.join("deep/b.bin"));
        link("../../blobs/aaaa", other.join("a.bin"));
        write(other.join("own.bin"), 50);
        for name in ["main", "refs/pr/1"] {
            let at = tiny.join("refs").join(name);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, COMMIT).unwrap();
        }
        let rows = stage.cache().join("datasets--acme--rows");
        write(rows.join("blobs/rrrr"), 30);
        let commit = "f".repeat(40);
        link("../../blobs/rrrr", rows.join("snapshots").join(&commit).join("rows.csv"));
        fs::create_dir_all(rows.join("refs")).unwrap();
        fs::write(rows.join("refs/main"), commit).unwrap();
        stage
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder().join("cache")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command.env_clear().env("HOME", self.folder()).env("HF_HUB_CACHE", self.cache());
        command.arg("cache").args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(&[args, &["--json"]].concat())).unwrap()
    }

    /// Runs it on a terminal of its own, with this answer; returns what is shown there.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_terminal(&self, args: &[&str], answer: &str) -> String {
        let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!("{} cache {}", env!("CARGO_BIN_EXE_hubstow"), quoted.join(" "));
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("HF_HUB_CACHE", self.cache());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.env("HOME", self.folder()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = running.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs what must fail in this way, and returns its error.
    #[track_caller]
    pub(crate) fn fail(&self, args: &[&str], code: i32) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let error: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        error["error"].clone()
    }

    /// The bytes of all files of the cache, each once.
    pub(crate) fn bytes(&self) -> u64 {
        let (mut found, mut folders) = (BTreeMap::new(), vec![self.cache()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if metadata.is_file() {
                    found.insert(metadata.ino(), metadata.len());
                }
            }
        }
        found.values().sum()
    }
}
