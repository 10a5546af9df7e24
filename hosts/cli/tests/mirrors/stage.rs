//! A repo with two revisions behind a mirror, an empty cache, and the command.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use hubstow_serve::{Builder, RecordedRequest, RunningServer, Server};
use serde_json::Value;
use tempfile::TempDir;

use super::mirror::{Mirror, PREFIX, Way};

const TOKEN: &str = "hf_of_the_mirror";
/// A small file in git.
pub(crate) const CONFIG: &str = "config.json";
/// A file in git LFS.
pub(crate) const MODEL: &str = "model.bin";
/// Long enough to be worth going on with.
const MODEL_BYTES: usize = 3 << 20;
/// As many files as there are make several pages.
const PAGE: usize = 2;

pub(crate) struct Stage {
    folder: TempDir,
    mirror: RunningServer,
    ways: Vec<Way>,
    truth: &'static Truth,
}

/// What the hub behind the mirror tells.
pub(crate) struct Truth {
    /// Each file's etag at each revision.
    etags: BTreeMap<&'static str, BTreeMap<String, String>>,
    pub(crate) commits: BTreeMap<&'static str, String>,
    /// What each file is by its sha256.
    pub(crate) sha256: BTreeMap<String, String>,
}

/// Every stage has the same files.
static TRUTH: OnceLock<Truth> = OnceLock::new();

impl Truth {
    fn of(hub: &Path) -> Self {
        let server = |glob: &str| builder(hub).lfs_glob(glob).build().spawn_on_loopback().unwrap();
        let (lfs, git) = (server("*"), server("*.bin"));
        let [main, next] = ["main", "next"].map(|revision| plain(hub, &git, revision));
        Self {
            sha256: plain(hub, &lfs, "main").1,
            commits: [("main", main.0), ("next", next.0)].into(),
            etags: [("main", main.1), ("next", next.1)].into(),
        }
    }
}

fn builder(hub: &Path) -> Builder {
    Server::builder(hub).page_limit(PAGE)
}

impl Stage {
    pub(crate) fn new(ways: &[Way]) -> Self {
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let hub = folder.path().join("hub");
        write_revision(&hub.join("acme/mirrored"), "{\"layers\": 1}\n");
        write_revision(&hub.join("acme/mirrored@next"), "{\"layers\": 2}\n");
        let truth = TRUTH.get_or_init(|| Truth::of(&hub));
        let server = builder(&hub).lfs_glob("*.bin").token(TOKEN).build();
        let router = Mirror::new(ways, truth).over(server.router());
        let mirror = RunningServer::start_on_loopback(router).unwrap();
        Self { folder, mirror, ways: ways.to_vec(), truth }
    }

    pub(crate) fn commit(&self, revision: &str) -> String {
        self.truth.commits[revision].clone()
    }

    pub(crate) fn files(&self, revision: &str) -> Vec<&str> {
        self.truth.etags[revision].keys().map(String::as_str).collect()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.mirror.clear_requests();
        let output = self
            .client(Command::new(env!("CARGO_BIN_EXE_hubstow")))
            .args(args)
            .arg("--json")
            .output()
            .unwrap();
        let what = format!("{:?}: {}", self.ways, args.join(" "));
        Run { output, requests: self.mirror.requests(), what }
    }

    /// Gives a program the mirror, the token and the cache, and nothing else.
    pub(crate) fn client(&self, mut program: Command) -> Command {
        let prefix = if self.ways.contains(&Way::Prefix) { PREFIX } else { "" };
        program
            .env_clear()
            .env("HF_ENDPOINT", format!("{}{prefix}", self.mirror.url()))
            .env("HF_TOKEN", TOKEN)
            .env("HF_HOME", self.folder.path().join("home"))
            .env("HF_HUB_CACHE", self.cache());
        program
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Returns where a peer may keep what it downloads.
    pub(crate) fn peer_cache(&self) -> PathBuf {
        self.folder.path().join("peer")
    }

    /// Tells whether a file here is what the hub holds under that name.
    pub(crate) fn is_right(&self, here: &Path, revision: &str, file: &str) -> bool {
        let folder = if revision == "main" { "mirrored" } else { "mirrored@next" };
        let there = self.folder.path().join("hub/acme").join(folder).join(file);
        fs::read(here).is_ok_and(|content| content == fs::read(there).unwrap())
    }

    /// Checks that whatever a user of the cache can see is right: blobs by their names, and what leads to them.
    #[track_caller]
    pub(crate) fn shows_nothing_wrong(&self) {
        let repo = self.cache().join("models--acme--mirrored");
        let hub = self.folder.path().join("hub/acme/mirrored");
        let (mut blobs, mut pointers) = (Vec::new(), Vec::new());
        list(&repo.join("blobs"), &mut blobs);
        let snapshot = repo.join("snapshots").join(&self.truth.commits["main"]);
        list(&snapshot, &mut pointers);
        for pointer in &pointers {
            let there = hub.join(pointer.strip_prefix(&snapshot).unwrap());
            assert!(fs::read(pointer).unwrap() == fs::read(there).unwrap(), "{pointer:?}");
        }
        blobs.retain(|blob| blob.extension().is_none_or(|ending| ending != "incomplete"));
        assert!(blobs.len() <= pointers.len(), "{:?}: {blobs:?}, {pointers:?}", self.ways);
    }
}

fn write_revision(folder: &Path, config: &str) {
    fs::create_dir_all(folder.join("data")).unwrap();
    fs::write(folder.join(CONFIG), config).unwrap();
    let model: Vec<u8> = (0_usize..MODEL_BYTES).map(|at| (at % 251 + at / 65_536) as u8).collect();
    fs::write(folder.join(MODEL), model).unwrap();
    for (name, content) in [("data/words.txt", "one two"), ("empty.txt", ""), ("README.md", "# x")]
    {
        fs::write(folder.join(name), content).unwrap();
    }
}

/// Returns the commit and the etags that a hub tells of a revision.
fn plain(folder: &Path, hub: &RunningServer, revision: &str) -> (String, BTreeMap<String, String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_hubstow"))
        .args(["download", "acme/mirrored", "--json", "--dry-run", "--revision", revision])
        .env_clear()
        .env("HF_ENDPOINT", hub.url())
        .env("HF_HUB_CACHE", folder.join("none"))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = report["files"].as_array().unwrap().iter();
    let etags = files.map(|file| (text(&file["file"]), text(&file["etag"]))).collect();
    (text(&report["commit"]), etags)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

/// What a run of the command has said and asked.
pub(crate) struct Run {
    output: Output,
    requests: Vec<RecordedRequest>,
    what: String,
}

impl Run {
    /// Checks that it has brought these files of a revision, right and under their true etags.
    #[track_caller]
    pub(crate) fn serves(&self, stage: &Stage, revision: &str, files: &[&str]) {
        let Self { output, what, .. } = self;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{what}: {told}{:#?}", self.requests);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let path = PathBuf::from(text(&report["path"]));
        let etags = &stage.truth.etags[revision];
        for file in files {
            let here = if files.len() == 1 { path.clone() } else { path.join(file) };
            assert!(stage.is_right(&here, revision, file), "{what}: {file}");
        }
        let named = report["files"].as_array().unwrap().iter();
        let named: BTreeMap<_, _> =
            named.map(|file| (text(&file["file"]), text(&file["etag"]))).collect();
        let expected = etags.iter().filter(|(file, _)| files.contains(&file.as_str()));
        let expected: BTreeMap<_, _> = expected.map(|(f, e)| (f.clone(), e.clone())).collect();
        assert_eq!(named, expected, "{what}");
        assert_eq!(text(&report["commit"]), stage.truth.commits[revision], "{what}");
        let truth: Vec<_> = stage.truth.etags.values().flat_map(BTreeMap::values).collect();
        for entry in fs::read_dir(stage.cache().join("models--acme--mirrored/blobs")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(truth.iter().any(|etag| **etag == name), "{what}: the blob {name}");
        }
        let authorized = self.requests.iter().all(|request| request.authorized);
        assert!(authorized, "{what}: the mirror is the endpoint");
    }

    /// Returns the path that it has printed, or its exit code.
    pub(crate) fn path(&self) -> Result<PathBuf, i32> {
        match self.output.status.code() {
            Some(0) => {
                let report: Value = serde_json::from_slice(&self.output.stdout).unwrap();
                Ok(PathBuf::from(text(&report["path"])))
            }
            code => Err(code.unwrap_or(-1)),
        }
    }

    /// Checks that it has failed so, and returns what it said.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> String {
        let told = String::from_utf8_lossy(&self.output.stderr).into_owned();
        assert_eq!(self.output.status.code(), Some(code), "{}: {told}", self.what);
        told
    }

    /// Counts the requests for content.
    pub(crate) fn contents(&self) -> usize {
        self.contents_of("")
    }

    /// Counts the requests for one file's content, not their redirects.
    pub(crate) fn contents_of(&self, file: &str) -> usize {
        self.count("GET", file)
    }

    /// Counts the questions what one file is.
    pub(crate) fn heads_of(&self, file: &str) -> usize {
        self.count("HEAD", file)
    }

    fn count(&self, method: &str, file: &str) -> usize {
        let is_counted = |request: &&RecordedRequest| {
            request.method == method
                && request.path.contains("/resolve/")
                && request.path.ends_with(file)
                && !request.path.contains("/stored/")
        };
        self.requests.iter().filter(is_counted).count()
    }
}
