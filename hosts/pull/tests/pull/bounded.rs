//! A disk with bounds: what was used least recently makes room.

use std::{fs, path::Path, thread, time::Duration};

use axum::http::Method;
use hubstow_client::care::room::{PinList, RoomRules};

use crate::{MAIN, Stage, client, node_within, upstream::Upstream};

const FILE_BYTES: usize = 400_000;
/// Room for two of them and the small ones.
const LIMIT_BYTES: u64 = 1_000_000;

fn stage(pins: &str) -> Stage {
    let mut rules = RoomRules::new(LIMIT_BYTES);
    rules.unused_for = Duration::ZERO;
    rules.pins = PinList::parse(pins).unwrap();
    Stage::within(Upstream::new(), Some(rules))
}

/// The bytes of all files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bytes = entries.map(|path| match fs::symlink_metadata(&path) {
        Ok(entry) if entry.is_dir() => bytes_below(&path),
        Ok(entry) if entry.is_file() => entry.len(),
        Ok(_) | Err(_) => 0,
    });
    bytes.sum()
}

fn gets_of(stage: &Stage, file: &str) -> usize {
    let line = stage.upstream.line();
    let of_file = line
        .asked
        .iter()
        .filter(|(method, path, _)| *method == Method::GET && path.ends_with(file));
    of_file.count()
}

/// Puts three files into the model, two of which fit.
fn three(stage: &Stage) -> [Vec<u8>; 3] {
    let names = [(1, "a.bin"), (2, "b.bin"), (3, "c.bin")];
    names.map(|(seed, name)| stage.upstream.put(name, seed, FILE_BYTES))
}

#[test]
fn what_was_used_least_recently_makes_room_and_comes_again_when_it_is_asked_for() {
    let stage = stage("");
    let [a, b, c] = three(&stage);
    for (file, content) in [("a.bin", &a), ("b.bin", &b), ("c.bin", &c), ("a.bin", &a)] {
        let answer = stage.get(file, &[]);
        assert!(answer.status == 200 && answer.body == *content, "{file}");
        stage.settle();
        let held = bytes_below(stage.disk.path());
        assert!(held < LIMIT_BYTES + 10_000, "{held} bytes with {file}");
    }
    assert_eq!((gets_of(&stage, "a.bin"), gets_of(&stage, "c.bin")), (2, 1));
    assert!(evicted(&stage) >= 2 * FILE_BYTES as u64);
}

#[test]
fn what_is_pinned_makes_no_room() {
    let stage = stage("model/acme/n@main # stays");
    let pinned = stage.upstream.put_in("acme/n", "x.bin", 9, FILE_BYTES);
    let contents = three(&stage);
    let path = "/acme/n/resolve/main/x.bin";
    assert!(client::get(stage.at(), path, &[]).body == pinned);
    stage.settle();
    for (file, content) in ["a.bin", "b.bin", "c.bin"].iter().zip(contents) {
        assert!(stage.get(file, &[]).body == content, "{file}");
        stage.settle();
    }
    assert!(client::get(stage.at(), path, &[]).body == pinned);
    assert_eq!(gets_of(&stage, "x.bin"), 1, "it was here all the time");
}

#[test]
fn what_is_here_under_an_older_commit_takes_no_room_and_makes_none() {
    let stage = stage("");
    let content = stage.upstream.put("a.bin", 5, LIMIT_BYTES as usize * 6 / 10);
    assert!(stage.get("a.bin", &[]).body == content);
    stage.settle();
    stage.upstream.put("b.bin", 6, 1000);
    thread::sleep(Duration::from_secs(6));
    assert_eq!(stage.get("b.bin", &[]).status, 200);
    assert!(stage.get("a.bin", &[]).body == content);
    stage.settle();
    assert_eq!((gets_of(&stage, "a.bin"), evicted(&stage)), (1, 0));
}

#[test]
fn what_is_left_of_an_earlier_fetch_is_gone_on_with_where_there_is_room_for_the_rest() {
    const LARGE_LIMIT_BYTES: u64 = 8 << 20;
    let rules = || {
        let mut rules = RoomRules::new(LARGE_LIMIT_BYTES);
        rules.unused_for = Duration::ZERO;
        rules
    };
    let mut stage = Stage::within(Upstream::new(), Some(rules()));
    let len = 6 << 20;
    let content = stage.upstream.put("a.bin", 5, len);
    let content_b = stage.upstream.put("b.bin", 6, len);
    stage.upstream.line().hold_at = Some(len as u64 / 2);
    let reading = client::begin(stage.at(), "GET", &format!("{MAIN}/a.bin"), &[]);
    stage.wait("half of it comes", || stage.upstream.line().sent_bytes >= len as u64 / 2);
    thread::sleep(Duration::from_millis(300));
    let next = node_within(&stage.upstream, &stage.disk, &stage.log, |_| {}, Some(rules()));
    drop(std::mem::replace(&mut stage.node, next));
    assert!(!reading.rest().is_whole());
    stage.upstream.line().hold_at = None;
    stage.upstream.line().asked.clear();
    assert!(stage.get("a.bin", &[]).body == content);
    stage.settle();
    let from = stage.upstream.line().asked.iter().find_map(|(_, _, range)| *range);
    assert!(from.is_some_and(|from| from >= 1 << 20), "{from:?}");
    // Else it makes room as anything does.
    assert!(stage.get("b.bin", &[]).body == content_b);
}

/// How many bytes have made room so far.
fn evicted(stage: &Stage) -> u64 {
    let metrics = String::from_utf8(client::get(stage.at(), "/metrics", &[]).body).unwrap();
    let evicted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("hubstow_pull_disk_evicted_bytes_total ")?.parse().ok());
    evicted.unwrap()
}

#[test]
fn what_finds_no_room_now_may_come_again() {
    let mut rules = RoomRules::new(LIMIT_BYTES);
    rules.unused_for = Duration::from_secs(60);
    let stage = Stage::within(Upstream::new(), Some(rules));
    let [a, b, _] = three(&stage);
    assert!(stage.get("a.bin", &[]).body == a && stage.get("b.bin", &[]).body == b);
    stage.settle();
    let answer = stage.get("c.bin", &[]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(gets_of(&stage, "c.bin"), 0);
    assert!(stage.get("a.bin", &[]).body == a, "what is here is given all the same");
}

#[test]
fn what_will_never_fit_is_refused_at_once() {
    let stage = stage("");
    stage.upstream.put("huge.bin", 4, LIMIT_BYTES as usize + 1);
    let answer = client::get(stage.at(), &format!("{MAIN}/huge.bin"), &[]);
    assert_eq!(answer.status, 507);
    // Its size is known by the first question, and nobody asks for the content again.
    assert_eq!(client::get(stage.at(), &format!("{MAIN}/huge.bin"), &[]).status, 507);
    assert_eq!(gets_of(&stage, "huge.bin"), 1);
}
