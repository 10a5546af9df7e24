//! Handing on questions in JSON, with the token of whoever asks.
//!
//! Headers are handed on by name, so nothing of upstream's store, cookies or addresses comes through.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use hubstow_client::{Error, RawAnswer, RawQuestion};
use hubstow_serve::{Freshness, PassAsked, Passed, Refusal, Via};
use serde_json::Value;

use crate::{
    away::says_away,
    callers::KnownCaller,
    counting::count,
    kept::{Answer, Question},
    limits::{ALLOWED_FOR, ANSWER_BYTES, STALE_FOR},
    memory::Part,
    node::Inner,
    refusals::refusal_of,
};

/// The headers that are handed on.
const HANDED_ON: [HeaderName; 11] = [
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-error-code"),
    HeaderName::from_static("x-error-message"),
    HeaderName::from_static("x-repo-commit"),
    HeaderName::from_static("x-total-count"),
];
/// By this member clients learn that content is in a store that this server has not.
const XET_HASH: &str = "xetHash";

impl Inner {
    /// Hands a question on, or answers it as upstream has, where that is as good.
    pub(crate) async fn pass(&self, asked: PassAsked) -> Result<Passed, Refusal> {
        let caller = self.callers.known(&asked.caller)?;
        // What is said of a commit never changes.
        let is_lasting = asked.revision.as_ref().is_some_and(|at| at.as_commit().is_some());
        let question = asked.repo.clone().map(|repo| {
            let (path, json) = (asked.path.clone(), asked.json.clone());
            let caller = (!is_lasting).then_some(caller.key);
            Question { caller, repo, path, json }
        });
        let kept = |within| {
            let question = question.as_ref()?;
            let may = self.memory.may_read(caller.key, &question.repo, Part::Description, within);
            self.kept.recall(question, STALE_FOR).filter(|_| may)
        };
        if is_lasting && let Some(answer) = kept(ALLOWED_FOR) {
            return Ok(answer.given(Via::Hit, Freshness::Confirmed));
        }
        let stale = || {
            let answer = kept(STALE_FOR)?;
            count(&self.counts.stale);
            Some(answer.given(Via::Hit, Freshness::Stale))
        };
        if self.away.is_recent()
            && let Some(passed) = stale()
        {
            return Ok(passed);
        }
        match self.ask(&caller, &asked).await {
            Ok(answer) => {
                self.away.is_back();
                Ok(self.taken(&caller, question, answer))
            }
            Err(error) => {
                if says_away(&error) {
                    self.away.noticed();
                    if let Some(passed) = stale() {
                        return Ok(passed);
                    }
                }
                Err(refusal_of(&error))
            }
        }
    }

    async fn ask(&self, caller: &KnownCaller, asked: &PassAsked) -> Result<RawAnswer, Error> {
        let raw = RawQuestion::new(asked.path.clone(), ANSWER_BYTES);
        let raw = match &asked.json {
            Some(json) => raw.with_json(json.clone()),
            None => raw,
        };
        let answer = caller.hub.ask_raw(raw).await?;
        if answer.status.is_server_error() {
            return Err(failing(answer.status));
        }
        Ok(answer)
    }

    /// Takes what upstream has answered: who may read, and what to say the next time.
    fn taken(&self, caller: &KnownCaller, question: Option<Question>, answer: RawAnswer) -> Passed {
        let RawAnswer { status, headers, body, .. } = answer;
        let next_page =
            headers.get(header::LINK).and_then(|link| self.next_page(link.to_str().ok()?));
        let handed = HANDED_ON.into_iter().filter_map(|name| {
            let value = headers.get(&name)?.clone();
            Some((name, value))
        });
        let answer =
            Answer { headers: handed.collect::<HeaderMap>(), next_page, body: without_xet(body) };
        let passed = answer.clone().given(Via::Passed, Freshness::Confirmed);
        if let Some(question) = question {
            if status == StatusCode::OK {
                self.memory.allowed(caller.key, &question.repo, Part::Description);
                self.kept.keep(question, answer);
            } else if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                self.memory.refused(caller.key, &question.repo, Part::Description);
            }
        }
        Passed { status: status.as_u16(), ..passed }
    }

    /// Reads where the next page is, as a path of the endpoint.
    fn next_page(&self, link: &str) -> Option<String> {
        let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
        let target = next.split_once('<')?.1.split_once('>')?.0;
        let page = self.endpoint.next_page(target)?;
        Some(page.strip_prefix(self.endpoint.as_str())?.to_owned())
    }
}

impl Answer {
    fn given(self, via: Via, freshness: Freshness) -> Passed {
        let Self { headers, next_page, body } = self;
        Passed { status: StatusCode::OK.as_u16(), headers, next_page, body, via, freshness }
    }
}

fn failing(status: StatusCode) -> Error {
    let said = hubstow_client::HubAnswer::new(status.as_u16(), None, None);
    Error::new(hubstow_client::ErrorKind::HubFailing, "upstream fails").caused_by(said)
}

/// Leaves out by which content could be asked for in upstream's store.
fn without_xet(body: Bytes) -> Bytes {
    let names_it = body.windows(XET_HASH.len()).any(|text| text == XET_HASH.as_bytes());
    let parsed = if names_it { serde_json::from_slice::<Value>(&body).ok() } else { None };
    match parsed {
        Some(mut value) => {
            strip(&mut value);
            value.to_string().into()
        }
        None => body,
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove(XET_HASH);
            members.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
