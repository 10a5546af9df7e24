//! The programs of the workspace, as `cargo test` of the whole has them.

use std::path::PathBuf;

use anyhow::Result;

use super::build::build;

/// Other packages, or none with its tests, would have other features, and all of it would be built once more.
const AS_TESTED: [&str; 5] =
    ["--workspace", "--features", "hubstow/wasmtime,hubstow-native/blocking", "--test", "windows"];

/// Builds one for this machine, and returns where it is.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    build(name, &[&AS_TESTED[..], &["--bin", name]].concat())
}
