//! `hubstow serve --upstream` between a hub and the clients that people have.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Serving, Stage, peer::seen};

const MIB: usize = 1 << 20;

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(7).fill(&mut bytes);
    bytes
}

impl Stage {
    /// Runs what ends by itself.
    #[track_caller]
    fn ended(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
        }
        drop(child.kill());
        child.wait_with_output().unwrap()
    }

    /// Stands before a hub, with a disk of this name. What it says goes to a log of its own.
    #[track_caller]
    fn pull(&self, upstream: &str, disk: &str, args: &[&str]) -> Serving {
        self.serve(&[&["--upstream", upstream, "--disk", disk], args].concat())
    }
}

#[test]
fn the_python_client_sees_through_it_what_it_sees_of_the_hub() {
    let stage = Stage::new();
    let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut weights = (header.len() as u64).to_le_bytes().to_vec();
    weights.extend_from_slice(header.as_bytes());
    weights.extend_from_slice(&[0; 4]);
    fs::write(stage.path("models/acme/tiny/model.safetensors"), weights).unwrap();
    fs::write(stage.path("models/acme/tiny/big.bin"), noise(3 * MIB)).unwrap();
    let hub = stage.serve(&["models", "--token", "s3cret", "--lfs-threshold", "1000"]);
    let Some(direct) = seen(&stage, &hub, "direct", &[]) else { return };
    let node = stage.pull(&hub.url, "disk", &[]);
    assert_eq!(seen(&stage, &node, "cold", &[]).unwrap(), direct);
    assert_eq!(seen(&stage, &node, "warm", &[]).unwrap(), direct);
    let log = node.end();
    assert!(!log.contains("s3cret"), "{log}");
    for via in [" miss", " hit", " passed"] {
        assert!(log.contains(via), "{via} in\n{log}");
    }
}

/// A program that fetches a URL into a file, where it is installed.
fn fetch(program: &str, args: &[&str], url: &str, to: &Path) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(args).arg(to).arg(url).stdout(Stdio::null()).stderr(Stdio::piped());
    let Ok(output) = command.output() else {
        println!("skipped: there is no {program}");
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(fs::read(to).unwrap())
}

#[test]
fn other_programs_fetch_through_it_cold_and_warm() {
    let stage = Stage::new();
    let content = noise(20 * MIB);
    fs::write(stage.path("models/acme/tiny/big.bin"), &content).unwrap();
    let hub = stage.serve(&["models"]);
    let split = ["-q", "-x4", "-s4", "-k1M", "--allow-overwrite=true", "-d", "/", "-o"];
    for (program, args) in
        [("curl", &["-sSf", "-o"][..]), ("wget", &["-q", "-O"][..]), ("aria2c", &split[..])]
    {
        let node = stage.pull(&hub.url, &format!("disk-{program}"), &[]);
        let url = format!("{}/acme/tiny/resolve/main/big.bin", node.url);
        for state in ["cold", "warm"] {
            let fetched = fetch(program, args, &url, &stage.path("fetched"));
            assert!(fetched.is_none_or(|fetched| fetched == content), "{program}, {state}");
        }
    }
    let node = stage.pull(&hub.url, "disk-hubstow", &[]);
    for cache in ["cold", "warm"] {
        stage.download(&node, cache, &[]);
        let snapshots = stage.path(cache).join("models--acme--tiny/snapshots");
        let snapshot = fs::read_dir(snapshots).unwrap().next().unwrap().unwrap().path();
        assert!(fs::read(snapshot.join("big.bin")).unwrap() == content, "{cache}");
        assert_eq!(fs::read(snapshot.join("empty.txt")).unwrap(), b"");
    }
}

/// A slow line to a hub, which counts what comes through.
pub(crate) struct Line {
    pub(crate) url: String,
    passed_bytes: Arc<AtomicU64>,
}

impl Line {
    pub(crate) fn to(hub: &Serving) -> Self {
        let hub = hub.url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let passed_bytes = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&passed_bytes);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&hub) else { continue };
                let (mut up, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut up, &mut to));
                let counted = Arc::clone(&counted);
                thread::spawn(move || slowly(server, client, &counted));
            }
        });
        Self { url, passed_bytes }
    }

    fn passed_bytes(&self) -> u64 {
        self.passed_bytes.load(Ordering::Relaxed)
    }
}

fn slowly(mut from: TcpStream, mut to: TcpStream, counted: &AtomicU64) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
        counted.fetch_add(count as u64, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(5));
    }
    drop(to.shutdown(std::net::Shutdown::Both));
}

#[test]
fn a_node_that_was_killed_in_the_middle_goes_on_where_it_was() {
    let stage = Stage::new();
    let content = noise(24 * MIB);
    fs::write(stage.path("models/acme/tiny/big.bin"), &content).unwrap();
    let hub = stage.serve(&["models"]);
    let line = Line::to(&hub);
    let mut node = stage.pull(&line.url, "disk", &[]);
    let host = node.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let path = "/acme/tiny/resolve/main/big.bin";
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let (mut received, begin) = (Vec::new(), Instant::now());
    let mut piece = vec![0; 64 << 10];
    while received.len() < 8 * MIB && begin.elapsed() < Duration::from_secs(30) {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&piece[..count]);
    }
    // SIGKILL: nobody gets to tidy up.
    node.child.kill().unwrap();
    node.child.wait().unwrap();
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        received.extend_from_slice(&piece[..count]);
    }
    let head = received.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
    assert!(received.len() - head < content.len() && content.starts_with(&received[head..]));
    let before = line.passed_bytes();
    let node = stage.pull(&line.url, "disk", &[]);
    let url = format!("{}{path}", node.url);
    let Some(fetched) = fetch("curl", &["-sSf", "-o"], &url, &stage.path("fetched")) else {
        return;
    };
    assert!(fetched == content);
    let again = line.passed_bytes() - before;
    assert!(again < 20 * MIB as u64, "{again} bytes were fetched again, after {before}");
}

#[test]
fn folders_are_served_beside_an_upstream_and_come_first() {
    let stage = Stage::new();
    stage.write("own/acme/tiny/config.json", "own");
    let hub = stage.serve(&["models"]);
    let node = stage.serve(&["own", "--upstream", &hub.url, "--disk", "disk"]);
    assert_eq!(node.get("/acme/tiny/resolve/main/config.json"), (200, "own".to_owned()));
    assert_eq!(node.get("/acme/tiny/resolve/v1/config.json").0, 404);
    stage.write("models/acme/other/config.json", "upstream's");
    let other = node.get("/acme/other/resolve/main/config.json");
    assert_eq!(other, (200, "upstream's".to_owned()));
    assert!(!stage.path("disk/models--acme--tiny").exists(), "nothing of it was asked for");
    let said = node.end();
    assert!(said.contains("serving own, http://"), "{said}");
}

#[test]
fn what_cant_be_a_pull_through_is_a_usage_error() {
    let stage = Stage::new();
    fs::write(stage.path("token"), "two words\n").unwrap();
    fs::write(stage.path("file"), "").unwrap();
    for args in [
        &["serve"][..],
        &["serve", "models", "--disk", "disk"],
        &["serve", "--upstream", "nonsense", "--disk", "disk"],
        &["serve", "--upstream", "http://127.0.0.1:1", "--disk", "file"],
        &["serve", "--upstream", "http://127.0.0.1:1", "--disk", ""],
        &["serve", "--upstream", "http://h", "--disk", "d", "--upstream-token-file", "none"],
        &["serve", "--upstream", "http://h", "--disk", "d", "--upstream-token-file", "token"],
    ] {
        let output = stage.ended(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(!said.contains("two words"), "{said}");
    }
}

#[test]
fn a_token_of_the_node_stays_here_and_its_token_for_upstream_goes_there() {
    let stage = Stage::new();
    fs::write(stage.path("token"), "hf_upstream\n").unwrap();
    let hub = stage.serve(&["models", "--token", "hf_upstream"]);
    let args = ["--upstream-token-file", "token", "--token", "hf_node"];
    let node = stage.pull(&hub.url, "disk", &args);
    assert_eq!(node.get("/acme/tiny/resolve/main/config.json").0, 401);
    let output = stage
        .command(&["download", "acme/tiny", "-q", "--endpoint", &node.url, "--token", "hf_node"])
        .env("HF_HUB_CACHE", stage.path("cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Nobody's token: it is the node's own that is asked for.
    let open = stage.pull(&hub.url, "open", &["--upstream-token-file", "token"]);
    assert_eq!(open.get("/acme/tiny/resolve/main/config.json"), (200, "{}\n".to_owned()));
    assert!(open.end().contains("--token asks for a token of its own"));
}
