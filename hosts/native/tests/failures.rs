//! What the transport of native programs says of requests that fail: the kind, and the system's number where there is one.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use http::Method;
use hubstow_native::{Config, Proxies, Proxy, Request, TransportError, TransportErrorKind, parts};
use url::Url;

/// A server that reads what comes first on a connection, answers with these bytes, and closes it.
fn answers(with: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(with);
        }
    });
    here
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Sends a request, reads what is answered, and returns why that failed.
async fn failure(url: &str, proxies: Proxies) -> TransportError {
    let mut config = Config::new("cache");
    config.proxies = proxies;
    let transport = parts(&config).transport;
    let request = Request::new(Method::GET, Url::parse(url).unwrap(), Duration::from_secs(10));
    let mut answer = match transport.send(request).await {
        Ok(answer) => answer,
        Err(error) => return error,
    };
    loop {
        match answer.body.chunk().await {
            Ok(piece) => assert!(piece.is_some(), "{url} was answered whole"),
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn a_request_that_fails_says_of_which_kind_that_is_and_keeps_its_cause() {
    let refusing = Proxy::parse(&answers(b"HTTP/1.1 403 Forbidden\r\n\r\n").to_string()).unwrap();
    let mut through = Proxies::default();
    through.https = Some(refusing);
    let short = answers(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort");
    let plain = answers(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for (url, proxies, kind, words) in [
        (format!("http://{}/a", nobody()), Proxies::default(), TransportErrorKind::Connect, ""),
        (format!("https://{}/a", nobody()), Proxies::default(), TransportErrorKind::Connect, ""),
        (format!("https://{plain}/a"), Proxies::default(), TransportErrorKind::Tls, ""),
        (format!("http://{short}/a"), Proxies::default(), TransportErrorKind::Broken, ""),
        (format!("http://{}/a", answers(b"")), Proxies::default(), TransportErrorKind::Broken, ""),
        ("https://hub.example/a".to_owned(), through, TransportErrorKind::Proxy, "tunnel"),
    ] {
        let url = format!("{url}?secret");
        let error = failure(&url, proxies).await;
        let told = hubstow_client::with_causes(&error);
        assert_eq!(error.kind(), kind, "{url}: {told}");
        assert!(told.len() > error.to_string().len() && told.contains(words), "{url}: {told}");
        assert!(!told.contains("secret"), "{url}: {told}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_refused_connection_keeps_the_number_of_the_system() {
    let error = failure(&format!("http://{}/a", nobody()), Proxies::default()).await;
    let number =
        hubstow_cache::disk::failure::io_error(&error).and_then(std::io::Error::raw_os_error);
    assert_eq!(number, Some(rustix::io::Errno::CONNREFUSED.raw_os_error()), "{error:?}");
}
