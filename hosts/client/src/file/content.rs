//! What a question about one file comes to: content that is to be placed, or a cached pointer that serves.

use hubstow_cache::{Target, drive::Outcome};
use hubstow_core::{
    hub::Metadata,
    name::{Commit, Etag, Repo, Revision},
    resolve::Served,
    why::{Reason, Refusal},
};

use crate::{
    api::{error::Error, report::FileReport},
    http::address::Address,
    lookup::complete::{Doubt, Word},
};

/// What the revision and the file mean.
pub(crate) enum Resolved {
    /// The cached pointer is to be served.
    Cached(Box<CachedFile>),
    /// This content is to be placed.
    Found(Box<Content>),
}

/// A cached pointer that serves.
pub(crate) struct CachedFile {
    /// Why it does.
    pub(crate) served: Served,
    pub(crate) commit: Commit,
    pub(crate) etag: Option<Etag>,
    pub(crate) size: Option<u64>,
    pub(crate) reason: Reason,
    /// Why the hub did not confirm it, where it was asked.
    pub(crate) unconfirmed: Option<(Refusal, String)>,
    /// What was done for it, where it could not serve as it was.
    pub(crate) mended: Option<Outcome>,
}

/// Content that is to be placed, and where it comes from.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) repo: Repo,
    pub(crate) revision: Revision,
    pub(crate) target: Target,
    pub(crate) metadata: Metadata,
    /// How far that may be contradicted.
    pub(crate) word: Word,
    /// Where the hub said that the content is.
    pub(crate) at: Address,
    /// The address at the hub, by commit.
    pub(crate) pinned: Address,
}

/// How placing ended.
pub(crate) enum Placed {
    /// The pointer serves.
    Done(FileReport),
    /// It is not what the hub has, or not any more; ask again what is meant. The error is for when nothing else is said.
    Doubted(Doubt, Error),
}
