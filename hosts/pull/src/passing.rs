//! Handing on questions in JSON, with the token of whoever asks.
//!
//! Headers are handed on by name, so nothing of upstream's store, cookies or addresses comes through.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hubstow_client::{Detail, Error, RawAnswer, RawQuestion};
use hubstow_serve::{Freshness, PassAsked, Passed, Refusal, Via};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{
    answers::LENGTHS,
    away::says_away,
    callers::KnownCaller,
    counting::count,
    kept::{Answer, Question},
    limits::{ALLOWED_FOR, ANSWER_BYTES, KEPT_ANSWER_BYTES, STALE_FOR},
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
    ERROR_CODE,
    HeaderName::from_static("x-error-message"),
    HeaderName::from_static("x-repo-commit"),
    HeaderName::from_static("x-total-count"),
];
/// Says what kind of refusal an answer is.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// By this member clients learn that content is in a store that this server has not.
const XET_HASH: &str = "xetHash";

impl Inner {
    /// Hands a question on, or answers it as upstream has, where that is as good.
    pub(crate) async fn pass(&self, asked: PassAsked) -> Result<Passed, Refusal> {
        let caller = self.callers.known(&asked.caller)?;
        let is_lasting = asked.revision.as_ref().is_some_and(|at| at.as_commit().is_some())
            && is_said_of_content(&asked.path);
        let question = Question {
            caller: (!is_lasting).then_some(caller.key),
            repo: asked.repo.clone(),
            path: asked.path.clone(),
            json: asked.json.clone(),
        };
        let kept = |within| {
            // What is of no repo was said to this caller.
            let may = question
                .repo
                .as_ref()
                .is_none_or(|repo| self.memory.may_know(caller.key, repo, within));
            self.kept.recall(&question, STALE_FOR).filter(|_| may)
        };
        if is_lasting && let Some(answer) = kept(ALLOWED_FOR) {
            return Ok(answer.given(Via::Hit, Freshness::Confirmed));
        }
        if let Some(passed) = self.of_tier(&caller, &asked, ALLOWED_FOR).await {
            return Ok(passed);
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
        match self.ask(&caller, &asked).await? {
            Ok(answer) => {
                self.away.is_back();
                let question = (question, asked.caller.reveal_token());
                let passed = self.taken(&caller, question, answer)?;
                if passed.status == StatusCode::OK.as_u16() && passed.next_page.is_none() {
                    self.tiers.answered(&asked, &passed.body);
                }
                Ok(passed)
            }
            Err(error) => {
                // One question that upstream fails at says nothing of the others, so files are asked for as before.
                let mut passed = if says_away(&error) { stale() } else { None };
                if says_away(&error) && passed.is_none() {
                    passed = self.of_tier(&caller, &asked, STALE_FOR).await;
                    passed.iter_mut().for_each(|passed| {
                        count(&self.counts.stale);
                        passed.freshness = Freshness::Stale;
                    });
                }
                passed.ok_or_else(|| refusal_of(&error))
            }
        }
    }

    /// Answers with the listing of a commit that the tier keeps, to whom upstream has told of the repo.
    async fn of_tier(
        &self,
        caller: &KnownCaller,
        asked: &PassAsked,
        within: Duration,
    ) -> Option<Passed> {
        if !self.memory.may_know(caller.key, asked.repo.as_ref()?, within) {
            return None;
        }
        let body = self.tiers.listing(asked).await?;
        let kind = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
        let answer = Answer { headers, next_page: None, body };
        Some(answer.given(Via::Hit, Freshness::Confirmed))
    }

    /// Asks upstream, where there is room for the answer.
    ///
    /// # Errors
    /// There is none, for as long as anybody waits here.
    async fn ask(
        &self,
        caller: &KnownCaller,
        asked: &PassAsked,
    ) -> Result<Result<RawAnswer, Error>, Refusal> {
        for len_bytes in LENGTHS {
            let room = self.answers.room(len_bytes).await?;
            let raw = RawQuestion::new(asked.path.clone(), len_bytes);
            let raw = match &asked.json {
                Some(json) => raw.with_json(json.clone()),
                None => raw,
            };
            return Ok(match caller.hub.ask_raw(raw).await {
                Ok(answer) if answer.status.is_server_error() => Err(failing(answer.status)),
                Ok(mut answer) => {
                    answer.body = room.hold(self.without_xet(answer.body).await);
                    Ok(answer)
                }
                Err(error) if is_too_long(&error) && len_bytes < ANSWER_BYTES => continue,
                Err(error) => Err(error),
            });
        }
        Err(Refusal::new(502, "Upstream's answer is of no use"))
    }

    /// Leaves out by which content could be asked for in upstream's store.
    async fn without_xet(&self, body: Bytes) -> Bytes {
        let names_it = body.windows(XET_HASH.len()).any(|text| text == XET_HASH.as_bytes());
        if !names_it {
            return body;
        }
        let _turn = self.rewriting.acquire().await;
        let unchanged = body.clone();
        spawn_blocking(move || stripped(&body)).await.ok().flatten().unwrap_or(unchanged)
    }

    /// Takes what upstream has answered: who may read, and what to say the next time.
    ///
    /// # Errors
    /// It goes on at a page that can't be had from here: what is cut short must not look whole.
    fn taken(
        &self,
        caller: &KnownCaller,
        (question, token): (Question, Option<&str>),
        answer: RawAnswer,
    ) -> Result<Passed, Refusal> {
        let next_page = answer.next_page().map_err(|error| refusal_of(&error))?;
        let RawAnswer { status, headers, body, .. } = answer;
        let handed = HANDED_ON.into_iter().filter_map(|name| {
            let value = headers.get(&name)?.clone();
            Some((name, value))
        });
        let answer = Answer { headers: handed.collect::<HeaderMap>(), next_page, body };
        let passed = answer.clone().given(Via::Passed, Freshness::Confirmed);
        let is_refusal = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            || passed.headers.get(ERROR_CODE).is_some_and(|code| code == "RepoNotFound");
        if status == StatusCode::OK {
            if let Some(repo) = &question.repo {
                self.memory.told(caller.key, repo);
            }
            // What upstream says back of whoever asked is for nobody else.
            let is_own = token.is_some_and(|token| answer.has(token));
            let caller = question.caller.or(is_own.then_some(caller.key));
            self.kept.keep(Question { caller, ..question }, answer);
        } else if is_refusal {
            self.kept.forget(&question);
            if let Some(repo) = &question.repo {
                self.memory.refused(caller.key, repo);
            }
        }
        Ok(Passed { status: status.as_u16(), ..passed })
    }
}

/// Tells whether a question about a commit is about what it holds, which never changes; how often it was downloaded does.
fn is_said_of_content(path: &str) -> bool {
    !path.split(['/', '?']).any(|part| part == "revision") && !path.contains("expand")
}

impl Answer {
    /// Tells whether a text is anywhere in it that may be kept.
    fn has(&self, text: &str) -> bool {
        let is_in = |bytes: &[u8]| {
            text.len() <= bytes.len() && bytes.windows(text.len()).any(|at| at == text.as_bytes())
        };
        let next_page = self.next_page.as_deref().map(str::as_bytes);
        let mut headers = self.headers.values().map(HeaderValue::as_bytes);
        let body = if self.body.len() <= KEPT_ANSWER_BYTES { &*self.body } else { &[] };
        headers.any(is_in) || is_in(body) || next_page.is_some_and(is_in)
    }

    fn given(self, via: Via, freshness: Freshness) -> Passed {
        let Self { headers, next_page, body } = self;
        Passed { status: StatusCode::OK.as_u16(), headers, next_page, body, via, freshness }
    }
}

fn failing(status: StatusCode) -> Error {
    let said = hubstow_client::HubAnswer::new(status.as_u16(), None, None);
    Error::new(hubstow_client::ErrorKind::HubFailing, "upstream fails").caused_by(said)
}

/// Tells whether an answer has more bytes than there was room for.
fn is_too_long(error: &Error) -> bool {
    matches!(error.detail(), Detail::TooLong)
}

/// Returns an answer without what names content in a store; `None` where it is no JSON.
fn stripped(body: &[u8]) -> Option<Bytes> {
    let mut value = serde_json::from_slice::<Value>(body).ok()?;
    strip(&mut value);
    Some(value.to_string().into())
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

#[cfg(test)]
mod tests {
    use super::is_said_of_content;

    #[test]
    fn only_what_a_commit_holds_is_said_for_good() {
        assert!(is_said_of_content("/api/models/a/b/tree/abc?recursive=true"));
        assert!(!is_said_of_content("/api/models/a/b/tree/abc?expand=true"));
        assert!(!is_said_of_content("/api/models/a/b/revision/abc"));
    }
}
