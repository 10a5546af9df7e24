//! The command and large files: over connections that have a rate each, killed half-way, and in little memory.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

// The scenarios' hub gives each connection a rate as well.
#[path = "../../../tests/tests/scenarios/hub/line.rs"]
mod line;
#[path = "../../../tests/bench/src/throttle.rs"]
mod throttle;

use std::{
    fs::{self, File},
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use line::{Line, throttled};

const MIB: u64 = 1 << 20;
/// What a kill may cost: what was not recorded yet, and what was on its way through the buffers of the system.
const AGAIN_BYTES: u64 = 16 * MIB;

/// A hub with one file, behind a relay that gives each connection a rate, and an empty cache.
struct Stage {
    folder: TempDir,
    hub: RunningServer,
    relay: SocketAddr,
    line: Arc<Line>,
    _runtime: Runtime,
}

impl Stage {
    fn new(write: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/acme/large");
        fs::create_dir_all(&repo).unwrap();
        write(&repo.join("model.bin"));
        let server = Server::builder(folder.path().join("hub")).lfs_glob("*.bin").frozen().build();
        let hub = server.spawn_on_loopback().unwrap();
        let (runtime, line) = (Runtime::new().unwrap(), Arc::<Line>::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (relay, to, shared) = (listener.local_addr().unwrap(), hub.address(), line.clone());
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut client = throttled(client, Arc::clone(&shared));
                tokio::spawn(async move {
                    let mut hub = TcpStream::connect(to).await?;
                    copy_bidirectional(&mut client, &mut hub).await
                });
            }
        });
        Self { folder, hub, relay, line, _runtime: runtime }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("hub/acme/large/model.bin")
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .env_clear()
            .env("HF_HOME", self.folder.path().join("home"))
            .env("HF_ENDPOINT", format!("http://{}", self.relay))
            .args(["download", "acme/large", "model.bin", "--quiet"])
            .args(more)
            .stdout(Stdio::piped());
        command
    }

    /// Returns where each GET for a part began, in the order they came.
    fn starts(&self) -> Vec<u64> {
        let ranges = self.hub.requests().into_iter().filter_map(|request| request.range);
        let start = |range: String| range.split(['=', '-']).nth(1)?.parse().ok();
        ranges.filter_map(start).collect()
    }
}

fn random_content(path: &Path, len_bytes: u64) {
    let words = std::iter::repeat_with(|| fastrand::u64(..).to_le_bytes());
    let block: Vec<u8> = words.take(1 << 13).flatten().collect();
    let mut bytes = Vec::new();
    let (_, rest) = block.split_at(8);
    for number in 0..len_bytes / block.len() as u64 {
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(rest);
    }
    fs::write(path, bytes).unwrap();
}

/// Waits for the end; returns what was printed, and the largest resident set.
fn end(mut child: Child) -> (String, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    let ended = loop {
        let told = fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak_bytes = kib.map_or(peak_bytes, |kib| kib << 10);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mut printed = String::new();
    child.stdout.unwrap().read_to_string(&mut printed).unwrap();
    assert!(ended.success(), "{ended}");
    (printed.trim_end().to_owned(), peak_bytes)
}

/// `HUBSTOW_KILLS=20` kills so often, in 2 GiB on a line that brings 16 connections 20 MB/s each.
#[test]
fn a_run_that_is_killed_again_and_again_fetches_little_twice() {
    let asked = std::env::var("HUBSTOW_KILLS").ok().map(|number| number.parse().unwrap());
    let (most_kills, size, rate) = match asked {
        Some(kills) => (kills, 2048 * MIB, 20_000_000),
        None => (4, 96 * MIB, 8_000_000),
    };
    let stage = Stage::new(|path| random_content(path, size));
    stage.line.rate.store(rate, Relaxed);
    let mut random = fastrand::Rng::with_seed(4);
    let mut kills = 0;
    for _ in 0..most_kills {
        let sent = || stage.line.sent.load(Relaxed);
        let until = sent() + random.u64(0..size / most_kills);
        let mut child = stage.command(&[]).spawn().unwrap();
        while sent() < until && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 1, "nothing was killed half-way");
    let (path, _) = end(stage.command(&[]).spawn().unwrap());
    assert!(fs::read(path).unwrap() == fs::read(stage.file()).unwrap(), "the content is wrong");
    let again = stage.line.sent.load(Relaxed).saturating_sub(size);
    println!("{kills} kills, {} MiB came again for each", again / MIB / kills);
    assert!(again <= kills * AGAIN_BYTES + MIB, "{again} bytes came again, after {kills} kills");
}

#[test]
fn a_large_file_takes_little_memory_on_one_connection_and_on_many() {
    for (rate, len_bytes) in [(0, 512 * MIB), (40_000_000, 256 * MIB)] {
        let stage = Stage::new(|path| File::create(path).unwrap().set_len(len_bytes).unwrap());
        stage.line.rate.store(rate, Relaxed);
        let (path, peak_bytes) = end(stage.command(&[]).spawn().unwrap());
        assert_eq!(fs::metadata(path).unwrap().len(), len_bytes);
        assert!(peak_bytes < 64 * MIB, "{peak_bytes} bytes at the peak, at {rate} B/s each");
        let parts = stage.starts().len();
        assert!(rate == 0 || parts > 4, "{parts} parts at {rate} B/s each");
    }
}

#[test]
fn a_limit_on_the_rate_holds_for_all_connections_together() {
    let stage = Stage::new(|path| random_content(path, 20 * MIB));
    let begin = Instant::now();
    let (path, _) = end(stage.command(&["--limit-rate", "16M"]).spawn().unwrap());
    assert!(begin.elapsed() >= Duration::from_millis(1150), "{:?}", begin.elapsed());
    assert!(fs::read(path).unwrap() == fs::read(stage.file()).unwrap(), "the content is wrong");
}
