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
//! This crate is a host: it gives [`hubstow_client`] what a native program has, which is reqwest and the system's own
//! filesystem, and adds nothing of its own. It reads no environment unless [`Config::from_env`] is called, and installs no
//! global state.
//!
//! With the cargo feature `xet`, content of Xet repos comes from their store. There, and only when the first such file is
//! fetched, `ring` becomes the process's default provider of rustls unless the program has installed one.

mod descriptors;
mod hub;
mod reqwest;
mod tls;
mod workers;
#[cfg(feature = "xet")]
mod xet;

pub use descriptors::raise_descriptor_limit;
pub use hub::{Hub, parts};
pub use hubstow_cache::{Disk, StdDisk};
pub use hubstow_client::{
    Beside, Body, BoxFuture, CachedCopy, Config, Connection, Detail, DiskOf, Distrust, Done,
    Durability, Environment, Error, ErrorGroup, ErrorKind, Event, Explanation, ExplanationLink,
    FailedFile, FailedFiles, FileReport, FileRequest, HubAnswer, Login, MethodSupport, Observer,
    Parts, Patterns, Proxies, Proxy, Refused, Request, Response, SnapshotReport, SnapshotRequest,
    Subject, Token, Traffic, Transport, TransportError, TransportErrorKind, UnreadToken,
    UnusableSettings, Warning, Workers, Xet, XetAsked, XetGrant, XetStore, XetStoreError,
    XetStream, default_user_agent, env_var,
};
pub use hubstow_core::{
    decide::{Decider, LinkedCore},
    facts, name, policy, why,
};
