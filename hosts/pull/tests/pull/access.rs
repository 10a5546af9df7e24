//! Who gets what: access is the client's own.

use std::{fs, path::Path, thread, time::Duration};

use hubstow_core::hub::Endpoint;
use hubstow_serve::Server;

use crate::{MAIN, Stage, client, node, upstream::Upstream};

const GOOD: &str = "hf_canary_good";
const OTHER: &str = "hf_canary_other";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[test]
fn who_is_not_let_in_upstream_gets_its_refusal_although_the_bytes_are_here() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 11, 2 << 20);
    stage.upstream.line().let_in = vec![GOOD];
    let answer = stage.get("big.bin", &[&bearer(GOOD)]);
    assert!(answer.status == 200 && answer.body == content);
    for (headers, status) in [(vec![bearer(OTHER)], 403), (vec![], 401)] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        for method in ["HEAD", "GET"] {
            let path = format!("{MAIN}/big.bin");
            let answer = client::begin(stage.at(), method, &path, &headers).rest();
            let said = (answer.status, answer.header("x-error-code"));
            assert_eq!(said, (status, Some("GatedRepo")), "{method} {headers:?}");
            let message = "Access to model acme/m is restricted.";
            assert_eq!(answer.header("x-error-message"), Some(message));
        }
    }
    let before = stage.upstream.line().asked.len();
    assert!(stage.get("big.bin", &[&bearer(GOOD)]).body == content);
    assert_eq!(stage.upstream.line().asked.len(), before, "what was allowed is remembered");
}

#[test]
fn who_may_read_one_file_of_a_gated_repo_may_not_for_that_read_another() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 13, 2 << 20);
    let readme = stage.upstream.put("README.md", 14, 100);
    stage.upstream.line().let_in = vec![GOOD];
    assert!(stage.get("big.bin", &[&bearer(GOOD)]).body == content);
    assert!(stage.get("README.md", &[]).body == readme);
    assert_eq!(stage.get("big.bin", &[]).status, 401);
    let commit = stage.get("README.md", &[]).header("x-repo-commit").unwrap().to_owned();
    let pinned = client::get(stage.at(), &format!("/acme/m/resolve/{commit}/big.bin"), &[]);
    assert_eq!(pinned.status, 401);
}

#[test]
fn who_has_joined_the_fetch_of_somebody_who_is_refused_is_answered_for_the_own_token() {
    for status in [401, 403, 404, 429] {
        let stage = Stage::new();
        let content = stage.upstream.put("big.bin", 15, 2 << 20);
        // Both are told what it is, and then one of them is refused.
        let path = format!("{MAIN}/big.bin");
        for token in [OTHER, GOOD] {
            assert_eq!(client::begin(stage.at(), "HEAD", &path, &[&bearer(token)]).status, 200);
        }
        {
            let mut line = stage.upstream.line();
            (line.refused, line.holds_refused) = (Some((OTHER, status)), true);
        }
        thread::scope(|scope| {
            let first = scope.spawn(|| stage.get("big.bin", &[&bearer(OTHER)]));
            stage.wait("a fetch begins", || stage.upstream.gets() == 1);
            let second = scope.spawn(|| stage.get("big.bin", &[&bearer(GOOD)]));
            let metrics =
                || String::from_utf8(client::get(stage.at(), "/metrics", &[]).body).unwrap();
            stage.wait("both wait for it", || metrics().contains("waits_total 2\n"));
            thread::sleep(Duration::from_millis(300));
            stage.upstream.line().holds_refused = false;
            let (first, second) = (first.join().unwrap(), second.join().unwrap());
            assert_ne!(first.status, 200, "{status}");
            assert_eq!(second.status, 200, "{status}: {second:?}");
            assert!(second.body == content);
        });
    }
}

#[test]
fn a_token_goes_upstream_and_nowhere_else() {
    let content = tempfile::tempdir().unwrap();
    fs::create_dir_all(content.path().join("acme/m")).unwrap();
    let store = Server::builder(content.path()).lfs_from_bytes(1).build().spawn_on_loopback();
    let store = store.unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("acme/m")).unwrap();
    for folder in [content.path(), folder.path()] {
        let bytes = crate::upstream::noise(12, 3 << 20);
        fs::write(folder.join("acme/m/big.bin"), bytes).unwrap();
    }
    let cdn = Endpoint::parse(store.url()).unwrap();
    let hub = Server::builder(folder.path()).lfs_from_bytes(1).cdn(cdn).build();
    let stage = Stage::before(Upstream::before(folder, &hub));
    let answer = stage.get("big.bin", &[&bearer(GOOD)]);
    assert!(answer.status == 200 && answer.is_whole(), "{answer:?}");
    assert!(stage.upstream.line().tokens.iter().any(|token| token == GOOD));
    let at_store = store.requests();
    assert!(!at_store.is_empty() && at_store.iter().all(|request| !request.authorized));
    let who = client::get(stage.at(), "/api/models/acme/nope", &[&bearer(GOOD)]);
    for answer in [&answer, &who] {
        assert!(!format!("{:?}", answer.headers).contains("canary"));
    }
    assert!(!String::from_utf8_lossy(&who.body).contains("canary"));
    assert!(!format!("{:?}", stage.log.lock().unwrap()).contains("canary"));
    let metrics = client::get(stage.at(), "/metrics", &[]);
    let page = client::get(stage.at(), "/", &[]);
    for answer in [metrics, page] {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("canary") && !text.contains("acme"), "{text}");
    }
    assert!(!holds(stage.disk.path(), b"canary"));
}

/// Tells whether any file below a folder has some text in it, or in its name.
fn holds(folder: &Path, text: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            return false;
        }
        let named = path.to_string_lossy().as_bytes().windows(text.len()).any(|at| at == text);
        let inside = if path.is_dir() {
            holds(&path, text)
        } else {
            fs::read(&path).unwrap().windows(text.len()).any(|at| at == text)
        };
        named || inside
    })
}

#[test]
fn the_token_of_the_node_itself_goes_upstream_whoever_asks() {
    let upstream = Upstream::new();
    let content = upstream.put("big.bin", 13, 100);
    upstream.line().let_in = vec![GOOD];
    let disk = tempfile::tempdir().unwrap();
    let token = hubstow_client::Token::new(GOOD).unwrap();
    let node = node(&upstream, &disk, &Default::default(), |config| config.token = Some(token));
    for headers in [vec![], vec![bearer(OTHER)]] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = client::get(node.address(), &format!("{MAIN}/big.bin"), &headers);
        assert!(answer.status == 200 && answer.body == content);
    }
    assert!(upstream.line().tokens.iter().all(|token| token == GOOD));
}

#[test]
fn what_is_told_of_a_repo_is_handed_on_with_the_callers_token() {
    let stage = Stage::new();
    let ask = |path: &str| client::get(stage.at(), path, &[&bearer(GOOD)]);
    let info = ask("/api/models/acme/m");
    assert_eq!(info.status, 200);
    let said: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
    let commit = said["sha"].as_str().unwrap().to_owned();
    stage.upstream.put("more.txt", 14, 10);
    let page = ask("/api/models/acme/m/tree/main?limit=1");
    let next = page.header("link").unwrap().to_owned();
    let own = format!("<{}/api/models/acme/m/tree/main?", stage.node.url());
    assert!(next.starts_with(&own), "{next}");
    let missing = ask("/api/models/acme/none");
    assert_eq!((missing.status, missing.header("x-error-code")), (404, Some("RepoNotFound")));
    assert_eq!(ask("/api/whoami-v2").status, 200);
    assert_eq!(client::get(stage.at(), "/api/whoami-v2", &[]).status, 401);
    for path in ["refs", "commits/main", "auth-check"] {
        assert_eq!(ask(&format!("/api/models/acme/m/{path}")).status, 200, "{path}");
    }
    // What is said of a commit never changes, so it is asked once.
    let at_commit = format!("/api/models/acme/m/revision/{commit}");
    let asked = || {
        let requests = stage.upstream.server.requests();
        requests.iter().filter(|request| request.path == at_commit).count()
    };
    let before = [ask(&at_commit).status, ask(&at_commit).status];
    assert_eq!((before[0], before[1]), (before[0], before[0]));
    assert_eq!(asked(), if before[0] == 200 { 1 } else { 2 });
    let content =
        ask("/-/content/ab/models/acme/m/resolve/0123456789abcdef0123456789abcdef01234567/x");
    assert_eq!(content.status, 404, "nothing leads around what upstream allows");
}
