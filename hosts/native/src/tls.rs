//! TLS: who is believed, what encrypts, and what a failure means for whoever asked.

use std::sync::{Arc, OnceLock};

use hubstow_client::{Distrust, Error, ErrorKind, TransportError, TransportErrorKind};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

/// What the error says of an authority's certificate as that of a server; its type is that of a library below rustls.
const OF_AUTHORITY: &str = "CaUsedAsEndEntity";

/// Authorities that are believed beside those of the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Adds the certificates of a PEM file.
    ///
    /// # Errors
    /// What is none, or holds none that can be an authority's.
    pub(crate) fn add_pem(&mut self, pem: &[u8]) -> Result<(), Error> {
        let unusable = |what: &str| {
            Error::new(ErrorKind::Usage, what)
                .hint("a certificate in PEM begins with `-----BEGIN CERTIFICATE-----`")
        };
        let before = self.0.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate
                .map_err(|error| unusable("the certificates can't be read").caused_by(error))?;
            RootCertStore::empty().add(certificate.clone()).map_err(|error| {
                unusable("a certificate can't be that of an authority").caused_by(error)
            })?;
            self.0.push(certificate);
        }
        if self.0.len() == before {
            return Err(unusable("there is no certificate in what was given as certificates"));
        }
        Ok(())
    }
}

/// The settings of TLS. The certificates of the system are loaded once, when they are needed.
pub(crate) struct Tls {
    trusted: Authorities,
    made: OnceLock<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(trusted: Authorities) -> Self {
        Self { trusted, made: OnceLock::new() }
    }

    /// Returns the settings for a connection that speaks one of these protocols.
    pub(crate) fn speaking(&self, protocols: &[&[u8]]) -> Result<ClientConfig, TransportError> {
        let mut config = match self.made.get() {
            Some(config) => config.clone(),
            None => {
                let made = self.with_certificates()?;
                self.made.get_or_init(|| made).clone()
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    /// Returns settings that believe nobody, for connections without TLS.
    pub(crate) fn without_certificates() -> Result<ClientConfig, TransportError> {
        let builder = builder(provider()?)?.with_root_certificates(RootCertStore::empty());
        Ok(builder.with_no_client_auth())
    }

    fn with_certificates(&self) -> Result<ClientConfig, TransportError> {
        let provider = provider()?;
        let verifier = verifier(&self.trusted, Arc::clone(&provider))?;
        let builder = builder(provider)?.dangerous();
        Ok(builder.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

/// Makes what judges certificates. Only who names authorities of his own needs them judged apart.
fn verifier(
    trusted: &Authorities,
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, TransportError> {
    if trusted.0.is_empty() {
        return Verifier::new(provider).map_err(unusable);
    }
    with_others(trusted, provider)
}

#[cfg(not(target_os = "android"))]
fn with_others(
    trusted: &Authorities,
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, TransportError> {
    Verifier::new_with_extra_roots(trusted.0.iter().cloned(), provider).map_err(unusable)
}

#[cfg(target_os = "android")]
fn with_others(_: &Authorities, _: Arc<CryptoProvider>) -> Result<Verifier, TransportError> {
    let what = "Android believes the authorities of the system only";
    Err(TransportError::new(TransportErrorKind::Tls, what))
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TransportError> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)
}

/// Returns what encrypts: what the program has chosen for the process, else what it was built with.
fn provider() -> Result<Arc<CryptoProvider>, TransportError> {
    CryptoProvider::get_default().cloned().or_else(built_in).ok_or_else(|| {
        let what = "this program has nothing that encrypts: build it with the feature `ring` or `aws-lc-rs`, or \
                    install a provider of rustls";
        TransportError::new(TransportErrorKind::Tls, what)
    })
}

#[cfg(feature = "ring")]
#[expect(clippy::unnecessary_wraps, reason = "without a feature for it there is none")]
fn built_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
#[expect(clippy::unnecessary_wraps, reason = "without a feature for it there is none")]
fn built_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    None
}

fn unusable(error: rustls::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Tls, "TLS can't be set up").caused_by(error)
}

/// Says what a failure of TLS is. An alert is the other side's, which may think better of it.
pub(crate) fn kind_of(error: &rustls::Error) -> TransportErrorKind {
    if let rustls::Error::InvalidCertificate(why) = error {
        TransportErrorKind::Certificate(distrust(why))
    } else if matches!(error, rustls::Error::AlertReceived(_)) {
        TransportErrorKind::Broken
    } else {
        TransportErrorKind::Tls
    }
}

fn distrust(error: &CertificateError) -> Distrust {
    use CertificateError as E;
    if matches!(error, E::UnknownIssuer) {
        Distrust::UnknownIssuer
    } else if matches!(error, E::Expired | E::ExpiredContext { .. }) {
        Distrust::Expired
    } else if matches!(error, E::NotValidYet | E::NotValidYetContext { .. }) {
        Distrust::NotYetValid
    } else if matches!(error, E::NotValidForName | E::NotValidForNameContext { .. }) {
        Distrust::OtherName
    } else if matches!(error, E::Revoked) {
        Distrust::Revoked
    } else if matches!(error, E::Other(other) if other.0.to_string() == OF_AUTHORITY) {
        Distrust::OfAuthority
    } else {
        Distrust::Other
    }
}
