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
