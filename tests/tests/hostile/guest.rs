//! The hostile component, built and compiled once; an attack is written into the compiled artifact.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use hubstow_wasmtime::{ComponentCore, Options};

const TARGET: &str = "wasm32-unknown-unknown";
/// What stands before the name of the attack.
const MARK: &[u8] = b"hubstow-attack:";
/// How long the name may be.
const NAME_LIMIT: usize = 33;

/// Returns the component that carries this attack out; an honest one for an empty name.
#[track_caller]
pub(crate) fn hostile(attack: &str, options: Options) -> ComponentCore {
    static ARTIFACT: OnceLock<Vec<u8>> = OnceLock::new();
    let artifact = ARTIFACT.get_or_init(|| ComponentCore::precompile(&build()).unwrap());
    let armed = armed(artifact, attack);
    #[expect(unsafe_code, reason = "the artifact was made by this test")]
    // SAFETY: it comes from the engine, and what was overwritten is data of the component.
    let loaded = unsafe { ComponentCore::precompiled(&armed, options) };
    loaded.unwrap()
}

fn armed(artifact: &[u8], attack: &str) -> Vec<u8> {
    assert!(attack.len() <= NAME_LIMIT, "{attack}");
    let marks: Vec<usize> = artifact
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK)
        // The name of the prefix itself may stand elsewhere, but not before dots.
        .filter(|(at, _)| artifact.get(at + MARK.len()) == Some(&b'.'))
        .map(|(at, _)| at + MARK.len())
        .collect();
    assert_eq!(marks.len(), 1, "there is one place for the attack");
    let mut armed = artifact.to_vec();
    armed[marks[0]..marks[0] + attack.len()].copy_from_slice(attack.as_bytes());
    armed
}

/// Builds the component in the folder where the honest one is built.
fn build() -> Vec<u8> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| package.join("../target"), |given| package.join("..").join(given));
    let target = target.join("component");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(package).stdin(Stdio::null()).env_remove("RUSTFLAGS");
    cargo.args(["build", "--quiet", "--package", "hubstow-hostile", "--profile", "component"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(&target);
    cargo.args(["--config", &format!("target.{TARGET}.linker=\"wasm-component-ld\"")]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(target.join(TARGET).join("component/hubstow_hostile.wasm")).unwrap()
}
