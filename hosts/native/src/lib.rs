//! Downloads from Hugging Face-compatible hubs into the cache that every tool of that world shares.
//!
//! ```no_run
//! # async fn run() -> Result<(), hubstow_native::Error> {
//! use hubstow_native::{Config, FileRequest, Hub};
//!
//! let hub = Hub::new(Config::from_env()?)?;
//! let report = hub.download(&FileRequest::parse("openai-community/gpt2", "config.json")?).await?;
//! println!("{}", report.path.display());
//! # Ok(())
//! # }
//! ```
//!
//! This crate is a host: it asks the hub, receives and hashes bytes, and drives the pure core over the disk. It decides
//! nothing by itself; every placing decision and every reason in a report is the core's. It reads no environment unless
//! [`Config::from_env`] is called, and installs no global state.
//!
//! With the cargo feature `xet`, content of Xet repos comes from their store. There, and only when the first such file is
//! fetched, `ring` becomes the process's default provider of rustls unless the program has installed one.

mod bulk;
mod config;
mod error;
mod event;
mod explain;
mod fetch;
mod http;
mod hub;
mod listing;
mod lookup;
mod pace;
mod pattern;
mod place;
mod refusal;
mod report;
mod request;
#[cfg(not(target_family = "wasm"))]
mod reqwest_transport;
mod resolve;
mod snapshot;
mod task;
mod transport;

pub use config::{Config, Durability, Token, Xet, default_user_agent};
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer};
pub use hub::{DiskOf, Hub, Parts};
pub use hubstow_core as core;
pub use hubstow_fs as fs;
pub use pattern::Patterns;
pub use report::{
    Done, Environment, Explanation, ExplanationLink, FileReport, MethodSupport, SnapshotReport,
    Traffic, Warning,
};
pub use request::{FileRequest, SnapshotRequest};
pub use transport::{Answer, Body, BoxFuture, Line, Request, Transport, TransportError};
