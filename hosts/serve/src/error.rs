//! Why a server could not start or had to stop.

use std::{io, path::PathBuf};

/// Why a server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder to serve can't be read.
    #[error("`{}` can't be served; name an existing folder", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file in which a certificate or its key should be is of no use.
    #[cfg(feature = "tls")]
    #[error("`{}` can't be used for TLS; name files in PEM, one of certificates and one of their key", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A certificate and a key don't belong together.
    #[cfg(feature = "tls")]
    #[error("the key is not that of `{}`; name the two files that were made together", certificate.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The origin whose pages may read answers is none.
    #[error("`{0}` is not an origin; name one as `https://app.example`, or `*` for all")]
    Origin(String),
    /// No port could be opened on the loopback interface.
    #[error("no port could be opened")]
    Bind(#[source] io::Error),
    /// The thread or the runtime of the server could not be started.
    #[error("the server could not be started")]
    Start(#[source] io::Error),
}
