//! A certificate authority of the house, for hubs that speak TLS.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, pki_types::PrivateKeyDer},
};

/// Makes an authority and a certificate for `localhost`; returns the authority as PEM, and what speaks TLS and
/// offers these versions of HTTP.
pub(crate) fn certificates(versions: &[&str]) -> (String, TlsAcceptor) {
    let mut site = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    site.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    signed(site, versions)
}

/// Does the same for a certificate that may be anything.
pub(crate) fn signed(site: CertificateParams, versions: &[&str]) -> (String, TlsAcceptor) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let site = site.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![site.der().clone()], key)
        .unwrap();
    config.alpn_protocols = versions.iter().map(|version| version.as_bytes().to_vec()).collect();
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}
