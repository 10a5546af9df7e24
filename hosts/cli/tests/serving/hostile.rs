//! A pull-through before an upstream that means harm, or before callers that do.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use flate2::{Compression, write::GzEncoder};

use crate::{Serving, Stage};

const CANARY: &str = "hf_canary";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// An upstream that answers every request with what is made of its head; it hears until the test ends.
struct Upstream {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    fn new(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = head_of(&mut stream);
                // A client that has heard enough has gone.
                let _ = stream.write_all(&answer(&head));
                heard.lock().unwrap().push(head);
            }
        });
        Self { url, heads }
    }

    fn heard(&self, text: &str) -> usize {
        self.heads.lock().unwrap().iter().filter(|head| head.contains(text)).count()
    }
}

fn head_of(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!(
        "HTTP/1.1 {status} It\r\nContent-Length: {len}\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Asks a node, and returns the whole answer.
fn ask(node: &Serving, path: &str, headers: &str) -> String {
    let host = node.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let own = if headers.contains("Host:") { String::new() } else { format!("Host: {host}\r\n") };
    write!(stream, "GET {path} HTTP/1.1\r\n{own}Connection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn an_upstream_that_redirects_elsewhere_sends_no_token_there_and_no_client() {
    let stage = Stage::new();
    let evil = Upstream::new(|_| answer(200, "", b"{}"));
    let to = evil.url.clone();
    let upstream = Upstream::new(move |head| {
        let path = head.split(' ').nth(1).unwrap();
        answer(302, &format!("Location: {to}{path}\r\n"), b"")
    });
    let node = stage.serve(&["--upstream", &upstream.url, "--disk", "disk"]);
    for path in [
        "/api/models/acme/tiny",
        "/api/whoami-v2",
        "/api/models?search=x",
        "/acme/tiny/resolve/main/config.json",
    ] {
        let said = ask(&node, path, &bearer(CANARY));
        let lower = said.to_ascii_lowercase();
        assert!(!lower.contains("location:") && !said.contains(&evil.url), "{path}: {said}");
    }
    assert!(upstream.heard(CANARY) >= 4);
    assert_eq!(evil.heard(CANARY), 0);
}

#[test]
fn an_answer_that_unpacks_to_more_than_there_may_be_is_none() {
    let stage = Stage::new();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![b' '; 1 << 20];
    (0..80).for_each(|_| packed.write_all(&zeros).unwrap());
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1 << 20);
    let upstream = Upstream::new(move |_| answer(200, "Content-Encoding: gzip\r\n", &packed));
    let node = stage.serve(&["--upstream", &upstream.url, "--disk", "disk"]);
    let said = ask(&node, "/api/models/acme/tiny", "");
    assert_eq!(status(&said), 502, "{}", said.get(..1000).unwrap_or(&said));
}

#[test]
fn a_login_in_the_address_of_upstream_is_shown_to_nobody() {
    let stage = Stage::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let url = format!("http://user:{CANARY}@{address}");
    let node = stage.serve(&["--upstream", &url, "--disk", "disk"]);
    for path in ["/api/models/acme/tiny", "/acme/tiny/resolve/main/config.json", "/", "/metrics"] {
        let said = ask(&node, path, "");
        assert!(!said.contains(CANARY), "{path}: {said}");
    }
    let log = node.end();
    assert!(!log.contains(CANARY), "{log}");
}

/// What is said of a commit is given to all who may know of the repo, so nothing of whoever asked first may be in it.
#[test]
fn what_one_caller_sends_along_is_in_no_answer_to_another() {
    let stage = Stage::new();
    let tree = format!("/api/models/acme/tiny/tree/{COMMIT}");
    let next = format!("{tree}?cursor=1");
    let upstream = Upstream::new(move |head| {
        let said = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        let body = format!("[{{\"path\": \"a\", \"said\": {said:?}}}]");
        answer(200, &format!("Link: <http://hub.test{next}>; rel=\"next\"\r\n"), body.as_bytes())
    });
    let node = stage.serve(&["--upstream", &upstream.url, "--disk", "disk"]);
    let first = ask(&node, &tree, &format!("Host: evil.test\r\n{}", bearer(CANARY)));
    assert_eq!(status(&first), 200, "{first}");
    let second = ask(&node, &tree, &bearer("hf_other"));
    assert_eq!(status(&second), 200, "{second}");
    assert!(!second.contains(CANARY) && !second.contains("evil"), "{second}");
    let third = ask(&node, &tree, "");
    assert!(
        status(&third) == 200 && !third.contains("hf_") && third.contains(&node.url),
        "{third}"
    );
    let again = ask(&node, &tree, "");
    assert_eq!(status(&again), 200);
    assert_eq!(upstream.heads.lock().unwrap().len(), 3, "what nobody is in is asked once");
}
