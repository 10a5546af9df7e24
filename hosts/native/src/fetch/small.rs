//! Fetching a small file into memory, so that many can be in flight and the disk is driven for many at once.
//!
//! Only the plain case ends here: one answer that brings the whole content. Whatever else happens is handed on as the
//! first attempt of the ordinary way, which counts it, waits and asks again as it does for any file.

use http::HeaderMap;
use hubstow_fs::staged::{Mismatch, StagedFile};
use tokio::time::Instant;

use super::{
    Attempt, Failed, Fetch, Tell, WINDOW, WINDOW_BYTES, accept::accept, disk_error, hub_failing,
};
use crate::{
    event::Event,
    http::{Http, NoAnswer, transport},
    task::blocking,
    transport::Answer,
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
    pub(super) async fn enter(
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
            Err(error @ NoAnswer::Transport { .. }) => {
                return Ok(Attempt::unreachable(error.to_string()));
            }
            Err(error @ NoAnswer::Redirected { .. }) => {
                return Ok(Attempt::Expired(hub_failing(fetch.file, &error.to_string())));
            }
        };
        if let Err(attempt) = accept(fetch, &answer, 0) {
            return attempt;
        }
        let received = self.receive_small(fetch, answer, size, content, tell).await;
        Ok(received.unwrap_or_else(|stopped| match stopped {
            Stopped::Line(error) => Attempt::unreachable(transport(&from.url, error).to_string()),
            Stopped::Attempt(attempt) => attempt,
        }))
    }

    async fn receive_small(
        &self,
        fetch: &Fetch<'_>,
        mut answer: Answer,
        size: u64,
        content: &mut Vec<u8>,
        tell: Tell<'_>,
    ) -> Result<Attempt, Stopped> {
        let slow = |cause| Stopped::Attempt(Attempt::unreachable(cause));
        let mut window = (Instant::now(), 0_u64);
        content.reserve_exact(usize::try_from(size).unwrap_or(0));
        loop {
            let piece = match tokio::time::timeout(self.stall_timeout(), answer.body.chunk()).await
            {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(Attempt::Ended),
                Ok(Err(error)) => return Err(Stopped::Line(error)),
                Err(_) => {
                    let waited = self.stall_timeout().as_secs();
                    return Err(slow(format!("nothing came for {waited} s")));
                }
            };
            let bytes = piece.len() as u64;
            self.received(bytes);
            let received = content.len() as u64 + bytes;
            if received > size {
                let mismatch = Mismatch::Size { expected: size, received };
                content.clear();
                return Ok(Attempt::Wrong(mismatch));
            }
            content.extend_from_slice(&piece);
            tell(Event::Received { file: fetch.file.clone(), bytes });
            window.1 += bytes;
            if window.0.elapsed() >= WINDOW {
                if window.1 < WINDOW_BYTES {
                    let window = WINDOW.as_secs();
                    return Err(slow(format!("less than {WINDOW_BYTES} bytes came in {window} s")));
                }
                window = (Instant::now(), 0);
            }
        }
    }
}

/// Why a body was not received to its end.
enum Stopped {
    Line(crate::transport::TransportError),
    Attempt(Attempt),
}
