//! What clients lose that do not keep within the limits, and that nobody else is held up by them.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use hubstow_serve::{Limits, Server};

use crate::Served;

/// Longer than all that is waited for, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET /org/name/resolve/main/f HTTP/1.1\r\nHost: h\r\n\r\n";

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn served(limits: Limits) -> Served {
    let big = "x".repeat(32 * 1024 * 1024);
    let files = [("org/name/f", "small"), ("org/name/big", &big)];
    Served::with(&files, |builder| builder.limits(limits))
}

fn connected(served: &Served) -> TcpStream {
    connect(served.running.address())
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads one answer whose body is `small`.
#[track_caller]
fn small(stream: &mut TcpStream) {
    let mut received = Vec::new();
    let mut part = [0; 1024];
    while !received.ends_with(b"\r\n\r\nsmall") {
        let len = stream.read(&mut part).unwrap();
        assert!(len > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&part[..len]);
    }
}

/// Waits until the other side ends, and returns how much came until then.
#[track_caller]
fn ended(stream: &mut TcpStream) -> usize {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(len) => len,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => received.len(),
        Err(error) => panic!("it does not end: {error}"),
    }
}

fn metric(served: &Served, name: &str) -> u64 {
    let answer = served.send("GET /metrics");
    let line = answer.text().lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[track_caller]
fn becomes(served: &Served, name: &str, expected: u64) {
    let deadline = Instant::now() + PATIENCE;
    while metric(served, name) != expected {
        assert!(Instant::now() < deadline, "{name} is {}", metric(served, name));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_head_must_be_complete_in_time_however_it_drips() {
    let served = served(limits(|at| at.head_time = Duration::from_millis(400)));
    let mut silent = connected(&served);
    let mut dripping = connected(&served);
    let mut second = connected(&served);
    second.write_all(REQUEST).unwrap();
    small(&mut second);
    let began = Instant::now();
    let drip = |stream: &mut TcpStream, byte: u8| stream.write_all(&[byte]).is_ok();
    for byte in REQUEST.iter().copied().cycle().filter(|byte| !b"\r\n".contains(byte)) {
        let is_open = [drip(&mut dripping, byte), drip(&mut second, byte)];
        if is_open == [false; 2] {
            break;
        }
        assert!(began.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(30));
    }
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(ended(&mut silent), 0);
    becomes(&served, "hubstow_connections", 1);
}

#[test]
fn an_idle_connection_ends_and_one_that_is_used_goes_on() {
    let served = served(limits(|at| at.idle_time = Duration::from_millis(1500)));
    let mut used = connected(&served);
    let mut idle = connected(&served);
    idle.write_all(REQUEST).unwrap();
    small(&mut idle);
    let began = Instant::now();
    for _ in 0..5 {
        used.write_all(REQUEST).unwrap();
        small(&mut used);
        thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(ended(&mut idle), 0);
    assert!(began.elapsed() >= Duration::from_millis(2500), "{:?}", began.elapsed());
    used.write_all(REQUEST).unwrap();
    small(&mut used);
}

#[test]
fn who_takes_nothing_is_broken_off_and_who_takes_little_is_not() {
    let served = served(limits(|at| at.stall_time = Duration::from_millis(800)));
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /org/name/resolve/main/big HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    };
    let (mut stalled, mut slow) = (connected(&served), connected(&served));
    ask(&mut stalled);
    ask(&mut slow);
    becomes(&served, "hubstow_open_files", 2);
    let (told, until) = mpsc::channel::<()>();
    let reader = thread::spawn(move || {
        let mut part = vec![0; 512 * 1024];
        let mut received = 0;
        // Some hundred kilobytes at a time, with pauses, until all that is watched has been seen.
        while until.recv_timeout(Duration::from_millis(200)) == Err(mpsc::RecvTimeoutError::Timeout)
        {
            received += slow.read(&mut part).unwrap();
        }
        received + ended(&mut slow)
    });
    becomes(&served, "hubstow_open_files", 1);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(metric(&served, "hubstow_open_files"), 1);
    told.send(()).unwrap();
    // The answer was whole; keep-alive ended it as an idle connection would, so a head comes on top.
    drop(stalled);
    drop(served);
    let received = reader.join().unwrap();
    assert!(received > 1024 * 1024, "{received}");
}

#[test]
fn where_all_places_are_taken_the_idlest_goes_and_else_the_next_waits() {
    let served = served(limits(|at| at.connections = 3));
    let mut idle: Vec<TcpStream> = (0..2).map(|_| connected(&served)).collect();
    for stream in &mut idle {
        stream.write_all(REQUEST).unwrap();
        small(stream);
        thread::sleep(Duration::from_millis(50));
    }
    let mut big = connected(&served);
    big.write_all(b"GET /org/name/resolve/main/big HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut part = [0; 1024];
    assert!(big.read(&mut part).unwrap() > 0);
    // The fourth and the fifth: each takes the place of one that waits for nothing.
    let mut fourth = connected(&served);
    fourth.write_all(b"GET /org/name/resolve/main/big HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(fourth.read(&mut part).unwrap() > 0);
    assert_eq!(ended(&mut idle[0]), 0);
    let mut fifth = connected(&served);
    fifth.write_all(b"GET /org/name/resolve/main/big HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(fifth.read(&mut part).unwrap() > 0);
    assert_eq!(ended(&mut idle[1]), 0);
    // Now nobody is idle.
    let mut sixth = connected(&served);
    sixth.write_all(REQUEST).unwrap();
    sixth.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    assert!(sixth.read(&mut part).is_err(), "there is no place for it");
    drop(fourth);
    sixth.set_read_timeout(Some(PATIENCE)).unwrap();
    small(&mut sixth);
}

#[test]
fn a_stop_waits_for_answers_on_their_way_and_for_nothing_else() {
    for (grace, is_whole) in [(PATIENCE, true), (Duration::from_millis(300), false)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("org/name")).unwrap();
        std::fs::write(folder.path().join("org/name/f"), "small").unwrap();
        std::fs::write(folder.path().join("org/name/big"), vec![b'x'; 32 << 20]).unwrap();
        let server = Server::builder(folder.path()).limits(limits(|at| at.grace = grace)).build();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let serving = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                server.serve(listener, async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (mut idle, mut busy) = (connect(address), connect(address));
        idle.write_all(REQUEST).unwrap();
        small(&mut idle);
        busy.write_all(b"GET /org/name/resolve/main/big HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut part = [0; 1024];
        let first = busy.read(&mut part).unwrap();
        let began = Instant::now();
        stop.send(()).unwrap();
        assert_eq!(ended(&mut idle), 0);
        assert!(TcpStream::connect(address).is_err(), "nobody new is let in");
        if !is_whole {
            serving.join().unwrap();
            assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
            assert!(first + ended(&mut busy) < 32 << 20);
            continue;
        }
        assert!(first + ended(&mut busy) > 32 << 20);
        serving.join().unwrap();
    }
}

#[test]
fn large_heads_and_targets_are_refused() {
    let served = served(limits(|at| at.head_bytes = 20 * 1024));
    let header = |len: usize| format!("GET /org/name/resolve/main/f\nX-Large: {}", "x".repeat(len));
    assert_eq!(served.send(&header(10 * 1024)).status, 200);
    assert_eq!(served.send(&header(20 * 1024)).status, 431);
    let many = "\nX: y".repeat(200);
    assert_eq!(served.send(&format!("GET /org/name/resolve/main/f{many}")).status, 431);
    let target = |len: usize| format!("GET /org/name/resolve/main/f?{}", "x".repeat(len));
    assert_eq!(served.send(&target(10 * 1024)).status, 200);
    assert_eq!(served.send(&target(17 * 1024)).status, 414);
}
