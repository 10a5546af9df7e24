//! What real clients ask for besides files and listings: who they are, which repos there are, what git holds, and what no
//! read-only server does.

use serde_json::{Value, json};

use crate::Served;

/// The oid of the LFS pointer to `hello\n`, as `git hash-object` gives it.
const POINTER_SHA1: &str = "fa61e1ef71c9908c0926776a4aa3504b3a27f159";
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
     oid sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\nsize 6\n";

fn served() -> Served {
    Served::with(
        &[
            ("org/name/config.json", "hello\n"),
            ("org/name/weights.bin", "hello\n"),
            ("org/name/empty", ""),
            ("org/name@v1/f", "old"),
            ("org/Other/f", "1"),
            ("plain/f", "2"),
            ("zeta/one/f", "3"),
            ("models/below/f", "4"),
            ("datasets/org/data/f", "5"),
            ("org/.cache/x", "private"),
        ],
        |builder| builder.page_limit(3),
    )
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|at| at["id"].as_str().unwrap()).collect()
}

#[test]
fn an_empty_file_has_no_parts_and_is_answered_whole_with_its_size() {
    let served = served();
    for range in ["bytes=0-", "bytes=0-1048575", "bytes=-5", "bytes=5-9"] {
        let request = format!("GET /org/name/resolve/main/empty\nRange: {range}");
        served.check(&request, "200\ncontent-length: 0\ncontent-range: bytes */0\n\n");
    }
}

#[test]
fn raw_files_are_what_git_holds() {
    let served = served();
    let commit = served.commit("main");
    let pointer = format!(
        "200
         x-repo-commit: {commit}
         etag: \"{POINTER_SHA1}\"
         !x-linked-etag
         content-length: {}",
        POINTER.len()
    );
    served.check("HEAD /org/name/raw/main/weights.bin", &format!("{pointer}\n\n"));
    served.check("GET /org/name/raw/main/weights.bin", &format!("{pointer}\n\n{POINTER}"));
    served.check("GET /org/name/raw/main/weights.bin\nRange: bytes=0-6", "206\n\nversion");
    served.check("GET /org/name/raw/main/config.json", "200\ncontent-length: 6\n\nhello\n");
    served.check("GET /datasets/org/data/raw/main/f", "200\n\n5");
    served.check("HEAD /org/name/raw/main/nope", "404\nx-error-code: EntryNotFound");
    served.check("HEAD /org/nope/raw/main/f", "404\nx-error-code: RepoNotFound");
}

#[test]
fn the_revision_head_is_the_default_branch() {
    let served = served();
    let commit = served.commit("main");
    assert_eq!(served.commit("HEAD"), commit);
    let expected = format!("200\nx-repo-commit: {commit}");
    served.check("GET /org/name/resolve/HEAD/config.json", &expected);
    served.check("GET /org/name/raw/HEAD/config.json", &expected);
    served.check("GET /api/models/org/name/tree/HEAD", "200");
    served.check("POST /api/models/org/name/paths-info/HEAD\n\npaths=empty", "200");
}

#[test]
fn whose_token_it_is_is_told_to_whoever_has_one() {
    let open = served();
    open.check("GET /api/whoami-v2", "401\nx-error-message: Invalid username or password.");
    open.check("GET /api/whoami-v2\nAuthorization: Bearer any", "200");
    let served = Served::with(&[("org/name/f", "x")], |builder| builder.token("right"));
    served.check("GET /api/whoami-v2", "401");
    let wrong = "401\nx-error-message: Invalid credentials in Authorization header";
    served.check("GET /api/whoami-v2\nAuthorization: Bearer wrong", wrong);
    let told = served.send("GET /api/whoami-v2\nAuthorization: Bearer right").json();
    assert_eq!((&told["type"], &told["name"]), (&json!("user"), &json!("hubstow")));
    assert_eq!(told["auth"]["accessToken"]["role"], "read");
    assert!(!told.to_string().contains("right"), "{told}");
}

#[test]
fn browsers_and_simple_clients_carry_the_token_as_a_password() {
    let served = Served::with(&[("org/name/f", "x")], |builder| builder.token("right"));
    served.check("GET /", "401\nwww-authenticate: Basic realm=\"hubstow\", charset=\"UTF-8\"");
    // `anybody:right`, `right:`, `:wrong`, and no pair at all.
    for (pair, status) in
        [("YW55Ym9keTpyaWdodA==", 200), ("cmlnaHQ6", 401), ("Ondyb25n", 401), ("cmlnaHQ=", 401)]
    {
        for path in ["/", "/org/name/resolve/main/f"] {
            let answer = served.send(&format!("GET {path}\nAuthorization: Basic {pair}"));
            assert_eq!(answer.status, status, "{path} {pair}");
        }
    }
}

#[test]
fn repos_are_listed_by_kind_and_found_by_name() {
    let served = served();
    for (query, expected) in [
        ("?limit=99", vec!["below", "org/Other", "org/name"]),
        ("?search=NAME", vec!["org/name"]),
        ("?search=o&author=zeta", vec!["zeta/one"]),
        ("?author=org", vec!["org/Other", "org/name"]),
        ("?author=or", vec![]),
        ("?search=nope", vec![]),
        ("?limit=1", vec!["below"]),
        ("?filter=text-generation", vec![]),
        ("?pipeline_tag=x", vec![]),
    ] {
        let answer = served.send(&format!("GET /api/models{query}"));
        assert_eq!(ids(&answer.json()), expected, "{query}");
    }
    assert_eq!(ids(&served.send("GET /api/datasets").json()), ["org/data"]);
    assert_eq!(served.send("GET /api/spaces").json(), json!([]));
    served.check("GET /api/nope", "404");
}

#[test]
fn the_pages_of_repos_follow_each_other_in_either_order() {
    let served = served();
    for order in ["", "&sort=lastModified"] {
        let mut at = format!("/api/models?limit=2{order}");
        let mut seen = Vec::new();
        while !at.is_empty() {
            let answer = served.send(&format!("GET {at}"));
            seen.extend(ids(&answer.json()).into_iter().map(str::to_owned));
            let link = answer.header("link").unwrap_or_default();
            let next = link.strip_prefix("<http://127.0.0.1:").and_then(|at| at.split_once('>'));
            at = next.map_or(String::new(), |(at, _)| at[at.find('/').unwrap()..].to_owned());
        }
        seen.sort();
        assert_eq!(seen, ["below", "org/Other", "org/name", "plain", "zeta/one"], "{order}");
    }
    let modified = |name: &str, seconds: u64| {
        let path = served.root().join(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    for (at, name) in ["org/Other/f", "plain/f", "zeta/one/f", "models/below/f"].iter().enumerate()
    {
        modified(name, 1_000 + at as u64);
    }
    let newest = served.send("GET /api/models?sort=lastModified&limit=3").json();
    assert_eq!(ids(&newest), ["org/name", "below", "zeta/one"]);
    assert_eq!(newest[1]["lastModified"], "1970-01-01T00:16:43.000Z");
}

#[test]
fn a_full_list_has_commits_and_files() {
    let served = served();
    let full = served.send("GET /api/models?search=org/name&full=True").json();
    assert_eq!(full[0]["sha"], served.commit("main"));
    assert_eq!(full[0]["siblings"].as_array().unwrap().len(), 3);
    let brief = served.send("GET /api/models?search=org/name").json();
    assert_eq!(brief[0].get("siblings"), None);
}

#[test]
fn a_revision_has_one_commit() {
    let served = served();
    let answer = served.send("GET /api/models/org/name/commits/main");
    let commits = answer.json();
    assert_eq!(commits.as_array().unwrap().len(), 1);
    assert_eq!(commits[0]["id"], served.commit("main"));
    assert_eq!(commits[0]["authors"][0]["user"], "hubstow");
    let date = commits[0]["date"].as_str().unwrap();
    assert!(date.starts_with("20") && date.ends_with('Z'), "{date}");
    assert_eq!(answer.header("x-total-count"), Some("1"));
    assert_eq!(served.send("GET /api/models/org/name/commits/main?p=1").json(), json!([]));
    let old = served.send("GET /api/models/org/name/commits/v1").json();
    assert_eq!(old[0]["id"], served.commit("v1"));
    served.check("GET /api/models/org/name/commits/v2", "404\nx-error-code: RevisionNotFound");
}

#[test]
fn whether_a_repo_may_be_read_is_told() {
    let served = served();
    served.check("GET /api/models/org/name/auth-check", "200\n\n{}");
    served.check("GET /api/datasets/org/data/auth-check", "200");
    let missing = "404\nx-error-code: RepoNotFound";
    served.check("GET /api/models/org/nope/auth-check", missing);
    served.check("GET /api/models/org/name/auth-check/write", "501");
}

#[test]
fn no_agents_are_told_apart_even_before_a_token_is_known() {
    let served = Served::with(&[], |builder| builder.token("right"));
    let harnesses = served.send("GET /api/agent-harnesses").json();
    assert_eq!(harnesses, json!({ "standardEnvVars": [], "harnesses": {} }));
}

#[test]
fn what_is_not_done_here_names_the_way_out() {
    let served = served();
    for request in [
        "POST /api/models/org/name/commit/main",
        "POST /api/models/org/name/preupload/main",
        "POST /api/repos/create",
        "DELETE /api/repos/delete",
        "GET /api/models/org/name/discussions",
        "POST /api/models/org/name/branch/dev",
        "GET /api/models/org/name/xet-read-token/main",
        "GET /org/name.git/info/refs?service=git-upload-pack",
        "POST /org/name/git-upload-pack",
        "POST /org/name.git/info/lfs/objects/batch",
    ] {
        let answer = served.send(request);
        assert_eq!(answer.status, 501, "{request}");
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("x-error-message"), Some(said.as_str()));
        assert!(said.contains(": "), "{request} names no way out: {said}");
    }
    served.check("PUT /org/name/resolve/main/config.json", "405\nallow: GET, HEAD");
    served.check("POST /api/models/org/name", "405\nallow: GET, HEAD");
    served.check("DELETE /api/models", "405\nallow: GET, HEAD");
}

#[test]
fn a_folder_that_is_not_there_has_no_listing() {
    let served = served();
    for path in ["additional_chat_templates", "additional_chat_templates%2Fx", "config.json"] {
        let request = format!("GET /api/models/org/name/tree/main/{path}?recursive=False");
        served.check(&request, "404\nx-error-code: EntryNotFound");
    }
}

#[test]
fn a_listing_is_one_page_where_it_fits() {
    let names: Vec<String> = (0..1500).map(|at| format!("org/name/f{at:04}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let served = Served::over(&files);
    let answer = served.send("GET /api/models/org/name/tree/main?recursive=true");
    assert_eq!(answer.json().as_array().unwrap().len(), 1500);
    assert_eq!(answer.header("link"), None);
}

#[test]
fn a_connection_goes_on_after_a_body_that_nobody_wanted() {
    use std::io::{Read as _, Write as _};

    let served = Served::with(&[("org/name/f", "last")], |builder| builder.token("right"));
    let paths = [
        ("/api/models/org/name/commit/main", 501),
        ("/org/name/resolve/main/f", 405),
        ("/nope", 404),
    ];
    for (path, status) in paths {
        for (token, status, len) in
            [("right", status, 10), ("wrong", 401, 300_000), ("right", status, 900_000)]
        {
            let mut stream = std::net::TcpStream::connect(served.running.address()).unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            let head = format!("Host: h\r\nAuthorization: Bearer {token}\r\n");
            write!(stream, "POST {path} HTTP/1.1\r\n{head}Content-Length: {len}\r\n\r\n").unwrap();
            stream.write_all(&vec![b'x'; len]).unwrap();
            let head = head.replace("wrong", "right");
            let last = "GET /org/name/resolve/main/f HTTP/1.1\r\nConnection: close\r\n";
            write!(stream, "{last}{head}\r\n").unwrap();
            let mut received = String::new();
            stream.read_to_string(&mut received).unwrap();
            assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {received}");
            assert!(received.ends_with("\r\n\r\nlast"), "{path}: {received}");
        }
    }
}

#[test]
fn a_connection_is_given_up_where_the_body_never_ends() {
    use std::io::{Read as _, Write as _};

    let served = served();
    let mut stream = std::net::TcpStream::connect(served.running.address()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let head = "POST /api/repos/create HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut received = Vec::new();
    // It is answered after a while, though nothing of the body has come.
    stream.read_to_end(&mut received).unwrap();
    let received = String::from_utf8(received).unwrap();
    assert!(received.starts_with("HTTP/1.1 501 "), "{received}");
    assert!(received.contains("connection: close"), "{received}");
}
