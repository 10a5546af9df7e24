//! What each answer of a store means, from a server that gives it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use hubstow_tier::{Error, ErrorKind, Limits, State, Tier};

use crate::stage::{Sample, limits};

const SECRET: &str = "s3cret-s3cret";

/// A server that gives every request one answer; an empty one is none at all.
fn serve(answer: String) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            if answer.is_empty() {
                kept.push(stream);
            } else {
                let _ = give(stream, &answer);
            }
        }
    });
    port
}

fn give(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(answer.as_bytes())
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

fn tier(port: u16, limits: Limits) -> Tier {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        // It means something else to whoever has set it.
        ("ENDPOINT", "http://127.0.0.1:1".to_owned()),
        ("TOKEN", "another".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Tier::open_with("s3://bucket/prefix", limits, variables).unwrap()
}

fn once() -> Limits {
    let mut limits = limits();
    limits.tries = 1;
    limits.try_time = Duration::from_millis(500);
    limits
}

async fn read(tier: &Tier) -> Result<bool, Error> {
    Ok(tier.get(&Sample::small(1).id, None).await?.is_some())
}

#[tokio::test]
async fn each_answer_has_its_meaning_and_shows_no_secret() {
    let slow = "<Error><Code>SlowDown</Code></Error>";
    let signature = format!("<Error><Code>SignatureDoesNotMatch</Code><X>{SECRET}</X></Error>");
    let region = "<Error><Code>PermanentRedirect</Code></Error>";
    let rows = [
        ("503 Slow", "Retry-After: 7\r\n", slow, ErrorKind::Unavailable, "503 (SlowDown)"),
        ("500 Broken", "", "", ErrorKind::Unavailable, "500"),
        ("429 Many", "", "no XML", ErrorKind::Unavailable, "429"),
        ("408 Late", "", "", ErrorKind::Unavailable, "408"),
        ("403 No", "", signature.as_str(), ErrorKind::Denied, "403 (SignatureDoesNotMatch)"),
        ("401 Who", "", "", ErrorKind::Denied, "401"),
        ("301 Moved", "", region, ErrorKind::Refused, "AWS_REGION"),
        ("307 Moved", "Location: http://127.0.0.1:1/\r\n", "", ErrorKind::Refused, "AWS_REGION"),
        ("400 Bad", "", "<Code>InvalidRequest</Code>", ErrorKind::Refused, "400 (InvalidRequest)"),
        ("416 Range", "", "", ErrorKind::Refused, "416"),
    ];
    for (status, headers, body, kind, shown) in rows {
        let tier = tier(serve(answer(status, headers, body)), once());
        let error = read(&tier).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(shown), "{status}: {text}");
        assert!(!text.contains(SECRET) && !text.contains("127.0.0.1"), "{text}");
        let away = matches!(tier.state(), State::Away { .. });
        assert_eq!(away, kind == ErrorKind::Unavailable, "{status}");
        let asked = (status == "503 Slow").then_some(Duration::from_secs(7));
        assert_eq!(error.retry_after(), asked, "{status}");
    }
    let missing = tier(serve(answer("404 Nothing", "", "<Code>NoSuchKey</Code>")), once());
    assert!(!read(&missing).await.unwrap());
}

#[tokio::test]
async fn a_store_that_says_nothing_or_is_not_there_is_given_up_in_time() {
    let refused = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let mut limits = once();
    limits.tries = 3;
    for port in [serve(String::new()), refused] {
        let tier = tier(port, limits.clone());
        let start = Instant::now();
        assert_eq!(read(&tier).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
