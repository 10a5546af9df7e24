//! The examples, as a reader of the guide would run them: against a hub on this machine, into a cache of their own.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const CONFIG: &str = r#"{"layers": 2}"#;

/// Returns where cargo puts the examples of the workspace: beside the folder of this test.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join(name);
    assert!(example.is_file(), "`cargo test --workspace` builds the example {name} first");
    example
}

struct Scene {
    folder: TempDir,
    hub: RunningServer,
}

impl Scene {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/org/model");
        fs::create_dir_all(&repo).unwrap();
        fs::write(repo.join("config.json"), CONFIG).unwrap();
        let hub = Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
        Self { folder, hub }
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(example(name));
        command.args(arguments).env_clear().env("HF_ENDPOINT", self.hub.url());
        command.env("HF_HUB_CACHE", self.folder.path().join("cache")).output().unwrap()
    }
}

#[track_caller]
fn downloads(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert_eq!(fs::read_to_string(stdout.trim()).unwrap(), CONFIG, "{stdout}");
    assert!(stderr.contains("because"), "{stderr}");
}

#[test]
fn a_native_application() {
    let scene = Scene::make();
    downloads(&scene.run("download", &["org/model", "config.json"]));
}

#[test]
fn an_embedder_of_wasmtime() {
    let scene = Scene::make();
    downloads(&scene.run("embed", &["org/model", "config.json"]));
}

#[test]
fn an_embedder_of_wasmtime_with_a_component_of_its_own() {
    let scene = Scene::make();
    let component = scene.folder.path().join("core.wasm");
    fs::write(&component, hubstow_wasmtime::COMPONENT).unwrap();
    let component = component.to_string_lossy();
    downloads(&scene.run("embed", &["org/model", "config.json", &component]));
}

#[test]
fn an_embedder_says_what_is_wrong_with_a_component() {
    let scene = Scene::make();
    let component = scene.folder.path().join("core.wasm");
    fs::write(&component, b"no component").unwrap();
    let output = scene.run("embed", &["org/model", "config.json", &component.to_string_lossy()]);
    assert!(!output.status.success());
    assert!(!scene.folder.path().join("cache").exists());
}
