//! A hub-compatible HTTP endpoint over plain folders and cache directories.
//!
//! Any client of the hub can download from a folder that a person made by hand: `DIR/org/name/` is a model repo at
//! `main`, `DIR/datasets/org/name/` a dataset, and a sibling folder `name@v1` the same repo at revision `v1` (a `/` in
//! a revision is written `%2F`). The commit of a revision is computed from its content, so nothing has to be prepared.
//!
//! A cache directory of any tool is known by its shape. Its repos, refs and commits are served as they are there, so a
//! machine is a mirror for its neighbours without a second copy.
//!
//! What this crate does not do: it writes nothing into what it serves, it keeps no history (a commit is served while some
//! folder still has its content), and it has no access control beyond one token.
//!
//! INVARIANT (confined): nothing outside the folder is served. A name from a request is never joined to a path; it is
//! looked up in a listing, and a listing holds only what was found inside, links followed to their end. The one way out is
//! a link in place of a repo's folder that leads to a snapshot of a cache, which whoever made the folder has put there.
//!
//! ```no_run
//! # fn main() -> Result<(), hubstow_serve::Error> {
//! let running = hubstow_serve::Server::builder("/srv/models").build().spawn_on_loopback()?;
//! println!("HF_ENDPOINT={}", running.url());
//! # Ok(()) }
//! ```

mod account;
mod ahead;
mod answered;
mod api;
mod body;
mod cached;
mod catalog;
#[cfg(feature = "tls")]
mod certificate;
mod cors;
mod counted;
mod credentials;
mod dispatch;
mod error;
mod fault;
mod files;
mod folders;
mod hash;
mod health;
mod incoming;
mod kept;
mod left_out;
mod lfs_rules;
mod library;
mod limits;
mod listen;
mod listing;
mod log;
mod metrics;
mod origin;
mod page;
mod piece;
mod places;
mod proved;
mod pulled;
mod query;
mod range;
mod reader;
mod refusal;
mod repos;
mod route;
mod running;
mod server;
mod shared;
mod snapshot;
mod source;
mod stats;
mod token;
mod tree_file;
mod upstream;
mod walk;
mod when;

pub use ahead::HashProgress;
pub use answered::Answered;
#[cfg(feature = "tls")]
pub use certificate::Certificate;
pub use error::Error;
pub use left_out::LeftOut;
pub use library::SourceKind;
pub use limits::Limits;
pub use log::RecordedRequest;
pub use running::RunningServer;
pub use server::{Builder, Server};
pub use upstream::{
    Arriving, BoxFuture, Caller, DiskCounts, FileAsked, Freshness, PassAsked, Passed,
    PulledContent, PulledFile, Ranges, Refusal, TierCounts, Upstream, UpstreamCounts, Via, Wanted,
};

/// The example of the page beside this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
