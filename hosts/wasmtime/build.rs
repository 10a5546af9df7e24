//! Builds the component, and compiles it for the target's machine.
//!
//! Cargo can't make one crate's artifact from another target a dependency, so this script runs cargo once more, in a
//! target folder of its own: in the outer one it would wait for itself. `HUBSTOW_COMPONENT` names a component that was
//! built beforehand; then nothing is built.

#[path = "src/engine.rs"]
mod engine;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";
/// What cargo and clippy set for the outer build and must not reach the inner one.
const OUTER: [&str; 9] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "HOST",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "TARGET",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=HUBSTOW_COMPONENT");
    let built = match env::var_os("HUBSTOW_COMPONENT") {
        Some(given) => PathBuf::from(given),
        None => build(&out)?,
    };
    println!("cargo::rerun-if-changed={}", built.display());
    let component = fs::read(&built).map_err(|error| format!("{}: {error}", built.display()))?;
    let engine = engine::engine(Some(&env::var("TARGET")?), None)?;
    fs::write(out.join("core.cwasm"), engine.precompile_component(&component)?)?;
    fs::write(out.join("core.wasm"), component)?;
    Ok(())
}

fn build(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = package.ancestors().nth(2).ok_or("the package is not in its workspace")?;
    for watched in
        ["wit", "core/src", "core/Cargo.toml", "core/component", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    // One folder for all profiles, beside theirs: OUT_DIR is <target>/<profile>/build/<package>/out.
    let target = out.ancestors().nth(4).ok_or("OUT_DIR is not below a target folder")?;
    let target = target.join("component");
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("cargo runs this script")?);
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
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    cargo.current_dir(root).args([
        "build",
        "--quiet",
        "--locked",
        "--package",
        "hubstow-component",
    ]);
    cargo.args(["--profile", "component", "--target", TARGET, "--target-dir"]).arg(&target);
    // The linker that every toolchain brings makes a component of the module.
    cargo.args(["--config", &format!("target.{TARGET}.linker=\"wasm-component-ld\"")]);
    let status = cargo.status()?;
    if !status.success() {
        let way_out =
            format!("`rustup target add {TARGET}` installs the target where it is missing");
        return Err(format!("the component could not be built; {way_out}").into());
    }
    Ok(target.join(TARGET).join("component/hubstow_component.wasm"))
}

fn rustc(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(String::from_utf8(Command::new(rustc).args(arguments).output()?.stdout)?)
}
