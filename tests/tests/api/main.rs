//! The public API of each library is the one that is written down in `docs/api`. `BLESS=1` writes a new one down.
//!
//! A line that goes or changes is what semantic versioning calls breaking; one that comes is not. The listings are made of
//! what rustdoc says in JSON, whose format is of one version of Rust: another one skips the tests. By the same words every
//! public item of the libraries that programs use is shown by an example.

#![expect(clippy::print_stdout, reason = "a test says how much it has compared")]

mod shown;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::LazyLock,
};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Completion, Trial};
use public_api::Builder;
use shown::Said;

const LIBRARIES: [&str; 9] = [
    "hubstow-cache",
    "hubstow-client",
    "hubstow-core",
    "hubstow-hf-hub",
    "hubstow-native",
    "hubstow-pull",
    "hubstow-serve",
    "hubstow-tier",
    "hubstow-wasmtime",
];
/// The libraries of which every public item is shown by an example: those that programs use.
const SHOWN: [&str; 2] = ["hubstow-hf-hub", "hubstow-native"];
/// The format that is understood here: that of Rust 1.95.
const FORMAT: u64 = 57;
/// As the lints are built, so that nothing but our own crates is checked again.
const DOCUMENT: [&str; 6] =
    ["doc", "--workspace", "--all-features", "--no-deps", "--lib", "--examples"];

/// Where rustdoc has written, or why it has not.
static DOCUMENTED: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| document().map_err(|error| format!("{error:#}")));

fn main() -> ExitCode {
    let written = LIBRARIES.map(|library| trial(library.to_owned(), library, is_as_written));
    let shown = SHOWN.map(|library| trial(format!("{library}-is-shown"), library, is_shown));
    let search = Trial::test("the-search-tells-calls-from-words", || {
        shown::calls_are_told_from_words().map_err(|error| format!("{error:#}").into())
    });
    let trials = written.into_iter().chain(shown).chain([search]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Makes a test of a library, which another format than the one that is understood skips.
fn trial(name: String, library: &'static str, test: fn(&str, &Path) -> Result<()>) -> Trial {
    Trial::ignorable_test(name, move || {
        let run = || -> Result<Completion> {
            let folder = DOCUMENTED.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
            let format = format_of(&json_of(folder, library))?;
            if format != FORMAT {
                let other = format!("rustdoc writes format {format} instead of {FORMAT}");
                return Ok(Completion::ignored_with(other));
            }
            test(library, folder).map(|()| Completion::Completed)
        };
        run().map_err(|error| format!("{error:#}").into())
    })
}

fn json_of(folder: &Path, library: &str) -> PathBuf {
    folder.join(format!("{}.json", library.replace('-', "_")))
}

fn format_of(json: &Path) -> Result<u64> {
    let said: serde_json::Value = serde_json::from_slice(&fs::read(json)?)?;
    let format = said.get("format_version").and_then(serde_json::Value::as_u64);
    format.context("the format has a version")
}

/// Compares a library with what is written down of it.
fn is_as_written(library: &str, folder: &Path) -> Result<()> {
    let api = Builder::from_rustdoc_json(json_of(folder, library))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let came = api.to_string();
    let golden = root().join(format!("docs/api/{library}.txt"));
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(root().join("docs/api"))?;
        fs::write(&golden, &came)?;
    }
    let written = fs::read_to_string(&golden).unwrap_or_default();
    println!("{library}: {} lines", came.lines().count());
    ensure!(written == came, "{}\n{}", golden.display(), difference(&written, &came));
    Ok(())
}

/// Looks for examples of everything that a library has.
fn is_shown(library: &str, folder: &Path) -> Result<()> {
    let (items, missing) = Said::read(folder, &LIBRARIES)?.without_example(library)?;
    println!("{library}: {items} items");
    ensure!(missing.is_empty(), "{} of {items}:\n{}", missing.len(), missing.join("\n"));
    Ok(())
}

fn difference(written: &str, came: &str) -> String {
    let [old, new] = [written, came].map(|text| text.lines().collect::<Vec<_>>());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

fn document() -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).stdin(Stdio::null()).args(DOCUMENT);
    cargo.env("RUSTDOC", env!("CARGO_BIN_EXE_rustdoc-unstable"));
    cargo.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    let output = cargo.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |given| root().join(given));
    Ok(target.join("doc"))
}

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}
