//! Nodes that share a tier, each with a disk of its own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hubstow_client::Config;
use hubstow_pull::{
    Node, TierRules,
    hubstow_tier::{Limits, Tier},
};
use hubstow_serve::{RunningServer, Server, Upstream as _};
use tempfile::TempDir;

use crate::{MAIN, client, upstream::Upstream, vanishing::Vanishing};

const MIB: usize = 1 << 20;
const GOOD: &str = "Authorization: Bearer hf_good";
const OTHER: &str = "Authorization: Bearer hf_other";

/// A node of several.
struct Member {
    disk: TempDir,
    node: Node,
    server: RunningServer,
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.claim_time = Duration::from_secs(3);
    limits.first_pause = Duration::from_millis(200);
    limits.longest_pause = Duration::from_millis(500);
    limits
}

fn member(upstream: &Upstream, tier: Tier, wait: Duration) -> Member {
    let disk = tempfile::tempdir().unwrap();
    let mut config = Config::new(disk.path());
    config.set_endpoint(upstream.server.url()).unwrap();
    // Bytes are counted, so none may be asked for twice.
    config.max_connections = Some(1);
    config.stall_timeout = Duration::from_secs(20);
    let parts = hubstow_native::parts(&config);
    let node = Node::new(config, parts).unwrap();
    let mut rules = TierRules::default();
    rules.wait = wait;
    node.share(tier, rules);
    let server = Server::pulling(Arc::new(node.clone()), disk.path()).build();
    let server = server.spawn_on_loopback().unwrap();
    runtime().block_on(node.check_tier()).unwrap();
    Member { disk, node, server }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl Member {
    fn at(&self) -> SocketAddr {
        self.server.address()
    }

    #[track_caller]
    fn get(&self, file: &str, headers: &[&str]) -> client::Answer {
        client::get(self.at(), &format!("{MAIN}/{file}"), headers)
    }

    fn counts(&self) -> hubstow_serve::TierCounts {
        self.node.counts().tier.unwrap()
    }
}

/// A folder that is a tier.
struct Shared(TempDir);

impl Shared {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn tier(&self) -> Tier {
        let address = format!("file://{}", self.0.path().display());
        Tier::open_with(&address, limits(), Vec::new()).unwrap()
    }

    fn member(&self, upstream: &Upstream) -> Member {
        member(upstream, self.tier(), Duration::from_secs(20))
    }

    /// The files below a folder of the tier.
    fn keys(&self, folder: &str) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(&self.0.path().join(folder), &mut found);
        found.retain(|path| !path.to_string_lossy().contains('#'));
        found
    }

    /// The objects, when there are so many and nobody is bringing another.
    #[track_caller]
    fn objects(&self, count: usize) -> Vec<PathBuf> {
        let has_all = || self.keys("objects").len() == count && self.keys("claims").is_empty();
        let begin = Instant::now();
        while !has_all() {
            assert!(begin.elapsed() < Duration::from_secs(60), "the tier has {:?}", self.keys(""));
            thread::sleep(Duration::from_millis(5));
        }
        self.keys("objects")
    }

    fn object_of(&self, content: &[u8], count: usize) -> PathBuf {
        let objects = self.objects(count);
        objects.into_iter().find(|path| fs::read(path).unwrap() == content).unwrap()
    }
}

#[track_caller]
fn wait(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_one_node_has_brought_comes_to_the_others_from_the_tier() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    let (one, two) = (shared.member(&upstream), shared.member(&upstream));
    let large = upstream.put("large.bin", 1, 20 * MIB);
    let small = upstream.put("small.bin", 2, 1000);
    for (name, content) in [("large.bin", &large), ("small.bin", &small)] {
        assert!(one.get(name, &[]).body == *content, "{name}");
    }
    shared.objects(2);
    assert_eq!(upstream.gets(), 2);
    for (name, content) in [("large.bin", &large), ("small.bin", &small)] {
        let answer = two.get(name, &[]);
        assert!(answer.is_whole() && answer.body == *content, "{name}");
        let range = two.get(name, &["Range: bytes=500-899"]);
        assert!(range.status == 206 && range.body == content[500..900], "{name}");
    }
    assert_eq!(upstream.gets(), 2, "the second node asks upstream what they are, and no more");
    let (of_one, of_two) = (one.counts(), two.counts());
    assert_eq!((of_one.hits, of_one.misses, of_one.puts, of_one.put_failures), (0, 2, 2, 0));
    assert_eq!((of_two.hits, of_two.misses, of_two.puts), (2, 0, 0));
    let both = (large.len() + small.len()) as u64;
    assert_eq!((of_one.put_bytes, of_two.received_bytes), (both, both));
    // It is on the disk of the second now.
    let disk = two.disk.path().join("models--acme--m/blobs");
    assert_eq!(fs::read_dir(disk).unwrap().count(), 2);
}

#[test]
fn what_two_nodes_are_asked_for_at_once_is_brought_by_one() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    let (one, two) = (shared.member(&upstream), shared.member(&upstream));
    let content = upstream.put("big.bin", 3, 4 * MIB);
    upstream.line().hold_at = Some(2 * MIB as u64);
    let path = format!("{MAIN}/big.bin");
    let first = client::begin(one.at(), "GET", &path, &[]);
    thread::scope(|scope| {
        let second = scope.spawn(|| two.get("big.bin", &[]));
        thread::sleep(Duration::from_millis(500));
        assert!(!second.is_finished());
        upstream.line().hold_at = None;
        assert!(first.rest().body == content);
        assert!(second.join().unwrap().body == content);
    });
    assert_eq!((upstream.gets(), two.counts().hits), (1, 1));
}

#[test]
fn whoever_waits_for_too_long_brings_it_too_and_does_not_put_it_twice() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    let one = shared.member(&upstream);
    let two = member(&upstream, shared.tier(), Duration::from_secs(1));
    let content = upstream.put("big.bin", 4, 4 * MIB);
    upstream.line().hold_at = Some(2 * MIB as u64);
    let path = format!("{MAIN}/big.bin");
    let first = client::begin(one.at(), "GET", &path, &[]);
    let begin = Instant::now();
    let second = client::begin(two.at(), "GET", &path, &[]);
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!((upstream.gets(), two.counts().waited), (2, 1));
    upstream.line().hold_at = None;
    assert!(first.rest().body == content && second.rest().body == content);
    shared.objects(1);
    wait("one has put it", || one.counts().puts + two.counts().puts == 1);
}

#[test]
fn what_a_dead_node_was_bringing_is_taken_over() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    let content = upstream.put("big.bin", 5, 4 * MIB);
    upstream.line().hold_at = Some(2 * MIB as u64);
    let one = shared.member(&upstream);
    let reading = client::begin(one.at(), "GET", &format!("{MAIN}/big.bin"), &[]);
    // As a process that is killed leaves it: nobody renews the claim, and nobody gives it back.
    let claim = shared.keys("claims").pop().unwrap();
    let left = fs::read(&claim).unwrap();
    runtime().block_on(one.node.leave_tier(Duration::ZERO));
    drop((reading, one));
    fs::write(&claim, left).unwrap();
    upstream.line().hold_at = None;
    let two = shared.member(&upstream);
    assert!(two.get("big.bin", &[]).body == content);
    shared.objects(1);
    assert_eq!((two.counts().misses, two.counts().puts), (1, 1));
}

#[test]
fn wrong_bytes_in_the_tier_reach_nobody_as_a_whole_and_give_way_to_the_right_ones() {
    for (len, flipped_at) in [(900, 450), (8 * MIB, 3 * MIB), (8 * MIB, 8 * MIB - 10)] {
        let (upstream, shared) = (Upstream::new(), Shared::new());
        let content = upstream.put("big.bin", 6, len);
        let one = shared.member(&upstream);
        assert!(one.get("big.bin", &[]).body == content);
        let object = shared.object_of(&content, 1);
        let mut wrong = content.clone();
        wrong[flipped_at] ^= 1;
        fs::write(&object, &wrong).unwrap();
        let two = shared.member(&upstream);
        let answer = two.get("big.bin", &[]);
        assert!(!answer.is_whole() || answer.body == content, "{len}: wrong at {flipped_at}");
        // Whoever is broken off asks again, and so it may be once more.
        let right = (0..5).any(|_| {
            let again = two.get("big.bin", &[]);
            assert!(!again.is_whole() || again.body == content, "{len}: wrong at {flipped_at}");
            again.is_whole()
        });
        assert!(right, "{len}: wrong at {flipped_at}");
        wait("the good copy is put", || fs::read(&object).is_ok_and(|found| found == content));
        assert!(two.counts().wrong >= 1);
        let gets = upstream.gets();
        // One of another size is told without being read.
        fs::write(&object, &wrong[..len / 2]).unwrap();
        let three = shared.member(&upstream);
        assert!(three.get("big.bin", &[]).body == content);
        wait("the good copy is put", || fs::read(&object).is_ok_and(|found| found == content));
        assert_eq!((upstream.gets(), three.counts().received_bytes), (gets + 1, 0));
    }
}

#[test]
fn an_object_that_vanishes_while_it_is_read_is_gone_on_with_from_upstream() {
    let upstream = Upstream::new();
    let content = upstream.put("big.bin", 7, 8 * MIB);
    let store = Arc::new(Vanishing::default());
    let tier = || Tier::with_store(Arc::clone(&store) as Arc<_>, limits());
    let one = member(&upstream, tier(), Duration::from_secs(20));
    assert!(one.get("big.bin", &[]).body == content);
    wait("it is put", || one.counts().puts == 1);
    store.take_away_after(3 * MIB as u64);
    let two = member(&upstream, tier(), Duration::from_secs(20));
    let answer = two.get("big.bin", &[]);
    assert!(answer.is_whole() && answer.body == content, "nobody notices");
    let line = upstream.line();
    let ranges: Vec<_> = line.asked.iter().filter_map(|(.., range)| *range).collect();
    assert_eq!(ranges, [3 * MIB as u64], "only the rest comes from upstream");
    drop(line);
    wait("it is put again", || two.counts().puts == 1);
}

#[test]
fn without_upstream_the_tier_serves_whom_upstream_has_let_in_and_nobody_else() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    let content = upstream.put("big.bin", 8, 2 * MIB);
    upstream.put("never.bin", 9, 2 * MIB);
    upstream.line().let_in = vec!["hf_good"];
    let one = shared.member(&upstream);
    assert!(one.get("big.bin", &[GOOD]).body == content);
    let head = client::begin(one.at(), "HEAD", &format!("{MAIN}/never.bin"), &[GOOD]).rest();
    assert_eq!(head.status, 200);
    shared.objects(1);
    fs::remove_dir_all(one.disk.path()).unwrap();
    let refused = one.get("big.bin", &[OTHER]);
    assert_eq!(refused.status, 403, "the tier opens nothing");
    upstream.line().refusal = Some((503, None));
    // The branch is believed for a moment.
    thread::sleep(Duration::from_secs(6));
    let stale = one.get("big.bin", &[GOOD]);
    assert!(stale.status == 200 && stale.body == content, "{}", stale.status);
    assert!(stale.header("warning").is_some());
    assert_eq!(one.get("never.bin", &[GOOD]).status, 504);
    assert_eq!(one.get("big.bin", &[OTHER]).status, 503);
    let fresh = shared.member(&upstream);
    assert_eq!(fresh.get("big.bin", &[GOOD]).status, 503, "it knows of nobody what was allowed");
}

#[test]
fn a_listing_that_one_node_was_told_of_is_not_asked_for_by_the_others() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    upstream.put_in("acme/m/folder", "large.bin", 12, 200_000);
    let (one, two) = (shared.member(&upstream), shared.member(&upstream));
    let json = |member: &Member, path: &str| {
        let answer = client::get(member.at(), path, &[]);
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()
    };
    let sha = json(&one, "/api/models/acme/m/revision/main")["sha"].as_str().unwrap().to_owned();
    let tree = format!("/api/models/acme/m/tree/{sha}?recursive=true&expand=false");
    let listed = json(&one, &tree);
    wait("it is kept", || shared.keys("trees").len() == 1);
    let before = upstream.line().questions;
    // Nobody has told the second of the repo yet, so it asks.
    let files = |listed: serde_json::Value| {
        let mut files = listed.as_array().unwrap().clone();
        files.retain(|entry| entry["type"] == "file");
        files
    };
    json(&two, "/api/models/acme/m/revision/main");
    assert_eq!(files(json(&two, &tree)), files(listed.clone()));
    assert_eq!(upstream.line().questions, before + 1);
    assert_eq!(json(&two, &tree).as_array().unwrap().len(), listed.as_array().unwrap().len());
    // A file tells what a branch is, and one node says so to the others.
    assert_eq!(one.get("config.json", &[]).status, 200);
    wait("the branch is recorded", || shared.keys("refs").len() == 1);
    let record = fs::read_to_string(shared.keys("refs").pop().unwrap()).unwrap();
    assert!(record.contains(&sha), "{record}");
}

#[test]
fn a_node_that_stops_gives_back_what_it_has_claimed_and_what_it_puts_in_time() {
    let (upstream, shared) = (Upstream::new(), Shared::new());
    let content = upstream.put("big.bin", 10, 20 * MIB);
    let one = shared.member(&upstream);
    assert!(one.get("big.bin", &[]).body == content);
    wait("the fill ends", || one.node.counts().fills_running == 0);
    runtime().block_on(one.node.leave_tier(Duration::from_secs(60)));
    assert_eq!((shared.keys("objects").len(), shared.keys("claims").len()), (1, 0));
    let two = shared.member(&upstream);
    upstream.put("next.bin", 11, 4 * MIB);
    upstream.line().hold_at = Some(2 * MIB as u64);
    let reading = client::begin(two.at(), "GET", &format!("{MAIN}/next.bin"), &[]);
    assert_eq!(shared.keys("claims").len(), 1);
    runtime().block_on(two.node.leave_tier(Duration::from_secs(5)));
    assert_eq!(shared.keys("claims").len(), 0);
    drop(reading);
}
