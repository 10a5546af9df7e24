//! Hubs that a program makes setting by setting: headers, an HTTP client and authorities of its own.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod authority;

use std::{
    fs,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use hubstow_core::hub::Endpoint;
use hubstow_native::{ErrorKind, Hub, HubBuilder, reqwest};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// What a request said of who sends it.
#[derive(Clone, Debug)]
struct Heard {
    key: Option<String>,
    user_agent: Option<String>,
}

type Ear = Arc<Mutex<Vec<Heard>>>;

/// A hub whose large files lie elsewhere, and an empty cache.
struct Stage {
    folder: TempDir,
    hub: RunningServer,
    _store: RunningServer,
    at_hub: Ear,
    at_store: Ear,
    runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("hub/acme/tiny");
        fs::create_dir_all(&repo).unwrap();
        fs::write(repo.join("config.json"), "{}\n").unwrap();
        fs::write(repo.join("model.bin"), [7; 5000]).unwrap();
        let server =
            || Server::builder(folder.path().join("hub")).lfs_from_bytes(1000).token("hf_of_hub");
        let (at_hub, at_store) = (Ear::default(), Ear::default());
        let store = heard(server().build().router(), &at_store);
        let store = RunningServer::start_on_loopback(store).unwrap();
        let hub = server().cdn(Endpoint::parse(store.url()).unwrap()).build().router();
        let hub = RunningServer::start_on_loopback(heard(hub, &at_hub)).unwrap();
        let runtime = Runtime::new().unwrap();
        Self { folder, hub, _store: store, at_hub, at_store, runtime }
    }

    fn builder(&self) -> HubBuilder {
        let cache = self.folder.path().join("cache");
        Hub::builder().cache_dir(cache).endpoint(self.hub.url()).token("hf_of_hub").no_proxy()
    }

    fn download(&self, hub: &Hub) -> Result<(), hubstow_native::Error> {
        let model = hub.model("acme/tiny").file("model.bin");
        let found = self.runtime.block_on(async { model.await })?;
        assert_eq!(fs::read(found.path).unwrap(), [7; 5000]);
        Ok(())
    }
}

/// Writes down what comes.
fn heard(router: Router, ear: &Ear) -> Router {
    let ear = Arc::clone(ear);
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let header = |name: &str| {
            request.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let (key, user_agent) = (header("x-gateway-key"), header("user-agent"));
        ear.lock().unwrap().push(Heard { key, user_agent });
        next.run(request)
    }))
}

#[test]
fn an_added_header_goes_to_the_hub_and_nowhere_else() {
    let stage = Stage::new();
    let hub = stage.builder().header("X-Gateway-Key", "secret").user_agent("mine/1").build();
    let hub = hub.unwrap();
    stage.download(&hub).unwrap();
    assert!(!format!("{:?}", hub.config()).contains("secret"));
    let (hub, store) = (stage.at_hub.lock().unwrap(), stage.at_store.lock().unwrap());
    assert!(!hub.is_empty() && !store.is_empty(), "{hub:?} {store:?}");
    assert!(hub.iter().all(|request| request.key.as_deref() == Some("secret")), "{hub:?}");
    assert!(store.iter().all(|request| request.key.is_none()), "{store:?}");
    let all = hub.iter().chain(store.iter());
    assert!(all.clone().all(|it| it.user_agent.as_deref() == Some("mine/1")), "{hub:?} {store:?}");
}

#[test]
fn requests_go_through_a_client_of_the_program() {
    let stage = Stage::new();
    let none = reqwest::redirect::Policy::none();
    let client = plain_client().redirect(none).user_agent("their client").build().unwrap();
    stage.download(&stage.builder().http_client(client).build().unwrap()).unwrap();
    let heard = stage.at_store.lock().unwrap();
    let theirs = |request: &Heard| request.user_agent.as_deref() == Some("their client");
    assert!(!heard.is_empty() && heard.iter().all(theirs), "{heard:?}");
}

#[test]
fn a_client_that_follows_redirects_by_itself_is_refused_with_what_to_do() {
    let stage = Stage::new();
    let client = plain_client().build().unwrap();
    let hub = stage.builder().http_client(client).build().unwrap();
    let error = stage.download(&hub).unwrap_err();
    let told = hubstow_client::with_causes(&error);
    assert!(told.contains("Policy::none"), "{told}");
    assert!(!stage.folder.path().join("cache/models--acme--tiny/snapshots").exists());
}

/// Begins a client that speaks no TLS.
fn plain_client() -> reqwest::ClientBuilder {
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls)
}

#[test]
fn an_authority_that_is_given_is_believed_and_only_then() {
    let stage = Stage::new();
    let (authority, tls) = authority::certificates(&[]);
    let listener = stage.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let hub = stage.hub.address();
    stage.runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut hub = TcpStream::connect(hub).await.unwrap();
                // A client that does not believe goes away.
                if let Ok(mut client) = tls.accept(client).await {
                    let _ = copy_bidirectional(&mut client, &mut hub).await;
                }
            });
        }
    });
    let file = stage.folder.path().join("authority.pem");
    fs::write(&file, &authority).unwrap();
    let secure = || stage.builder().endpoint(&endpoint);
    for (what, hub, is_believed) in [
        ("nobody", secure(), false),
        ("text", secure().ca_certificates(authority.as_bytes()), true),
        ("file", secure().ca_file(&file), true),
    ] {
        let hub = hub.build().unwrap();
        let config = hub.model("acme/tiny").file("config.json").force();
        match stage.runtime.block_on(async { config.await }) {
            Ok(_) => assert!(is_believed, "{what}"),
            Err(error) => {
                assert!(!is_believed, "{what}: {}", hubstow_client::with_causes(&error));
                let told = hubstow_client::with_causes(&error);
                assert!(told.contains("nobody whom this system trusts"), "{told}");
            }
        }
    }
}

#[test]
fn what_cannot_be_used_is_an_error_that_names_it_and_repeats_no_secret() {
    let stage = Stage::new();
    let missing = stage.folder.path().join("missing.pem");
    for (what, builder) in [
        ("token", stage.builder().token("two secret words")),
        ("endpoint", stage.builder().endpoint("ftp://hub.example")),
        ("Range", stage.builder().header("Range", "secret")),
        ("proxy", stage.builder().proxy("ftp://user:secret@proxy.example")),
        ("certificate", stage.builder().ca_certificates(b"secret")),
        ("missing.pem", stage.builder().ca_file(&missing)),
        (
            "certificate",
            stage
                .builder()
                .ca_certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ),
    ] {
        let error = builder.build().map(drop).unwrap_err();
        let told = hubstow_client::with_causes(&error);
        assert_eq!(error.kind(), ErrorKind::Usage, "{what}: {told}");
        assert!(told.contains(what) && !told.contains("secret"), "{what}: {told}");
    }
}
