//! Programs that the tests build for themselves: hosts for other targets than that of the test.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Builds a program, and returns where it is.
pub(crate) fn build(arguments: &[&str]) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--message-format=json"]);
    let messages = answer(cargo.current_dir(env!("CARGO_MANIFEST_DIR")), arguments)?;
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executables.next_back().context("cargo named no executable")
}

/// Runs a command that must succeed, and returns what it prints.
pub(crate) fn answer(
    command: &mut Command,
    arguments: &[impl AsRef<std::ffi::OsStr>],
) -> Result<String> {
    let output = command.args(arguments).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
