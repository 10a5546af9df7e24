//! Looking at what the hub has, without storing any of it: content in memory, listings, refs.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
};

use bytes::Bytes;
use http::HeaderMap;
use hubstow_cache::{disk::content::Hasher, staged::Mismatch};
use hubstow_core::{
    facts::{Force, Reach},
    hub::{Backoff, Metadata},
    name::{Commit, Etag, Repo, Revision},
    why::Refusal,
};
use serde::de::DeserializeOwned;

use crate::{
    api::{
        detail::CachedCopy,
        error::{Error, from_io},
        refusal::About,
        request::FileRequest,
    },
    engine::Engine,
    file::{
        content::{CachedFile, Content, Resolved},
        here::Here,
    },
    http::{address::Address, retry::Retries},
    lookup::{
        entry::OfCommit,
        json::{Question, Unlisted, parse},
        listing::Listing,
        patience::Patience,
    },
    receive::{
        accept::{Brings, FromHub, accept, accept_range, range_headers},
        fetch::Fetch,
        transfer::next_piece,
        verdict::{Cause, Verdict},
    },
};

/// How much memory is taken at once for what is said to come.
const RESERVE_LIMIT_BYTES: u64 = 64 << 20;

impl Engine {
    /// Finds out what a file is, without writing anything.
    pub(crate) async fn what_is(&self, request: &FileRequest) -> Result<Resolved, Error> {
        self.resolve(&self.cache.looking_only(), request, None, &mut Vec::new()).await
    }

    /// Returns the content of a whole file, proved by its hash.
    pub(crate) async fn read(&self, request: &FileRequest) -> Result<Bytes, Error> {
        match self.what_is(request).await? {
            Resolved::Cached(cached) => self.read_cached(request, *cached, None).await,
            Resolved::Found(content) => self.read_from_hub(request, &content, None).await,
        }
    }

    /// Returns some of the content of a file.
    pub(crate) async fn read_range(
        &self,
        request: &FileRequest,
        range: Range<u64>,
    ) -> Result<Bytes, Error> {
        match self.what_is(request).await? {
            Resolved::Cached(cached) => self.read_cached(request, *cached, Some(range)).await,
            Resolved::Found(content) => self.read_from_hub(request, &content, Some(range)).await,
        }
    }

    async fn read_cached(
        &self,
        request: &FileRequest,
        cached: CachedFile,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, Error> {
        let CachedFile { commit, etag, size, .. } = cached;
        let at = self.layout(&request.repo).pointer(&commit, &request.file);
        let shown = self.cache.native(&at);
        let read = self.cache.run(move |cache, _| {
            let mut file = cache.disk().open(&at)?;
            let mut content = Vec::new();
            let (from, most) = match range {
                Some(Range { start, end }) => (start, end.saturating_sub(start)),
                None => (0, u64::MAX),
            };
            file.seek(SeekFrom::Start(from))?;
            file.take(most).read_to_end(&mut content)?;
            Ok::<_, io::Error>((content, most == u64::MAX))
        });
        let what = format!("`{}` can't be read", shown.display());
        let (content, is_whole) = read.await?.map_err(|error| from_io(&what, error))?;
        if let Some(etag) = etag.filter(|_| is_whole) {
            let size = size.unwrap_or(content.len() as u64);
            proved(&etag, size, &content).map_err(|wrong| wrong.into_error(&request.file))?;
        }
        Ok(content.into())
    }

    async fn read_from_hub(
        &self,
        request: &FileRequest,
        content: &Content,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, Error> {
        let Metadata { etag, size, .. } = &content.metadata;
        let range = range.map(|Range { start, end }| {
            let end = size.map_or(end, |size| size.min(end));
            start..end
        });
        let is_empty = range.as_ref().is_some_and(|range| range.start >= range.end);
        if is_empty || *size == Some(0) {
            return Ok(Bytes::new());
        }
        let fetch = Fetch {
            repo: &request.repo,
            file: &request.file,
            metadata: &content.metadata,
            word: content.word,
            content: &content.at,
            pinned: &content.pinned,
            backoff: Backoff::DEFAULT,
        };
        let mut retries = Retries::new(fetch.backoff);
        let mut at = fetch.content;
        loop {
            let site = self.http.route().site();
            let ended = match self.read_once(&fetch, at, range.as_ref()).await {
                Ok(bytes) if range.is_some() => return Ok(bytes),
                Ok(bytes) => match proved(etag, size.unwrap_or(bytes.len() as u64), &bytes) {
                    Ok(()) => return Ok(bytes),
                    Err(wrong) => wrong,
                },
                Err(ended) => ended,
            };
            let outage = ended.outage().filter(|_| self.http.route().goes_on_from(site));
            if outage.is_some_and(|outage| outage.is_enough(retries.count())) {
                self.http.leave(site, &ended.cause(), &|event| self.tell(event));
                (at, retries) = (fetch.pinned, Retries::new(fetch.backoff));
                continue;
            }
            // A signed address may have lapsed; the hub's own always leads there.
            let has_lapsed = matches!(ended, Verdict::Expired(_)) && at.url != fetch.pinned.url;
            if has_lapsed {
                at = fetch.pinned;
            }
            let may_pass =
                has_lapsed || matches!(ended, Verdict::Broke(_) | Verdict::Failing { .. });
            let wait = if may_pass { retries.next_wait() } else { None };
            let Some(wait) = wait else {
                return Err(ended.into_error(fetch.file).asked_at(&self.http.asked()));
            };
            let asked = if let Verdict::Failing { wait, .. } = ended { wait } else { None };
            tokio::time::sleep(asked.unwrap_or_default().max(wait)).await;
        }
    }

    async fn read_once(
        &self,
        fetch: &Fetch<'_>,
        at: &Address,
        range: Option<&Range<u64>>,
    ) -> Result<Bytes, Verdict> {
        let http = &*self.http;
        let headers = match range {
            Some(range) => range_headers(range, fetch, FromHub::of(http, at)),
            None => HeaderMap::new(),
        };
        let (from, mut answer) = http.get(at, &headers, None).await?;
        let expected = match range {
            Some(range) => {
                accept_range(fetch, answer.status, &answer.headers, range)?;
                Some(range.end - range.start)
            }
            None => match accept(fetch, answer.status, &answer.headers, 0) {
                Brings::Nothing(verdict) => return Err(verdict),
                Brings::Whole | Brings::Rest => fetch.metadata.size,
            },
        };
        let reserved = expected.unwrap_or(0).min(RESERVE_LIMIT_BYTES);
        let mut content = Vec::with_capacity(usize::try_from(reserved).unwrap_or(0));
        while let Some(piece) = next_piece(http, &from, &mut *answer.body).await? {
            http.received(piece.len() as u64);
            content.extend_from_slice(&piece);
            let received = content.len() as u64;
            if let Some(expected) = expected.filter(|expected| received > *expected) {
                return Err(Verdict::Wrong(Mismatch::Size { expected, received }));
            }
        }
        let received = content.len() as u64;
        match expected {
            Some(expected) if received < expected => {
                Err(Verdict::Broke(Cause::Short { received, expected }))
            }
            Some(_) | None => Ok(content.into()),
        }
    }

    /// Returns what a revision holds: its commit and the listing, from the hub or, where that may not be asked, as it is kept.
    pub(crate) async fn list(
        &self,
        repo: &Repo,
        revision: &Revision,
    ) -> Result<(Commit, Listing), Error> {
        let patience = Patience::lasting(&self.config);
        let tell = |event| self.tell(event);
        let known = match (revision.as_commit(), self.config.reach) {
            (Some(commit), _) => Some(commit),
            (None, Reach::Online) => None,
            (None, Reach::Offline) => {
                let (repo, revision) = (repo.clone(), revision.clone());
                self.run_here(&self.cache, move |here| here.commit_of(&repo, &revision)).await?
            }
        };
        if let Some(commit) = known.clone() {
            let (repo, of) = (repo.clone(), commit.clone());
            let kept = move |here: Here<'_>| here.listing(&repo, &of);
            if let Some(listing) = self.run_here(&self.cache, kept).await? {
                return Ok((commit, listing));
            }
        }
        if self.config.reach == Reach::Offline {
            return Err(self.unlisted(repo, revision, Unlisted::not_cached()));
        }
        let asked = async {
            let commit = match known {
                Some(commit) => commit,
                None => self.http.commit_of(repo, revision, patience, &tell).await?,
            };
            let of = OfCommit { repo, revision, commit: &commit };
            let (listing, _) = self.http.files(of, patience, &tell).await?;
            Ok((commit, listing))
        };
        asked.await.map_err(|unlisted| self.unlisted(repo, revision, unlisted))
    }

    /// Asks the hub for the whole listing of a commit, whatever is here, as it is kept.
    pub(crate) async fn listing_to_keep(
        &self,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (patience, revision) = (Patience::lasting(&self.config), Revision::from(commit));
        let tell = |event| self.tell(event);
        let of = OfCommit { repo, revision: &revision, commit };
        match self.http.files(of, patience, &tell).await {
            Ok((_, to_keep)) => Ok(to_keep.into_json()),
            Err(unlisted) => Err(self.unlisted(repo, &revision, unlisted)),
        }
    }

    /// Asks the hub for something in JSON.
    pub(crate) async fn ask_json<T: DeserializeOwned>(
        &self,
        repo: &Repo,
        revision: &Revision,
        url: &str,
    ) -> Result<T, Error> {
        if self.config.reach == Reach::Offline {
            return Err(self.unlisted(repo, revision, Unlisted::not_cached()));
        }
        let question = Question::get(self.http.at_endpoint(url)?);
        let (patience, tell) = (Patience::lasting(&self.config), |event| self.tell(event));
        let asked = async {
            let (_, body) = self.http.json(&question, &repo.to_string(), patience, &tell).await?;
            parse(&body)
        };
        asked.await.map_err(|unlisted| self.unlisted(repo, revision, unlisted))
    }

    pub(crate) fn unlisted(&self, repo: &Repo, revision: &Revision, unlisted: Unlisted) -> Error {
        let (refusal, cause) = match unlisted {
            Unlisted::Error(error) => return error,
            Unlisted::Refused(refusal, cause) => (refusal, cause),
        };
        let about = About {
            config: &self.config,
            asked: self.http.asked(),
            repo,
            revision,
            file: None,
            path: String::new(),
            copy: CachedCopy::Unknown,
            force: Force::Off,
            unmatched: &[],
        };
        let cause = Some(cause).filter(|_| refusal != Refusal::NotCached);
        about.error(refusal, cause)
    }
}

/// Compares content with its etag.
fn proved(etag: &Etag, size: u64, content: &[u8]) -> Result<(), Verdict> {
    let mut hasher = Hasher::new(etag, Some(size));
    hasher.update(content);
    hasher
        .finish()
        .map_err(|found| Verdict::Wrong(Mismatch::Hash { expected: etag.to_string(), found }))
}
