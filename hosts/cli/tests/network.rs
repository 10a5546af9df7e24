//! The command behind what stands between users and hubs: a certificate authority of the house, and a proxy.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod authority;

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hubstow_serve::{RunningServer, Server};
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// A hub with one file, an empty cache, and a relay that leads to the hub.
struct Stage {
    folder: TempDir,
    hub: RunningServer,
    runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/acme/tiny");
        fs::create_dir_all(&repo).unwrap();
        fs::write(repo.join("config.json"), "{}\n").unwrap();
        let hub = Server::builder(folder.path().join("hub")).build().spawn_on_loopback().unwrap();
        Self { folder, hub, runtime: Runtime::new().unwrap() }
    }

    /// Relays connections to the hub, through TLS where an acceptor is given.
    fn relay(&self, tls: Option<TlsAcceptor>) -> SocketAddr {
        self.counting_relay(tls, &Arc::default())
    }

    /// Relays as well, and counts the connections.
    fn counting_relay(&self, tls: Option<TlsAcceptor>, count: &Arc<AtomicUsize>) -> SocketAddr {
        let count = Arc::clone(count);
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (here, hub) = (listener.local_addr().unwrap(), self.hub.address());
        self.runtime.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let tls = tls.clone();
                tokio::spawn(async move {
                    let mut hub = TcpStream::connect(hub).await.unwrap();
                    match tls {
                        None => copy_bidirectional(&mut client, &mut hub).await.map(|_| ()),
                        Some(tls) => match tls.accept(client).await {
                            Ok(mut client) => {
                                copy_bidirectional(&mut client, &mut hub).await.map(|_| ())
                            }
                            // The client did not trust the certificate.
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        here
    }

    fn download(&self, vars: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hubstow"))
            .env_clear()
            .env("HF_HOME", self.folder.path().join("home"))
            .envs(vars.iter().copied())
            .args(["download", "acme/tiny", "config.json", "--quiet"])
            .output()
            .unwrap()
    }
}

#[track_caller]
fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_private_certificate_authority_is_trusted_when_it_is_named_and_only_then() {
    let stage = Stage::new();
    let (authority, tls) = authority::certificates(&[]);
    let file = stage.folder.path().join("authority.pem");
    fs::write(&file, authority).unwrap();
    let endpoint = format!("https://localhost:{}", stage.relay(Some(tls)).port());
    let trusted =
        stage.download(&[("HF_ENDPOINT", &endpoint), ("SSL_CERT_FILE", file.to_str().unwrap())]);
    assert!(trusted.status.success(), "{}", stderr(&trusted));
    let unnamed = stage.download(&[("HF_ENDPOINT", &endpoint), ("HF_HOME", "/nonexistent")]);
    assert_eq!(unnamed.status.code(), Some(8), "{}", stderr(&unnamed));
    assert!(stderr(&unnamed).contains("SSL_CERT_FILE"), "{}", stderr(&unnamed));
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_in_a_sentence_and_not_tried_again() {
    let site = || CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let other = CertificateParams::new(vec!["elsewhere.test".to_owned()]).unwrap();
    let (mut expired, mut early, mut authority) = (site(), site(), site());
    expired.not_after = date_time_ymd(2001, 1, 1);
    early.not_before = date_time_ymd(4001, 1, 1);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (what, certificate, named, words, hint) in [
        ("nobody's", site(), false, "signed by nobody whom this system trusts", "SSL_CERT_FILE"),
        ("another's", other, true, "is of another server", "HF_ENDPOINT"),
        ("expired", expired, true, "has expired", "clock"),
        ("early", early, true, "is not valid yet", "clock"),
        ("an authority", authority, true, "an authority's certificate", "CA:FALSE"),
    ] {
        let (stage, connections) = (Stage::new(), Arc::default());
        let (authority, tls) = authority::signed(certificate, &[]);
        let file = stage.folder.path().join("authority.pem");
        fs::write(&file, authority).unwrap();
        let port = stage.counting_relay(Some(tls), &connections).port();
        let endpoint = format!("https://localhost:{port}");
        let ours = named.then(|| ("SSL_CERT_FILE", file.to_str().unwrap()));
        let vars: Vec<_> = [("HF_ENDPOINT", endpoint.as_str())].into_iter().chain(ours).collect();
        let found = stage.download(&vars);
        let told = stderr(&found);
        assert_eq!(found.status.code(), Some(8), "{what}: {told}");
        assert!(told.contains(words) && told.contains(hint), "{what}: {told}");
        assert_eq!(connections.load(Ordering::Relaxed), 1, "{what}: {told}");
    }
}

#[test]
fn a_proxy_is_used_where_the_variables_say_so() {
    let stage = Stage::new();
    let proxy = format!("http://{}", stage.relay(None));
    let through = stage.download(&[
        ("HF_ENDPOINT", "http://hub.invalid"),
        ("HTTP_PROXY", &proxy),
        ("http_proxy", &proxy),
    ]);
    assert!(through.status.success(), "{}", stderr(&through));
    assert!(!stage.hub.requests().is_empty());
}
