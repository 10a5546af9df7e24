//! The programs that are measured: built here, or found on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    case::Case,
    client::{Client, Links},
};

/// The folder of this package.
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");
/// The Python client that is measured.
const PYTHON_CLIENT: &str = "huggingface_hub==2.4.0";

/// The server that is measured beside nodes, in Python as well.
const OLAH: &str = "olah==0.5.4";

/// Where the programs are; `None` for one that is not on this machine.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) hubstow: PathBuf,
    /// Another build of the command, where one is named.
    pub(crate) earlier: Option<PathBuf>,
    /// The same with the wasmtime host, which takes minutes to build.
    pub(crate) with_component: Option<PathBuf>,
    /// Runs a command with system calls refused.
    pub(crate) refuse: Option<PathBuf>,
    pub(crate) hf_hub: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
    pub(crate) python_script: PathBuf,
    pub(crate) curl: Option<PathBuf>,
    pub(crate) aria2: Option<PathBuf>,
    /// What is not measured, and why.
    pub(crate) lacking: Vec<String>,
}

impl Tools {
    /// Builds and finds what some cases need. `target` is cargo's target folder; `earlier` is taken as it is.
    pub(crate) fn gather(target: &Path, earlier: Option<PathBuf>, cases: &[Case]) -> Result<Self> {
        eprintln!("building hubstow and its peers …");
        let mut lacking = Vec::new();
        let mut note =
            |what: &str, is_it: fn(Client) -> bool, find: &dyn Fn() -> Result<PathBuf>| {
                if !cases.iter().flat_map(|case| &case.clients).any(|client| is_it(*client)) {
                    return None;
                }
                match find() {
                    Ok(path) => Some(path),
                    Err(why) => {
                        lacking.push(format!("{what} is not measured: {why:#}"));
                        None
                    }
                }
            };
        let with_component = note("the component", |it| matches!(it, Client::Decided(..)), &|| {
            with_component(target)
        });
        let hf_hub = note("hf-hub", |it| it == Client::HfHub, &|| hf_hub(target));
        let python = note("huggingface_hub", |it| it == Client::Python, &|| python(target));
        let is_curl = |it| matches!(it, Client::Curl | Client::CurlThenHash);
        let curl = note("curl", is_curl, &|| find("curl"));
        let aria2 = note("aria2c", |it| it == Client::Aria2, &|| find("aria2c"));
        let refuses = cases.iter().any(|case| case.job.links == Links::Refused);
        let refuse = || build(&["--package", "hubstow-tests", "--bin", "refuse"]);
        Ok(Self {
            hubstow: build(&["--package", "hubstow"])?,
            earlier,
            with_component,
            refuse: if refuses { Some(refuse()?) } else { None },
            hf_hub,
            python,
            python_script: Path::new(PACKAGE).join("python/download.py"),
            curl,
            aria2,
            lacking,
        })
    }
}

/// Both builds of the command have one name, so this one is set aside before the other is built.
fn with_component(target: &Path) -> Result<PathBuf> {
    let built = build(&["--package", "hubstow", "--features", "wasmtime"])?;
    let aside = target.join("bench");
    std::fs::create_dir_all(&aside)?;
    let aside = aside.join("hubstow-with-component");
    std::fs::copy(built, &aside)?;
    Ok(aside)
}

/// The driver is a workspace of its own and is built into a folder of its own.
pub(crate) fn hf_hub(target: &Path) -> Result<PathBuf> {
    let manifest = format!("{PACKAGE}/hf-hub/Cargo.toml");
    let folder = target.join("hf-hub").display().to_string();
    build(&["--locked", "--manifest-path", &manifest, "--target-dir", &folder])
}

/// Builds a program as it is released, and returns where it is.
pub(crate) fn build(arguments: &[&str]) -> Result<PathBuf> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--message-format=json"])
        .args(arguments)
        .current_dir(PACKAGE)
        .stdin(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it can't be built: {}", told.lines().next().unwrap_or(""));
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executables.next_back().context("cargo named no executable")
}

/// Takes the Python that the tests install, unless another is named. Its first start writes what later ones only read.
pub(crate) fn python(target: &Path) -> Result<PathBuf> {
    let installed = || target.join("verify/python/bin/python");
    let python = env::var_os("HUBSTOW_PYTHON").map_or_else(installed, PathBuf::from);
    let script = "import huggingface_hub as h; h.snapshot_download; h.hf_hub_download; \
                  print('huggingface_hub==' + h.__version__)";
    let output = Command::new(&python)
        .args(["-c", script])
        .stderr(Stdio::null())
        .output()
        .context("`cargo verify` installs it, or HUBSTOW_PYTHON names a Python that has it")?;
    let version = String::from_utf8_lossy(&output.stdout);
    ensure!(version.trim() == PYTHON_CLIENT, "{PYTHON_CLIENT} is asked for, and this is {version}");
    Ok(python)
}

/// Takes olah from an environment of its own, which `docs/benchmarks.md` says how to make, unless another is named.
pub(crate) fn olah(target: &Path) -> Result<PathBuf> {
    let installed = || target.join("verify/olah/bin/olah-cli");
    let olah = env::var_os("HUBSTOW_OLAH").map_or_else(installed, PathBuf::from);
    let script = "import importlib.metadata as m; print('olah==' + m.version('olah'))";
    let output = Command::new(olah.with_file_name("python"))
        .args(["-c", script])
        .stderr(Stdio::null())
        .output()
        .context("it is not installed, and HUBSTOW_OLAH names none")?;
    let version = String::from_utf8_lossy(&output.stdout);
    ensure!(version.trim() == OLAH, "{OLAH} is asked for, and this is {version}");
    Ok(olah)
}

pub(crate) fn find(program: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file()).context("it is not installed")
}
