//! A single file, from what is asked to where it is.

use hubstow_cache::disk::failure::with_causes;
use hubstow_core::{facts::Force, hub::Metadata};

use crate::{
    api::{
        error::{Error, ErrorKind},
        event::Event,
        report::{Done, FileReport, Warning},
        request::FileRequest,
    },
    engine::Engine,
    file::{
        content::{CachedFile, Content, Placed, Resolved},
        place::Placement,
        underway::Underway,
    },
    handle::{CacheHandle, CallerBlocks},
    lookup::complete::{Doubt, Word},
};

/// How often the hub is asked again because its answer was outdated when the content came.
const MOVED_LIMIT: usize = 3;

/// Content that was promised, and not had.
struct Doubted {
    doubt: Doubt,
    metadata: Metadata,
    word: Word,
    /// What to say if the same is promised again.
    error: Error,
}

impl Doubted {
    /// Tells whether the same is promised again, so that trying it again is in vain. What only a header has spoken against is tried
    /// once more when the listing says the same.
    fn is_confirmed_by(&self, again: &Content) -> bool {
        let Metadata { commit, etag, size, .. } = &again.metadata;
        let is_same = (commit, etag, size)
            == (&self.metadata.commit, &self.metadata.etag, &self.metadata.size);
        is_same
            && match self.doubt {
                Doubt::Gone | Doubt::Unfit => true,
                Doubt::Contradicted => self.word == again.word,
            }
    }
}

impl Engine {
    /// Downloads one file unless it is here, and returns where it is.
    pub(crate) async fn download(
        &self,
        cache: &CacheHandle,
        request: &FileRequest,
    ) -> Result<FileReport, Error> {
        let mut doubted: Option<Doubted> = None;
        for _ in 0..MOVED_LIMIT {
            let doubt = doubted.as_ref().map(|before| before.doubt);
            let content = match self.resolve(cache, request, doubt, &mut Vec::new()).await? {
                Resolved::Cached(cached) => return Ok(self.serve(cache, request, *cached)),
                Resolved::Found(content) => content,
            };
            match doubted {
                Some(before) if before.is_confirmed_by(&content) => return Err(before.error),
                Some(_) | None => {}
            }
            match self.place(cache, &content, request.force, Underway::default()).await? {
                Placed::Done(report) => return Ok(report),
                Placed::Doubted(doubt, error) => {
                    tracing::info!(file = %request.file, error = %with_causes(&error), "asking again what is meant");
                    let Content { metadata, word, .. } = *content;
                    doubted = Some(Doubted { doubt, metadata, word, error });
                }
            }
        }
        let what = format!("`{}` changes on the hub faster than it can be fetched", request.file);
        Err(Error::new(ErrorKind::HubFailing, what).hint("ask for a commit instead of a branch"))
    }

    /// Places content, fetching it where nothing here holds it.
    pub(super) async fn place(
        &self,
        cache: &CacheHandle,
        content: &Content,
        force: Force,
        underway: Underway,
    ) -> Result<Placed, Error> {
        let _lease = self.lease(cache, &content.target.layout).await?;
        let placement = Placement { engine: self, cache, content, force, slots: None };
        placement.run(underway).await
    }

    /// Answers from the cache alone where that is enough; `None` means that the hub must be asked.
    pub(crate) fn download_cached(
        &self,
        cache: &CacheHandle,
        request: &FileRequest,
        caller: CallerBlocks,
    ) -> Result<Option<FileReport>, Error> {
        let cached = self.resolve_cached(cache, request, &caller)?;
        Ok(cached.map(|cached| self.serve(cache, request, *cached)))
    }

    /// Tells of a cached file that serves.
    pub(crate) fn serve(
        &self,
        cache: &CacheHandle,
        request: &FileRequest,
        cached: CachedFile,
    ) -> FileReport {
        let CachedFile { served, commit, etag, size, reason, unconfirmed, mended } = cached;
        let at = self.layout(&request.repo).pointer(&commit, &request.file);
        if let Some((refusal, cause)) = unconfirmed {
            let warning = Warning::Stale { file: request.file.clone(), refusal, cause };
            self.tell(Event::Warned { warning });
        }
        tracing::debug!(file = %request.file, %served, "served from the cache");
        let report = FileReport {
            file: request.file.clone(),
            path: cache.native(&at),
            commit,
            size,
            etag,
            action: if mended.is_some() { Done::Placed } else { Done::Reused },
            by: mended.and_then(|mended| mended.placed).map(|(by, _)| by),
            reason: mended.map_or(reason, |mended| mended.reason),
        };
        self.tell(Event::Finished { report: report.clone() });
        report
    }
}
