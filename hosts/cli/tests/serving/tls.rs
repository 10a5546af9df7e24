//! TLS: real clients that trust the authority and nobody else, a certificate that is renewed while it is served, and files
//! that are of no use.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, TcpStream},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};

use crate::{Serving, Stage};

const ARGS: [&str; 6] = ["models", "-q", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];

/// Makes an authority, and a certificate by it for 127.0.0.1; returns the authority, the certificate and its key in PEM.
fn made() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    // Otherwise both have one name, which reads as a certificate by itself.
    authority.distinguished_name.push(DnType::CommonName, "The authority of the house");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut site = CertificateParams::new(Vec::new()).unwrap();
    site.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    site.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = site.signed_by(&key, &authority).unwrap();
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

/// Writes a pair beside what is served, and its authority under a name.
fn write(stage: &Stage, authority: &str) {
    let (pem, certificate, key) = made();
    stage.write(authority, &pem);
    stage.write("key.pem", &key);
    stage.write("cert.pem", &certificate);
}

/// Asks with curl, which trusts an authority; `None` where there is no curl.
fn curl(stage: &Stage, serving: &Serving, authority: &str, path: &str) -> Option<Output> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--cacert"]).arg(stage.path(authority));
    let output = command.arg(format!("{}{path}", serving.url)).stdin(Stdio::null()).output();
    if output.is_err() {
        println!("skipped: curl can't be run");
    }
    output.ok()
}

const FILE: &str = "/acme/tiny/resolve/main/config.json";

#[test]
fn real_clients_come_by_tls_and_only_by_that() {
    let stage = Stage::new();
    write(&stage, "stranger.pem");
    write(&stage, "authority.pem");
    let serving = stage.serve(&ARGS);
    assert!(serving.url.starts_with("https://127.0.0.1:"), "{}", serving.url);
    if let Some(output) = curl(&stage, &serving, "authority.pem", FILE) {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{}\n", "{output:?}");
        let page = "/api/models/acme/tiny/tree/main?limit=1";
        let mut command = Command::new("curl");
        command.args(["-sSi", "--cacert"]).arg(stage.path("authority.pem"));
        let output = command.arg(format!("{}{page}", serving.url)).output().unwrap();
        let next = format!("link: <{}{page}&cursor=", serving.url);
        assert!(String::from_utf8_lossy(&output.stdout).contains(&next), "{output:?}");
        let output = curl(&stage, &serving, "stranger.pem", FILE).unwrap();
        assert!(!output.status.success(), "another authority says nothing: {output:?}");
    }
    let plain = serving.url.replace("https://", "http://");
    let mut command = stage.command(&["download", "acme/tiny", "-q", "--endpoint", &plain]);
    assert!(!command.env("HF_HUB_CACHE", stage.path("plain")).output().unwrap().status.success());
    let mut command = stage.command(&["download", "acme/tiny", "-q", "--endpoint", &serving.url]);
    command.env("HF_HUB_CACHE", stage.path("hub"));
    command.env("SSL_CERT_FILE", stage.path("authority.pem"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Some(python) = std::env::var_os("HUBSTOW_PYTHON") else {
        println!("skipped: HUBSTOW_PYTHON names no Python");
        return;
    };
    let script = "import huggingface_hub as h; print(open(h.hf_hub_download('acme/tiny', 'config.json')).read())";
    let mut command = Command::new(python);
    command.env_clear().env("HF_HOME", stage.path("home")).env("HF_ENDPOINT", &serving.url);
    command.env("SSL_CERT_FILE", stage.path("authority.pem"));
    command.env("REQUESTS_CA_BUNDLE", stage.path("authority.pem"));
    let output = command.args(["-c", script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "{}", "{said}");
}

#[test]
fn a_renewed_certificate_is_used_and_half_of_one_is_not() {
    let stage = Stage::new();
    write(&stage, "old.pem");
    let serving = stage.serve(&ARGS);
    let Some(output) = curl(&stage, &serving, "old.pem", FILE) else { return };
    assert!(output.status.success(), "{output:?}");
    let (authority, certificate, key) = made();
    stage.write("new.pem", &authority);
    stage.write("cert.pem", &certificate);
    serving.logged("the old certificate stays");
    assert!(curl(&stage, &serving, "old.pem", FILE).unwrap().status.success());
    stage.write("key.pem", &key);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !curl(&stage, &serving, "new.pem", FILE).unwrap().status.success() {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(&serving.log).unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!curl(&stage, &serving, "old.pem", FILE).unwrap().status.success());
}

#[cfg(unix)]
#[test]
fn who_is_silent_instead_of_shaking_hands_does_not_hold_up_the_end() {
    let stage = Stage::new();
    write(&stage, "authority.pem");
    let mut serving = stage.serve(&ARGS);
    let address = serving.url.strip_prefix("https://").unwrap();
    let silent = TcpStream::connect(address).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let process = serving.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    let begin = Instant::now();
    while serving.child.try_wait().unwrap().is_none() {
        // Answers on their way have five seconds.
        assert!(begin.elapsed() < Duration::from_secs(4), "it waits for a client that is silent");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(silent);
}

#[test]
fn files_of_no_use_are_told_before_anything_is_served() {
    let stage = Stage::new();
    write(&stage, "authority.pem");
    stage.write("empty.pem", "");
    let (_, _, other) = made();
    stage.write("other.pem", &other);
    for (certificate, key, part) in [
        ("nowhere.pem", "key.pem", "`nowhere.pem` can't be used for TLS"),
        ("empty.pem", "key.pem", "it has no certificate in PEM"),
        ("cert.pem", "empty.pem", "`empty.pem` can't be used for TLS"),
        ("cert.pem", "cert.pem", "it has no private key in PEM"),
        ("cert.pem", "other.pem", "the key is not that of `cert.pem`"),
    ] {
        let output = stage.run(&["serve", "models", "--tls-cert", certificate, "--tls-key", key]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{certificate} {key}: {said}");
        assert!(said.contains(part), "{certificate} {key}: {said}");
    }
    let output = stage.run(&["serve", "models", "--tls-cert", "cert.pem"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--tls-key"));
}
