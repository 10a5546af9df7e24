//! Fetching a small file into memory, so that many can be in flight and the disk is driven for many at once.
//!
//! Only the plain case ends here: one answer that brings the whole content. Whatever else happens is handed on as the
//! first try of a receiver, which counts it, waits and asks again as it does for any file.

use http::HeaderMap;
use hubstow_cache::staged::Mismatch;

use super::{
    accept::{Brings, accept},
    custody::Custody,
    fetch::{Fetch, Tell},
    meter::Meter,
    stream::next_piece,
    verdict::{Cause, Verdict},
};
use crate::{api::event::Event, http::session::Http};

/// A first try that did not simply succeed: what has come, and how it ended.
pub(crate) struct Unfinished {
    content: Vec<u8>,
    ended: Verdict,
}

impl Unfinished {
    /// Content that came whole and is not what was promised.
    pub(crate) fn wrong(mismatch: Mismatch) -> Self {
        Self { content: Vec::new(), ended: Verdict::Wrong(mismatch) }
    }

    /// Puts what has come into the staged file, so that the next try goes on from there.
    pub(crate) async fn enter(self, staged: &mut Custody) -> Verdict {
        let Self { content, ended } = self;
        if staged.received_bytes() > 0 {
            return ended;
        }
        match staged.work(move |staged| staged.append(&content)).await {
            Ok(()) => ended,
            Err(error) => Verdict::Disk(error),
        }
    }
}

impl Http {
    /// Fetches a file of this size into memory. What is returned has the size, and no more is known of it.
    pub(crate) async fn fetch_small(
        &self,
        fetch: &Fetch<'_>,
        size: u64,
        tell: Tell<'_>,
    ) -> Result<Vec<u8>, Unfinished> {
        tell(Event::Started { file: fetch.file.clone(), size: Some(size), already: 0 });
        let mut content = Vec::new();
        if size == 0 {
            return Ok(content);
        }
        match self.receive_small(fetch, size, &mut content, tell).await {
            Ok(()) => Ok(content),
            Err(ended) => Err(Unfinished { content, ended }),
        }
    }

    async fn receive_small(
        &self,
        fetch: &Fetch<'_>,
        size: u64,
        content: &mut Vec<u8>,
        tell: Tell<'_>,
    ) -> Result<(), Verdict> {
        let (from, mut answer) = self.get(fetch.content, &HeaderMap::new(), None).await?;
        if let Brings::Nothing(verdict) = accept(fetch, answer.status, &answer.headers, 0) {
            return Err(verdict);
        }
        content.reserve_exact(usize::try_from(size).unwrap_or(0));
        let mut meter = Meter::new(self, fetch.file, tell);
        while let Some(piece) = next_piece(self, &from, &mut *answer.body).await? {
            meter.received(piece.len() as u64)?;
            let received = content.len() as u64 + piece.len() as u64;
            if received > size {
                content.clear();
                return Err(Verdict::Wrong(Mismatch::Size { expected: size, received }));
            }
            content.extend_from_slice(&piece);
        }
        match content.len() as u64 {
            received if received == size => Ok(()),
            received => Err(Verdict::Broke(Cause::Short { received, expected: size })),
        }
    }
}
