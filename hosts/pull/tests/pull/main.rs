//! A pull-through between a real hub, behind a line that fails as it is told, and clients that see each byte.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

mod access;
mod away;
mod beside;
mod bounded;
mod client;
mod filling;
mod proving;
mod several;
mod tier;
mod upstream;
mod vanishing;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hubstow_client::{Config, care::room::RoomRules};
use hubstow_pull::Node;
use hubstow_serve::{Answered, RunningServer, Server};
use tempfile::TempDir;
use upstream::Upstream;

/// A node, its disk and its log.
struct Stage {
    upstream: Upstream,
    disk: TempDir,
    node: RunningServer,
    log: Arc<Mutex<Vec<Answered>>>,
}

const MAIN: &str = "/acme/m/resolve/main";

impl Stage {
    fn new() -> Self {
        Self::before(Upstream::new())
    }

    fn before(upstream: Upstream) -> Self {
        Self::within(upstream, None)
    }

    fn within(upstream: Upstream, bounds: Option<RoomRules>) -> Self {
        let disk = tempfile::tempdir().unwrap();
        let log = Arc::<Mutex<Vec<Answered>>>::default();
        let node = node_within(&upstream, &disk, &log, |_| {}, bounds);
        Self { upstream, disk, node, log }
    }

    fn at(&self) -> SocketAddr {
        self.node.address()
    }

    #[track_caller]
    fn get(&self, file: &str, headers: &[&str]) -> client::Answer {
        client::get(self.at(), &format!("{MAIN}/{file}"), headers)
    }

    /// How the answers so far were had.
    fn vias(&self) -> Vec<&'static str> {
        let log = self.log.lock().unwrap();
        let files = log.iter().filter(|answered| answered.path.contains("/resolve/"));
        files.map(|answered| answered.via.map_or("-", |via| via.code())).collect()
    }

    /// Waits until nothing is being fetched.
    #[track_caller]
    fn settle(&self) {
        self.wait("all fetches end", || {
            let metrics = client::get(self.at(), "/metrics", &[]).body;
            String::from_utf8(metrics).unwrap().contains("hubstow_pull_fills_running 0")
        });
    }

    /// Waits until something holds.
    #[track_caller]
    fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn node(
    upstream: &Upstream,
    disk: &TempDir,
    log: &Arc<Mutex<Vec<Answered>>>,
    change: impl FnOnce(&mut Config),
) -> RunningServer {
    node_within(upstream, disk, log, change, None)
}

fn node_within(
    upstream: &Upstream,
    disk: &TempDir,
    log: &Arc<Mutex<Vec<Answered>>>,
    change: impl FnOnce(&mut Config),
    bounds: Option<RoomRules>,
) -> RunningServer {
    let node = made(upstream, disk, change);
    if let Some(rules) = bounds {
        node.keep_within(rules);
    }
    let log = Arc::clone(log);
    let server = Server::pulling(Arc::new(node), disk.path())
        .on_answered(move |answered| log.lock().unwrap().push(answered.clone()));
    server.build().spawn_on_loopback().unwrap()
}

fn made(upstream: &Upstream, disk: &TempDir, change: impl FnOnce(&mut Config)) -> Node {
    let mut config = Config::new(disk.path());
    config.set_endpoint(upstream.server.url()).unwrap();
    // Bytes are counted, so none may be asked for twice.
    config.max_connections = Some(1);
    config.stall_timeout = Duration::from_secs(20);
    change(&mut config);
    let parts = hubstow_native::parts(&config);
    Node::new(config, parts).unwrap()
}
