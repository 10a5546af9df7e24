//! A folder outside of the workspace that has the packages and nothing else of it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The programs that are built there.
const PROGRAMS: &str = "packages";
/// What cargo has set for this test, and would change what is built there.
const INNER: [&str; 3] = ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_TARGET_DIR"];

/// The folder: the programs in it, the packages below `packages/`.
pub(crate) struct Outside {
    folder: TempDir,
    /// The workspace's own target folder.
    shared: PathBuf,
    /// Where programs are built: in the other folder they would replace those of the workspace, which tests run.
    target: PathBuf,
    pub(crate) packages: Vec<String>,
}

impl Outside {
    /// Packs every crate that is published, and unpacks it outside.
    pub(crate) fn make() -> Result<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = tests.parent().context("the tests are in the workspace")?;
        let folder = tempfile::tempdir()?;
        let shared = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |given| root.join(given));
        let target = shared.join("packages");
        let packages = published(root)?;
        let outside = Self { folder, shared, target, packages };
        copy_tree(&tests.join(PROGRAMS), outside.path())?;
        // The same versions of everything, which are downloaded already.
        fs::copy(root.join("Cargo.lock"), outside.path().join("Cargo.lock"))?;
        outside.pack(root)?;
        Ok(outside)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns where a package is.
    pub(crate) fn package(&self, name: &str) -> PathBuf {
        self.path().join("packages").join(name)
    }

    /// Returns where a program is that was built here.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Runs cargo in the folder.
    pub(crate) fn cargo(&self, arguments: &str) -> Result<Output> {
        cargo(self.path(), &self.target, arguments.split(' '))
    }

    /// Lets cargo check what is in the folder, with what the workspace has compiled of other people's crates.
    pub(crate) fn check(&self, arguments: &str) -> Result<Output> {
        cargo(self.path(), &self.shared, ["check"].into_iter().chain(arguments.split(' ')))
    }

    fn pack(&self, root: &Path) -> Result<()> {
        let fixed = ["package", "--no-verify", "--allow-dirty"];
        let named = self.packages.iter().flat_map(|name| ["--package", name]);
        cargo(root, &self.target, fixed.into_iter().chain(named))?;
        for name in &self.packages {
            let place = self.package(name);
            fs::create_dir_all(&place)?;
            let packed = format!("package/{name}-{}.crate", env!("CARGO_PKG_VERSION"));
            let mut tar = Command::new("tar");
            // Cargo packs with one time for everything, by which it would take any content for built already.
            tar.args(["-xzm", "--strip-components=1", "-f"]).arg(self.target.join(packed));
            run(tar.arg("-C").arg(&place))?;
        }
        Ok(())
    }
}

/// Returns the crates of the workspace that are published.
fn published(root: &Path) -> Result<Vec<String>> {
    let arguments = ["metadata", "--no-deps", "--format-version=1"];
    let output = cargo(root, &root.join("target"), arguments)?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.context("cargo lists packages")?.iter();
    let published = packages.filter(|package| package.get("publish").is_none_or(Value::is_null));
    let names = published.filter_map(|package| package.get("name")?.as_str().map(str::to_owned));
    Ok(names.collect())
}

/// Runs cargo without asking the registry: everything is downloaded.
fn cargo<'a>(
    folder: &Path,
    target: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Output> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in INNER {
        cargo.env_remove(name);
    }
    cargo.current_dir(folder).env("CARGO_TERM_COLOR", "never").env("CARGO_NET_OFFLINE", "true");
    // `metadata` takes no target folder as an argument.
    cargo.env("CARGO_TARGET_DIR", target);
    run(cargo.args(arguments))
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(output)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
