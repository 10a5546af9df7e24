//! Running programs for Windows on this machine, by Wine.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::install::MINGW_C_COMPILER;

/// What runs them.
pub(crate) const WINE: &str = "wine";
/// The library that Wine lacks.
const LIBRARY: &str = "bcryptprimitives.dll";

/// Makes a cargo command that runs what it builds for Windows by Wine, with everything below a folder. Where the library that
/// Wine lacks can't be made, the programs say so themselves.
pub(crate) fn runs_programs(command: &mut Command, source: &Path, place: &Path) {
    if let Err(error) = library(source, place) {
        println!("{LIBRARY} could not be made: {error}");
    }
    let mut path = OsString::from("Z:");
    path.push(place.to_string_lossy().replace('/', "\\"));
    command
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", WINE)
        .env("WINEPREFIX", place.join("prefix"))
        .env("WINEPATH", path)
        // Neither .NET nor a browser, which it would offer to install, and no words of its own.
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
        .env("WINEDEBUG", "-all");
}

fn library(source: &Path, place: &Path) -> io::Result<PathBuf> {
    let made = place.join(LIBRARY);
    if !made.is_file() {
        fs::create_dir_all(place)?;
        let mut compiler = Command::new(MINGW_C_COMPILER);
        compiler.args(["-shared", "-O1", "-o"]).arg(&made).arg(source).arg("-ladvapi32");
        if !compiler.status()?.success() {
            return Err(io::Error::other("the compiler has failed"));
        }
    }
    Ok(made)
}
