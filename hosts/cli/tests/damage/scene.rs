//! A hub, a cache that the command has made of it, and what may be done to that.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use hubstow_serve::{RunningServer, Server};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The folder of the repo that is damaged.
pub(crate) const TINY: &str = "models--acme--tiny";
/// A hash of no content that is anywhere.
pub(crate) const NOBODY: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
/// The name of a shared content.
pub(crate) const PAYLOAD: &str = "abababababababababababababababababababababababababababababababab";

/// How files were put in their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Linked,
    Plain,
}

/// What all rows are made of: a hub, and a cache of each kind.
struct Model {
    folder: TempDir,
    hub: RunningServer,
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &[u8]| {
            let path = folder.path().join("hub/acme").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let large: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
        for repo in ["tiny", "tiny@v1", "twin"] {
            write(&format!("{repo}/deep/model.bin"), &large);
        }
        for repo in ["tiny", "tiny@v1"] {
            write(&format!("{repo}/config.json"), format!("{{\"of\": \"{repo}\"}}\n").as_bytes());
        }
        write("tiny/other.json", b"[1, 2, 3, 4]\n");
        write("tiny/own.bin", &[9; 700]);
        let hub = Server::builder(folder.path().join("hub")).lfs_glob("*.bin").build();
        let model = Model { folder, hub: hub.spawn_on_loopback().unwrap() };
        for (made, var) in [(Made::Linked, "0"), (Made::Plain, "1")] {
            for args in [&["acme/tiny"][..], &["acme/tiny", "--revision", "v1"], &["acme/twin"]] {
                let cache = model.cache(made);
                let mut command = command(model.folder.path(), &cache, model.hub.url());
                command.env("HF_HUB_DISABLE_SYMLINKS", var).arg("download").args(args);
                let output = command.output().unwrap();
                assert!(output.status.success(), "{output:?}");
            }
        }
        model
    })
}

impl Model {
    fn cache(&self, made: Made) -> PathBuf {
        self.folder.path().join(format!("{made:?}"))
    }
}

fn command(home: &Path, cache: &Path, hub: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
    command.env_clear().env("HOME", home).env("HF_HUB_CACHE", cache).env("HF_ENDPOINT", hub);
    command
}

/// A cache of its own, to be damaged.
pub(crate) struct Scene {
    folder: TempDir,
    made: Made,
    names: BTreeMap<&'static str, String>,
    /// What each file of a snapshot holds, before anything was done.
    right: BTreeMap<String, String>,
}

impl Scene {
    pub(crate) fn new(made: Made) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("cp")
            .arg("-a")
            .args([model().cache(made), folder.path().join("cache")])
            .status()
            .unwrap();
        assert!(status.success());
        let mut scene = Self { folder, made, names: BTreeMap::new(), right: BTreeMap::new() };
        for (name, at) in [
            ("main", "models--acme--tiny/refs/main"),
            ("v1", "models--acme--tiny/refs/v1"),
            ("twin", "models--acme--twin/refs/main"),
        ] {
            scene.names.insert(name, fs::read_to_string(scene.at(at)).unwrap());
        }
        scene.names.insert("payload", PAYLOAD.to_owned());
        for (name, file) in [
            ("model", "deep/model.bin"),
            ("config", "config.json"),
            ("other", "other.json"),
            ("own", "own.bin"),
        ] {
            let listing = fs::read(scene.at(&format!("{TINY}/trees/{{main}}.json"))).unwrap();
            let listing: Value = serde_json::from_slice(&listing).unwrap();
            let file = &listing["files"][file];
            let etag = file["lfs_sha256"].as_str().or(file["blob_id"].as_str()).unwrap();
            scene.names.insert(name, etag.to_owned());
        }
        scene.right = scene.readable();
        assert_eq!(scene.right.len(), 7, "{:?}", scene.right);
        scene
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn hub() -> &'static str {
        model().hub.url()
    }

    /// Starts another hub of the same files.
    pub(crate) fn own_hub() -> RunningServer {
        let hub = Server::builder(model().folder.path().join("hub")).lfs_glob("*.bin").build();
        hub.spawn_on_loopback().unwrap()
    }

    /// Puts commits and etags for their names in braces.
    pub(crate) fn named(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    /// Returns a place in the cache.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.cache().join(self.named(path))
    }

    /// Returns a place in the repo that is damaged.
    pub(crate) fn tiny(&self, path: &str) -> PathBuf {
        self.at(&format!("{TINY}/{path}"))
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.tiny(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.tiny(path)).unwrap();
    }

    /// Puts a link in the place of what is there.
    pub(crate) fn link(&self, path: &str, text: &str) {
        let at = self.tiny(path);
        let _ = fs::remove_file(&at);
        symlink(self.named(text), at).unwrap();
    }

    /// Puts a folder in the place of a file.
    pub(crate) fn folder(&self, path: &str) {
        let at = self.tiny(path);
        let _ = fs::remove_file(&at);
        fs::create_dir_all(at).unwrap();
    }

    /// Returns the command on this cache.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(self.folder.path(), &self.cache(), model().hub.url());
        command.env("HF_HUB_DISABLE_SYMLINKS", if self.made == Made::Plain { "1" } else { "0" });
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Verifies, and returns the exit code and what is said.
    pub(crate) fn verify(&self, args: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["cache", "verify", "--json"], args].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        let said = serde_json::from_slice(&output.stdout);
        let said = said.unwrap_or_else(|error| panic!("{args:?}: {error}: {told}"));
        (output.status.code().unwrap(), said)
    }

    /// What the files of snapshots hold that can be read, by hash.
    pub(crate) fn readable(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for path in files_below(&self.cache()) {
            let name = path.strip_prefix(self.cache()).unwrap().to_str().unwrap().to_owned();
            let is_file = fs::metadata(&path).is_ok_and(|it| it.is_file());
            if name.contains("/snapshots/") && is_file {
                found.insert(name, hash(&fs::read(path).unwrap()));
            }
        }
        found
    }

    /// What is read right.
    pub(crate) fn right(&self) -> BTreeSet<String> {
        let now = self.readable();
        let is_right = |name: &&String| now.get(*name) == self.right.get(*name);
        self.right.keys().filter(is_right).cloned().collect()
    }

    /// All contents that a hash proves and that are anywhere in the cache.
    pub(crate) fn proved(&self) -> BTreeSet<String> {
        let known: BTreeSet<&String> = self.right.values().collect();
        let files = files_below(&self.cache()).into_iter();
        let files = files.filter(|path| fs::symlink_metadata(path).is_ok_and(|it| it.is_file()));
        let hashes = files.filter_map(|path| fs::read(path).ok()).map(|content| hash(&content));
        hashes.filter(|hash| known.contains(hash)).collect()
    }

    /// Everything in the cache but what is our own: names, kinds and contents.
    pub(crate) fn everything(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for path in files_below(&self.cache()) {
            let name = path.strip_prefix(self.cache()).unwrap().to_str().unwrap().to_owned();
            if name.contains(".hubstow") || name.starts_with(".locks") {
                continue;
            }
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let what = if kind.is_symlink() {
                fs::read_link(&path).unwrap().to_str().unwrap().to_owned()
            } else if kind.is_file() {
                hash(&fs::read(&path).unwrap())
            } else {
                format!("{kind:?}")
            };
            all.insert(name, what);
        }
        all
    }
}

pub(crate) fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All entries that are no folders, without following links, and empty folders.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let before = found.len() + folders.len();
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
        if found.len() + folders.len() == before {
            found.push(folder);
        }
    }
    found.sort();
    found
}
