//! Asking the hub for JSON: a revision, a page of a listing, chosen paths.

use http::{HeaderMap, StatusCode, header::LINK};
use hubstow_cache::disk::failure::with_causes;
use hubstow_core::{
    hub::{Retry, refusal_of_status},
    why::Refusal,
};
use serde::Deserialize;

use crate::{
    api::{
        error::{AnyError, Error, ErrorKind},
        event::Event,
    },
    http::{
        address::{Address, NoAnswer, core_headers, hub_answer},
        body::{Unread, whole},
        endpoints::{Outage, SiteId},
        gate::retry_of,
        session::{Http, Limits},
        transport::BoxFuture,
    },
    lookup::patience::{Missed, Patience},
};

/// The most bytes of one page or of the answer about a revision.
const BODY_LIMIT_BYTES: usize = 64 << 20;

/// Why a commit or a listing can't be had.
pub(crate) enum Unlisted {
    /// The hub said no, or could not be asked.
    Refused(Refusal, AnyError),
    /// Anything else.
    Error(Error),
}

impl Unlisted {
    pub(super) fn malformed(cause: impl Into<AnyError>) -> Self {
        Self::Refused(Refusal::AnswerIncomplete, cause.into())
    }

    /// Nothing is kept of it, and nobody may be asked.
    pub(crate) fn not_cached() -> Self {
        Self::Refused(Refusal::NotCached, "nothing is kept of it".into())
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Refused(_, cause) => with_causes(&**cause),
            Self::Error(error) => with_causes(error),
        }
    }
}

impl From<Error> for Unlisted {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The link to the next page, and the body.
type Page = (Option<String>, Vec<u8>);

/// What is asked.
pub(crate) struct Question {
    at: Address,
    /// The JSON of a POST.
    body: Option<Vec<u8>>,
}

impl Question {
    pub(crate) fn get(at: Address) -> Self {
        Self { at, body: None }
    }

    pub(super) fn post(at: Address, body: Vec<u8>) -> Self {
        Self { at, body: Some(body) }
    }
}

impl Http {
    /// Asks for JSON, again where the failure may pass; returns the next page's link and the body.
    pub(crate) async fn json(
        &self,
        question: &Question,
        subject: &str,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Page, Unlisted> {
        self.json_of(question, subject, patience, tell).await.map(|(_, page)| page)
    }

    /// Does the same, and says which endpoint has answered.
    pub(super) fn json_of<'a>(
        &'a self,
        question: &'a Question,
        subject: &'a str,
        patience: Patience,
        tell: &'a (dyn Fn(Event) + Sync),
    ) -> BoxFuture<'a, Result<(SiteId, Page), Unlisted>> {
        Box::pin(self.ask_patiently(question, subject, patience, tell))
    }

    async fn ask_patiently(
        &self,
        question: &Question,
        subject: &str,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<(SiteId, Page), Unlisted> {
        let mut asking = patience.begin();
        loop {
            let site = self.route().site();
            let (refusal, cause, passing, outage): (_, AnyError, _, _) = match self
                .json_once(question, asking.limits())
                .await
            {
                Ok(page) => return Ok((site, page)),
                Err(JsonError::NoAnswer(error @ NoAnswer::Transport { .. })) => {
                    let (passing, outage) = (error.retry(), Outage::of(&error));
                    (Refusal::HubUnreachable, Box::new(error), passing, outage)
                }
                Err(JsonError::NoAnswer(error @ NoAnswer::Redirected { .. })) => {
                    (Refusal::AnswerUnexpected, Box::new(error), Retry::No, None)
                }
                Err(JsonError::NoAnswer(
                    error @ (NoAnswer::Unset(_) | NoAnswer::Undecided { .. }),
                )) => {
                    return Err(Unlisted::Error(error.into()));
                }
                Err(JsonError::Status(status, headers)) => {
                    let (number, core) = (status.as_u16(), core_headers(&headers));
                    let cause = hub_answer(number, &headers).into();
                    let passing = retry_of(status, &headers);
                    (refusal_of_status(number, &core), cause, passing, Outage::of_status(status))
                }
                Err(JsonError::Malformed(cause)) => {
                    (Refusal::AnswerIncomplete, cause.into(), Retry::No, None)
                }
            };
            let missed = Missed { site, passing, outage };
            let Some(wait) = asking.again(self, missed, || with_causes(&*cause), tell) else {
                return Err(Unlisted::Refused(refusal, cause));
            };
            if !wait.is_zero() {
                let (subject, retry) = (subject.to_owned(), asking.retry());
                let cause = with_causes(&*cause);
                tell(Event::Retrying { subject, retry, wait, cause });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn json_once(
        &self,
        Question { at, body }: &Question,
        limits: Limits,
    ) -> Result<Page, JsonError> {
        let asked = match body {
            None => self.get_until(at, &HeaderMap::new(), limits).await,
            Some(body) => self.post(at, body.clone(), limits).await,
        };
        let (from, answer) = asked.map_err(JsonError::NoAnswer)?;
        if !answer.status.is_success() {
            return Err(JsonError::Status(answer.status, answer.headers));
        }
        let next = next_link(&answer.headers).map_err(JsonError::Malformed)?;
        match whole(&from, answer, BODY_LIMIT_BYTES, self.stall_timeout()).await {
            Ok(body) => Ok((next, body)),
            Err(Unread::NoAnswer(error)) => Err(JsonError::NoAnswer(error)),
            Err(Unread::TooLong) => Err(JsonError::Malformed("it is too long")),
        }
    }
}

enum JsonError {
    NoAnswer(NoAnswer),
    Status(StatusCode, HeaderMap),
    Malformed(&'static str),
}

/// Finds the `rel="next"` link among all `Link` headers. One that can't be read might be it, and a listing must never be
/// cut short in silence: that is an error.
pub(super) fn next_link(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    for header in headers.get_all(LINK) {
        let mut rest = header.to_str().map_err(|_| "a link is no text")?;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>').ok_or("a link has no end")?;
            let parameters = after.split_once('<').map_or(after, |(parameters, _)| parameters);
            if parameters.split([';', ',']).any(is_next) {
                return Ok(Some(target.to_owned()));
            }
            rest = after;
        }
    }
    Ok(None)
}

/// Tells whether a parameter of a link says that it leads to the next page.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.trim().split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|rel| rel.eq_ignore_ascii_case("next"))
}

pub(crate) fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Unlisted> {
    serde_json::from_slice(body).map_err(|error| {
        let what = "it is not what a hub says";
        Unlisted::malformed(Error::new(ErrorKind::HubFailing, what).caused_by(error))
    })
}

pub(super) fn malformed(cause: impl Into<AnyError>) -> Error {
    Error::new(ErrorKind::HubFailing, "the hub's answer can't be used").caused_by(cause)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use hubstow_core::decide::{Guarded, LinkedCore};

    use super::*;
    use crate::{
        api::config::Config,
        http::transport::{
            Body, BoxFuture, Request, Response, Transport, TransportError, TransportErrorKind,
        },
    };

    /// The first of two endpoints can't be reached, and the second breaks off its answers.
    struct Torn;

    impl Transport for Torn {
        fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
            Box::pin(async move {
                if request.url.host_str() == Some("one.test") {
                    return Err(TransportError::of(TransportErrorKind::Connect));
                }
                let (status, headers) = (StatusCode::OK, HeaderMap::new());
                Ok(Response { status, headers, body: Box::new(Self) })
            })
        }
    }

    impl Body for Torn {
        fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
            Box::pin(async { Err(TransportError::of(TransportErrorKind::Broken)) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_names_the_endpoint_that_was_asked() {
        let mut config = Config::new("/cache");
        config.set_endpoints("http://one.test http://two.test").unwrap();
        let core = Guarded::new(Arc::new(LinkedCore));
        let http = Http::new(&config, Arc::new(Torn), core, None);
        let at = http.at_endpoint("http://one.test/api/x").unwrap();
        for question in [Question::get(at.clone()), Question::post(at, b"{}".to_vec())] {
            let patience = Patience::brief(&config).once();
            let answer = http.json(&question, "x", patience, &|_| ()).await;
            let words = answer.err().unwrap().words();
            assert!(words.contains("two.test") && !words.contains("one.test"), "{words}");
        }
    }
}
