//! Several nodes that share a tier, each a process of the command.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use hubstow_pull::hubstow_tier::{Cleared, Limits, Sweep, Tier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Serving, Stage, bounded, read};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const NODES: usize = 3;
const CLIENTS: usize = 300;

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

impl Stage {
    /// A file of the model, and where it is asked for.
    fn file(&self, name: &str, seed: u64, len: usize) -> (String, Vec<u8>) {
        let content = noise(seed, len);
        fs::write(self.path("models/acme/tiny").join(name), &content).unwrap();
        (format!("/acme/tiny/resolve/main/{name}"), content)
    }

    #[track_caller]
    fn node(&self, hub: &str, number: usize, tier: &str, variables: &[(&str, String)]) -> Serving {
        let disk = format!("disk-{number}");
        let args = ["--upstream", hub, "--disk", &disk, "--tier", tier, "--tier-wait", "60s"];
        self.serve_with(&args, variables)
    }

    /// The address of a folder as a tier.
    fn folder_tier(&self) -> String {
        format!("file://{}", self.path("tier").display())
    }
}

#[track_caller]
fn wait(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(40), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// Asks for files one after the other on one connection, and returns how many were right.
async fn client(host: String, files: Arc<Vec<(String, Vec<u8>)>>, first: usize) -> usize {
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let mut received = Vec::new();
    let mut right = 0;
    for at in 0..files.len() {
        let (path, content) = &files[(first + at) % files.len()];
        let asked = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let (mut end, mut len) = (None, 0);
        while end.is_none_or(|end| received.len() < end + len) {
            if stream.read_buf(&mut received).await.unwrap() == 0 {
                return right;
            }
            if end.is_none()
                && let Some(head) = received.windows(4).position(|text| text == b"\r\n\r\n")
            {
                let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
                let said = text.lines().find_map(|line| line.strip_prefix("content-length: "));
                len = said.expect("a length").parse().unwrap();
                end = Some(head + 4);
            }
        }
        let end = end.unwrap();
        assert!(received[end..end + len] == *content, "{path} is wrong");
        received.drain(..end + len);
        right += 1;
    }
    right
}

#[test]
fn three_nodes_under_three_hundred_clients_ask_upstream_for_each_content_once() {
    let stage = Stage::new();
    let sizes = (0..20).map(|at| if at < 2 { 1200 * KIB } else { 4 * KIB + at * 700 });
    let files: Vec<_> = sizes
        .enumerate()
        .map(|(at, len)| stage.file(&format!("f{at}.bin"), at as u64 + 1, len))
        .collect();
    let hub = stage.serve(&["models", "--lfs-threshold", "8000"]);
    let tier = stage.folder_tier();
    let nodes: Vec<_> = (0..NODES).map(|at| stage.node(&hub.url, at, &tier, &[])).collect();
    let host = |at: usize| nodes[at % NODES].url.strip_prefix("http://").unwrap().to_owned();
    let files = Arc::new(files);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let right: usize = runtime.block_on(async {
        let clients: Vec<_> =
            (0..CLIENTS).map(|at| tokio::spawn(client(host(at), Arc::clone(&files), at))).collect();
        let mut right = 0;
        for client in clients {
            right += client.await.unwrap();
        }
        right
    });
    assert_eq!(right, CLIENTS * files.len());
    let asked = read(&hub.log);
    for (path, _) in files.iter() {
        // It is asked for by the commit.
        let name = path.rsplit_once('/').unwrap().1;
        let of_it = |line: &&str| line.starts_with("GET ") && line.contains(&format!("/{name} "));
        let gets: Vec<_> = asked.lines().filter(of_it).collect();
        assert_eq!(gets.len(), 1, "{gets:?}");
    }
    wait("the tier has all", || below(&stage.path("tier/objects")).len() == files.len());
    wait("all claims are given back", || below(&stage.path("tier/claims")).is_empty());
    wait("the listing is there", || !below(&stage.path("tier/trees")).is_empty());
}

#[test]
fn clients_of_a_node_that_is_killed_go_on_at_another_and_a_sweep_clears_what_it_has_left() {
    let stage = Stage::new();
    let (path, content) = stage.file("big.bin", 1, 12 * MIB);
    let hub = stage.serve(&["models", "--lfs-threshold", "1000"]);
    let line = crate::pull::Line::to(&hub);
    let tier = stage.folder_tier();
    let first = stage.node(&line.url, 1, &tier, &[]);
    let mut stream = TcpStream::connect(first.url.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut received = vec![0; MIB];
    stream.read_exact(&mut received).unwrap();
    bounded::signal(&first, "-KILL");
    let _ = stream.read_to_end(&mut received);
    let head = received.windows(4).position(|text| text == b"\r\n\r\n").unwrap() + 4;
    let begun = received.split_off(head);
    assert!(content.starts_with(&begun) && begun.len() < content.len());
    // Nobody renews its claim, and a while later nobody waits for it.
    let claim = below(&stage.path("tier/claims")).pop().expect("a claim");
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&claim).unwrap().set_modified(long_ago).unwrap();
    fs::write(stage.path("tier/objects/sha256/torn#1"), "torn").unwrap_or_else(|_| {
        fs::create_dir_all(stage.path("tier/objects/sha256")).unwrap();
        fs::write(stage.path("tier/objects/sha256/torn#1"), "torn").unwrap();
    });

    let second = stage.node(&hub.url, 2, &tier, &[]);
    let rest = second.range(&path, begun.len() as u64);
    assert!([begun, rest].concat() == content);
    let is_object = |path: &PathBuf| !path.to_string_lossy().contains('#');
    let objects = || below(&stage.path("tier/objects")).into_iter().filter(is_object);
    wait("the second has put it", || objects().count() == 1);
    assert!(fs::read(objects().next().unwrap()).unwrap() == content);
    wait("and given back its claim", || below(&stage.path("tier/claims")).is_empty());
    // A claim of something that nobody asks for any more, and what was being put.
    let left = stage.path("tier/claims/sha256").join("0".repeat(64));
    fs::write(&left, r#"{"format":1,"sequence":1,"holder":"h","lives_ms":30000}"#).unwrap();
    fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let swept = runtime.block_on(async {
        let tier = Tier::open_with(&tier, Limits::default(), Vec::new()).unwrap();
        let mut sweep = Sweep::default();
        sweep.upload_time = Duration::ZERO;
        tokio::time::sleep(Duration::from_millis(50)).await;
        tier.sweep(&sweep).await.unwrap().unwrap()
    });
    assert_eq!((swept.claims, swept.uploads, swept.objects), (1, Cleared::Count(1), 1));
    assert!(below(&stage.path("tier/claims")).is_empty());
}

/// moto's S3 server, where there is a Python that has it. What it holds is gone with it.
struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    fn start() -> Option<Self> {
        let python = std::env::var_os("HUBSTOW_PYTHON");
        let has_moto = python.as_ref().is_some_and(|python| {
            let mut command = Command::new(python);
            command.args(["-c", "import moto.server, moto.s3"]).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        });
        if !has_moto {
            println!("skipped: HUBSTOW_PYTHON names no Python with moto's server");
            return None;
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Some(Self { child: Self::launch(port), port })
    }

    fn launch(port: u16) -> Child {
        let mut command = Command::new(std::env::var_os("HUBSTOW_PYTHON").unwrap());
        // Its threads take turns in the middle of a conditional write, which is one step where none interrupts another.
        let program = "import sys; sys.setswitchinterval(1000); \
                       from moto.server import main; main(sys.argv[1:])";
        command.args(["-c", program, "-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        wait("moto starts", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        assert_eq!(status(port, "PUT", "/bucket"), 200);
        child
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::launch(self.port);
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "s3cret-s3cret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "1".to_owned()),
        ]
    }

    /// Whether the bucket has the objects of so many contents.
    fn has_objects(&self, count: usize) -> bool {
        listed(self.port).matches("<Key>hub/objects/").count() == count
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn ask(port: u16, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    write!(stream, "{head}Content-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn status(port: u16, method: &str, path: &str) -> u16 {
    ask(port, method, path).split(' ').nth(1).unwrap().parse().unwrap()
}

fn listed(port: u16) -> String {
    ask(port, "GET", "/bucket?list-type=2&prefix=hub/")
}

/// How long the store is away.
fn outage() -> Duration {
    let said = std::env::var("HUBSTOW_OUTAGE_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(said.unwrap_or(3))
}

#[test]
fn while_the_store_is_stopped_clients_get_their_files_and_nodes_recover() {
    let Some(mut moto) = Moto::start() else { return };
    let stage = Stage::new();
    let files: Vec<_> =
        (0..60).map(|at| stage.file(&format!("f{at}.bin"), at + 1, 20 * KIB)).collect();
    let (large, content) = stage.file("large.bin", 99, 12 * MIB);
    let hub = stage.serve(&["models", "--lfs-threshold", "1000"]);
    let variables = moto.variables();
    let node = stage.node(&hub.url, 1, "s3://bucket/hub", &variables);
    let other = stage.node(&hub.url, 2, "s3://bucket/hub", &variables);
    assert!(node.range(&large, 0) == content);
    wait("it is in the bucket", || moto.has_objects(1));
    assert!(other.range(&large, 0) == content);
    assert!(other.metric("hubstow_pull_tier_hits_total") == 1, "{}", other.get("/metrics").1);
    moto.stop();
    let begin = Instant::now();
    let mut files = files.into_iter();
    while begin.elapsed() < outage() {
        let Some((path, content)) = files.next() else {
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        assert!(node.range(&path, 0) == content, "{path}");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(node.metric("hubstow_pull_tier_away"), 1);
    moto.restart();
    // The node looks for it ever more rarely, up to every thirty seconds; what it could not put it puts then.
    wait("it is found again", || node.metric("hubstow_pull_tier_away") == 0);
    wait("what was fetched meanwhile is put", || !moto.has_objects(0));
    let (path, content) = stage.file("next.bin", 100, 20 * KIB);
    wait("the branch is asked for again", || node.status(&path) == 200);
    assert!(node.range(&path, 0) == content);
    let said = read(&node.log);
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_tier_that_cannot_be_used_is_told_with_the_way_out() {
    let stage = Stage::new();
    let upstream = ["serve", "--upstream", "http://127.0.0.1:9"];
    let with = |more: &[&'static str]| [&upstream[..], more].concat();
    for (args, part) in [
        (vec!["serve", "models", "--tier", "memory:///"], "--upstream"),
        (with(&["--tier-size", "2T"]), "--tier"),
        (with(&["--tier", "bucket/prefix"]), "s3://BUCKET/PREFIX"),
        (with(&["--tier", "s3://key:s3cret@bucket/prefix"]), "AWS_SECRET_ACCESS_KEY"),
        (with(&["--tier", "memory:///", "--tier-size", "much"]), "`much`"),
    ] {
        let output = stage.run(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(part) && !said.contains("s3cret"), "{args:?}: {said}");
    }
    let Some(moto) = Moto::start() else { return };
    let mut command = stage.command(&with(&["--tier", "s3://nowhere/hub"]));
    let output = command.envs(moto.variables()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("NoSuchBucket"), "{said}");
    assert!(said.contains("AWS_ENDPOINT_URL"), "{said}");
}

impl Serving {
    /// Asks for the rest of a file from an offset on.
    #[track_caller]
    fn range(&self, path: &str, from: u64) -> Vec<u8> {
        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        write!(stream, "{head}Range: bytes={from}-\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|text| text == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).unwrap();
        assert!(head.starts_with("HTTP/1.1 206"), "{head}");
        body
    }

    fn status(&self, path: &str) -> u16 {
        let port = self.url.rsplit_once(':').unwrap().1.parse().unwrap();
        status(port, "HEAD", path)
    }

    #[track_caller]
    fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}
