//! The hosts that every scenario is played on. A host is a program with hubstow's command line; how it decides and how it
//! reaches the disk is its own affair. To add one, add a line to [`ALL`].

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, ensure};

/// A host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    /// Its name, the first part of the names of its tests.
    pub(crate) name: &'static str,
    /// What comes after a subcommand that asks for decisions.
    arguments: &'static [&'static str],
}

/// Every host.
pub(crate) const ALL: [Host; 2] = [
    Host { name: "native", arguments: &[] },
    Host { name: "wasmtime", arguments: &["--host", "wasmtime"] },
];

/// The subcommands that take `--host`.
const DECIDING: [&str; 3] = ["download", "explain", "env"];

impl Host {
    /// Returns the program and its arguments for the arguments of a scenario.
    pub(crate) fn command_line(self, arguments: &[String]) -> Result<Vec<OsString>> {
        let program = program().as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut line = vec![OsString::from(program)];
        for word in arguments {
            line.push(word.into());
            // Once, and not where a repo or a file has the name of a subcommand.
            if line.len() <= 3 && DECIDING.contains(&word.as_str()) {
                line.extend(self.arguments.iter().map(OsString::from));
            }
        }
        Ok(line)
    }
}

/// Builds the command once, and returns where it is.
fn program() -> &'static Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(|| build().map_err(|error| format!("`hubstow` can't be built: {error:#}")))
}

fn build() -> Result<PathBuf> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "hubstow", "--features", "wasmtime"])
        .arg("--message-format=json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executables.next_back().context("cargo named no executable")
}
