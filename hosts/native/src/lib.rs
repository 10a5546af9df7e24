//! Downloads from Hugging Face-compatible hubs into the cache that every tool of that world shares.
//!
//! ```no_run
//! # async fn run() -> Result<(), hubstow_native::Error> {
//! use hubstow_native::Hub;
//!
//! let hub = Hub::from_env()?;
//! let config = hub.model("openai-community/gpt2").file("config.json").await?;
//! println!("{}", config.path.display());
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

#[cfg(feature = "indicatif")]
mod bars;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
#[cfg(feature = "reqwest")]
mod clients;
mod descriptors;
mod hub;
#[doc = include_str!("promises.md")]
pub mod promises {}
mod reactor;
#[doc = include_str!("recipes.md")]
pub mod recipes {}
#[cfg(feature = "blocking")]
mod threads;
#[cfg(feature = "reqwest")]
mod tls;
#[cfg(feature = "reqwest")]
mod transport;
mod workers;
#[cfg(feature = "xet")]
mod xet;

#[cfg(feature = "indicatif")]
pub use bars::Bars;
pub use builder::HubBuilder;
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use hub::Hub;
#[cfg(feature = "reqwest")]
pub use hub::parts;
pub use hubstow_cache::{Disk, StdDisk};
#[cfg(feature = "care")]
pub use hubstow_client::care;
pub use hubstow_client::{
    Beside, Body, BoxFuture, CachedCopy, Config, Connection, Detail, DiskOf, Distrust, Done,
    Durability, Environment, Error, ErrorGroup, ErrorKind, Event, Events, Explanation,
    ExplanationLink, FailedFile, FailedFiles, FileDownload, FileReport, FileRequest, FoundFile,
    Headers, HubAnswer, ListedFile, Login, MethodSupport, Observer, OpenDownload, Parts, Patterns,
    Proxies, Proxy, RefInfo, Refs, Refused, RepoHandle, RepoInfo, RepoPath, Request, Response,
    SnapshotDownload, SnapshotReport, SnapshotRequest, Subject, Token, Traffic, Transport,
    TransportError, TransportErrorKind, Unfound, UnreadToken, UnusableSettings, Warning, Workers,
    Xet, XetAsked, XetGrant, XetStore, XetStoreError, XetStream, default_user_agent, env_var,
};
pub use hubstow_core::{
    decide::{Decider, LinkedCore},
    facts::{Force, Reach, Stale},
    hub::Endpoint,
    name::{Commit, Etag, FileName, NameError, Repo, RepoId, RepoKind, Revision},
    policy::{Method, Policy, Support},
    why::{Reason, Refusal},
};
#[cfg(feature = "reqwest")]
pub use reqwest;
