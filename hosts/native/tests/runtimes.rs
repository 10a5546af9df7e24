//! One hub, used from runtimes of which not all are driven any more.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{fs, time::Duration};

use hubstow_native::{Config, FileRequest, Hub};
use hubstow_serve::Server;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(5);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_runtime_that_nobody_drives_any_more_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("hub/acme/tiny");
    fs::create_dir_all(&model).unwrap();
    for name in ["first.json", "second.json"] {
        fs::write(model.join(name), format!("{{ \"name\": \"{name}\" }}\n")).unwrap();
    }
    let server = Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
    let vars = [
        ("HF_ENDPOINT", server.url().to_owned()),
        ("HF_HUB_CACHE", folder.path().join("cache").display().to_string()),
    ];
    let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, v)| v.clone());
    let hub = Hub::new(Config::from_vars(var).unwrap()).unwrap();

    let (first, second) = (runtime(), runtime());
    let file = |name| FileRequest::parse("acme/tiny", name).unwrap();
    first.block_on(hub.download(&file("first.json"))).unwrap();
    let ended = second.block_on(async { timeout(LIMIT, hub.download(&file("second.json"))).await });
    let report = ended.expect("it waits for a connection of a runtime that nobody drives").unwrap();
    assert!(fs::read_to_string(report.path).unwrap().contains("second.json"));
    drop(first);
}
