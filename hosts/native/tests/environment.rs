//! The library reads no environment of its own accord.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{env, fs, process::Command};

use hubstow_native::{Config, FileRequest, Hub};
use hubstow_serve::Server;

/// Where nobody listens: port 1 is reserved.
const NOBODY: &str = "http://127.0.0.1:1";
const ENDPOINT: &str = "HUBSTOW_TEST_ENDPOINT";
const CACHE: &str = "HUBSTOW_TEST_CACHE";

/// What a program does that wants nothing to do with its environment.
fn download(endpoint: &str, cache: &str) {
    let var = |name: &str| match name {
        "HF_ENDPOINT" => Some(endpoint.to_owned()),
        "HF_HUB_CACHE" => Some(cache.to_owned()),
        _ => None,
    };
    let hub = Hub::new(Config::from_vars(var).unwrap()).unwrap();
    let file = FileRequest::parse("acme/tiny", "config.json").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(hub.download(&file)).unwrap();
    assert_eq!(fs::read_to_string(report.path).unwrap(), "{}\n");
}

#[test]
fn proxy_variables_mean_nothing_to_a_program_that_did_not_ask_for_them() {
    const NAME: &str = "proxy_variables_mean_nothing_to_a_program_that_did_not_ask_for_them";
    if let (Ok(endpoint), Ok(cache)) = (env::var(ENDPOINT), env::var(CACHE)) {
        return download(&endpoint, &cache);
    }
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("hub/acme/tiny");
    fs::create_dir_all(&model).unwrap();
    fs::write(model.join("config.json"), "{}\n").unwrap();
    let server = Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        let ended = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env_clear()
            .env(ENDPOINT, server.url())
            .env(CACHE, folder.path().join(variable))
            .env(variable, NOBODY)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{variable}: {}: {told}", ended.status);
    }
}
