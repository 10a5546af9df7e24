//! The command that makes the component.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use wit_component::decode;

use crate::{
    build::answer,
    page::{GUIDE, command, workspace},
};

pub(crate) fn the_command_makes_it() -> Result<Option<String>> {
    let command = command(GUIDE, "cargo build", "--package hubstow-component")?;
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("component-of-the-page");
    let script = format!("{command} --quiet --target-dir \"$PLACE\"");
    let mut shell = Command::new("sh");
    shell.current_dir(workspace()).env("PLACE", &place);
    answer(&mut shell, &["-c", &script])?;
    let made = place.join("wasm32-unknown-unknown/component/hubstow_component.wasm");
    let bytes = fs::read(&made).with_context(|| made.display().to_string())?;
    println!("{} bytes", bytes.len());
    let decoded = decode(&bytes)?;
    let world = decoded.resolve().worlds.iter().next().context("a component has a world")?.1;
    ensure!(world.imports.is_empty(), "it imports {:?}", world.imports);
    Ok(None)
}
