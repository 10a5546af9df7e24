//! Ranges, conditions, redirects to the content route, and large files.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use hubstow_core::hub::Endpoint;
use hubstow_serve::Server;

use crate::{HELLO_SHA256, Served, client::send};

const FILE: &str = "/org/name/resolve/main/digits.bin";
/// The sha256 of `0123456789`.
const DIGITS: &str = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";

fn served() -> Served {
    Served::over(&[("org/name/digits.bin", "0123456789"), ("org/name/empty", "")])
}

#[test]
fn a_range_is_answered_with_that_part() {
    let served = served();
    for (range, expected) in [
        ("bytes=0-3", "206\ncontent-range: bytes 0-3/10\ncontent-length: 4\n\n0123"),
        ("bytes=4-", "206\ncontent-range: bytes 4-9/10\ncontent-length: 6\n\n456789"),
        ("bytes=-3", "206\ncontent-range: bytes 7-9/10\ncontent-length: 3\n\n789"),
        ("bytes=8-99", "206\ncontent-range: bytes 8-9/10\ncontent-length: 2\n\n89"),
        ("bytes=-99", "206\ncontent-range: bytes 0-9/10\n\n0123456789"),
        ("bytes=10-", "416\ncontent-range: bytes */10\n\n"),
        ("bytes=-0", "416\ncontent-range: bytes */10\n\n"),
        ("bytes=4-2", "200\ncontent-length: 10\n!content-range\n\n0123456789"),
        ("bytes=0-1,3-4", "200\n!content-range\n\n0123456789"),
        ("lines=0-1", "200\n!content-range\n\n0123456789"),
    ] {
        served.check(&format!("GET {FILE}\nRange: {range}"), expected);
    }
    let commit = served.commit("main");
    for range in ["bytes=1-2", "bytes=10-"] {
        let answer = served.send(&format!("GET {FILE}\nRange: {range}"));
        assert_eq!(answer.header("x-repo-commit"), Some(commit.as_str()));
        assert_eq!(answer.header("etag"), Some(format!("\"{DIGITS}\"").as_str()));
    }
    served.check(&format!("HEAD {FILE}\nRange: bytes=0-3"), "200\ncontent-length: 10\n\n");
}

#[test]
fn a_range_holds_only_for_the_content_it_was_begun_with() {
    let served = served();
    let range = |if_range: &str| format!("GET {FILE}\nRange: bytes=4-\nIf-Range: {if_range}");
    served.check(&range(&format!("\"{DIGITS}\"")), "206\n\n456789");
    for other in ["\"other\"", &format!("W/\"{DIGITS}\""), "Mon, 23 Nov 2026 05:00:00 GMT"] {
        served.check(&range(other), "200\ncontent-length: 10\n\n0123456789");
    }
}

#[test]
fn content_that_the_client_has_is_not_sent_again() {
    let served = served();
    let commit = served.commit("main");
    let not_modified = format!("304\netag: \"{DIGITS}\"\nx-repo-commit: {commit}\n\n");
    for method in ["GET", "HEAD"] {
        for known in [format!("\"{DIGITS}\""), format!("W/\"{DIGITS}\""), "*".to_owned()] {
            let request = format!("{method} {FILE}\nIf-None-Match: {known}");
            served.check(&request, &not_modified);
        }
        served.check(&format!("{method} {FILE}\nIf-None-Match: \"other\""), "200");
    }
    served.check(&format!("HEAD {FILE}\nIf-None-Match: *"), "304\ncontent-length: 10");
}

#[test]
fn lfs_files_are_redirected_to_the_content_route() {
    let folder = tempfile::tempdir().unwrap();
    crate::write(&folder.path().join("org/name/w ü.bin"), "hello\n");
    crate::write(&folder.path().join("org/name/small"), "small");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let cdn = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let server = Server::builder(folder.path())
        .lfs_glob("*.bin")
        .token("right")
        .cdn(Endpoint::parse(&cdn).unwrap())
        .build();
    let running = server.spawn_on(listener).unwrap();
    let send = |request: &str| send(running.address(), request);
    let authorized = "Authorization: Bearer right";
    let small = send(&format!("GET /org/name/resolve/main/small\n{authorized}"));
    assert_eq!((small.status, small.text()), (200, "small"));

    for method in ["HEAD", "GET"] {
        let answer = send(&format!("{method} /org/name/resolve/main/w%20%C3%BC.bin\n{authorized}"));
        assert_eq!(answer.status, 302);
        let etag = format!("\"{HELLO_SHA256}\"");
        assert_eq!(answer.header("x-linked-etag"), Some(etag.as_str()));
        assert_eq!(answer.header("x-linked-size"), Some("6"));
        // The length of the redirect itself, which a client must not take for that of the file.
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert!(length > 100 && answer.body.len() == if method == "GET" { length } else { 0 });
        assert_eq!(answer.header("x-repo-commit"), small.header("x-repo-commit"));
        let location = answer.header("location").unwrap();
        assert!(location.starts_with(&cdn) && location.contains(HELLO_SHA256), "{location}");

        let path = location.strip_prefix(&cdn).unwrap();
        let content = send(&format!("GET {path}\nHost: localhost\nRange: bytes=1-"));
        assert_eq!((content.status, content.text()), (206, "ello\n"));
        assert_eq!(content.header("x-repo-commit"), None);
        let (unsigned, signature) = path.split_once('?').unwrap();
        for refused in [
            unsigned.to_owned(),
            format!("{unsigned}?{}0", signature),
            format!("{}?{signature}", unsigned.replace(".bin", ".bim")),
        ] {
            assert_eq!(send(&format!("GET {refused}")).status, 401, "{refused}");
        }
    }
}

#[test]
fn the_content_route_knows_content_only() {
    let served = Served::over(&[("org/name/w.bin", "hello\n"), ("org/name/small", "small")]);
    let commit = served.commit("main");
    let path = |sha256: &str, file: &str| {
        format!("GET /-/content/{sha256}/models/org/name/resolve/{commit}/{file}")
    };
    served.check(&path(HELLO_SHA256, "w.bin"), "200\n!x-repo-commit\n\nhello\n");
    for (sha256, file) in [(DIGITS, "w.bin"), (HELLO_SHA256, "small"), (HELLO_SHA256, "..%2f..")] {
        served.check(&path(sha256, file), "404\n!x-error-code\n!x-repo-commit");
    }
}

#[test]
fn a_large_file_is_streamed_whole_and_in_parts() {
    let served = Served::over(&[]);
    let content: Vec<u8> = (0..5_000_003_u32).map(|at| (at % 251) as u8).collect();
    fs::create_dir_all(served.root().join("org/name")).unwrap();
    fs::write(served.root().join("org/name/big"), &content).unwrap();
    let whole = served.send("GET /org/name/resolve/main/big");
    assert!(whole.status == 200 && whole.body == content);
    for (start, end) in [(0, 262_144), (262_143, 262_146), (1, 5_000_003), (5_000_002, 5_000_003)] {
        let range = format!("Range: bytes={start}-{}", end - 1);
        let part = served.send(&format!("GET /org/name/resolve/main/big\n{range}"));
        assert!(part.status == 206 && part.body == content[start..end], "{range}");
    }
}

#[test]
fn a_file_that_gets_shorter_breaks_the_connection_off() {
    const LEN: u64 = 24 * 1024 * 1024;
    let served = Served::over(&[("org/name/small", "x")]);
    let path = served.root().join("org/name/big");
    let file = fs::File::create(&path).unwrap();
    file.set_len(LEN).unwrap();
    let mut stream = TcpStream::connect(served.running.address()).unwrap();
    let request = "GET /org/name/resolve/main/big HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut start = [0; 1024];
    stream.read_exact(&mut start).unwrap();
    file.set_len(1).unwrap();
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(ended.is_err() || (rest.len() as u64) < LEN, "the body is not filled up");
}
