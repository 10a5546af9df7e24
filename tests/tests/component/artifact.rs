//! The built component itself: what it needs, what it offers, and how large it is.

use std::{env, fs, path::Path, process::Command};

use hubstow_wasmtime::COMPONENT;
use wasmparser::{Parser, Payload};
use wit_component::{WitPrinter, decode};

const INTERFACES: [&str; 2] = ["hubstow:placement/decisions@0.2.0", "hubstow:placement/care@0.2.0"];
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/component/interface.wit");

/// The names that a component asks for and offers; and what the modules inside of it ask for.
#[derive(Debug, Default)]
struct Surface {
    imports: Vec<String>,
    exports: Vec<String>,
    of_modules: Vec<String>,
}

fn surface(component: &[u8]) -> Surface {
    let mut surface = Surface::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.unwrap();
        if let Payload::ModuleSection { .. } | Payload::ComponentSection { .. } = &payload {
            depth += 1;
        } else if let Payload::End(_) = &payload {
            depth = depth.saturating_sub(1);
        } else if let (0, Payload::ComponentImportSection(imports)) = (depth, &payload) {
            let names = imports.clone().into_iter().map(|import| import.unwrap().name.name);
            surface.imports.extend(names.map(str::to_owned));
        } else if let (0, Payload::ComponentExportSection(exports)) = (depth, &payload) {
            let names = exports.clone().into_iter().map(|export| export.unwrap().name.name);
            surface.exports.extend(names.map(str::to_owned));
        } else if let Payload::ImportSection(imports) = &payload {
            let imports = imports.clone().into_imports().map(Result::unwrap);
            let names = imports.map(|import| format!("{} {}", import.module, import.name));
            surface.of_modules.extend(names);
        }
    }
    surface
}

#[test]
fn the_component_imports_nothing_and_exports_its_interface_alone() {
    let surface = surface(COMPONENT);
    println!("{} bytes, {surface:?}", COMPONENT.len());
    assert_eq!(surface.imports, [""; 0]);
    assert_eq!(surface.exports, INTERFACES);
}

#[test]
fn an_import_would_be_seen() {
    let text =
        r#"(component (import "a:b/c@0.1.0" (instance)) (component (import "inner" (func))))"#;
    let surface = surface(&wat::parse_str(text).unwrap());
    assert_eq!(surface.imports, ["a:b/c@0.1.0"]);
}

/// Where the toolchain that has made it is not here, what it does is compared with the crate all the same, by every other test.
#[test]
fn the_component_that_the_package_carries_is_what_the_source_gives() {
    let output = Command::new(env!("CARGO_BIN_EXE_carry")).arg("--check").output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A released interface never changes. `BLESS=1` writes a new one down.
#[test]
fn the_interface_is_the_one_that_is_written_down() {
    let decoded = decode(COMPONENT).unwrap();
    let (resolve, main) = (decoded.resolve(), decoded.package());
    let nested: Vec<_> =
        resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = WitPrinter::default();
    printer.emit_docs(false).print(resolve, main, &nested).unwrap();
    let came = printer.output.to_string();
    if env::var_os("BLESS").is_some() {
        fs::write(GOLDEN, &came).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(golden == came, "another interface than {GOLDEN}:\n{came}");
}

#[test]
fn every_function_of_the_interface_is_asked() {
    let files = [include_str!("subject.rs"), include_str!("every.rs"), include_str!("plans.rs")];
    let asked = files.concat();
    let golden = fs::read_to_string(GOLDEN).unwrap();
    let functions: Vec<_> =
        golden.lines().filter_map(|line| line.trim().split_once(": func(")).collect();
    println!("{} functions", functions.len());
    for (name, _) in functions {
        let function = name.replace('-', "_");
        let called = ["core.call_", "CORE."].map(|by| format!("{by}{function}("));
        assert!(called.iter().any(|call| asked.contains(call)), "nothing asks `{name}`");
    }
}

#[test]
fn the_core_depends_on_nothing() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/Cargo.toml");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path"]);
    let output = cargo.arg(manifest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let core = packages.find(|package| package["name"] == "hubstow-core").unwrap();
    let needed: Vec<_> = core["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|on| on["kind"].is_null() && on["optional"] == false)
        .collect();
    println!("hubstow-core needs {needed:?}");
    assert!(needed.is_empty(), "{needed:#?}");
    let features = &core["features"];
    assert!(features["default"].is_null(), "nothing optional is on: {features}");
}
