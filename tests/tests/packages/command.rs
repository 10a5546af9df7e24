//! The command from its package, and all other packages without their workspace.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
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
    let place = outside.path().join("installed");
    let arguments =
        format!("install --debug --locked --path packages/hubstow --root {}", place.display());
    programs::build(outside)?;
    outside.cargo(&arguments)?;
    let hubstow = place.join("bin/hubstow");
    let said = |arguments: &[&str]| -> Result<String> {
        Ok(String::from_utf8(run(Command::new(&hubstow).args(arguments))?.stdout)?)
    };
    ensure!(said(&["--version"])?.trim() == concat!("hubstow ", env!("CARGO_PKG_VERSION")));
    ensure!(said(&["completions", "bash"])?.contains("_hubstow()"), "completions");
    ensure!(said(&["man"])?.contains(".TH hubstow 1"), "the manual");

    let folder = outside.path().join("served");
    let (_served, url) = Served::start(&hubstow, model(&folder)?)?;
    let mut download = Command::new(&hubstow);
    download.args(["download", "acme/tiny", "config.json", "--quiet"]);
    download.env("HF_ENDPOINT", url).env("HF_HUB_CACHE", outside.path().join("cache"));
    let path = String::from_utf8(run(&mut download)?.stdout)?;
    ensure!(fs::read_to_string(path.trim())? == CONFIG, "{path}");
    Ok(())
}

/// Every crate, and the command with the component: `cargo install hubstow --features wasmtime` up to where code is made.
pub(crate) fn everything_builds(outside: &Outside) -> Result<()> {
    let named: Vec<_> = outside.packages.iter().map(|name| format!("--package {name}")).collect();
    outside.check(&format!("--features hubstow/wasmtime {}", named.join(" "))).map(drop)
}
