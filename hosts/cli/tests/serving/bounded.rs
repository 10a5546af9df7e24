//! The command under many clients, and how it ends.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use crate::{Serving, Stage};

/// How many clients are idle at once, if not a thousand.
const CLIENTS: &str = "HUBSTOW_IDLE_CLIENTS";
/// The most that a thousand of them may cost.
const MOST_KIB: u64 = 64 * 1024;

/// Asks for a path and reads the answer, which ends with `end`; the connection stays open.
fn ask(stream: &mut TcpStream, path: &str, end: &[u8]) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
    let mut received = Vec::new();
    let mut part = [0; 4096];
    while !received.ends_with(end) {
        let len = stream.read(&mut part).unwrap();
        assert!(len > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&part[..len]);
    }
}

fn connected(serving: &Serving) -> TcpStream {
    let stream = TcpStream::connect(serving.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

pub(crate) fn signal(serving: &Serving, name: &str) {
    let sent = Command::new("kill").args([name, &serving.child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits until the command has ended, and returns its exit code.
fn code(serving: &mut Serving) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = serving.child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_idle_clients_cost_little_and_keep_nobody_waiting() {
    let clients = std::env::var(CLIENTS).map_or(1000, |text| text.parse().unwrap());
    hubstow_native::raise_descriptor_limit();
    let stage = Stage::new();
    let serving = stage.serve(&["models", "-q", "--max-connections", "100000"]);
    let path = "/acme/tiny/resolve/main/deep/weights.bin";
    let idle: Vec<TcpStream> = (0..clients)
        .map(|_| {
            let mut stream = connected(&serving);
            ask(&mut stream, path, b"weights");
            stream
        })
        .collect();
    let status = fs::read_to_string(format!("/proc/{}/status", serving.child.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    println!("{} idle clients: {kib} KiB", idle.len());
    assert!(kib < MOST_KIB * (clients as u64).div_ceil(1000), "{kib} KiB");
    let metrics = serving.get("/metrics").1;
    let counted = format!("\nhubstow_connections {}\n", clients + 1);
    assert!(metrics.contains(&counted), "{metrics}");
    for mut stream in idle {
        ask(&mut stream, path, b"weights");
    }
}

#[test]
fn both_signals_end_it_at_once_where_nothing_is_on_its_way() {
    let stage = Stage::new();
    for name in ["-TERM", "-INT"] {
        // Times without end are as good as any.
        let time = "18446744073709551615s";
        let times = ["--stop-timeout", time, "--idle-timeout", time, "--stall-timeout", time];
        let mut serving = stage.serve(&[&["models"][..], &times].concat());
        let mut idle = connected(&serving);
        ask(&mut idle, "/acme/tiny/resolve/main/config.json", b"{}\n");
        signal(&serving, name);
        assert_eq!(
            code(&mut serving),
            Some(0),
            "{name}: {}",
            fs::read_to_string(&serving.log).unwrap()
        );
    }
}

#[test]
fn an_answer_on_its_way_is_sent_before_it_ends_or_cut_when_time_is_up() {
    let stage = Stage::new();
    let len = 48 << 20;
    fs::write(stage.path("models/acme/tiny/big.bin"), vec![b'x'; len]).unwrap();
    for (time, is_whole) in [("1h", true), ("0s", false)] {
        let mut serving = stage.serve(&["models", "--stop-timeout", time]);
        let mut busy = connected(&serving);
        write!(busy, "GET /acme/tiny/resolve/main/big.bin HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut part = [0; 1024];
        let first = busy.read(&mut part).unwrap();
        signal(&serving, "-TERM");
        if !is_whole {
            assert_eq!(code(&mut serving), Some(0));
        }
        let mut rest = Vec::new();
        // Cut is cut, by an end or by a reset.
        drop(busy.read_to_end(&mut rest));
        assert_eq!(first + rest.len() > len, is_whole, "{time}: {}", first + rest.len());
        assert_eq!(code(&mut serving), Some(0));
    }
}
