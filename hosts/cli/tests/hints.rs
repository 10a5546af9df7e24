//! What the command advises: only what can help.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use hubstow_serve::{RunningServer, Server};
use serde_json::Value;
use tempfile::TempDir;

/// What a hub says no with.
#[derive(Clone, Copy)]
struct No {
    status: u16,
    code: &'static str,
}

/// A hub that begins to say no to everything, and a cache.
struct Stage {
    folder: TempDir,
    hub: RunningServer,
    no: Arc<Mutex<Option<No>>>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("hub/acme/tiny");
        fs::create_dir_all(&model).unwrap();
        fs::write(model.join("config.json"), "{}\n").unwrap();
        let no = Arc::<Mutex<Option<No>>>::default();
        let shared = Arc::clone(&no);
        let layer = middleware::from_fn(move |request: Request, next: Next| {
            let no = *shared.lock().unwrap();
            async move {
                let Some(No { status, code }) = no else { return next.run(request).await };
                let answer = Response::builder().status(status).header("x-error-code", code);
                answer.body(Body::empty()).unwrap()
            }
        });
        let router = Server::builder(folder.path().join("hub")).build().router();
        let hub = RunningServer::start_on_loopback(router.layer(layer)).unwrap();
        Self { folder, hub, no }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .args(["download", "acme/tiny"])
            .args(args)
            .env_clear()
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HOME", self.folder.path().join("home"));
        command
    }

    /// Returns the hint that comes with a failure.
    #[track_caller]
    fn hint(&self, args: &[&str], no: No, exit_code: i32) -> String {
        *self.no.lock().unwrap() = Some(no);
        let ended = self.command(args).arg("--json").output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(exit_code), "{args:?}: {told}");
        let error: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        error.pointer("/error/hint").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

const UNAUTHORIZED: No = No { status: 401, code: "" };
const DISABLED: No = No { status: 403, code: "DisabledRepo" };

#[test]
fn a_forced_download_is_never_told_to_take_the_cached_copy() {
    let stage = Stage::new();
    assert!(stage.command(&["config.json"]).output().unwrap().status.success());
    let plain = stage.hint(&["config.json"], UNAUTHORIZED, 5);
    assert!(plain.contains("--stale always"), "it takes the copy then: {plain}");
    let forced = stage.hint(&["config.json", "--force-download"], UNAUTHORIZED, 5);
    assert!(!forced.contains("--stale") && !forced.contains("--offline"), "{forced}");
    assert!(forced.contains("HF_TOKEN"), "{forced}");
}

#[test]
fn nobody_is_told_to_accept_the_conditions_of_a_repo_that_is_switched_off() {
    let stage = Stage::new();
    for args in [&["config.json"][..], &[]] {
        let hint = stage.hint(args, DISABLED, 5);
        assert!(!hint.contains("conditions"), "{args:?}: {hint}");
    }
}

/// Why nobody had a token: it is where nobody would look for a reason.
#[test]
fn whoever_is_refused_hears_of_a_token_file_that_can_not_be_read() {
    let stage = Stage::new();
    assert!(stage.command(&["config.json"]).output().unwrap().status.success());
    let [folder, bytes] = ["folder", "bytes"].map(|name| stage.folder.path().join(name));
    fs::create_dir(&folder).unwrap();
    fs::write(&bytes, [b'h', b'f', b'_', 0xff]).unwrap();
    let in_home = stage.folder.path().join("home/token");
    fs::create_dir_all(&in_home).unwrap();
    let not_found = No { status: 404, code: "RepoNotFound" };
    let asked = |vars: &[(&str, &str)], args: &[&str], no: Option<No>| {
        *stage.no.lock().unwrap() = no;
        let mut command = stage.command(args);
        let ended = command.envs(vars.iter().copied()).output().unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    for (file, named) in [(&folder, true), (&bytes, true), (&in_home, false)] {
        let path = file.to_str().unwrap();
        let vars: &[_] = if named { &[("HF_TOKEN_PATH", path)] } else { &[] };
        let with_another = [vars, &[("HF_TOKEN", "hf_other")]].concat();
        for args in [&["config.json", "--force-download"][..], &[]] {
            for (no, code) in [(UNAUTHORIZED, 5), (not_found, 3)] {
                let (found, told) = asked(vars, args, Some(no));
                assert_eq!(found, Some(code), "{path} {args:?}: {told}");
                let expected = format!("the token file `{path}` can't be read: ");
                assert!(told.contains(&expected), "{args:?}: {told}");
                let (_, told) = asked(&with_another, args, Some(no));
                assert!(!told.contains(path), "another token was sent: {told}");
            }
        }
        // Whoever is not refused needs none.
        let (found, told) = asked(vars, &["--quiet"], None);
        assert!(found == Some(0) && !told.contains(path), "{told}");
    }
}
