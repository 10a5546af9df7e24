//! The stage: a hub that wants a token and keeps large files elsewhere, a cache, and programs that are run in it.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use hubstow_core::hub::Endpoint;
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

/// The token that the hub wants.
pub(crate) const TOKEN: &str = "hf_ofThePages";
/// The model on the hub; the README asks for it.
pub(crate) const MODEL: &str = "openai-community/gpt2";
/// A small file, in git.
pub(crate) const CONFIG: &str = "config.json";
/// Its content at `main`.
pub(crate) const LAYERS: &[u8] = br#"{"layers": 12}"#;
/// A large file; its content is not on the hub itself.
pub(crate) const WEIGHTS: &str = "weights/model.bin";
/// Its length; from 4 MiB on its proof is written down.
pub(crate) const WEIGHTS_BYTES: usize = 5 << 20;
/// The size from which files are large ones.
const LARGE_BYTES: u64 = 1 << 20;

/// Names the Python interpreter of the tests.
const PYTHON: &str = "HUBSTOW_PYTHON";
/// Names the folder in which the packages of `tests/javascript` are installed.
const JAVASCRIPT: &str = "HUBSTOW_JAVASCRIPT";

pub(crate) struct Stage {
    pub(crate) hub: RunningServer,
    /// Where the content of large files is.
    pub(crate) store: RunningServer,
    folder: TempDir,
}

impl Stage {
    /// Sets it up: a model with two revisions that have one large file in common.
    pub(crate) fn open() -> Result<Self> {
        Self::with_store(Server::spawn_on_loopback)
    }

    /// Does the same where content comes from another server.
    pub(crate) fn with_store(
        store: impl FnOnce(Server) -> Result<RunningServer, hubstow_serve::Error>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("hub");
        for (revision, config) in [("", LAYERS), ("@v1", br#"{"layers": 2}"#)] {
            let repo = root.join(format!("{MODEL}{revision}"));
            fs::create_dir_all(repo.join("weights"))?;
            fs::write(repo.join(CONFIG), config)?;
            fs::write(repo.join(WEIGHTS), weights())?;
        }
        let server = || Server::builder(&root).lfs_from_bytes(LARGE_BYTES);
        let store = store(server().build())?;
        let cdn = Endpoint::parse(store.url())?;
        let hub = server().token(TOKEN).cdn(cdn).build().spawn_on_loopback()?;
        Ok(Self { hub, store, folder })
    }

    /// Returns the path of something in the folder of the stage.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a command that knows of this stage and of nothing else.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home")).env("HF_ENDPOINT", self.hub.url());
        command.env("HF_TOKEN", TOKEN).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Returns how many requests for content have come since the last look, to the hub and to the store.
    pub(crate) fn gets(&self) -> usize {
        let gets = |server: &RunningServer| {
            let count = server.requests().iter().filter(|one| one.method == "GET").count();
            server.clear_requests();
            count
        };
        gets(&self.hub) + gets(&self.store)
    }
}

/// The bytes of the large file.
pub(crate) fn weights() -> Vec<u8> {
    (0..WEIGHTS_BYTES).map(|at| (at % 251) as u8).collect()
}

/// Runs a command and returns what it has said, on stdout and on stderr.
pub(crate) fn said(command: &mut Command) -> Result<(Output, String, String)> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    println!("{stdout}\n{stderr}");
    ensure!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "the token was printed");
    Ok((output, stdout, stderr))
}

/// Returns all paths below a folder.
pub(crate) fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::symlink_metadata(&path)?.is_dir() {
            found.extend(below(&path)?);
        }
        found.push(path);
    }
    Ok(found)
}

/// Returns the Python of the tests where it has a module, or what is missing.
pub(crate) fn python(module: &str) -> Result<PathBuf, String> {
    let python = PathBuf::from(env::var_os(PYTHON).ok_or_else(|| unset(PYTHON))?);
    let mut import = Command::new(&python);
    import.args(["-c", &format!("import {module}")]);
    if runs(&mut import) { Ok(python) } else { Err(format!("the Python module {module}")) }
}

/// Returns the folder of the packages for JavaScript, or what is missing.
pub(crate) fn javascript() -> Result<PathBuf, String> {
    let is_old = "process.exit(process.versions.node.split('.')[0] < 20 ? 1 : 0)";
    if !runs(Command::new("node").args(["--eval", is_old])) {
        return Err("node 20 or newer".to_owned());
    }
    env::var_os(JAVASCRIPT).map(PathBuf::from).ok_or_else(|| unset(JAVASCRIPT))
}

pub(crate) fn runs(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn unset(variable: &str) -> String {
    format!("{variable} is not set; `cargo verify` sets it")
}
