//! The two halves of a download by themselves, for a program that stands between the hub and its clients: what the hub says a
//! file is, and fetching just that.

use hubstow_cache::Target;
use hubstow_core::{
    facts::Force,
    hub::Metadata,
    name::{Commit, ContentHash, Etag},
};
use url::Url;

use crate::{
    api::{
        detail::CachedCopy, error::Error, refusal::About, report::FileReport, request::FileRequest,
    },
    engine::Engine,
    file::{
        content::{Content, Placed},
        resolve::refusal_of,
        underway::Underway,
    },
    http::address::{Address, TokenUse},
    lookup::{
        ahead::Ahead,
        head::{By, Lookup},
        patience::Patience,
    },
};

/// What the hub has said of a file, and where its content is. It shows no address: one may be signed.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::FileRequest;
///
/// let request = FileRequest::parse("org/model", "config.json")?;
/// let found = hub.find(&request).await.map_err(|unfound| unfound.error)?;
/// println!("{} at {}, {:?} bytes", found.etag(), found.commit(), found.size());
/// // A mirror in the same building, which need not have it: what comes is proved by its hash, wherever it comes from.
/// let near = found.from_elsewhere("http://127.0.0.1:9/config.json".parse()?);
/// # let _ = near;
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct FoundFile {
    content: Content,
    /// The answer that said so, where that brings the content.
    ahead: Ahead,
}

/// A file that the hub does not give.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::{ErrorKind, FileRequest, Unfound};
///
/// let request = FileRequest::parse("org/model", "none.json")?;
/// let Err(Unfound { error, commit, .. }) = hub.find(&request).await else { panic!("there is none") };
/// assert_eq!(error.kind(), ErrorKind::EntryNotFound);
/// assert!(commit.is_some(), "that commit has no such file, and never will");
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Unfound {
    /// Why.
    pub error: Error,
    /// The commit that has no such file, where that is why.
    pub commit: Option<Commit>,
}

impl From<Error> for Unfound {
    fn from(error: Error) -> Self {
        Self { error, commit: None }
    }
}

impl FoundFile {
    /// Returns the commit that the revision has led to.
    #[must_use]
    pub fn commit(&self) -> &Commit {
        &self.content.target.commit
    }

    /// Returns the identity of the content.
    #[must_use]
    pub fn etag(&self) -> &Etag {
        &self.content.target.etag
    }

    /// Returns the size in bytes, where the hub has said it.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.content.target.size
    }

    /// Returns what is to be placed.
    #[cfg(feature = "care")]
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Has the content received from another address than the hub's first, without any token. When that refuses it (any 4xx) or
    /// sends something else, the hub is asked at its own address, for what is still missing. Only what is known by a hash is
    /// received from anywhere else; else the address is not used.
    #[must_use]
    pub fn from_elsewhere(mut self, url: Url) -> Self {
        if self.etag().content_hash() != ContentHash::Opaque {
            self.content.at = Address { url, token: TokenUse::Withhold };
            self.content.metadata.xet_hash = None;
            self.ahead = Ahead::default();
        }
        self
    }
}

impl std::fmt::Debug for FoundFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("FoundFile");
        shown.field("commit", self.commit()).field("etag", self.etag()).field("size", &self.size());
        shown.finish_non_exhaustive()
    }
}

impl Engine {
    /// Asks the hub what a file is, whatever is here.
    pub(crate) async fn find(&self, request: &FileRequest, by: By) -> Result<FoundFile, Unfound> {
        let FileRequest { repo, revision, file, .. } = request;
        let patience = Patience::brief(&self.config);
        let (known, here, doubt) = (None, None, None);
        let lookup = Lookup { repo, revision, file, known, here, doubt, patience, by };
        let tell = |event| self.tell(event);
        let found = self.http.lookup(&lookup, &tell).await?;
        let Some(metadata) = found.reply.metadata else {
            let about = About {
                config: &self.config,
                repo,
                revision,
                file: Some(file),
                path: String::new(),
                copy: CachedCopy::Unknown,
                force: Force::On,
                unmatched: &[],
                asked: self.http.asked(),
            };
            let cause = found.cause.or_else(|| Some(found.reply.broken.clone()?.into()));
            let error = about.error(refusal_of(found.reply.answer), cause);
            return Err(Unfound { error, commit: found.reply.commit });
        };
        let Metadata { commit, etag, size, .. } = &metadata;
        let target = Target {
            layout: self.layout(repo),
            revision: revision.clone(),
            commit: commit.clone(),
            file: file.clone(),
            etag: etag.clone(),
            size: *size,
        };
        let pinned = self.pinned(repo, &target)?;
        let at = found.content.unwrap_or_else(|| pinned.clone());
        let (repo, revision, word) = (repo.clone(), revision.clone(), found.word);
        let content = Content { repo, revision, target, metadata, word, at, pinned };
        Ok(FoundFile { content, ahead: found.ahead })
    }

    /// Brings what was found to its place, where it is not there.
    pub(crate) async fn download_found(&self, found: &FoundFile) -> Result<FileReport, Error> {
        let underway = Underway { ahead: found.ahead.share(), ..Underway::default() };
        match self.place(&self.cache, &found.content, Force::Off, underway).await? {
            Placed::Done(report) => Ok(report),
            Placed::Doubted(_, error) => Err(error),
        }
    }
}
