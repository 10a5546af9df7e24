//! Content that is wrong reaches nobody as a whole.

use std::{env, thread, time::Duration};

use crate::{MAIN, Stage, client};

/// How many files are damaged in a run.
fn rounds() -> u64 {
    env::var("HUBSTOW_FLIPS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(200)
}

#[test]
fn no_client_completes_a_file_with_a_flipped_byte_and_the_good_copy_comes_next_time() {
    let stage = Stage::new();
    let rounds = rounds();
    let (mut broken, mut right) = (0, 0);
    for round in 0..rounds {
        let seed = round * 7919 + 1;
        let len = 200_000 + (seed * 104_729 % 2_000_000) as usize;
        let repo = format!("acme/m{round}");
        let content = stage.upstream.put_in(&repo, "model.bin", seed, len);
        let path = format!("/{repo}/resolve/main/model.bin");
        let at = seed * 1_299_709 % len as u64;
        // Once: what is fetched again is right. Twice: that is wrong as well.
        stage.upstream.line().flip = Some((at, 1 + (round % 2) as u32));
        // Some clients put a file together from ranges.
        let received =
            if round % 4 < 2 { whole(&stage, &path) } else { assembled(&stage, &path, len) };
        match received {
            Some(received) => {
                assert!(received == content, "round {round}: wrong at {at} of {len}");
                right += 1;
            }
            None => broken += 1,
        }
        stage.upstream.line().flip = None;
        stage.settle();
        let again = client::get(stage.at(), &path, &[]);
        assert!(again.is_whole() && again.body == content, "round {round}, next time");
        // What is done with takes no space.
        stage.settle();
        let folder = stage.disk.path().join(format!("models--acme--m{round}"));
        std::fs::remove_dir_all(folder).unwrap();
        std::fs::remove_dir_all(stage.upstream.folder.path().join(&repo)).unwrap();
    }
    // Both must have been tried: who begins again after a failure ends right, and who puts ranges together can't.
    assert!(broken > rounds / 8 && right > rounds / 8, "{broken} and {right} of {rounds}");
}

/// What is left of it is too little to be gone on with, so nobody ever knows what it was.
#[test]
fn what_was_sent_of_a_fetch_that_left_nothing_is_not_gone_on_with() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 5, 2 << 20);
    {
        let mut line = stage.upstream.line();
        (line.flip, line.hold_at) = (Some((10_000, 1)), Some(40_000));
    }
    let path = format!("{MAIN}/big.bin");
    let mut reading = client::begin(stage.at(), "GET", &path, &[]);
    reading.until(40_000, Duration::from_secs(20));
    {
        let mut line = stage.upstream.line();
        (line.refusal, line.cut_at) = (Some((404, None)), Some(40_000));
    }
    let part = reading.rest().body;
    assert!(!part.is_empty() && !content.starts_with(&part), "{} bytes", part.len());
    stage.settle();
    {
        let mut line = stage.upstream.line();
        (line.refusal, line.cut_at, line.hold_at, line.flip) = (None, None, None, None);
    }
    for round in ["while it comes", "when it is here"] {
        let rest = client::get(stage.at(), &path, &[&format!("Range: bytes={}-", part.len())]);
        assert!(rest.status == 200 && rest.body == content, "{round}: {}", rest.status);
        let piece = client::get(stage.at(), &path, &["Range: bytes=100-200"]);
        assert_eq!(piece.status, 416, "{round}");
        stage.settle();
    }
}

/// Fetches a file, and goes on by itself twice where the line breaks, as clients do.
fn whole(stage: &Stage, path: &str) -> Option<Vec<u8>> {
    let mut received = Vec::new();
    for _ in 0..3 {
        let range = format!("Range: bytes={}-", received.len());
        let resumed: &[&str] = if received.is_empty() { &[] } else { &[&range] };
        let answer = client::get(stage.at(), path, resumed);
        match answer.status {
            200 => received.clone_from(&answer.body),
            206 => received.extend_from_slice(&answer.body),
            0 => {}
            _ => return None,
        }
        if answer.is_whole() {
            return Some(received);
        }
    }
    None
}

/// Fetches by four ranges at once, and those that are not whole once more; `None` where that does not help.
fn assembled(stage: &Stage, path: &str, len: usize) -> Option<Vec<u8>> {
    let part = len / 4 + 1;
    let fetch = |number: usize| {
        let (from, to) = (number * part, ((number + 1) * part).min(len) - 1);
        let answer = client::get(stage.at(), path, &[&format!("Range: bytes={from}-{to}")]);
        (answer.status == 206 && answer.is_whole()).then_some(answer.body)
    };
    let parts: Vec<Option<Vec<u8>>> = thread::scope(|scope| {
        let parts: Vec<_> = (0..4).map(|number| scope.spawn(move || fetch(number))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let parts = parts.into_iter().enumerate().map(|(number, part)| part.or_else(|| fetch(number)));
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
}
