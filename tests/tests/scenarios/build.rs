//! Programs that the tests build for themselves: hosts for other targets than that of the test.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// Builds a program by these arguments, and returns where it is.
pub(crate) fn build(name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--message-format=json"]);
    let messages = answer(cargo.current_dir(env!("CARGO_MANIFEST_DIR")), arguments)?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let is_it = target.get("kind")? == &json!(["bin"]) && target.get("name")? == name;
        let executable = message.get("executable")?.as_str()?;
        is_it.then(|| PathBuf::from(executable))
    });
    programs.next_back().with_context(|| format!("cargo named no {name}"))
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
