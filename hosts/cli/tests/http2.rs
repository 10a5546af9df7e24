//! A hub that speaks HTTP/2: small files share a connection, and a large file has connections of its own.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod authority;

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    extract::Request,
    http::Version,
    middleware::{self, Next},
};
use hubstow_serve::Server;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_rustls::TlsAcceptor;

const SMALL_FILES: usize = 300;
const LARGE_BYTES: usize = 96 << 20;

/// What came: on which connection, in which version of HTTP, and for what.
type Heard = Arc<Mutex<Vec<(usize, Version, String)>>>;

/// Serves in either version, and takes down what comes; returns the port.
fn serve(runtime: &Runtime, router: axum::Router, tls: TlsAcceptor, heard: Heard) -> u16 {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, heard) = (tls.clone(), Arc::clone(&heard));
            let layer = middleware::from_fn(move |request: Request, next: Next| {
                let path = request.uri().path().to_owned();
                heard.lock().unwrap().push((connection, request.version(), path));
                next.run(request)
            });
            let service = TowerToHyperService::new(router.clone().layer(layer));
            tokio::spawn(async move {
                let stream = TokioIo::new(tls.accept(stream).await.unwrap());
                let server = auto::Builder::new(TokioExecutor::new());
                // The client closes it when it likes.
                let _ = server.serve_connection(stream, service).await;
            });
        }
    });
    port
}

#[test]
fn small_files_share_a_connection_and_ranges_have_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("hub/acme/mixed");
    fs::create_dir_all(&model).unwrap();
    for at in 0..SMALL_FILES {
        fs::write(model.join(format!("{at:03}.txt")), format!("file {at}\n")).unwrap();
    }
    let mut large = vec![0; LARGE_BYTES];
    fastrand::Rng::with_seed(7).fill(&mut large);
    fs::write(model.join("large.bin"), &large).unwrap();

    let (authority, tls) = authority::certificates(&["h2", "http/1.1"]);
    let ca = folder.path().join("authority.pem");
    fs::write(&ca, authority).unwrap();
    let (runtime, heard) = (Runtime::new().unwrap(), Heard::default());
    let router = Server::builder(folder.path().join("hub")).frozen().build().router();
    let port = serve(&runtime, router, tls, Arc::clone(&heard));
    let ended = Command::new(env!("CARGO_BIN_EXE_hubstow"))
        .args(["download", "acme/mixed", "--quiet"])
        .env_clear()
        .env("HF_ENDPOINT", format!("https://localhost:{port}"))
        .env("HF_HUB_CACHE", folder.path().join("cache"))
        .env("SSL_CERT_FILE", ca)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let snapshot = String::from_utf8(ended.stdout).unwrap();
    let snapshot = std::path::Path::new(snapshot.trim_end());
    assert!(fs::read(snapshot.join("large.bin")).unwrap() == large);
    for at in 0..SMALL_FILES {
        let content = fs::read_to_string(snapshot.join(format!("{at:03}.txt"))).unwrap();
        assert_eq!(content, format!("file {at}\n"));
    }

    let heard = heard.lock().unwrap();
    let small: Vec<_> = heard.iter().filter(|(.., path)| path.ends_with(".txt")).collect();
    assert_eq!(small.len(), SMALL_FILES);
    assert!(small.iter().all(|(_, version, _)| *version == Version::HTTP_2));
    let mut connections: Vec<_> = small.iter().map(|(connection, ..)| connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert!(connections.len() <= 2, "{} connections", connections.len());
    let of_large = heard.iter().filter(|(.., path)| path.ends_with("large.bin"));
    let shared = of_large.filter(|(_, version, _)| *version == Version::HTTP_2).count();
    assert!(
        shared <= 1,
        "the first request finds out how large it is; {shared} share a connection"
    );
}
