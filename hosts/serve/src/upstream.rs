//! What a server asks that has nothing by itself: the seam of a pull-through.
//!
//! The server speaks the hub's language to clients, and whoever implements [`Upstream`] says what may be told to whom and where
//! content comes from. Every question carries the token of whoever asks, so that access is the client's own.

use std::{fmt, fs::File, future::Future, io, pin::Pin, sync::Arc, time::Duration};

use axum::http::HeaderMap;
use bytes::Bytes;
use hubstow_core::name::{Commit, Etag, FileName, Repo, Revision};

use crate::credentials;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who asks. It shows no token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Caller {
    token: Option<String>,
}

impl Caller {
    /// Reads who asks from the headers of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let token = credentials::bearer(headers).filter(|token| !token.is_empty());
        Self { token: token.map(str::to_owned) }
    }

    /// Returns the secret itself, for the one place that it goes to.
    #[must_use]
    pub fn reveal_token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("token", &self.token.as_ref().map(|_| "…")).finish()
    }
}

/// A file that is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileAsked {
    /// Who asks.
    pub caller: Caller,
    /// The repo.
    pub repo: Repo,
    /// The revision.
    pub revision: Revision,
    /// The file.
    pub file: FileName,
    /// How much of it is wanted.
    pub wanted: Wanted,
}

/// How much of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What it is.
    Facts,
    /// Its content.
    Content,
}

/// A file that whoever asked may have.
#[derive(Debug)]
pub struct PulledFile {
    /// The commit that the revision leads to.
    pub commit: Commit,
    /// The identity of the content.
    pub etag: Etag,
    /// The size.
    pub len_bytes: u64,
    /// The content.
    pub content: PulledContent,
    /// Whether it can be had in parts.
    pub ranges: Ranges,
    /// How it was had.
    pub via: Via,
    /// Whether upstream could confirm it.
    pub freshness: Freshness,
}

/// Whether a file can be had in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// It can.
    Given,
    /// Parts of something else have been sent under its name. Whoever has some would make a wrong file of it with the rest, so
    /// nothing is sent that does not begin at its beginning.
    OnlyFromStart,
}

/// Where the content of a file is.
#[derive(Debug)]
pub enum PulledContent {
    /// It was not asked for.
    Unasked,
    /// All of it.
    Read(Bytes),
    /// In a file, proved and whole.
    File(File),
    /// It is still arriving.
    Arriving(Arc<dyn Arriving>),
}

/// Content that is still arriving.
///
/// Whoever reads all of it must not be given the last piece before the whole is proved.
pub trait Arriving: fmt::Debug + Send + Sync {
    /// Waits until a byte at this offset may be sent, and returns what may be sent from there on: at least one byte, and
    /// `most_bytes` at most.
    fn read(self: Arc<Self>, at: u64, most_bytes: u64) -> BoxFuture<'static, io::Result<Bytes>>;
}

/// How an answer was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// It was here.
    Hit,
    /// It had to be fetched first.
    Miss,
    /// It is sent while it arrives.
    Filling,
    /// It is upstream's own answer, handed on.
    Passed,
}

impl Via {
    /// Returns the word for logs and counts.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Filling => "filling",
            Self::Passed => "passed",
        }
    }
}

/// Whether upstream could confirm an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It has, or need not.
    Confirmed,
    /// It can't be reached; this is what was known last.
    Stale,
}

/// A question in JSON that is handed on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PassAsked {
    /// Who asks.
    pub caller: Caller,
    /// The path with its query, as it was received.
    pub path: String,
    /// The repo that it is about; none where it is about no single one.
    pub repo: Option<Repo>,
    /// The revision that it is about, where it is about one.
    pub revision: Option<Revision>,
    /// The JSON that was sent along.
    pub json: Option<Vec<u8>>,
}

/// Upstream's own answer.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The status.
    pub status: u16,
    /// The headers that may be handed on.
    pub headers: HeaderMap,
    /// Where the next page is: a path with its query.
    pub next_page: Option<String>,
    /// The body.
    pub body: Bytes,
    /// How it was had.
    pub via: Via,
    /// Whether upstream could confirm it.
    pub freshness: Freshness,
}

/// Why nothing is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// The hub's code of the error.
    pub code: Option<String>,
    /// Why, in one sentence.
    pub message: String,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
    /// The commit that the answer speaks of.
    pub commit: Option<Commit>,
}

impl Refusal {
    /// Makes a refusal.
    #[must_use]
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        let (code, retry_after, commit) = (None, None, None);
        Self { status, code, message: message.into(), retry_after, commit }
    }
}

/// What is counted of an upstream since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamCounts {
    /// Files that are being fetched.
    pub fills_running: u64,
    /// Files that have been fetched, and proved.
    pub fills_done: u64,
    /// Files whose fetching has failed.
    pub fills_failed: u64,
    /// Requests sent.
    pub requests: u64,
    /// Bytes of bodies received.
    pub received_bytes: u64,
    /// Requests for files that had to wait for bytes to arrive.
    pub waits: u64,
    /// Answers that upstream could not confirm.
    pub stale: u64,
    /// The disk that what was fetched is kept on, where it has bounds.
    pub disk: Option<DiskCounts>,
    /// The tier that is shared with other nodes, where there is one.
    pub tier: Option<TierCounts>,
}

/// What is counted of a tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TierCounts {
    /// Files that came from there.
    pub hits: u64,
    /// Files that it had not, which this node has brought.
    pub misses: u64,
    /// Files that were fetched without it, because it could not be asked.
    pub unasked: u64,
    /// Files that another node was bringing for longer than this one waited.
    pub waited: u64,
    /// Bytes that came from there.
    pub received_bytes: u64,
    /// Files that were put there.
    pub puts: u64,
    /// Their bytes.
    pub put_bytes: u64,
    /// Files that could not be put.
    pub put_failures: u64,
    /// Objects that were not what their name says, and were taken away.
    pub wrong: u64,
    /// Bytes of objects that this node has taken away because there was too much.
    pub evicted_bytes: u64,
    /// Sweeps that a person has to see to.
    pub sweep_failures: u64,
    /// Whether it can't be reached at the moment.
    pub is_away: bool,
}

/// What is counted of a bounded disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskCounts {
    /// Bytes that are there or on their way.
    pub held_bytes: u64,
    /// Bytes that have gone to make room.
    pub evicted_bytes: u64,
    /// Files for which there was no room.
    pub refused: u64,
}

/// What a server asks that has nothing by itself.
pub trait Upstream: fmt::Debug + Send + Sync {
    /// Says what a file is, and where its content is if that is wanted.
    fn file(&self, asked: FileAsked) -> BoxFuture<'_, Result<PulledFile, Refusal>>;

    /// Hands a question on.
    fn pass(&self, asked: PassAsked) -> BoxFuture<'_, Result<Passed, Refusal>>;

    /// Returns what is counted.
    fn counts(&self) -> UpstreamCounts;
}
