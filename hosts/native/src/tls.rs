//! What a failure of TLS means for whoever asked.

use hubstow_client::{Distrust, TransportErrorKind};
use rustls::{CertificateError, Error};

/// What the error says of an authority's certificate as that of a server; its type is that of a library below rustls.
const OF_AUTHORITY: &str = "CaUsedAsEndEntity";

/// Says what a failure of TLS is. An alert is the other side's, which may think better of it.
pub(crate) fn kind_of(error: &Error) -> TransportErrorKind {
    if let Error::InvalidCertificate(why) = error {
        TransportErrorKind::Certificate(distrust(why))
    } else if matches!(error, Error::AlertReceived(_)) {
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
