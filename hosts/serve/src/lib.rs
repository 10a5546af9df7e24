//! A hub-compatible HTTP endpoint over plain folders.
//!
//! Any client of the hub can download from a folder that a person made by hand: `DIR/org/name/` is a model repo at
//! `main`, `DIR/datasets/org/name/` a dataset, and a sibling folder `name@v1` the same repo at revision `v1` (a `/` in
//! a revision is written `%2F`). The commit of a revision is computed from its content, so nothing has to be prepared.
//!
//! What this crate does not do: it never writes, it keeps no history (a commit is served while some folder still has
//! its content), and it has no access control beyond one token.
//!
//! INVARIANT (confined): nothing outside the folder is served. A name from a request is never joined to a path; it is
//! looked up in a listing, and a listing holds only what was found inside, links followed to their end.
//!
//! ```no_run
//! # fn main() -> Result<(), hubstow_serve::Error> {
//! let running = hubstow_serve::Server::builder("/srv/models").build().spawn_on_loopback()?;
//! println!("HF_ENDPOINT={}", running.url());
//! # Ok(()) }
//! ```

mod api;
mod body;
mod fault;
mod files;
mod hash;
mod library;
mod listing;
mod log;
mod range;
mod route;
mod running;
mod server;
mod token;
mod walk;

use std::{io, path::PathBuf};

pub use log::RecordedRequest;
pub use running::RunningServer;
pub use server::{Builder, Server};

/// Why a server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder to serve can't be read.
    #[error("`{}` can't be served: {source}; name an existing folder", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No port could be opened on the loopback interface.
    #[error("no port could be opened: {0}")]
    Bind(#[source] io::Error),
    /// The thread or the runtime of the server could not be started.
    #[error("the server could not be started: {0}")]
    Start(#[source] io::Error),
    /// Accepting connections failed.
    #[error("the server stopped: {0}")]
    Serve(#[source] io::Error),
}
