//! Asking the hub what a file is: the HEAD, or the GET of whoever will fetch it, its redirects, and its retries.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header::IF_NONE_MATCH};
use hubstow_cache::disk::failure::with_causes;
use hubstow_core::{
    action::Lookup as Kind,
    facts::Answer,
    hub::{REDIRECT_LIMIT, Reply, Retry},
    name::{Commit, Etag, FileName, Repo, Revision},
};
use tokio::time::Instant;
use url::Url;

use crate::{
    api::{
        error::{AnyError, Error},
        event::Event,
    },
    http::{
        address::{Address, NoAnswer, core_headers, hub_answer, location},
        endpoints::Outage,
        gate::retry_of,
        session::{Http, Limits},
        transport::BoxFuture,
    },
    lookup::{
        ahead::{Ahead, AnswerAhead},
        complete::{CachedEtag, Doubt, Said, Word},
        patience::{Missed, Patience},
    },
};

/// What the hub answered, and from where the content is to be fetched.
pub(crate) struct Found {
    /// The reading of the answer.
    pub(crate) reply: Reply,
    /// Where the content is, where the answer tells.
    pub(crate) content: Option<Address>,
    /// What went wrong, where something did.
    pub(crate) cause: Option<AnyError>,
    /// How far that may be contradicted.
    pub(crate) word: Word,
    /// The answer, where there was one.
    pub(super) said: Option<Said>,
    /// The same, where it brings the file.
    pub(crate) ahead: Ahead,
}

/// By what a hub is asked what a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Head,
    /// By the request that brings the file, which is fetched next.
    Get,
}

/// One question to be asked.
pub(crate) struct Lookup<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) revision: &'a Revision,
    pub(crate) file: &'a FileName,
    /// The etag of the cached content, for a conditional HEAD.
    pub(crate) known: Option<&'a Etag>,
    /// What is cached of the file.
    pub(crate) here: Option<CachedEtag<'a>>,
    /// What came of the last answer, where that has been followed already.
    pub(crate) doubt: Option<Doubt>,
    pub(crate) patience: Patience,
    pub(crate) by: By,
}

impl Http {
    /// Asks what a file is: at its address, and elsewhere for what that leaves open.
    pub(crate) fn lookup<'a>(
        &'a self,
        lookup: &'a Lookup<'_>,
        tell: &'a (dyn Fn(Event) + Sync),
    ) -> BoxFuture<'a, Result<Found, Error>> {
        Box::pin(async move {
            let found = self.head(lookup, tell).await?;
            self.complete(lookup, found, tell).await
        })
    }

    /// Asks at the address of a file, again where the failure may pass.
    async fn head(
        &self,
        lookup: &Lookup<'_>,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Found, Error> {
        let url = self.endpoint().file(lookup.repo, lookup.revision, lookup.file);
        let start = self.at_endpoint(&url)?;
        let mut asking = lookup.patience.begin();
        loop {
            let site = self.route().site();
            let (found, passing, outage) =
                self.lookup_once(lookup, &start, asking.limits()).await?;
            let cause = || match &found.cause {
                Some(cause) => with_causes(&**cause),
                None => found.reply.answer.to_string(),
            };
            let missed = Missed { site, passing, outage };
            let Some(wait) = asking.again(self, missed, cause, tell) else {
                return Ok(found);
            };
            if !wait.is_zero() {
                let (subject, retry) = (lookup.file.to_string(), asking.retry());
                tell(Event::Retrying { subject, retry, wait, cause: cause() });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn lookup_once(
        &self,
        lookup: &Lookup<'_>,
        start: &Address,
        limits: Limits,
    ) -> Result<(Found, Retry, Option<Outage>), Error> {
        let kind = if lookup.known.is_some() { Kind::Conditional } else { Kind::Plain };
        // Where the endpoint that is asked now leads elsewhere, it does from its own address.
        let mut at = self.route().routed(start);
        for followed in 0..=REDIRECT_LIMIT {
            let headers = conditional(lookup.known);
            let method = match lookup.by {
                By::Head => Method::HEAD,
                By::Get => Method::GET,
            };
            let (site, asked) = (self.route().site(), Instant::now());
            let sent = self.send(method, &at, headers, limits).await;
            let answer = match sent {
                Ok((asked, answer)) => {
                    at = asked;
                    answer
                }
                Err(error) => {
                    let (passing, outage) = (error.retry(), Outage::of(&error));
                    return Ok((unreachable(error)?, passing, outage));
                }
            };
            let status = answer.status.as_u16();
            let headers = core_headers(&answer.headers);
            let reply = self.decider.read_head(status, &headers, lookup.revision, kind)?;
            let next = match location(&answer).map(|to| self.hop(&at, &to, followed)) {
                Some(Ok(next)) => Some(next),
                Some(Err(error)) => return Ok((unreachable(error)?, Retry::No, None)),
                None => None,
            };
            match (next, reply.answer) {
                // A redirect that says nothing of the file only says where to ask.
                (Some(next), Answer::Incomplete) if headers.linked_etag.is_none() => at = next,
                (next, _) => {
                    let cause = (status >= 400).then(|| hub_answer(status, &answer.headers).into());
                    let content = match (&reply.commit, next) {
                        (_, Some(next)) => Some(next),
                        (Some(commit), None) => Some(pinned(&at, lookup.revision, commit)),
                        (None, None) => None,
                    };
                    let passing = retry_of(answer.status, &answer.headers);
                    let outage = Outage::of_status(answer.status);
                    let status = answer.status;
                    let said = Some(Said { status, headers: answer.headers.clone() });
                    let word = Word::First;
                    let ahead = match lookup.by {
                        By::Get if status == StatusCode::OK => {
                            let delay = asked.elapsed();
                            Ahead::keep(AnswerAhead { from: at, answer, delay, site })
                        }
                        By::Get | By::Head => Ahead::default(),
                    };
                    let found = Found { reply, content, cause, word, said, ahead };
                    return Ok((found, passing, outage));
                }
            }
        }
        Ok((unreachable(self.too_many(&at))?, Retry::No, None))
    }
}

fn conditional(known: Option<&Etag>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(value) = known.and_then(|etag| HeaderValue::from_str(&format!("\"{etag}\"")).ok()) {
        headers.insert(IF_NONE_MATCH, value);
    }
    headers
}

fn unreachable(error: NoAnswer) -> Result<Found, Error> {
    let answer = match &error {
        NoAnswer::Transport { .. } => Answer::Unreachable,
        NoAnswer::Redirected { .. } => Answer::Unexpected,
        NoAnswer::Unset(_) | NoAnswer::Undecided { .. } => return Err(error.into()),
    };
    let (reply, cause) = (Reply::bare(answer), Some(error.into()));
    let (content, word, said, ahead) = (None, Word::First, None, Ahead::default());
    Ok(Found { reply, content, cause, word, said, ahead })
}

/// Replaces the revision by the commit that answered, so that a branch that moves meanwhile changes nothing (I13).
fn pinned(at: &Address, revision: &Revision, commit: &Commit) -> Address {
    use hubstow_core::hub::quote;
    let from = format!("/resolve/{}/", quote(revision.as_str()));
    let to = format!("/resolve/{commit}/");
    let pinned = at.url.as_str().replacen(&from, &to, 1);
    Address { url: Url::parse(&pinned).unwrap_or_else(|_| at.url.clone()), token: at.token }
}
