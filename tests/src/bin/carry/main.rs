//! `cargo carry`: remakes what the package of `hubstow-wasmtime` carries, from its source.
//!
//! That is the component, who made it, and its contract. With `--check` nothing is written: the program fails where what
//! is there is not what the source gives. Another toolchain gives other bytes, so the bytes are compared only by the
//! toolchain that has made them.
//!
//! ```text
//! cargo carry [--check]
//! ```

mod recipe;

use std::{env, error::Error, fs, path::Path, process::ExitCode};

use recipe::{Toolchain, build, content, made_by};

/// Where the package keeps it.
const CARRIED: &str = "hosts/wasmtime/component";
const COMPONENT: &str = "hubstow.wasm";
const MADE_BY: &str = "made-by.toml";
/// The files of the contract, and where they are below the root. In the package they lie beside the component.
const CONTRACT: &str = "wit";
const CONTRACTS: [&str; 2] = ["placement.wit", "care.wit"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let done = match arguments.as_slice() {
        [] => carry(root),
        ["--check"] => check(root),
        _ => {
            eprintln!("usage: cargo carry [--check]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("carry: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry(root: &Path) -> Result<String, Box<dyn Error>> {
    let component = build(root)?;
    let by = made_by(&component, &Toolchain::in_use()?);
    let folder = root.join(CARRIED);
    fs::create_dir_all(&folder)?;
    for file in CONTRACTS {
        fs::copy(root.join(CONTRACT).join(file), folder.join(file))?;
    }
    fs::write(folder.join(COMPONENT), &component)?;
    fs::write(folder.join(MADE_BY), &by)?;
    Ok(by)
}

fn check(root: &Path) -> Result<String, Box<dyn Error>> {
    let folder = root.join(CARRIED);
    let differs =
        |what: &str| format!("{CARRIED}/{what} is not what the source gives: run `cargo carry`");
    for file in CONTRACTS {
        if fs::read(root.join(CONTRACT).join(file))? != fs::read(folder.join(file))? {
            return Err(differs(file).into());
        }
    }
    let component = fs::read(folder.join(COMPONENT))?;
    let by = fs::read_to_string(folder.join(MADE_BY))?.replace("\r\n", "\n");
    if !by.contains(&content(&component)) {
        return Err(format!("{CARRIED}/{MADE_BY} is not of {COMPONENT}").into());
    }
    let toolchain = Toolchain::in_use()?;
    if !toolchain.wrote(&by) {
        return Ok(format!("bytes are not compared: another toolchain has made them\n{by}"));
    }
    if build(root)? != component {
        return Err(differs(COMPONENT).into());
    }
    Ok(format!("{CARRIED}/{COMPONENT} is what the source gives\n{by}"))
}
