//! The programs of the workspace, as `cargo test` of the whole has them.

#[path = "../../src/bin/verify/tested.rs"]
mod tested;

use std::path::PathBuf;

use anyhow::Result;

use self::tested::TESTED;
use super::build::build;

/// Builds one for this machine, and returns where it is.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let mut arguments: Vec<&str> = TESTED.split(' ').collect();
    // Without one of their tests, packages lack the features that only tests need.
    arguments.extend(["--test", "windows", "--bin", name]);
    build(name, &arguments)
}
