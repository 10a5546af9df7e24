//! What there is to run clients with.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{build::build, program::program};

/// The program that is tested, and what runs clients. What is not there is what this machine lacks.
pub(crate) struct Tools {
    pub(crate) hubstow: PathBuf,
    /// The folder of the programs on hf-hub.
    pub(crate) rust: PathBuf,
    /// A Python with the newest huggingface_hub.
    pub(crate) python: Option<OsString>,
    /// A Python with the last one before 1.0.
    pub(crate) python_of_old: Option<OsString>,
    /// A Python with transformers and datasets.
    pub(crate) python_of_data: Option<OsString>,
    /// The folder of the packages for JavaScript.
    pub(crate) javascript: Option<OsString>,
}

impl Tools {
    /// Finds them, and builds those that are ours.
    pub(crate) fn find() -> Result<Self> {
        let hubstow = program("hubstow")?;
        let manifest = here("clients/Cargo.toml");
        let target = here("../target/clients");
        let [manifest, target] = [&manifest, &target].map(|path| path.display().to_string());
        let rust = build(
            "hf_hub_0_4",
            &["--locked", "--manifest-path", &manifest, "--target-dir", &target],
        )?;
        let rust = rust.parent().context("a program is in a folder")?.to_owned();
        Ok(Self {
            hubstow,
            rust,
            python: env::var_os("HUBSTOW_PYTHON"),
            python_of_old: env::var_os("HUBSTOW_PYTHON_OF_OLD"),
            python_of_data: env::var_os("HUBSTOW_PYTHON_OF_DATA"),
            javascript: env::var_os("HUBSTOW_JAVASCRIPT"),
        })
    }
}

/// Returns a path below `tests`.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns what a command prints; it must succeed.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}{errors}", output.status);
    Ok(said)
}

/// Tells whether a command can be run.
pub(crate) fn runs(program: &str) -> bool {
    said(Command::new(program).arg("--version")).is_ok()
}
