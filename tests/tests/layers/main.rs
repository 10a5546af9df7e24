//! The house stands on its layers: crates depend downwards only, and so do the folders of the two large ones; nowhere do
//! more than two files import each other in a circle.
//!
//! It reads the manifests and the paths in the sources, so a wrong import fails here before anybody has to see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod graph;
mod imports;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use graph::Graph;

/// The crates from below upwards, and which of ours each may depend on.
const CRATES: [(&str, &[&str]); 12] = [
    ("core", &[]),
    ("core/component", &["hubstow-core"]),
    ("hosts/cache", &["hubstow-core"]),
    ("hosts/client", &["hubstow-core", "hubstow-cache"]),
    ("hosts/native", &["hubstow-core", "hubstow-cache", "hubstow-client"]),
    ("hosts/hf-hub", &["hubstow-core", "hubstow-client", "hubstow-native"]),
    ("hosts/wasmtime", &["hubstow-core"]),
    ("hosts/serve", &["hubstow-core"]),
    ("hosts/tier", &["hubstow-core", "hubstow-cache"]),
    ("hosts/pull", &["hubstow-core", "hubstow-client", "hubstow-serve", "hubstow-tier"]),
    (
        "hosts/cli",
        &[
            "hubstow-core",
            "hubstow-client",
            "hubstow-native",
            "hubstow-pull",
            "hubstow-serve",
            "hubstow-wasmtime",
        ],
    ),
    ("hosts/wasi", &["hubstow", "hubstow-core", "hubstow-cache", "hubstow-client"]),
];

/// The folders of the cache crate, and files beside them, from below upwards.
const CACHE: [&str; 7] = ["disk", "cache", "observe", "staged", "execute", "drive", "care"];
/// The same of the client.
const CLIENT: [&str; 18] = [
    "api",
    "http",
    "lookup",
    "parts",
    "offload",
    "budget",
    "handle",
    "open",
    "receive",
    "engine",
    "lease",
    "file",
    "snapshot",
    "look",
    "environment",
    "care",
    "hub",
    "ask",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(krate: &str) -> PathBuf {
    root().join(krate).join("src")
}

/// The dependencies that a crate is built with, on any target; those of tests and build scripts are free.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let of = |table: &toml::Table| -> Vec<String> {
        let table = table.get("dependencies").and_then(toml::Value::as_table);
        table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
    };
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let of_targets = targets.into_iter().flatten().filter_map(|(_, table)| table.as_table());
    of(&manifest).into_iter().chain(of_targets.flat_map(of)).collect()
}

#[test]
fn crates_depend_downwards_only() {
    for (krate, allowed) in CRATES {
        for dependency in dependencies(krate) {
            let ours = dependency == "hubstow" || dependency.starts_with("hubstow-");
            let is_allowed = allowed.contains(&dependency.as_str());
            assert!(!ours || is_allowed, "{krate} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_core_depends_on_nothing() {
    let needed: Vec<_> = dependencies("core").into_iter().filter(|name| name != "serde").collect();
    assert!(needed.is_empty(), "{needed:?}");
    let text = std::fs::read_to_string(root().join("core/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let serde = manifest.get("dependencies").and_then(|table| table.get("serde"));
    let optional = serde.is_none_or(|serde| serde.get("optional") == Some(&true.into()));
    assert!(optional, "serde is there for those who ask for it");
}

#[test]
fn no_more_than_two_files_import_each_other() {
    for (krate, _) in CRATES {
        let graph = Graph::of(&sources(krate));
        assert!(graph.files() > 1, "{krate}: nothing was read");
        for circle in graph.circles() {
            assert!(circle.len() <= 2, "{krate}: a circle of {}", circle.join(", "));
        }
    }
}

#[track_caller]
fn check_layers(krate: &str, layers: &[&str]) {
    let graph = Graph::of(&sources(krate));
    let rank = |file: &str| {
        let top = file.split('/').next().unwrap_or(file);
        layers.iter().position(|layer| *layer == top.trim_end_matches(".rs"))
    };
    let mut wrong = Vec::new();
    for (from, to) in graph.imports() {
        match (rank(from), rank(to)) {
            (Some(own), Some(other)) if other > own => wrong.push(format!("{from} imports {to}")),
            (Some(_), Some(_)) => {}
            // The root of a crate is imported from by nobody but for what all need.
            (None, _) | (_, None) if from == "lib.rs" || to == "lib.rs" => {}
            (None, _) => wrong.push(format!("{from} has no layer")),
            (_, None) => wrong.push(format!("{to} has no layer")),
        }
    }
    assert!(wrong.is_empty(), "{krate}: imports run down only:\n{}", wrong.join("\n"));
}

#[test]
fn the_folders_of_the_cache_import_downwards_only() {
    check_layers("hosts/cache", &CACHE);
}

#[test]
fn the_folders_of_the_client_import_downwards_only() {
    check_layers("hosts/client", &CLIENT);
}

/// The client serves every host, so which one it is may be asked only where a host plugs in.
#[test]
fn the_client_does_not_ask_for_its_host() {
    for file in imports::files(&sources("hosts/client")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let asks = ["target_family", "target_os", "target_arch"].iter().any(|it| text.contains(it));
        assert!(!asks, "{} asks which host it is in", file.display());
    }
}
