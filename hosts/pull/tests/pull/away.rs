//! Upstream that can't be reached, fails, or wants to be left alone.

use std::time::Duration;

use axum::http::Method;

use crate::{MAIN, Stage, client, node};

const MIB: usize = 1 << 20;
const GOOD: &str = "Authorization: Bearer hf_good";
const OTHER: &str = "Authorization: Bearer hf_other";

#[test]
fn what_is_here_is_served_while_upstream_is_away_to_whom_it_was_given_and_says_so() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 21, 2 * MIB);
    stage.upstream.put("never.bin", 22, 100);
    stage.upstream.line().let_in = vec!["hf_good"];
    assert!(stage.get("big.bin", &[GOOD]).body == content);
    let info = client::get(stage.at(), "/api/models/acme/m/revision/main", &[GOOD]);
    let list = client::get(stage.at(), "/api/models?search=acme", &[GOOD]);
    assert_eq!(list.status, 200);
    for refusal in [503, 502] {
        stage.upstream.line().refusal = Some((refusal, None));
        // What was allowed a moment ago is not asked for again, so another revision of the same is.
        let head = client::begin(stage.at(), "HEAD", &format!("{MAIN}/never.bin"), &[GOOD]).rest();
        assert_eq!(head.status, 503.min(refusal), "it is not here");
        let again = client::get(stage.at(), "/api/models/acme/m/revision/main", &[GOOD]);
        assert!(again.status == 200 && again.body == info.body);
        assert_eq!(again.header("warning"), Some("111 hubstow \"Revalidation Failed\""));
        assert!(again.header("x-hubstow-stale").is_some());
        let again = client::get(stage.at(), "/api/models?search=acme", &[GOOD]);
        assert!(again.status == 200 && again.body == list.body, "{again:?}");
        assert!(again.header("x-hubstow-stale").is_some());
        let others = client::get(stage.at(), "/api/models?search=acme", &[OTHER]);
        assert!(others.status >= 500, "it was said to somebody else: {}", others.status);
        let others = client::get(stage.at(), "/api/models/acme/m/revision/main", &[OTHER]);
        assert!(others.status >= 500, "it may be about whoever asked: {}", others.status);
        let other = client::get(stage.at(), &format!("{MAIN}/big.bin"), &[OTHER]);
        assert!(other.status >= 500, "nobody can say whether it may: {}", other.status);
    }
    // The branch is asked for after it was believed for long enough.
    std::thread::sleep(Duration::from_secs(6));
    let stale = stage.get("big.bin", &[GOOD]);
    assert!(stale.status == 200 && stale.body == content && stale.header("warning").is_some());
    assert_eq!(stage.get("big.bin", &[OTHER]).status, 502);
    stage.upstream.line().refusal = None;
    std::thread::sleep(Duration::from_secs(6));
    let fresh = stage.get("big.bin", &[GOOD]);
    assert!(fresh.status == 200 && fresh.header("warning").is_none());
}

#[test]
fn that_a_commit_has_no_such_file_is_asked_once_and_known_while_upstream_is_away() {
    let stage = Stage::new();
    assert_eq!(stage.get("config.json", &[]).body, b"{}\n");
    let ask = || {
        let answer = stage.get("optional.json", &[]);
        let commit = answer.header("x-repo-commit").map(str::len);
        (answer.status, answer.header("x-error-code").map(str::to_owned), commit)
    };
    let missing = (404, Some("EntryNotFound".to_owned()), Some(40));
    let asked = || stage.upstream.line().asked.iter().filter(|at| at.1.contains("opt")).count();
    assert_eq!((ask(), ask(), asked()), (missing.clone(), missing.clone(), 1));
    stage.upstream.line().refusal = Some((503, None));
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(ask(), missing);
    assert_eq!(stage.get("other.json", &[]).status, 503, "nobody can say whether there is one");
}

#[test]
fn a_hub_that_limits_the_rate_is_repeated_with_its_wait() {
    let stage = Stage::new();
    stage.upstream.put("big.bin", 23, 2 * MIB);
    stage.upstream.line().refusal = Some((429, Some(77)));
    let answer = stage.get("big.bin", &[]);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("77")));
}

#[test]
fn a_hub_that_dies_in_the_middle_breaks_the_answer_and_is_gone_on_with_later() {
    let stage = Stage::new();
    let content = stage.upstream.put("big.bin", 24, 6 * MIB);
    stage.upstream.line().cut_at = Some(3 * MIB as u64);
    let reading = client::begin(stage.at(), "GET", &format!("{MAIN}/big.bin"), &[]);
    stage.wait("the line is cut", || stage.upstream.line().sent_bytes >= 3 * MIB as u64);
    stage.upstream.line().refusal = Some((404, None));
    let broken = reading.rest();
    assert!(!broken.is_whole() && content.starts_with(&broken.body));
    {
        let mut line = stage.upstream.line();
        (line.refusal, line.cut_at) = (None, None);
        line.asked.clear();
    }
    // A client goes on with what it has.
    let range = format!("Range: bytes={}-", broken.body.len());
    let rest = stage.get("big.bin", &[&range]);
    assert!(rest.status == 206 && [broken.body, rest.body].concat() == content);
    let line = stage.upstream.line();
    let gets: Vec<_> = line.asked.iter().filter(|(method, ..)| *method == Method::GET).collect();
    let went_on = |from: u64| from >= 5 * MIB as u64 / 2;
    assert!(matches!(gets[..], [(.., Some(from))] if went_on(*from)), "{gets:?}");
}

#[test]
fn a_node_that_was_stopped_in_the_middle_goes_on_with_what_its_disk_has() {
    let mut stage = Stage::new();
    let content = stage.upstream.put("big.bin", 25, 6 * MIB);
    stage.upstream.line().hold_at = Some(3 * MIB as u64);
    let reading = client::begin(stage.at(), "GET", &format!("{MAIN}/big.bin"), &[]);
    stage.wait("half of it comes", || stage.upstream.line().sent_bytes >= 3 * MIB as u64);
    std::thread::sleep(Duration::from_millis(300));
    let next = node(&stage.upstream, &stage.disk, &stage.log, |_| {});
    drop(std::mem::replace(&mut stage.node, next));
    let broken = reading.rest();
    assert!(!broken.is_whole() && content.starts_with(&broken.body));
    stage.upstream.line().hold_at = None;
    stage.upstream.line().asked.clear();
    assert!(stage.get("big.bin", &[]).body == content);
    let line = stage.upstream.line();
    let (_, _, range) = line.asked.iter().find(|(method, ..)| *method == Method::GET).unwrap();
    assert!(range.is_some_and(|from| from >= MIB as u64), "{range:?}");
}
