//! Compiles the component for the target's machine.
//!
//! The component is part of the package; `HUBSTOW_COMPONENT` names another one.

#[path = "src/engine.rs"]
mod engine;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=HUBSTOW_COMPONENT");
    let carried =
        || Ok(PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("component/hubstow.wasm"));
    let path = env::var_os("HUBSTOW_COMPONENT")
        .map_or_else(carried, |given| Ok::<_, env::VarError>(given.into()))?;
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rerun-if-changed=src/engine.rs");
    let component = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let engine = engine::engine(Some(&env::var("TARGET")?), None)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("core.cwasm"), engine.precompile_component(&component)?)?;
    fs::write(out.join("core.wasm"), component)?;
    Ok(())
}
