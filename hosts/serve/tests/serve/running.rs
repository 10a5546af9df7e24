//! Starting, stopping and the record of requests.

use std::net::TcpStream;

use axum::{Router, http::StatusCode, middleware};
use hubstow_serve::{Error, RunningServer, Server};

use crate::{Served, client::send};

#[test]
fn requests_are_recorded_until_they_are_cleared() {
    let served = Served::with(&[("org/name/f", "0123")], |builder| builder.token("right"));
    served.send("HEAD /org/name/resolve/main/f\nAuthorization: Bearer right");
    served.send("GET /org/name/resolve/main/f?x=%20\nHost: other\nRange: bytes=1-");
    let requests = served.running.requests();
    let [head, get] = requests.as_slice() else { panic!("two requests: {requests:?}") };
    assert_eq!((head.method.as_str(), head.status, head.authorized), ("HEAD", Some(200), true));
    assert_eq!((head.path.as_str(), head.range.as_deref()), ("/org/name/resolve/main/f", None));
    assert_eq!((get.method.as_str(), get.status, get.authorized), ("GET", Some(401), false));
    assert_eq!(get.path, "/org/name/resolve/main/f?x=%20");
    assert_eq!((get.range.as_deref(), get.host.as_deref()), (Some("bytes=1-"), Some("other")));
    served.running.clear_requests();
    assert_eq!(served.running.requests(), []);
}

#[test]
fn dropping_the_handle_stops_the_server_even_with_a_connection_open() {
    let served = Served::over(&[("org/name/f", "x")]);
    let address = served.running.address();
    let _idle = TcpStream::connect(address).unwrap();
    drop(served);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_router_with_layers_that_fail_is_served_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let fail = middleware::from_fn(|_: axum::extract::Request, _: middleware::Next| async {
        StatusCode::SERVICE_UNAVAILABLE
    });
    let router: Router = Server::builder(folder.path()).build().router().layer(fail);
    let running = RunningServer::start_on_loopback(router).unwrap();
    assert_eq!(send(running.address(), "GET /x").status, 503);
    assert_eq!(running.requests()[0].status, Some(503));
}

#[test]
fn a_folder_that_is_missing_is_an_error_at_the_start() {
    let server = Server::builder("/nowhere/at/all").build();
    let error = server.spawn_on_loopback().expect_err("there is no such folder");
    assert!(matches!(error, Error::Root { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

#[test]
fn serve_ends_when_its_signal_does() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::builder(folder.path()).build().serve(listener, async {}).await
    });
    assert!(ended.is_ok());
}
