//! A password in the address of the hub: it opens that hub, and nobody sees it.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    extract::Request,
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use hubstow_serve::Server;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// As it is written in an address.
const PASSWORD: &str = "canary-pass%20word";
/// `user:canary-pass word` in base64.
const BASIC: &str = "Basic dXNlcjpjYW5hcnktcGFzcyB3b3Jk";
/// What each form of it has: as it is or in an address, and in base64 behind `other:` and behind `user:`.
const TRACES: [&str; 3] = ["canary", "Y2FuYXJ5", "YW5hcnkt"];

/// A hub that lets in whoever knows the password, and a folder for all that is written.
struct Stage {
    folder: TempDir,
    port: u16,
    refused: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
        let repo = folder.path().join("hub/acme/tiny");
        fs::create_dir_all(&repo).unwrap();
        fs::write(repo.join("config.json"), "{}\n").unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let refused = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&refused);
        let login = move |request: Request, next: Next| {
            let count = Arc::clone(&count);
            async move {
                if request.headers().get(AUTHORIZATION).is_some_and(|found| found == BASIC) {
                    return next.run(request).await;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let answer: Response = StatusCode::UNAUTHORIZED.into_response();
                answer
            }
        };
        let router = Server::builder(folder.path().join("hub")).build().router();
        let router = router.layer(middleware::from_fn(login));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { folder, port, refused, _runtime: runtime }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn run(&self, vars: &[(&str, &str)], args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command.env_clear().env("HOME", self.home()).current_dir(self.home());
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command.envs(vars.iter().copied()).args(args).output().unwrap()
    }
}

fn told(output: &Output) -> String {
    let [printed, told] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{printed}{told}")
}

#[track_caller]
fn has_no_trace(text: &str, what: &str) {
    assert!(!TRACES.iter().any(|trace| text.contains(trace)), "{what}: {text}");
}

/// Checks all files below a folder, and their names.
fn look_through(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let look = |path: PathBuf| {
        has_no_trace(&path.display().to_string(), "a name");
        if path.is_dir() {
            return look_through(&path);
        }
        has_no_trace(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()), "a file");
        1
    };
    entries.map(look).sum()
}

#[test]
fn a_password_in_the_endpoint_opens_the_hub_and_is_shown_nowhere() {
    let stage = Stage::new();
    let right = format!("http://user:{PASSWORD}@127.0.0.1:{}", stage.port);
    let download = ["download", "acme/tiny"];
    let (verbose, json) = (["-vvv"], ["--json", "-vvv"]);
    for (way, vars, flag) in [
        ("a variable", &[("HF_ENDPOINT", right.as_str()), ("HF_TOKEN", "hf_other")][..], &[][..]),
        ("a flag", &[("HF_TOKEN", "hf_other")], &["--endpoint", &right]),
    ] {
        for args in [
            &[&download[..], &json].concat()[..],
            &[&download[..], &["config.json", "--force-download"], &verbose].concat(),
            &[&download[..], &["--local-dir", "here"], &json].concat(),
            &[&download[..], &["--dry-run"], &json].concat(),
            &[&["env"][..], &verbose].concat(),
            &[&["env"][..], &json].concat(),
            &["env", "-q"],
            &["explain", "acme/tiny", "config.json", "-vvv"],
            &["explain", "acme/tiny", "config.json", "--json"],
        ] {
            let ended = stage.run(vars, &[args, flag].concat());
            assert!(ended.status.success(), "{way} {args:?}: {}", told(&ended));
            has_no_trace(&told(&ended), &format!("{way} {args:?}"));
        }
        assert_eq!(stage.refused.load(Ordering::Relaxed), 0, "{way}");
        for args in [["download", "acme/none", "-vvv"], ["download", "acme/none", "--json"]] {
            let ended = stage.run(vars, &[&args, flag].concat());
            assert_eq!(ended.status.code(), Some(3), "{way} {args:?}: {}", told(&ended));
            has_no_trace(&told(&ended), &format!("{way} {args:?}"));
        }
    }
    assert!(look_through(&stage.home()) > 3);
}

#[test]
fn a_password_that_is_of_no_use_is_shown_no_more_than_one_that_is() {
    let stage = Stage::new();
    let at = format!("127.0.0.1:{}", stage.port);
    for (endpoint, code) in [
        // Another one than the hub's; a hub that is away; several; and what is no address.
        (format!("http://other:{PASSWORD}@{at}"), 5),
        (format!("http://user:{PASSWORD}@127.0.0.1:1"), 8),
        (format!("http://user:{PASSWORD}@127.0.0.1:1 http://other:{PASSWORD}@{at}"), 5),
        (format!("https://user:{PASSWORD}@{at}"), 8),
        (format!("ftp://user:{PASSWORD}@{at}"), 2),
        (format!("user:{PASSWORD}@{at}"), 2),
        (format!("http://user:{PASSWORD}@"), 2),
    ] {
        for args in [&["download", "acme/tiny", "-vvv"][..], &["download", "acme/tiny", "--json"]] {
            let by_variable = stage.run(&[("HF_ENDPOINT", &endpoint)], args);
            let several: Vec<_> =
                endpoint.split(' ').flat_map(|endpoint| ["--endpoint", endpoint]).collect();
            let by_flag = stage.run(&[], &[args, &several].concat());
            for ended in [by_variable, by_flag] {
                let what = format!("{endpoint} {args:?}");
                has_no_trace(&told(&ended), &what);
                assert_eq!(ended.status.code(), Some(code), "{what}: {}", told(&ended));
            }
        }
    }
    look_through(&stage.home());
}
