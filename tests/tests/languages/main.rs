//! The component in other languages: every row of every decision table holds of it in Python and in JavaScript too.
//!
//! Each test is one program, in `tests/python` or `tests/javascript`; where this machine can't run it, it is skipped and
//! says what is missing.

#![expect(clippy::print_stdout, reason = "a test says how much it has compared")]

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use hubstow_wasmtime::COMPONENT;
use libtest_mimic::{Arguments, Completion, Trial};

/// Names the Python interpreter of the tests.
const PYTHON: &str = "HUBSTOW_PYTHON";
/// Names the folder in which the packages of `tests/javascript` are installed.
const JAVASCRIPT: &str = "HUBSTOW_JAVASCRIPT";

type Run = fn() -> Result<Option<String>>;

fn main() -> ExitCode {
    let tests: [(&str, Run); 2] = [
        ("python/every-row-of-every-table-holds", python),
        ("javascript/every-row-of-every-table-holds", javascript),
    ];
    let trials = tests.map(|(name, run)| {
        Trial::ignorable_test(name, move || match run() {
            Ok(None) => Ok(Completion::Completed),
            Ok(Some(missing)) => Ok(Completion::ignored_with(missing)),
            Err(error) => Err(format!("{error:#}").into()),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// Runs the rows in Python; returns what is missing.
fn python() -> Result<Option<String>> {
    let Some(python) = env::var_os(PYTHON) else { return Ok(Some(unset(PYTHON))) };
    let mut import = Command::new(&python);
    if !runs(import.args(["-c", "import tomllib, wasmtime.component"])) {
        return Ok(Some("the Python package wasmtime, or a Python with tomllib".to_owned()));
    }
    let mut program = Command::new(python);
    program.arg(here("python/tables.py"));
    run(program, &[]).map(|()| None)
}

/// Runs the rows in JavaScript; returns what is missing.
fn javascript() -> Result<Option<String>> {
    let is_old = "process.exit(process.versions.node.split('.')[0] < 20 ? 1 : 0)";
    if !runs(Command::new("node").args(["--eval", is_old])) {
        return Ok(Some("node 20 or newer".to_owned()));
    }
    let Some(packages) = env::var_os(JAVASCRIPT).map(PathBuf::from) else {
        return Ok(Some(unset(JAVASCRIPT)));
    };
    let mut program = Command::new("node");
    program.arg(here("javascript/tables.js"));
    run(program, &[&packages]).map(|()| None)
}

fn unset(variable: &str) -> String {
    format!("{variable} is not set; `cargo verify` sets it")
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn runs(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Gives a program the component and the tables, shows what it says, and fails if it does.
fn run(mut program: Command, more: &[&Path]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let component = folder.path().join("core.wasm");
    std::fs::write(&component, COMPONENT)?;
    program.arg(component).arg(here("../core/tests/tables")).args(more).stdin(Stdio::null());
    let output = program.output().with_context(|| format!("{program:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{said}{errors}", output.status);
    Ok(())
}
