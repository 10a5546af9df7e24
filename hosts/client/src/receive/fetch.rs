//! What is to be fetched, and how that may end without it.

use hubstow_core::{
    hub::{Backoff, Metadata},
    name::{ContentHash, FileName, Repo},
};

use crate::{
    api::{error::Error, event::Event},
    http::address::Address,
};

/// What is to be fetched.
pub(crate) struct Fetch<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) file: &'a FileName,
    pub(crate) metadata: &'a Metadata,
    /// Where the hub said that the content is; it may be signed and short-lived.
    pub(crate) content: &'a Address,
    /// The address at the hub itself, by commit, which always leads there.
    pub(crate) pinned: &'a Address,
    pub(crate) backoff: Backoff,
}

impl Fetch<'_> {
    /// Tells whether the hash of the whole tells that all of it is of one content.
    pub(crate) fn is_hashed(&self) -> bool {
        self.metadata.etag.content_hash() != ContentHash::Opaque
    }
}

/// Why a fetch ended without the content.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The hub now speaks of other content, or of none: ask again what is meant. The error is what to say if the answer
    /// is the same as before.
    Moved(Error),
    /// Nothing more can be done.
    Error(Error),
}

/// Whom to tell of events.
pub(crate) type Tell<'a> = &'a (dyn Fn(Event) + Sync);
