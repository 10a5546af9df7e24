use std::time::Duration;

use futures_util::future::join_all;
use hubstow_core::facts::Staged;

use crate::{
    api::{error::ErrorKind, event::Event},
    http::transport::TransportError,
    lookup::direct::Directory,
    receive::{
        fetch::Failed,
        stage::{COMMIT, Ended, Reply, Stage, broken, noise},
    },
};

const CONTENT: &[u8] = b"a few words of content";
/// As long, and not the same.
const OTHER: &[u8] = b"a few words of nothing";

type Replies = Vec<Result<Reply, TransportError>>;

/// How a fetch ends: complete, or for this reason with so many bytes here.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Complete,
    Moved(ErrorKind, u64),
    Error(ErrorKind, u64),
}

fn end(ended: &Ended) -> End {
    let received_bytes = ended.staged.received_bytes();
    match &ended.result {
        Ok(()) => {
            assert_eq!(ended.staged.state(), Staged::Complete);
            End::Complete
        }
        Err(Failed::Doubted(_, error)) => End::Moved(error.kind(), received_bytes),
        Err(Failed::Error(error)) => End::Error(error.kind(), received_bytes),
    }
}

/// What was told, without what was received.
fn told(events: &[Event]) -> String {
    let word = |event: &Event| match event {
        Event::Started { already, .. } => format!("from {already}"),
        Event::StartedOver { .. } => "over".to_owned(),
        Event::Retrying { retry, .. } => format!("retry {retry}"),
        Event::Received { .. } => String::new(),
        event @ (Event::Listed { .. }
        | Event::Throttled { .. }
        | Event::Waiting { .. }
        | Event::Finished { .. }
        | Event::EndpointLeft { .. }
        | Event::Warned { .. }) => format!("{event:?}"),
    };
    let words: Vec<_> = events.iter().map(word).filter(|word| !word.is_empty()).collect();
    words.join(", ")
}

fn whole() -> Result<Reply, TransportError> {
    Ok(Reply::whole(CONTENT))
}

fn rest(from: usize) -> Result<Reply, TransportError> {
    Ok(Reply::range(CONTENT, from, CONTENT.len()))
}

fn cut(bytes: usize) -> Result<Reply, TransportError> {
    Ok(Reply::whole(CONTENT).breaks_after(bytes))
}

fn status(status: u16) -> Result<Reply, TransportError> {
    Ok(Reply::status(status))
}

#[track_caller]
fn check(what: &str, ended: &Ended, asked: &[&str], expected: &End, events: &str) {
    assert_eq!(&end(ended), expected, "{what}");
    assert_eq!(ended.asked, asked, "{what}");
    assert_eq!(told(&ended.events), events, "{what}");
}

#[tokio::test]
async fn whatever_the_line_does_the_content_comes() {
    let rows: Vec<(&str, Replies, &[&str], &str)> = vec![
        ("at once", vec![whole()], &["named"], "from 0"),
        ("after no answer", vec![Err(broken()), whole()], &["named", "named"], "from 0, retry 1"),
        ("in two parts", vec![cut(5), rest(5)], &["named", "named 5-"], "from 0, retry 1"),
        (
            "after a body that ends early",
            vec![Ok(Reply::whole(CONTENT).ends_after(5)), rest(5)],
            &["named", "named 5-"],
            "from 0, retry 1",
        ),
        (
            "from a hub that ignores the range",
            vec![cut(5), whole()],
            &["named", "named 5-"],
            "from 0, retry 1, over",
        ),
        (
            "from a hub that refuses the range",
            vec![cut(5), status(416), whole()],
            &["named", "named 5-", "named"],
            "from 0, retry 1, over, retry 2",
        ),
        (
            "from a hub that sends another range",
            vec![cut(5), rest(6), whole()],
            &["named", "named 5-", "named"],
            "from 0, retry 1, over, retry 2",
        ),
        (
            "from a hub that fails",
            vec![status(503), whole()],
            &["named", "named"],
            "from 0, retry 1",
        ),
        (
            "after wrong content",
            vec![Ok(Reply::whole(OTHER)), whole()],
            &["named", "pinned"],
            "from 0, over",
        ),
        (
            "after too much content",
            vec![Ok(Reply::status(200).piece(CONTENT).piece(b"more")), whole()],
            &["named", "pinned"],
            "from 0, over",
        ),
        (
            "after content that says it is too long",
            vec![Ok(Reply::whole(b"too long for what was promised")), whole()],
            &["named", "pinned"],
            "from 0, over",
        ),
        (
            "after the address has expired",
            vec![status(403), whole()],
            &["named", "pinned"],
            "from 0",
        ),
        (
            "after it has expired half-way",
            vec![cut(5), status(403), rest(5)],
            &["named", "named 5-", "pinned 5-"],
            "from 0, retry 1",
        ),
    ];
    for (what, replies, asked, events) in rows {
        let stage = Stage::replying(CONTENT, replies);
        let ended = stage.receive(stage.staged(0)).await;
        check(what, &ended, asked, &End::Complete, events);
    }
}

#[tokio::test]
async fn what_can_not_be_had_is_given_up_and_what_is_right_of_it_is_kept() {
    let elsewhere = |etag: &str| {
        let reply = Reply::whole(CONTENT).with("x-repo-commit", COMMIT);
        Ok(reply.with("etag", format!("\"{etag}\"")))
    };
    let rows: Vec<(&str, Replies, &[&str], End, &str)> = vec![
        (
            "a line that breaks too often",
            vec![cut(5), Err(broken()), Err(broken()), Err(broken())],
            &["named", "named 5-", "named 5-", "named 5-"],
            End::Error(ErrorKind::HubUnreachable, 5),
            "from 0, retry 1, retry 2, retry 3",
        ),
        (
            "a hub that fails too often",
            vec![status(500), status(502), status(503), status(504)],
            &["named"; 4],
            End::Error(ErrorKind::HubFailing, 0),
            "from 0, retry 1, retry 2, retry 3",
        ),
        (
            "wrong content twice",
            vec![Ok(Reply::whole(OTHER)), Ok(Reply::whole(OTHER))],
            &["named", "pinned"],
            End::Moved(ErrorKind::ContentMismatch, 0),
            "from 0, over",
        ),
        (
            "a refusal at the hub",
            vec![cut(5), status(403), status(403)],
            &["named", "named 5-", "pinned 5-"],
            End::Error(ErrorKind::AccessRefused, 5),
            "from 0, retry 1",
        ),
        (
            "a file that is gone",
            vec![status(404), Ok(Reply::status(404).with("x-error-code", "EntryNotFound"))],
            &["named", "pinned"],
            End::Moved(ErrorKind::EntryNotFound, 0),
            "from 0",
        ),
        (
            "other content than was promised",
            vec![elsewhere("another")],
            &["named"],
            End::Moved(ErrorKind::ContentMismatch, 0),
            "from 0",
        ),
        (
            "content in an encoding",
            vec![Ok(Reply::whole(CONTENT).with("content-encoding", "br"))],
            &["named"],
            End::Error(ErrorKind::HubFailing, 0),
            "from 0",
        ),
        (
            "a redirect to another scheme, from the hub as well",
            vec![
                Ok(Reply::status(302).with("location", "http://cdn.test/")),
                Ok(Reply::status(302).with("location", "ftp://cdn.test/")),
            ],
            &["named", "pinned"],
            End::Error(ErrorKind::HubFailing, 0),
            "from 0",
        ),
    ];
    for (what, replies, asked, expected, events) in rows {
        let stage = Stage::replying(CONTENT, replies);
        let ended = stage.receive(stage.staged(0)).await;
        check(what, &ended, asked, &expected, events);
    }
}

/// Another version could be behind it, and no hash would tell.
#[tokio::test]
async fn without_a_hash_only_the_hub_itself_continues_what_is_here() {
    let stage = Stage::replying(CONTENT, vec![cut(5), rest(5), whole()]).opaque();
    let ended = stage.receive(stage.staged(0)).await;
    let asked = ["named", "named 5-", "named"];
    check("elsewhere", &ended, &asked, &End::Complete, "from 0, retry 1, over, retry 2");
    let stage = Stage::replying(CONTENT, vec![cut(5), rest(5)]).opaque().at_hub();
    let ended = stage.receive(stage.staged(0)).await;
    check("at the hub", &ended, &["pinned", "pinned 5-"], &End::Complete, "from 0, retry 1");
}

#[tokio::test]
async fn what_is_here_already_is_not_asked_for() {
    for (what, have, asked) in [("a part", 5, &["named 5-"][..]), ("all", CONTENT.len(), &[])] {
        let stage = Stage::replying(CONTENT, vec![rest(5)]);
        let ended = stage.receive(stage.staged(have)).await;
        check(what, &ended, asked, &End::Complete, &format!("from {have}"));
    }
}

/// The hub's own words, errno and all, must be found below what a user reads.
#[tokio::test]
async fn an_error_leads_to_its_cause() {
    let stage = Stage::replying(CONTENT, Vec::new());
    let Err(Failed::Error(error)) = stage.receive(stage.staged(0)).await.result else {
        panic!("nothing answers");
    };
    let cause = std::error::Error::source(&error).unwrap();
    let told = hubstow_cache::disk::failure::with_causes(cause);
    assert!(told.contains(&broken().to_string()), "{told}");
}

#[tokio::test]
async fn a_first_try_in_memory_is_gone_on_from() {
    let rows: Vec<(&str, Replies, &[&str], &str)> = vec![
        ("half of it", vec![cut(5), rest(5)], &["named", "named 5-"], "from 0, retry 1"),
        (
            "a body that ends early",
            vec![Ok(Reply::whole(CONTENT).ends_after(5)), rest(5)],
            &["named", "named 5-"],
            "from 0, retry 1",
        ),
        ("an address that has expired", vec![status(403), whole()], &["named", "pinned"], "from 0"),
        (
            "too much",
            vec![Ok(Reply::status(200).piece(CONTENT).piece(b"more")), whole()],
            &["named", "pinned"],
            "from 0, over",
        ),
    ];
    for (what, replies, asked, events) in rows {
        let stage = Stage::replying(CONTENT, replies);
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |event| told.lock().unwrap().push(event);
        let fetch = stage.fetch();
        let size = CONTENT.len() as u64;
        let unfinished =
            stage.http.fetch_small(&fetch, size, &Directory::default(), &tell).await.err();
        assert!(unfinished.is_some(), "{what}");
        let mut ended = stage.receive_after(stage.staged(0), unfinished).await;
        let mut all = told.into_inner().unwrap();
        all.append(&mut ended.events);
        ended.events = all;
        check(what, &ended, asked, &End::Complete, events);
    }
}

/// What a hub does with ranges that are asked for ahead of the first stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    Given,
    Ignored,
    Refused(u16),
    /// Each of them breaks once.
    Broken,
}

/// How long a reply takes to begin, and each 64 KiB of it.
#[derive(Clone, Copy, Debug)]
struct Line {
    delay: Duration,
    pace: Duration,
}

impl Line {
    const NEAR: Self = Self { delay: Duration::ZERO, pace: Duration::from_millis(1) };
    const FAR: Self = Self { delay: Duration::from_millis(80), pace: Duration::from_millis(8) };

    fn slow(self, reply: Reply) -> Reply {
        reply.late(self.delay).slowly(64 << 10, self.pace)
    }
}

/// Fetches a large file over this line from a hub that does this; tells how many requests that took.
async fn receive_large(content: &[u8], connections: usize, ahead: Ahead, line: Line) -> usize {
    let (served, mut tries) = (content.to_vec(), 0);
    let slowly = move |reply: Reply| line.slow(reply);
    let stage = Stage::with_store(content, connections, None, move |asked| {
        let Some((from, to)) = asked.strip_prefix("named ").and_then(|r| r.split_once('-')) else {
            return Ok(slowly(Reply::whole(&served)));
        };
        tries += 1;
        let from: usize = from.parse().unwrap();
        let to = to.parse().map_or(served.len(), |last: usize| last + 1);
        let range = Reply::range(&served, from, to);
        Ok(match ahead {
            Ahead::Broken if tries % 2 == 1 => range.breaks_after(100),
            Ahead::Given | Ahead::Broken => slowly(range),
            Ahead::Ignored => Reply::whole(&served),
            Ahead::Refused(status) => Reply::status(status),
        })
    });
    let ended = stage.receive(stage.staged(0)).await;
    assert_eq!(end(&ended), End::Complete, "{ahead:?}");
    assert!(!told(&ended.events).contains("over"), "{ahead:?}: {}", told(&ended.events));
    ended.asked.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_on_several_connections_or_on_one_and_is_right() {
    let content = noise(1, 20 << 20);
    let rows = [
        (Ahead::Given, 5..40),
        (Ahead::Broken, 5..80),
        (Ahead::Ignored, 2..5),
        (Ahead::Refused(503), 2..5),
        (Ahead::Refused(416), 2..5),
    ];
    let requests = rows.iter().map(|(ahead, _)| receive_large(&content, 4, *ahead, Line::NEAR));
    let requests = join_all(requests).await;
    for ((ahead, expected), requests) in rows.iter().zip(requests) {
        assert!(expected.contains(&requests), "{ahead:?}: {requests}");
    }
}

/// What is asked for while others end must not cost them what they have.
#[tokio::test(flavor = "multi_thread")]
async fn many_connections_take_few_requests() {
    let content = noise(2, 48 << 20);
    for line in [Line::FAR, Line::NEAR] {
        let requests = receive_large(&content, 16, Ahead::Given, line).await;
        assert!((16..=90).contains(&requests), "{line:?}: {requests}");
    }
}
