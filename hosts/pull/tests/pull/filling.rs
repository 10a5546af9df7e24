//! Content that is sent while it arrives.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use axum::http::Method;

use crate::{MAIN, Stage, client, node};

const MIB: usize = 1 << 20;
/// How much of the end is kept back.
const WITHHELD: usize = 64 << 10;

#[test]
fn the_first_byte_goes_out_before_the_last_has_come_and_the_last_piece_when_the_whole_is_proved() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 1, 8 * MIB);
    stage.upstream.line().hold_at = Some(4 * MIB as u64);
    let mut reading = client::begin(stage.at(), "GET", &format!("{MAIN}/big.bin"), &[]);
    reading.until(4 * MIB, Duration::from_secs(20));
    assert_eq!((reading.status, reading.body.len()), (200, 4 * MIB), "what has come is sent");
    // One byte is missing, so nothing is proved.
    stage.upstream.line().hold_at = Some(8 * MIB as u64 - 1);
    reading.until(8 * MIB, Duration::from_secs(2));
    assert_eq!(reading.body.len(), 8 * MIB - WITHHELD, "the last piece is kept back");
    stage.upstream.line().hold_at = None;
    let answer = reading.rest();
    assert!(answer.is_whole() && answer.body == content);
    stage.settle();
    assert!(stage.get("big.bin", &[]).body == content);
    assert_eq!(stage.vias(), ["filling", "hit"]);
}

#[test]
fn fifty_readers_of_one_file_cost_one_get_of_each_byte() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 2, 12 * MIB);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..50).map(|_| scope.spawn(|| stage.get("big.bin", &[]))).collect();
        for reader in readers {
            let answer = reader.join().unwrap();
            assert!(answer.status == 200 && answer.body == content);
        }
    });
    let line = stage.upstream.line();
    let count = |of: Method| line.asked.iter().filter(|(method, ..)| *method == of).count();
    assert_eq!((count(Method::GET), line.sent_bytes), (1, content.len() as u64));
    assert_eq!(count(Method::HEAD), 0, "which says what it is as well");
}

#[test]
fn the_first_to_want_a_file_waits_as_long_as_for_upstream_itself() {
    let stage = Stage::new();
    stage.upstream.line().delay = Duration::from_millis(400);
    for (name, len) in [("small.bin", 1000), ("large.bin", 2 * MIB)] {
        let content = stage.upstream.put(name, 12, len);
        let begin = Instant::now();
        let mut reading = client::begin(stage.at(), "GET", &format!("{MAIN}/{name}"), &[]);
        reading.until(1, Duration::from_secs(5));
        let waited = begin.elapsed();
        assert!(waited < Duration::from_millis(700), "{name}: {waited:?}");
        assert!(reading.rest().body == content);
    }
    let asked = |stage: &Stage| {
        let line = stage.upstream.line();
        line.asked.iter().map(|(method, path, _)| format!("{method} {path}")).collect::<Vec<_>>()
    };
    let main = |name: &str| format!("GET {MAIN}/{name}");
    assert_eq!(asked(&stage), [main("small.bin"), main("large.bin")]);
    // What a new node finds on its disk takes no content.
    stage.settle();
    stage.upstream.line().asked.clear();
    let again = node(&stage.upstream, &stage.disk, &stage.log, |_| {});
    let path = format!("{MAIN}/large.bin");
    assert_eq!(client::get(again.address(), &path, &[]).body.len(), 2 * MIB);
    assert_eq!(asked(&stage), [format!("HEAD {path}")]);
}

#[test]
fn an_answer_is_kept_for_a_moment_only_and_then_asked_for_again() {
    let stage = Stage::new();
    let content = stage.upstream.put("large.bin", 13, 4 * MIB);
    // Somebody else fetches the same, and makes progress for a while.
    let path = format!("{MAIN}/large.bin");
    let head = client::begin(stage.upstream.server.address(), "HEAD", &path, &[]).rest();
    let etag = head.header("x-linked-etag").unwrap().trim_matches('"');
    let locks = stage.disk.path().join(".locks/models--acme--m");
    fs::create_dir_all(&locks).unwrap();
    let lock = fs::File::create(locks.join(format!("{etag}.lock"))).unwrap();
    lock.lock().unwrap();
    let at = stage.at();
    let reader = thread::spawn(move || client::get(at, &path, &[]));
    stage.wait("it is asked for", || stage.upstream.gets() == 1);
    thread::sleep(Duration::from_millis(1500));
    drop(lock);
    assert!(reader.join().unwrap().body == content);
    assert_eq!(stage.upstream.gets(), 2);
}

#[test]
fn ranges_are_sent_from_what_has_come_and_the_one_with_the_end_waits() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 3, 6 * MIB);
    stage.upstream.line().hold_at = Some(4 * MIB as u64);
    let range = |from: usize, to: usize| format!("Range: bytes={from}-{}", to - 1);
    let first = stage.get("big.bin", &[&range(MIB, 2 * MIB)]);
    assert_eq!((first.status, first.body.len()), (206, MIB));
    assert!(first.body == content[MIB..2 * MIB]);
    let path = format!("{MAIN}/big.bin");
    let end = range(6 * MIB - WITHHELD - 10, 6 * MIB);
    let mut last = client::begin(stage.at(), "GET", &path, &[&end]);
    let mut suffix = client::begin(stage.at(), "GET", &path, &["Range: bytes=-100"]);
    stage.upstream.line().hold_at = Some(6 * MIB as u64 - 1);
    last.until(MIB, Duration::from_secs(1));
    suffix.until(MIB, Duration::from_millis(200));
    assert_eq!((last.body.len(), suffix.body.len()), (10, 0));
    stage.upstream.line().hold_at = None;
    assert!(last.rest().body == content[6 * MIB - WITHHELD - 10..]);
    assert!(suffix.rest().body == content[6 * MIB - 100..]);
    assert_eq!(stage.upstream.gets(), 1);
}

#[test]
fn a_fill_goes_on_without_its_first_reader_and_beside_a_slow_one() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 4, 8 * MIB);
    stage.upstream.line().hold_at = Some(2 * MIB as u64);
    let path = format!("{MAIN}/big.bin");
    // One reads a little and no more, one goes away.
    let mut slow = client::begin(stage.at(), "GET", &path, &[]);
    slow.until(1000, Duration::from_secs(10));
    let mut gone = client::begin(stage.at(), "GET", &path, &[]);
    gone.until(1000, Duration::from_secs(10));
    drop(gone);
    stage.upstream.line().hold_at = None;
    stage.wait("the fill ends", || stage.upstream.line().sent_bytes == content.len() as u64);
    assert!(stage.get("big.bin", &[]).body == content);
    assert!(slow.rest().body == content);
    assert_eq!(stage.upstream.gets(), 1);
}

#[test]
fn what_was_lost_from_the_disk_is_fetched_again() {
    let stage = Stage::new();
    let small = stage.upstream.put("small.bin", 5, 1000);
    let large = stage.upstream.put("large.bin", 6, 2 * MIB);
    for round in 1..=3 {
        for (name, content) in [("small.bin", &small), ("large.bin", &large)] {
            for _ in 0..2 {
                assert!(stage.get(name, &[]).body == *content, "{name} in round {round}");
            }
        }
        assert_eq!(stage.upstream.gets(), 2 * round);
        stage.settle();
        std::fs::remove_dir_all(stage.disk.path()).unwrap();
        assert_eq!(client::get(stage.at(), "/readyz", &[]).status, 200);
    }
}
