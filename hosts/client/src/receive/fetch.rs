//! What is to be fetched, and how that may end without it.

use hubstow_core::{
    hub::{Backoff, Metadata},
    name::{ContentHash, FileName, Repo},
};

use crate::{
    api::{error::Error, event::Event},
    http::address::Address,
    lookup::complete::{Doubt, Word},
};

/// What is to be fetched.
pub(crate) struct Fetch<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) file: &'a FileName,
    pub(crate) metadata: &'a Metadata,
    /// How far that may be contradicted.
    pub(crate) word: Word,
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

    /// Tells whether the headers of an answer have a say in what the content is. Where the hash is known from the listing
    /// they have none: a mirror's etag may be its own, and the content tells.
    pub(crate) fn heeds_headers(&self) -> bool {
        self.word == Word::First || !self.is_hashed()
    }
}

/// Why a fetch ended without the content.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The hub has other content, or none: ask again what is meant. The error is what to say if the answer is the same as
    /// before.
    Doubted(Doubt, Error),
    /// Nothing more can be done.
    Error(Error),
}

/// Whom to tell of events.
pub(crate) type Tell<'a> = &'a (dyn Fn(Event) + Sync);
