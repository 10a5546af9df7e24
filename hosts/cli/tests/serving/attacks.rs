//! Attacks on a server, byte by byte: what each is answered, and that nothing leaks or ends by it.
//!
//! The table knows nothing of what is served but a model with a `config.json`, so it holds of every source.

mod table;

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use self::table::{BYTES, PATHS};
use crate::{Serving, Stage};

/// A token that no answer and no line of the log may hold.
const TOKEN: &str = "canary-4f1d0c";
/// What lies beside what is served.
const SECRET: &str = "beside what is served";
const PATIENCE: Duration = Duration::from_secs(30);

/// A server to attack, and what it has.
struct Target<'a> {
    host: &'a str,
    commit: String,
}

impl<'a> Target<'a> {
    fn new(serving: &'a Serving) -> Self {
        let host = serving.url.strip_prefix("http://").unwrap();
        let mut target = Self { host, commit: String::new() };
        let answers = target.send("GET /api/models/acme/tiny HTTP/1.1\r\n{GOOD}\r\n");
        let (_, after) = answers[0].1.split_once("\"sha\":\"").unwrap();
        target.commit = after[..40].to_owned();
        target
    }

    /// Sends an attack, and returns the statuses and texts of the answers.
    fn send(&self, attack: &str) -> Vec<(u16, String)> {
        let good = "Host: {HOST}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n";
        let attack = attack.replace("{GOOD}", good).replace("{HOST}", self.host);
        let attack = repeated(&attack.replace("{TOKEN}", TOKEN).replace("{COMMIT}", &self.commit));
        let mut stream = TcpStream::connect(self.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // One that is refused early may be closed before all is sent.
        let _ = stream.write_all(attack.as_bytes());
        let mut received = Vec::new();
        if let Err(error) = stream.read_to_end(&mut received) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it was not closed: {received:?}");
        }
        answers(&received)
    }

    /// Checks what comes of an attack against what may.
    #[track_caller]
    fn check(&self, name: &str, attack: &str, expected: &str) {
        let answers = self.send(attack);
        let statuses: Vec<String> = answers.iter().map(|(status, _)| status.to_string()).collect();
        let found = if statuses.is_empty() { "-".to_owned() } else { statuses.join(" ") };
        assert!(expected.split('|').any(|one| one == found), "{name}: {found}: {answers:?}");
        for (_, text) in answers {
            let lower = text.to_ascii_lowercase();
            for leak in [TOKEN, SECRET, "root:", "set-cookie", "<script", "content-encoding"] {
                assert!(!lower.contains(leak), "{name}: {leak}: {text}");
            }
        }
    }
}

/// Writes out what is to be repeated: `{x*3}` is `xxx`.
fn repeated(attack: &str) -> String {
    let mut rest = attack;
    let mut written = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (what, after) = after.split_once('}').unwrap();
        let (what, times) = what.rsplit_once('*').unwrap();
        written += before;
        written += &what.repeat(times.parse().unwrap());
        rest = after;
    }
    written + rest
}

/// Reads answers one after the other.
#[track_caller]
fn answers(mut received: &[u8]) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    while !received.is_empty() {
        let end = received.windows(4).position(|at| at == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&received[..end + 4]).into_owned();
        let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|at| at[..3].parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let len: usize = length.map_or(0, |len| len.parse().unwrap());
        let body = &received[end + 4..];
        assert!(body.len() >= len, "an answer was cut: {head}");
        answers.push((status, head + &String::from_utf8_lossy(&body[..len])));
        received = &body[len..];
    }
    answers
}

#[test]
fn no_attack_reaches_what_it_should_not_or_ends_the_server() {
    let stage = Stage::new();
    stage.write("secret", SECRET);
    stage.write("models/acme/tiny/.git/config", SECRET);
    let folder = stage.serve(&["models", "-q"]);
    stage.download(&folder, "hub", &[]);
    drop(folder);
    let snapshots = fs::read_dir(stage.path("hub/models--acme--tiny/snapshots")).unwrap();
    let snapshot = snapshots.map(|at| at.unwrap().path()).next().unwrap();
    for place in [stage.path("models/acme/tiny"), snapshot] {
        std::os::unix::fs::symlink(stage.path("secret"), place.join("escape")).unwrap();
        std::os::unix::fs::symlink(stage.path(""), place.join("escape-folder")).unwrap();
    }
    for source in [&["models"][..], &["hub"]] {
        let serving = stage.serve(&[source, &["--token", TOKEN]].concat());
        let target = Target::new(&serving);
        for (path, expected) in PATHS {
            target.check(path, &format!("GET {path} HTTP/1.1\r\n{{GOOD}}\r\n"), expected);
        }
        for (name, attack, expected) in BYTES {
            target.check(name, attack, expected);
        }
        let good = "GET /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}\r\n";
        let served = target.send(good);
        assert!(
            served[0].0 == 200 && served[0].1.ends_with("\r\n\r\n{}\n"),
            "{source:?}: {served:?}"
        );
        let log = serving.end();
        // What was in an address that was asked for is told; a token in it came from the attack.
        assert!(!log.contains(TOKEN) && !log.contains("panicked"), "{source:?}: {log}");
    }
}

#[test]
fn who_is_slow_is_told_so_and_holds_up_nobody() {
    let stage = Stage::new();
    let serving = stage.serve(&["models", "--token", TOKEN]);
    let target = Target::new(&serving);
    let mut slow = Vec::new();
    let paths = "POST /api/models/acme/tiny/paths-info/main HTTP/1.1";
    for (line, expected) in [(paths, "408"), ("POST /nope HTTP/1.1", "404"), (paths, "")] {
        let mut stream = TcpStream::connect(target.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = target.host;
        let head = format!("{line}\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n");
        stream.write_all(format!("{head}Content-Length: 99\r\n\r\npaths=").as_bytes()).unwrap();
        if expected.is_empty() {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        slow.push((stream, expected));
    }
    let began = Instant::now();
    let good = "GET /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}\r\n";
    target.check("beside slow bodies", good, "200");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for (mut stream, expected) in slow {
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        let found = answers(&received).first().map_or(String::new(), |at| at.0.to_string());
        assert!(
            found == expected || (expected.is_empty() && found == "400"),
            "{found}, not {expected}"
        );
    }
}
