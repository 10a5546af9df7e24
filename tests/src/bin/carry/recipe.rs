//! How the component is made, so that the same source and toolchain give the same bytes in every folder.

use std::{env, error::Error, fmt::Write as _, fs, path::Path, process::Command};

use sha2::{Digest as _, Sha256};

const TARGET: &str = "wasm32-unknown-unknown";
/// What the cargo around this program has set, or its user, and must not reach the one that builds.
const OUTER: [&str; 8] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// The release of the compiler with its commit, and the machine that it runs on.
pub(crate) struct Toolchain {
    compiler: String,
    host: String,
}

impl Toolchain {
    /// Asks the compiler that cargo takes here.
    pub(crate) fn in_use() -> Result<Self, Box<dyn Error>> {
        let version = rustc(&["-vV"])?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let compiler = version.lines().next().ok_or("rustc has no version")?.to_owned();
        Ok(Self { compiler, host: host.ok_or("rustc has no host")?.to_owned() })
    }

    /// Tells whether this made what these lines are about.
    pub(crate) fn wrote(&self, lines: &str) -> bool {
        lines.ends_with(&self.lines())
    }

    fn lines(&self) -> String {
        format!("compiler = \"{}\"\nhost = \"{}\"\n", self.compiler, self.host)
    }
}

/// Returns what is written down beside a component.
pub(crate) fn made_by(component: &[u8], toolchain: &Toolchain) -> String {
    let head = "# Written by `cargo carry`.\n";
    format!("{head}{}{}", content(component), toolchain.lines())
}

/// Returns the lines that tell one component from another.
pub(crate) fn content(component: &[u8]) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(component) {
        // Writing to a string can't fail.
        let _ = write!(hash, "{byte:02x}");
    }
    format!("bytes = {}\nsha256 = \"{hash}\"\n", component.len())
}

/// Builds the component of a workspace.
pub(crate) fn build(root: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |given| root.join(given))
        .join("component");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in OUTER {
        cargo.env_remove(name);
    }
    let sysroot = rustc(&["--print", "sysroot"])?;
    // Paths of this machine in panic messages would make the component another one on every machine.
    let registry =
        env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| home + "/.cargo"));
    let flags = [
        format!("--remap-path-prefix={}/lib/rustlib/src/rust=/rustc", sysroot.trim()),
        format!("--remap-path-prefix={}=/cargo", registry.unwrap_or_default()),
        format!("--remap-path-prefix={}=/hubstow", root.display()),
    ];
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).current_dir(root);
    cargo.args(["build", "--quiet", "--locked", "--package", "hubstow-component"]);
    cargo.args(["--profile", "component", "--target", TARGET, "--target-dir"]).arg(&target);
    // The linker that every toolchain brings makes a component of the module.
    cargo.args(["--config", &format!("target.{TARGET}.linker=\"wasm-component-ld\"")]);
    if !cargo.status()?.success() {
        let way_out =
            format!("`rustup target add {TARGET}` installs the target where it is missing");
        return Err(format!("the component could not be built; {way_out}").into());
    }
    Ok(fs::read(target.join(TARGET).join("component/hubstow_component.wasm"))?)
}

fn rustc(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(Command::new("rustc").args(arguments).output()?.stdout)?)
}
