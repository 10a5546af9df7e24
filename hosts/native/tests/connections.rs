//! Which connections the transport of native programs uses.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    future::Future,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use http::Method;
use hubstow_native::{Config, Request, Transport, parts};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use url::Url;

/// How long an answer is waited for that does not come.
const PATIENCE: Duration = Duration::from_millis(300);

/// A server that answers the first request of each connection with its number, keeps the connection, and never says more.
fn answers_once_a_connection() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            let mut connection = connection.unwrap();
            thread::spawn(move || {
                let request = BufReader::new(connection.try_clone().unwrap());
                let mut lines = request.lines().map_while(Result::ok);
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                let body = number.to_string();
                write!(
                    connection,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
                while lines.next().is_some() {}
            });
        }
    });
    Url::parse(&format!("http://{here}/")).unwrap()
}

fn request(url: &Url, made_after: Option<Instant>) -> Request {
    let mut request = Request::new(Method::GET, url.clone(), PATIENCE);
    request.made_after = made_after;
    request
}

/// Returns the number of the connection that has brought the answer; `None` where none came.
async fn connection(transport: &dyn Transport, request: Request) -> Option<usize> {
    let mut answer = timeout(PATIENCE, transport.send(request)).await.ok()?.unwrap();
    let mut body = Vec::new();
    while let Some(piece) = answer.body.chunk().await.unwrap() {
        body.extend_from_slice(&piece);
    }
    Some(String::from_utf8(body).unwrap().parse().unwrap())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn after_a_failure_no_connection_is_used_that_was_there_before() {
    let (url, transport) = (answers_once_a_connection(), parts(&Config::new("/cache")).transport);
    runtime().block_on(async {
        let send = |made_after| connection(&*transport, request(&url, made_after));
        assert_eq!(send(None).await, Some(0));
        assert_eq!(send(None).await, None, "the connection is kept, and nothing more comes on it");
        let failed = Some(Instant::now());
        assert_eq!(send(failed).await, Some(1));
        assert_eq!(send(failed).await, None, "a connection that was made since then is used again");
        assert_eq!(send(Some(Instant::now())).await, Some(2));
    });
}

#[test]
fn each_runtime_has_connections_of_its_own() {
    let (url, transport) = (answers_once_a_connection(), parts(&Config::new("/cache")).transport);
    let runtimes: Vec<_> = std::iter::repeat_with(runtime).take(6).collect();
    for (number, runtime) in runtimes.iter().enumerate() {
        let first = runtime.block_on(connection(&*transport, request(&url, None)));
        assert_eq!(first, Some(number));
    }
}

#[test]
fn where_there_is_no_runtime_that_is_what_is_missing() {
    let transport = parts(&Config::new("/cache")).transport;
    let url = Url::parse("http://127.0.0.1:1/").unwrap();
    let mut sent = pin!(transport.send(request(&url, None)));
    let Poll::Ready(answer) = sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for something that no runtime will bring");
    };
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("runtime"), "{error}");
}
