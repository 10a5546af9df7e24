//! The command from its package, and all other packages without their workspace.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    hub::{CONFIG, model},
    outside::{Outside, run},
    programs,
};

/// Serves a folder until it is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    /// Starts the command, and returns it with its address.
    fn start(hubstow: &Path, folder: &Path) -> Result<(Self, String)> {
        let mut command = Command::new(hubstow);
        command.args(["serve", "--quiet"]).arg(folder).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut served = Self(command.spawn()?);
        let mut url = String::new();
        BufReader::new(served.0.stdout.take().context("its output")?).read_line(&mut url)?;
        Ok((served, url.trim().to_owned()))
    }
}

/// `cargo install hubstow`, and what a user does next.
pub(crate) fn is_installed(outside: &Outside) -> Result<()> {
    programs::build(outside)?;
    let hubstow = install(outside, "installed", "")?;
    let said = |arguments: &[&str]| -> Result<String> {
        Ok(String::from_utf8(run(Command::new(&hubstow).args(arguments))?.stdout)?)
    };
    ensure!(said(&["--version"])?.trim() == concat!("hubstow ", env!("CARGO_PKG_VERSION")));
    ensure!(said(&["completions", "bash"])?.contains("_hubstow()"), "completions");
    ensure!(said(&["man"])?.contains(".TH hubstow 1"), "the manual");
    downloads(outside, &hubstow, &[])
}

/// `cargo install hubstow --features wasmtime,xet`: the component decides, and a Xet store could be read.
pub(crate) fn is_installed_with_everything(outside: &Outside) -> Result<()> {
    let hubstow = install(outside, "installed-with-everything", " --features wasmtime,xet")?;
    downloads(outside, &hubstow, &["--host", "wasmtime"])
}

/// Installs the command from its package into a folder outside, and returns where it is.
fn install(outside: &Outside, folder: &str, features: &str) -> Result<PathBuf> {
    let place = outside.path().join(folder);
    let fixed = "install --debug --locked --path packages/hubstow";
    outside.cargo(&format!("{fixed} --root {}{features}", place.display()))?;
    Ok(place.join("bin/hubstow"))
}

/// Serves a folder with the command, and downloads a file from there.
fn downloads(outside: &Outside, hubstow: &Path, flags: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir_in(outside.path())?;
    let (_served, url) = Served::start(hubstow, model(&folder.path().join("served"))?)?;
    let mut download = Command::new(hubstow);
    download.args(["download", "acme/tiny", "config.json", "--quiet"]).args(flags);
    download.env("HF_ENDPOINT", url).env("HF_HUB_CACHE", folder.path().join("cache"));
    let path = String::from_utf8(run(&mut download)?.stdout)?;
    ensure!(fs::read_to_string(path.trim())? == CONFIG, "{path}");
    Ok(())
}

/// Every crate, and the command with the component: `cargo install hubstow --features wasmtime` up to where code is made.
pub(crate) fn everything_builds(outside: &Outside) -> Result<()> {
    let named: Vec<_> = outside.packages.iter().map(|name| format!("--package {name}")).collect();
    outside.check(&format!("--features hubstow/wasmtime {}", named.join(" "))).map(drop)
}
