//! The hosts that every scenario is played on. A host is a program with hubstow's command line; how it decides and how it
//! reaches the disk is its own affair. To add one, add a line to [`ALL`] and say how it is started.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::Result;
use serde::Deserialize;

use crate::{
    build::{answer, build},
    program::program,
    wine,
};

/// A host.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Host {
    /// The command, with the linked core.
    Native,
    /// The command, where the component decides.
    Wasmtime,
    /// The command as a WASI program in a sandbox that sees the cache root and nothing else.
    Wasi,
    /// The command as it is built for Windows, run by Wine.
    Windows,
}

/// Every host.
pub(crate) const ALL: [Host; 4] = [Host::Native, Host::Wasmtime, Host::Wasi, Host::Windows];

/// The subcommands that take `--host`.
const DECIDING: [&str; 3] = ["download", "explain", "env"];
/// What the WASI program is built for.
const WASI_TARGET: &str = "wasm32-wasip2";

impl Host {
    /// Tells whether scenarios are to be played on it here.
    pub(crate) fn is_asked_for(self) -> bool {
        self != Self::Windows || wine::is_asked_for()
    }

    /// Returns its name, the first part of the names of its tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Wasmtime => "wasmtime",
            Self::Wasi => "wasi",
            Self::Windows => "windows",
        }
    }

    /// Returns the program and its arguments for the arguments of a scenario.
    pub(crate) fn command_line(self, arguments: &[String], cache: &Path) -> Result<Vec<OsString>> {
        let mut line = match self {
            Self::Native | Self::Wasmtime => vec![OsString::from(command()?)],
            Self::Wasi => {
                let (sandbox, program) = wasi_program()?;
                let before = [sandbox.as_os_str(), "--dir".as_ref(), cache.as_os_str()];
                let after = [program.as_os_str(), "--".as_ref()];
                before.into_iter().chain(after).map(OsString::from).collect()
            }
            Self::Windows => vec![wine::WINE.into(), windows_command()?.into()],
        };
        let mut told = self != Self::Wasmtime;
        for (at, word) in arguments.iter().enumerate() {
            line.push(word.into());
            // Once, and not where a repo or a file has the name of a subcommand.
            if !told && at <= 1 && DECIDING.contains(&word.as_str()) {
                line.extend(["--host", "wasmtime"].map(OsString::from));
                told = true;
            }
        }
        Ok(line)
    }

    /// Returns how a process ends that is to end with this code. A sandbox knows success and failure, and no numbers:
    /// `wasi:cli/exit` has a result, and a stock host has nothing more.
    pub(crate) fn exit_code(self, code: i32) -> i32 {
        match self {
            Self::Native | Self::Wasmtime | Self::Windows => code,
            Self::Wasi => code.min(1),
        }
    }

    /// Says what the host needs and this machine lacks.
    pub(crate) fn missing(self) -> Option<String> {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        let installed = || {
            let asked = ["--print", "target-libdir", "--target", WASI_TARGET];
            let folder = answer(&mut Command::new("rustc"), &asked);
            folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
        };
        let lacks = self == Self::Wasi && !*INSTALLED.get_or_init(installed);
        lacks.then(|| format!("the Rust target {WASI_TARGET}"))
    }
}

/// Builds the command once, and returns where it is.
fn command() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || program("hubstow"))
}

/// Builds the command for Windows once, and returns where it is.
fn windows_command() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || build("hubstow", &["--package", "hubstow", "--target", wine::TARGET]))
}

/// Builds the WASI program and the sandbox once, compiles the one by the other, and returns where they are.
fn wasi_program() -> Result<(&'static Path, &'static Path)> {
    static SANDBOX: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let sandbox = once(&SANDBOX, || program("sandbox"))?;
    let program = once(&PROGRAM, || {
        // As it is released: hashing without optimisation takes a hundred times as long.
        let release = ["--package", "hubstow-wasi", "--release", "--target", WASI_TARGET];
        let guest = build("hubstow-wasi", &release)?;
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hubstow-wasi.cwasm");
        answer(
            &mut Command::new(sandbox),
            &["--compile-to".as_ref(), compiled.as_os_str(), guest.as_os_str()],
        )?;
        Ok(compiled)
    })?;
    Ok((sandbox, program))
}

fn once(
    built: &'static OnceLock<Result<PathBuf, String>>,
    build: impl FnOnce() -> Result<PathBuf>,
) -> Result<&'static Path> {
    let path = built.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    path.as_deref().map_err(|error| anyhow::anyhow!("the host can't be built: {error}"))
}
