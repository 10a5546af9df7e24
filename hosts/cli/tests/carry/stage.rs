//! A cache that was downloaded from a hub of this machine, and the command on it and on others.

use std::{
    collections::BTreeMap,
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hubstow_serve::Server;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const OLD_CONFIG: &str = "{\"revision\": \"of long ago\"}\n";

/// What a file holds, shown by its length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content(pub(crate) Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0.len())
    }
}

pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A model at two revisions that share all but one file, and a dataset.
    pub(crate) fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        stage.make_hub();
        let hub = Server::builder(stage.folder().join("hub")).lfs_glob("*.bin").build();
        let hub = hub.spawn_on_loopback().unwrap();
        for args in [
            &["acme/tiny"][..],
            &["acme/tiny", "--revision", "v1"],
            &["acme/rows", "--repo-type", "dataset"],
        ] {
            let endpoint = hub.url();
            let vars = [("HF_ENDPOINT", endpoint)];
            let output = stage.command(&vars, &[&["download", "-q"], args].concat());
            stage.succeeds(&output);
        }
        stage
    }

    pub(crate) fn make_hub(&self) {
        let mut random = fastrand::Rng::with_seed(7);
        let content: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(300_000).collect();
        for (repo, config) in [("acme/tiny", "{}\n"), ("acme/tiny@v1", OLD_CONFIG)] {
            let repo = self.folder().join("hub").join(repo);
            fs::create_dir_all(repo.join("deep/er")).unwrap();
            fs::write(repo.join("config.json"), config).unwrap();
            for (name, content) in [
                ("same.json", &b"{}\n"[..]),
                ("empty.txt", b""),
                ("deep/model.bin", &content),
                ("deep/er/odd name.txt", b"odd\n"),
            ] {
                fs::write(repo.join(name), content).unwrap();
            }
        }
        let rows = self.folder().join("hub/datasets/acme/rows");
        fs::create_dir_all(&rows).unwrap();
        fs::write(rows.join("rows.csv"), "a,b\n1,2\n").unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.folder().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.at(name)).is_ok()
    }

    pub(crate) fn cache(&self) -> String {
        self.at("cache")
    }

    pub(crate) fn prepared(&self, vars: &[(&str, &str)], args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command.env_clear().env("HOME", self.folder()).env("HF_HUB_CACHE", self.cache());
        command.current_dir(self.folder()).envs(vars.iter().copied()).args(args);
        command
    }

    pub(crate) fn command(&self, vars: &[(&str, &str)], args: &[&str]) -> Output {
        self.prepared(vars, args).output().unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(&[], &[&["cache"], args].concat())
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, output: &Output) -> String {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}", output.status);
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json_with(&self, vars: &[(&str, &str)], args: &[&str]) -> Value {
        let output = self.command(vars, &[&["cache"], args, &["--json"]].concat());
        serde_json::from_str(&self.succeeds(&output)).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.json_with(&[], args)
    }

    /// Runs an import of which nothing can be taken, and returns what it says of that.
    #[track_caller]
    pub(crate) fn takes_nothing(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        self.fails(&output, 1, "nothing of");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Checks that a run has failed in this way, and returns its error where that was asked for as JSON.
    #[track_caller]
    pub(crate) fn fails(&self, output: &Output, code: i32, word: &str) -> Value {
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(word), "{word}: {told}");
        let last = told.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_or(Value::Null, |error: Value| error["error"].clone())
    }

    /// Exports all that a cache has.
    #[track_caller]
    pub(crate) fn export(&self, cache: &str, to: &str) -> Value {
        let repos = ["acme/tiny", "dataset/acme/rows"];
        let args = [&["export"], &repos[..], &["-o", to, "--yes", "--cache-dir", cache]].concat();
        self.json(&args)
    }

    /// Runs a tool of the system.
    #[track_caller]
    pub(crate) fn system(&self, tool: &str, args: &[&str]) {
        for name in args.iter().skip_while(|arg| **arg != "-C").skip(1).take(1) {
            fs::create_dir_all(name).unwrap();
        }
        let output = Command::new(tool).current_dir(self.folder()).args(args).output().unwrap();
        self.succeeds(&output);
    }

    pub(crate) fn commit(&self, revision: &str) -> String {
        let at = format!("cache/models--acme--tiny/refs/{revision}");
        fs::read_to_string(self.at(&at)).unwrap()
    }

    /// Returns where the content of a file of the model is.
    pub(crate) fn blob_of(&self, file: &str) -> PathBuf {
        let commit = self.commit("main");
        let at = format!("cache/models--acme--tiny/snapshots/{commit}/{file}");
        fs::canonicalize(self.at(&at)).unwrap()
    }

    /// All files and links below a folder, in order.
    pub(crate) fn files(folder: &str) -> BTreeMap<String, fs::Metadata> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![PathBuf::from(folder)]);
        while let Some(at) = folders.pop() {
            let Ok(entries) = fs::read_dir(at) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, metadata);
                }
            }
        }
        found
    }

    /// All files below a folder with what they hold.
    pub(crate) fn tree(folder: &str) -> BTreeMap<String, Content> {
        let read =
            |name: &String| Content(fs::read(Path::new(folder).join(name)).unwrap_or_default());
        Self::files(folder).into_keys().map(|name| (name.clone(), read(&name))).collect()
    }

    /// The files of all snapshots, with what is read there; a link that leads nowhere holds nothing, and is told.
    #[track_caller]
    pub(crate) fn contents(cache: &str) -> BTreeMap<String, Content> {
        let mut found = BTreeMap::new();
        for name in Self::files(cache).into_keys() {
            if name.split('/').nth(1) == Some("snapshots") {
                let content = fs::read(Path::new(cache).join(&name));
                found.insert(name.clone(), Content(content.expect(&name)));
            }
        }
        found
    }

    /// The refs of all repos.
    pub(crate) fn refs(cache: &str) -> BTreeMap<String, Content> {
        let is_ref = |name: &String| name.split('/').nth(1) == Some("refs");
        Self::tree(cache).into_iter().filter(|(name, _)| is_ref(name)).collect()
    }

    /// The bytes of all files, each once.
    pub(crate) fn bytes(folder: &str) -> u64 {
        let files = Self::files(folder).into_values().filter(fs::Metadata::is_file);
        let files: BTreeMap<u64, u64> = files.map(|it| (it.ino(), it.len())).collect();
        files.values().sum()
    }
}
