//! Fetching a small file into memory, so that many can be in flight and the disk is driven for many at once.
//!
//! Only the plain case ends here: one answer that brings the whole content. Whatever else happens is handed on as the
//! first attempt of the ordinary way, which counts it, waits and asks again as it does for any file.

use http::HeaderMap;
use hubstow_cache::staged::{Mismatch, StagedFile};

use super::{
    accept::accept,
    fetch::{Attempt, Failed, Fetch, Tell, disk_error, unanswered},
    meter::Meter,
    stream::Stopped,
};
use crate::{
    api::event::Event,
    http::{
        session::{Address, Http},
        transport::Body,
    },
    task::blocking,
};

/// A first attempt that did not simply succeed: what has come, and how it ended.
pub(crate) struct First {
    content: Vec<u8>,
    attempt: Result<Attempt, Failed>,
}

impl First {
    /// Content that came whole and is not what was promised.
    pub(crate) fn wrong(mismatch: Mismatch) -> Self {
        Self { content: Vec::new(), attempt: Ok(Attempt::Wrong(mismatch)) }
    }

    /// Puts what has come into the staged file, so that the next attempt goes on from there.
    pub(crate) async fn enter(
        self,
        fetch: &Fetch<'_>,
        staged: StagedFile,
    ) -> (StagedFile, Result<Attempt, Failed>) {
        let Self { content, attempt } = self;
        let (staged, written) = blocking(move || {
            let mut staged = staged;
            let empty = staged.received_bytes() == 0;
            let written = if empty { staged.append(&content) } else { Ok(()) };
            (staged, written)
        })
        .await;
        match written {
            Ok(()) => (staged, attempt),
            Err(error) => (staged, Err(disk_error(fetch.file, error).into())),
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
    ) -> Result<Vec<u8>, First> {
        tell(Event::Started { file: fetch.file.clone(), size: Some(size), already: 0 });
        let mut content = Vec::new();
        if size == 0 {
            return Ok(content);
        }
        match self.small_attempt(fetch, size, &mut content, tell).await {
            Ok(Attempt::Ended) if content.len() as u64 == size => Ok(content),
            attempt => Err(First { content, attempt }),
        }
    }

    async fn small_attempt(
        &self,
        fetch: &Fetch<'_>,
        size: u64,
        content: &mut Vec<u8>,
        tell: Tell<'_>,
    ) -> Result<Attempt, Failed> {
        let (from, answer) = match self.get(fetch.content, &HeaderMap::new(), None).await {
            Ok(answered) => answered,
            Err(error) => return unanswered(fetch, error),
        };
        if let Err(attempt) = accept(fetch, &answer, 0) {
            return attempt;
        }
        content.reserve_exact(usize::try_from(size).unwrap_or(0));
        let mut meter = Meter::new(self, fetch.file, tell);
        match self.receive_small(&from, answer.body, size, content, &mut meter).await {
            Ok(attempt) => Ok(attempt),
            Err(stopped) => self.stopped(fetch, stopped),
        }
    }

    async fn receive_small(
        &self,
        from: &Address,
        mut body: Box<dyn Body>,
        size: u64,
        content: &mut Vec<u8>,
        meter: &mut Meter<'_>,
    ) -> Result<Attempt, Stopped> {
        while let Some(piece) = self.piece(from, &mut *body).await? {
            meter.received(piece.len() as u64)?;
            let received = content.len() as u64 + piece.len() as u64;
            if received > size {
                content.clear();
                return Ok(Attempt::Wrong(Mismatch::Size { expected: size, received }));
            }
            content.extend_from_slice(&piece);
        }
        Ok(Attempt::Ended)
    }
}
