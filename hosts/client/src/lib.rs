//! The client of a hub, whatever sends its requests and wherever its files lie.
//!
//! From below upwards, and imports run down only:
//!
//! - `api`: the values of the library and their words: settings, requests, reports, events, errors
//! - `http`: one way for every request: addresses, redirects, the token, connections
//! - `handle`, `open`, `budget`, `engine`: the way to the disk, which only the host's workers touch; what a file on its way has
//!   open, and how much may be; and what every question has
//! - `lookup`: what the hub says of a file, of a revision, of a listing
//! - `receive`: bytes of content into a staged file, however often the line breaks
//! - `file`: one file: what is meant, and how it gets to its place
//! - `snapshot`: many files of one commit at once
//! - [`care`]: what the cache holds as a whole, and cleaning it
//! - `look`: what the hub has, without storing any of it
//! - [`Hub`]: the face of all of that
//! - `ask`: the same in one line, with strings where people have strings
//!
//! It decides nothing by itself: every placing decision and every reason in a report is the core's. It reads no
//! environment unless [`Config::from_env`] is called, and installs no global state. A host plugs in by [`Parts`].

mod api;
mod ask;
mod budget;
#[cfg(feature = "care")]
pub mod care;
mod engine;
mod environment;
mod file;
mod handle;
mod http;
mod hub;
mod lease;
mod look;
mod lookup;
mod offload;
mod open;
mod parts;
mod receive;
mod snapshot;

pub use api::{
    config::{
        Config, FurtherEndpoint, Token, UnreadToken, UnusableSettings, Xet, default_user_agent,
    },
    detail::{CachedCopy, HubAnswer, Refused, Subject},
    error::{Detail, Error, ErrorKind, FailedFile, FailedFiles},
    event::{Event, Observer},
    headers::Headers,
    login::Login,
    pattern::Patterns,
    proxies::{Proxies, Proxy},
    repo_path::RepoPath,
    report::{
        AskedEndpoint, Done, Environment, Explanation, ExplanationLink, FileReport, MethodSupport,
        SnapshotReport, Traffic, Warning,
    },
    request::{FileRequest, SnapshotRequest},
    vars::env_var,
};
pub use ask::{
    file::FileDownload,
    look::{ListedFile, RefInfo, Refs, RepoInfo},
    open::OpenDownload,
    progress::Events,
    repo::RepoHandle,
    snapshot::SnapshotDownload,
};
pub use file::found::{FoundFile, Unfound};
pub use http::{
    transport::{
        Body, BoxFuture, Connection, Distrust, Request, Response, Transport, TransportError,
        TransportErrorKind,
    },
    xet::{XetAsked, XetGrant, XetStore, XetStoreError, XetStream},
};
pub use hub::Hub;
pub use hubstow_cache::Durability;
pub use hubstow_cache::disk::failure::{ErrorGroup, causes, with_causes};
pub use hubstow_cache::staged::{Arrivals, Intervals, StagedReader};
pub use lookup::raw::{RawAnswer, RawQuestion};
pub use parts::{Beside, DiskOf, Parts, Workers};
