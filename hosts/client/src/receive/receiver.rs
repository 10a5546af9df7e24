//! Filling a staged file: one try after the other, until the content is here or nothing more can be done.
//!
//! INVARIANT (I13): nothing is taken for the content but what has the promised size and hash. INVARIANT (I14): no more
//! bytes than promised are written.

#[cfg(test)]
mod tests;

use std::{io, ops::Range, time::Duration};

use http::header::CONTENT_LENGTH;
use hubstow_cache::staged::{Intervals, Mismatch, StagedFile};
use tokio::time::Instant;

use super::{
    accept::{
        Brings, FromHub, accept, accept_range, header_number, may_continue, range_headers,
        rest_headers,
    },
    custody::{Custody, Holding, Order},
    decide::{At, ContentSource, Next, Others, Standing},
    fetch::{Failed, Fetch, Tell},
    memory::Unfinished,
    ranges::early::Early,
    stream::{Brought, SPLIT_FROM_BYTES},
    transfer::Transfer,
    verdict::{Cause, Verdict},
    xet,
};
use crate::{
    api::{error::Error, event::Event},
    http::{address::Address, endpoints::SiteId, session::Http, transport::Response},
    lookup::ahead::{Ahead, AnswerAhead},
};

/// Fetches one file. It has the staged file in its custody until it is asked for it.
pub(crate) struct Receiver<'a> {
    http: &'a Http,
    fetch: &'a Fetch<'a>,
    tell: Tell<'a>,
    staged: Custody,
    standing: Standing,
    /// The endpoint that was asked last.
    site: SiteId,
    /// A first try that somebody else has made.
    unfinished: Option<Unfinished>,
    /// The answer to the first request, where that was sent already.
    ahead: Ahead,
}

/// A request that was answered.
struct Asked<'a> {
    transfer: Transfer<'a>,
    answer: Response,
    /// The hole that was asked for; `None` for all the rest.
    hole: Option<Range<u64>>,
    /// What was asked for besides.
    early: Option<Early<'a>>,
}

impl<'a> Receiver<'a> {
    pub(crate) fn new(
        http: &'a Http,
        fetch: &'a Fetch<'a>,
        staged: Custody,
        tell: Tell<'a>,
    ) -> Self {
        let at = if fetch.content == fetch.pinned { At::Pinned } else { At::Named };
        let source = xet::source(http, fetch);
        let standing = Standing::new(source, at, http.own_connections(), fetch.backoff);
        let site = http.route().site();
        let (unfinished, ahead) = (None, Ahead::default());
        Self { http, fetch, tell, staged, standing, site, unfinished, ahead }
    }

    /// Goes on from a first try, if there was one.
    pub(crate) fn after(self, unfinished: Option<Unfinished>) -> Self {
        Self { unfinished, ..self }
    }

    /// Begins with an answer that has come already, if it is still here by then.
    pub(crate) fn answered(self, ahead: Ahead) -> Self {
        Self { ahead, ..self }
    }

    /// Returns the staged file, however the fetch has ended.
    pub(crate) fn into_staged(self) -> Custody {
        self.staged
    }

    /// Fills the staged file until it is complete and verified.
    ///
    /// # Errors
    /// Why that can't be done.
    pub(crate) async fn run(&mut self) -> Result<(), Failed> {
        let mut ended = self.begin().await;
        loop {
            if matches!(ended, Verdict::Wrong(_))
                && let Err(error) = self.drop_bytes().await
            {
                ended = Verdict::Disk(error);
            }
            let others =
                if self.http.route().goes_on_from(self.site) { Others::Left } else { Others::None };
            let next = self.standing.next(&ended, self.staged.received_bytes(), others);
            ended = match next {
                Next::Done => return Ok(()),
                Next::AskAgain => {
                    return Err(Failed::Doubted(ended.doubt(), self.error(ended)));
                }
                Next::GiveUp => return Err(Failed::Error(self.error(ended))),
                Next::Elsewhere => {
                    self.http.leave(self.site, &ended.cause(), self.tell);
                    self.once().await
                }
                Next::Verify => self.verify().await,
                Next::Again { after } => {
                    if let Verdict::Store(_) = ended {
                        xet::forget(self.http, self.fetch).await;
                    }
                    self.again(after, &ended).await
                }
                Next::StartOver { after } => match self.start_over().await {
                    Ok(()) => self.again(after, &ended).await,
                    Err(error) => Verdict::Disk(error),
                },
                Next::Anew => {
                    let (repo, file) = (self.fetch.repo, self.fetch.file);
                    tracing::warn!(%repo, %file, mismatch = %ended.cause(), "fetching again");
                    self.told_of_start_over();
                    self.once().await
                }
                Next::FromPinned => self.once().await,
                Next::FromHub => {
                    if let Verdict::Store(failure) = &ended {
                        xet::leave(self.http, self.fetch, failure).await;
                    }
                    self.once().await
                }
            };
        }
    }

    /// Makes the first try, unless somebody has made it.
    async fn begin(&mut self) -> Verdict {
        if let Some(unfinished) = self.unfinished.take() {
            self.site = unfinished.site();
            return unfinished.enter(&mut self.staged).await;
        }
        (self.tell)(Event::Started {
            file: self.fetch.file.clone(),
            size: self.fetch.metadata.size,
            already: self.staged.received_bytes(),
        });
        self.once().await
    }

    /// Waits, and tries again.
    async fn again(&mut self, wait: Duration, ended: &Verdict) -> Verdict {
        let (subject, retry) = (self.fetch.file.to_string(), self.standing.retries());
        (self.tell)(Event::Retrying { subject, retry, wait, cause: ended.cause() });
        tokio::time::sleep(wait).await;
        self.once().await
    }

    /// Says it as an error, which names all endpoints that were asked.
    fn error(&self, ended: Verdict) -> Error {
        ended.into_error(self.fetch.file).asked_at(&self.http.asked())
    }

    /// Makes one try.
    async fn once(&mut self) -> Verdict {
        self.site = self.http.route().site();
        if self.fetch.metadata.size == Some(self.staged.received_bytes()) {
            return Verdict::Received;
        }
        let holding = match self.holding().await {
            Ok(holding) => holding,
            Err(error) => return error.into(),
        };
        let received = match self.standing.source {
            // Bytes behind a hole are continued by ranges, which the hub gives.
            ContentSource::XetStore if holding.intervals.is_prefix() => {
                xet::receive(self.http, self.fetch, &mut self.staged, self.tell).await
            }
            ContentSource::XetStore | ContentSource::Hub => self.ask_hub(holding).await,
        };
        received.map_or_else(|verdict| verdict, |()| Verdict::Received)
    }

    /// Sends one GET and takes what it brings, of a file that holds so much.
    async fn ask_hub(&mut self, holding: Holding) -> Result<(), Verdict> {
        let (http, fetch) = (self.http, self.fetch);
        let have = holding.intervals.prefix_bytes();
        let ahead = self.answer_ahead(&holding);
        let is_ahead = ahead.is_some();
        let Asked { transfer, answer, hole, early } = match ahead {
            Some(ahead) => self.asked_ahead(ahead),
            None => self.ask(&holding).await?,
        };
        if !may_continue(fetch, self.staged.received_bytes(), FromHub::of(http, &transfer.from)) {
            return Err(Verdict::NoRange(Cause::Unproven));
        }
        let brings = match &hole {
            Some(range) => match accept_range(fetch, answer.status, &answer.headers, range) {
                Ok(()) => Brings::Rest,
                // Nobody has had to ask for a range here, and the hub gives none.
                Err(Verdict::NoRange(cause)) if early.is_some() => {
                    http.gate.refused_range(&transfer.from.url);
                    Brings::Nothing(Verdict::NotSplit(cause))
                }
                Err(verdict) => Brings::Nothing(verdict),
            },
            None => accept(fetch, answer.status, &answer.headers, have),
        };
        match brings {
            Brings::Nothing(verdict) => return Err(verdict),
            Brings::Rest => {}
            Brings::Whole => {
                if have > 0 {
                    self.start_over().await?;
                }
                if let Some(length) = header_number(&answer.headers, &CONTENT_LENGTH) {
                    self.staged.promise_size(length);
                }
            }
        }
        // Where all comes instead of the rest, nothing is held any more.
        let holding = match self.staged.received_bytes() {
            0 => Holding { intervals: Intervals::default(), ..holding },
            _ => holding,
        };
        let early = early.map(|early| early.answered(transfer.from.clone()));
        let brought = Brought { holding, hole, early, is_ahead };
        transfer.receive(answer, brought, &mut self.staged).await
    }

    /// Asks for what is missing.
    async fn ask(&mut self, holding: &Holding) -> Result<Asked<'a>, Verdict> {
        let (http, fetch) = (self.http, self.fetch);
        let at = match self.standing.at {
            At::Named => fetch.content,
            At::Pinned => fetch.pinned,
        };
        let transfer = self.transfer(at.clone(), Duration::ZERO);
        let mut early = Early::ask(transfer.clone(), holding);
        let hole = early.as_mut().and_then(Early::first).or_else(|| self.hole(holding));
        let headers = match &hole {
            Some(range) => range_headers(range, fetch, FromHub::of(http, at)),
            None => rest_headers(holding.intervals.prefix_bytes(), fetch, FromHub::of(http, at)),
        };
        let asked = Instant::now();
        let answer = http.get(at, &headers, None);
        let (from, answer) = match &mut early {
            Some(early) => early.beside(answer).await?,
            None => answer.await?,
        };
        let transfer = Transfer { from, delay: asked.elapsed(), ..transfer };
        Ok(Asked { transfer, answer, hole, early })
    }

    /// Returns the answer to the first request, if that brings what is asked for now.
    fn answer_ahead(&self, holding: &Holding) -> Option<AnswerAhead> {
        let ahead = self.ahead.take()?;
        (holding.intervals.is_empty() && ahead.site == self.site).then_some(ahead)
    }

    fn asked_ahead(&self, ahead: AnswerAhead) -> Asked<'a> {
        let AnswerAhead { from, answer, delay, .. } = ahead;
        Asked { transfer: self.transfer(from, delay), answer, hole: None, early: None }
    }

    fn transfer(&self, from: Address, delay: Duration) -> Transfer<'a> {
        let Self { http, fetch, tell, .. } = *self;
        Transfer { http, fetch, from, connections: self.standing.connections, tell, delay }
    }

    /// Says what is here; of a small file with nothing of it that is known.
    async fn holding(&mut self) -> io::Result<Holding> {
        let size = self.fetch.metadata.size.unwrap_or(0);
        if self.staged.received_bytes() == 0 && size < SPLIT_FROM_BYTES {
            return Ok(Holding { intervals: Intervals::default(), order: Order::Ascending });
        }
        self.staged.holding().await
    }

    /// Returns the first hole, where there are bytes behind it.
    fn hole(&self, holding: &Holding) -> Option<Range<u64>> {
        let size = self.fetch.metadata.size?;
        if holding.intervals.is_prefix() {
            return None;
        }
        holding.intervals.missing(size).next()
    }

    /// Hashing a whole file again may take time: it is done off the async threads.
    async fn verify(&mut self) -> Verdict {
        match self.staged.work(StagedFile::verify).await {
            Ok(Ok(())) => Verdict::Verified,
            Ok(Err(Mismatch::Size { expected, received })) if received < expected => {
                Verdict::Broke(Cause::Short { received, expected })
            }
            Ok(Err(mismatch)) => Verdict::Wrong(mismatch),
            Err(error) => Verdict::Disk(error),
        }
    }

    async fn start_over(&mut self) -> io::Result<()> {
        self.drop_bytes().await?;
        self.told_of_start_over();
        Ok(())
    }

    async fn drop_bytes(&mut self) -> io::Result<()> {
        self.staged.work(StagedFile::start_over).await
    }

    fn told_of_start_over(&self) {
        (self.tell)(Event::StartedOver { file: self.fetch.file.clone() });
    }
}
