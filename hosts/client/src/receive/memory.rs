//! Fetching a small file into memory, so that many can be in flight and the disk is driven for many at once.
//!
//! Only the plain case ends here: one answer that brings the whole content. Whatever else happens is handed on as the
//! first try of a receiver, which counts it, waits and asks again as it does for any file.

use http::{HeaderMap, Method, StatusCode};
use hubstow_cache::staged::Mismatch;
use url::{Position, Url};

use super::{
    accept::{Brings, accept},
    custody::Custody,
    fetch::{Fetch, Tell},
    meter::Meter,
    transfer::next_piece,
    verdict::{Cause, Verdict},
};
use crate::{
    api::event::Event,
    http::{
        address::{Address, NoAnswer, TokenUse},
        endpoints::SiteId,
        gate::is_refusal_for_now,
        session::Http,
        transport::Response,
    },
    lookup::direct::{Direct, Directory, OfFile},
};

/// Content that has come whole. It has its size, and no more is known of it.
pub(crate) struct Whole {
    pub(crate) content: Vec<u8>,
    pub(crate) way: Way,
    /// The endpoint that was asked.
    pub(crate) site: SiteId,
}

/// How content was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the address that the hub gives.
    Ordinary,
    /// Where it must be, by what the hub has shown of other files.
    Direct(Direct),
}

/// What came of asking where content must be.
enum Asked {
    Whole(Whole),
    /// It is to be asked for the ordinary way.
    Nothing,
}

/// A first try that did not simply succeed: what has come, and how it ended.
pub(crate) struct Unfinished {
    content: Vec<u8>,
    ended: Verdict,
    /// The endpoint that was asked.
    site: SiteId,
}

impl Unfinished {
    /// Content that came whole and is not what was promised.
    pub(crate) fn wrong(mismatch: Mismatch, site: SiteId) -> Self {
        Self { content: Vec::new(), ended: Verdict::Wrong(mismatch), site }
    }

    /// Returns the endpoint that was asked.
    pub(crate) fn site(&self) -> SiteId {
        self.site
    }

    /// Puts what has come into the staged file, so that the next try goes on from there.
    pub(crate) async fn enter(self, staged: &mut Custody) -> Verdict {
        let Self { content, ended, site: _ } = self;
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
    /// Fetches a file of this size into memory.
    pub(crate) async fn fetch_small(
        &self,
        fetch: &Fetch<'_>,
        size: u64,
        directory: &Directory,
        tell: Tell<'_>,
    ) -> Result<Whole, Unfinished> {
        tell(Event::Started { file: fetch.file.clone(), size: Some(size), already: 0 });
        let (mut content, site) = (Vec::new(), self.route().site());
        if size > 0 {
            match self.ask_directly(fetch, directory, tell).await {
                Ok(Asked::Whole(whole)) => return Ok(whole),
                Ok(Asked::Nothing) => {}
                Err(ended) => return Err(Unfinished { content, ended, site }),
            }
            let received = async {
                let (from, answer) = self.get_small(fetch, directory).await?;
                self.receive_small(fetch, (&from, answer), &mut content, tell).await
            };
            if let Err(ended) = received.await {
                return Err(Unfinished { content, ended, site });
            }
        }
        Ok(Whole { content, way: Way::Ordinary, site })
    }

    /// Asks for a file where it must be, if that is known. An answer that brings anything but the content says only that
    /// it is not there.
    async fn ask_directly(
        &self,
        fetch: &Fetch<'_>,
        directory: &Directory,
        tell: Tell<'_>,
    ) -> Result<Asked, Verdict> {
        let Some((at, direct)) = self.direct(fetch, directory) else { return Ok(Asked::Nothing) };
        let sent = self.send(Method::GET, &at, HeaderMap::new(), self.in_time(None)).await;
        let (at, answer) = sent.inspect_err(|_| directory.missed(&direct))?;
        if is_refusal_for_now(answer.status, &answer.headers) {
            return Err(match accept(fetch, answer.status, &answer.headers, 0) {
                Brings::Nothing(verdict) => verdict,
                Brings::Whole | Brings::Rest => return Ok(Asked::Nothing),
            });
        }
        if answer.status != StatusCode::OK {
            directory.missed(&direct);
            return Ok(Asked::Nothing);
        }
        let (mut content, site) = (Vec::new(), self.route().site());
        match self.receive_small(fetch, (&at, answer), &mut content, tell).await {
            Ok(()) => Ok(Asked::Whole(Whole { content, way: Way::Direct(direct), site })),
            Err(ended @ Verdict::Broke(_)) => {
                directory.missed(&direct);
                Err(ended)
            }
            Err(_) => {
                directory.missed(&direct);
                Ok(Asked::Nothing)
            }
        }
    }

    /// Returns where a file's content must be. The rule of redirects decides about that address as if the hub had just
    /// said it, and only one that may have the token is asked.
    fn direct(&self, fetch: &Fetch<'_>, directory: &Directory) -> Option<(Address, Direct)> {
        let direct = directory.direct(of(fetch))?;
        let origin = &fetch.content.url[..Position::BeforePath];
        let text = format!("{origin}{}", direct.address);
        let at = self.hop(fetch.content, &text, 0).ok()?;
        let is_as_said = at.url.as_str() == text && self.is_own(&at);
        (is_as_said && self.is_own(fetch.content)).then_some((at, direct))
    }

    /// Asks for a file the ordinary way, and takes note of where the hub redirects it to.
    async fn get_small(
        &self,
        fetch: &Fetch<'_>,
        directory: &Directory,
    ) -> Result<(Address, Response), NoAnswer> {
        let mut is_first = true;
        let learn = |from: &Address, to: &Address| {
            if std::mem::take(&mut is_first) && self.is_own(from) && self.is_own(to) {
                directory.redirected(of(fetch), tail(&to.url));
            }
        };
        self.get_watching(fetch.content, learn).await
    }

    /// Tells whether an address is the hub's own, and not past any other.
    fn is_own(&self, at: &Address) -> bool {
        at.token == TokenUse::Send && self.route().endpoints().have(at)
    }

    async fn receive_small(
        &self,
        fetch: &Fetch<'_>,
        (from, mut answer): (&Address, Response),
        content: &mut Vec<u8>,
        tell: Tell<'_>,
    ) -> Result<(), Verdict> {
        let size = fetch.metadata.size.unwrap_or(0);
        if let Brings::Nothing(verdict) = accept(fetch, answer.status, &answer.headers, 0) {
            return Err(verdict);
        }
        content.reserve_exact(usize::try_from(size).unwrap_or(0));
        let mut meter = Meter::new(self, fetch.file, tell);
        while let Some(piece) = next_piece(self, from, &mut *answer.body).await? {
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

fn of<'a>(fetch: &Fetch<'a>) -> OfFile<'a> {
    OfFile { file: fetch.file, etag: &fetch.metadata.etag }
}

/// What of an address follows the origin.
fn tail(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}
