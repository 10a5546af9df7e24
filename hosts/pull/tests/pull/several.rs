//! Several upstreams: each is asked when those before it are away or fail, and never for a better answer.

use hubstow_serve::RunningServer;
use tempfile::TempDir;

use crate::{MAIN, client, node, upstream::Upstream};

const MIB: usize = 1 << 20;
const GOOD: &str = "Authorization: Bearer hf_good";

/// A node before two upstreams with the same files.
struct Two {
    first: Upstream,
    second: Upstream,
    content: Vec<u8>,
    node: RunningServer,
    _disk: TempDir,
}

/// What can be wrong with an upstream.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Away,
    Fails,
    HasNothing,
    LimitsTheRate,
    SendsSomethingElse,
}

impl Two {
    fn new(wrong: Wrong) -> Self {
        let (first, second) = (Upstream::new(), Upstream::new());
        let content = first.put("big.bin", 41, 2 * MIB);
        assert!(second.put("big.bin", 41, 2 * MIB) == content);
        let disk = tempfile::tempdir().unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nowhere = format!("http://{}", closed.local_addr().unwrap());
        drop(closed);
        let url = match wrong {
            Wrong::Away => nowhere,
            Wrong::Fails | Wrong::HasNothing | Wrong::LimitsTheRate | Wrong::SendsSomethingElse => {
                first.server.url().to_owned()
            }
        };
        {
            let mut line = first.line();
            match wrong {
                Wrong::Away => {}
                Wrong::Fails => line.refusal = Some((500, None)),
                Wrong::HasNothing => line.refusal = Some((404, None)),
                Wrong::LimitsTheRate => line.refusal = Some((429, Some(1000))),
                Wrong::SendsSomethingElse => line.flip = Some((1000, u32::MAX)),
            }
        }
        let urls = format!("{url} {}", second.server.url());
        let change = |config: &mut hubstow_client::Config| config.set_endpoints(&urls).unwrap();
        let node = node(&first, &disk, &Default::default(), change);
        Self { first, second, content, node, _disk: disk }
    }

    fn get(&self, path: &str) -> client::Answer {
        client::get(self.node.address(), path, &[GOOD])
    }
}

#[test]
fn the_next_upstream_is_asked_where_the_first_is_away_or_fails() {
    for wrong in [Wrong::Away, Wrong::Fails] {
        let two = Two::new(wrong);
        let info = two.get("/api/models/acme/m/revision/main");
        assert_eq!(info.status, 200, "{wrong:?}");
        let page = two.get("/api/models/acme/m/tree/main?limit=1");
        let own = format!("<{}/api/models/acme/m/tree/main?", two.node.url());
        assert!(page.header("link").is_some_and(|link| link.starts_with(&own)), "{page:?}");
        let answer = two.get(&format!("{MAIN}/big.bin"));
        assert!(answer.status == 200 && answer.body == two.content, "{wrong:?}");
        assert_eq!(two.second.gets(), 1, "{wrong:?}");
        let line = two.second.line();
        assert!(line.tokens.iter().all(|token| token == "hf_good") && !line.tokens.is_empty());
    }
}

#[test]
fn what_the_first_upstream_answers_is_the_answer() {
    for (wrong, status) in [(Wrong::HasNothing, 404), (Wrong::LimitsTheRate, 429)] {
        let two = Two::new(wrong);
        assert_eq!(two.get(&format!("{MAIN}/big.bin")).status, status, "{wrong:?}");
        let info = two.get("/api/models/acme/m/revision/main");
        assert_eq!(info.status, status, "{wrong:?}");
        assert_eq!(two.second.server.requests().len(), 0, "{wrong:?}");
    }
}

#[test]
fn wrong_content_of_the_first_upstream_is_no_reason_to_ask_the_next() {
    let two = Two::new(Wrong::SendsSomethingElse);
    let answer = two.get(&format!("{MAIN}/big.bin"));
    assert!(answer.status == 0 || !answer.is_whole() || answer.status == 502, "{}", answer.status);
    assert!(two.first.gets() >= 1);
    assert_eq!(two.second.server.requests().len(), 0);
}

#[test]
fn a_fetch_goes_on_at_the_next_upstream_where_the_first_one_dies() {
    let two = Two::new(Wrong::SendsSomethingElse);
    {
        let mut line = two.first.line();
        (line.flip, line.hold_at) = (None, Some(MIB as u64));
    }
    let path = format!("{MAIN}/big.bin");
    let mut reading = client::begin(two.node.address(), "GET", &path, &[GOOD]);
    reading.until(MIB, std::time::Duration::from_secs(20));
    {
        let mut line = two.first.line();
        (line.refusal, line.cut_at) = (Some((503, None)), Some(MIB as u64));
    }
    let answer = reading.rest();
    assert!(answer.is_whole() && answer.body == two.content);
    let line = two.second.line();
    assert!(line.sent_bytes <= (MIB + 128 * 1024) as u64, "{} bytes again", line.sent_bytes);
}
