//! Folders that are served beside an upstream.

use std::{
    fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

use crate::{client, made, upstream::Upstream};

/// A node with folders of its own.
struct Stage {
    upstream: Upstream,
    disk: TempDir,
    own: TempDir,
    node: RunningServer,
}

impl Stage {
    fn new(token: Option<&str>) -> Self {
        let (upstream, disk) = (Upstream::new(), tempfile::tempdir().unwrap());
        let own = tempfile::tempdir().unwrap();
        for (repo, content) in [("acme/own", "own"), ("acme/m", "instead of upstream's")] {
            fs::create_dir_all(own.path().join(repo)).unwrap();
            fs::write(own.path().join(repo).join("config.json"), content).unwrap();
        }
        fs::write(own.path().join("acme/own/big.bin"), vec![7; 200_000]).unwrap();
        let node = Arc::new(made(&upstream, &disk, |_| {}));
        let server =
            Server::builder(own.path()).lfs_from_bytes(100_000).upstream(node, disk.path());
        let server = match token {
            Some(token) => server.token(token),
            None => server,
        };
        let node = server.build().spawn_on_loopback().unwrap();
        Self { upstream, disk, own, node }
    }

    #[track_caller]
    fn get(&self, path: &str, headers: &[&str]) -> client::Answer {
        client::get(self.node.address(), path, headers)
    }
}

#[test]
fn what_a_folder_has_is_answered_from_there_and_upstream_hears_nothing_of_it() {
    let stage = Stage::new(None);
    for (path, expected) in [
        ("/acme/own/resolve/main/config.json", &b"own"[..]),
        ("/acme/own/resolve/main/big.bin", &[7; 200_000]),
        ("/acme/m/resolve/main/config.json", b"instead of upstream's"),
    ] {
        let answer = stage.get(path, &["Authorization: Bearer hf_canary"]);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body == expected, "{path}");
    }
    for path in [
        "/api/models/acme/own",
        "/api/models/acme/own/tree/main?recursive=true",
        "/api/models/acme/own/refs",
        "/api/models/acme/own/auth-check",
    ] {
        assert_eq!(stage.get(path, &[]).status, 200, "{path}");
    }
    // It has no such revision; whatever upstream has under that name is another repo.
    let missing = stage.get("/acme/own/resolve/v9/config.json", &[]);
    assert_eq!(missing.header("x-error-code"), Some("RevisionNotFound"));
    assert!(stage.upstream.line().asked.is_empty(), "upstream was asked for a file");
    assert!(stage.upstream.line().tokens.is_empty(), "a token has gone upstream");
}

#[test]
fn what_no_folder_has_comes_from_upstream_and_so_do_lists() {
    let stage = Stage::new(None);
    let content = stage.upstream.put_in("acme/other", "big.bin", 5, 300_000);
    assert!(stage.get("/acme/other/resolve/main/big.bin", &[]).body == content);
    let listed = stage.get("/api/models?author=acme", &[]).body;
    let listed = String::from_utf8(listed).unwrap();
    assert!(listed.contains("acme/other") && !listed.contains("acme/own"), "{listed}");
    let unknown = stage.get("/acme/nothing/resolve/main/config.json", &[]);
    assert_eq!(unknown.header("x-error-code"), Some("RepoNotFound"));
}

#[test]
fn a_folder_that_can_not_be_read_is_no_reason_to_ask_upstream() {
    let stage = Stage::new(None);
    fs::rename(stage.own.path(), stage.own.path().with_extension("away")).unwrap();
    let answer = stage.get("/acme/own/resolve/main/config.json", &[]);
    let ready = stage.get("/readyz", &[]).status;
    fs::rename(stage.own.path().with_extension("away"), stage.own.path()).unwrap();
    assert!(answer.status >= 500, "{}", answer.status);
    assert_eq!(ready, 503);
    assert!(stage.upstream.line().asked.is_empty(), "upstream was asked");
}

#[test]
fn the_page_shows_folders_to_everybody_and_what_is_kept_only_to_who_has_the_token() {
    for (token, header, shows_kept) in
        [(None, None, false), (Some("team"), Some("Authorization: Bearer team"), true)]
    {
        let stage = Stage::new(token);
        stage.upstream.put_in("acme/other", "big.bin", 5, 300_000);
        let headers: Vec<&str> = header.into_iter().collect();
        let got = stage.get("/acme/other/resolve/main/big.bin", &headers);
        assert_eq!(got.status, 200);
        let kept = stage.disk.path().join("models--acme--other/snapshots");
        let begin = Instant::now();
        while !kept.exists() && begin.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(5));
        }
        let page = String::from_utf8(stage.get("/", &headers).body).unwrap();
        let shows = |repo: &str| page.contains(&format!("acme&#x2f;{repo}<"));
        assert!(shows("own"), "{page}");
        assert_eq!(shows("other"), shows_kept, "{page}");
    }
}
