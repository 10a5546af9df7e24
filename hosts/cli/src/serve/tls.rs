//! TLS, as it is said on the command line.

use std::{error::Error as _, path::PathBuf};

use clap::Args;
use hubstow_client::{Error, ErrorKind};
use hubstow_serve::Certificate;

use crate::{global::Format, output};

/// The certificate.
#[derive(Args, Debug)]
pub(super) struct TlsArgs {
    /// Speak TLS with the certificates in this PEM file, the server's own first; files that change are read again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The PEM file with the certificate's key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl TlsArgs {
    /// Returns how addresses of the server begin.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    /// Reads the certificate, where one is named.
    ///
    /// # Errors
    /// The files are of no use.
    pub(super) fn certificate(&self, format: Format) -> Result<Option<Certificate>, Error> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let read = Certificate::read(certificate, key);
        let read = read.map_err(|error| Error::new(ErrorKind::Usage, whole(&error)))?;
        Ok(Some(read.on_change(move |error| match error {
            None if format == Format::Human => output::say("the certificate was read again"),
            None => {}
            Some(error) => {
                let text = format!("{}; the old certificate stays", whole(error));
                output::say(output::warning(format, &text));
            }
        })))
    }
}

/// An error with what the system or the format says.
fn whole(error: &hubstow_serve::Error) -> String {
    let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
    format!("{error}{source}")
}
