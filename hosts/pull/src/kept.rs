//! Answers of upstream in JSON that are kept for a while: those about a commit, which never change, and of all others the last,
//! for when upstream can't be reached.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::HeaderMap;
use hubstow_core::name::Repo;

use crate::{
    callers::CallerKey,
    limits::{KEPT_ANSWER_BYTES, KEPT_ANSWERS_BYTES},
};

/// Which answer it is: about which repo, to which path, and to what was sent along. What is said of a commit is the same for all who
/// may have it; what else is said may be about whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// Who has asked, where that may matter.
    pub(crate) caller: Option<CallerKey>,
    pub(crate) repo: Repo,
    pub(crate) path: String,
    pub(crate) json: Option<Vec<u8>>,
}

/// An answer that may be given again.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) next_page: Option<String>,
    pub(crate) body: Bytes,
}

/// The answers that are kept.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    by_question: HashMap<Question, (Answer, Instant)>,
    len_bytes: usize,
}

impl Kept {
    pub(crate) fn keep(&self, question: Question, answer: Answer) {
        let len = answer.cost(&question);
        if len > KEPT_ANSWER_BYTES {
            return;
        }
        let mut answers = self.answers();
        answers.remove(&question);
        while answers.len_bytes + len > KEPT_ANSWERS_BYTES {
            let oldest = answers.by_question.iter().min_by_key(|(_, (_, at))| *at);
            let Some(oldest) = oldest.map(|(question, _)| question.clone()) else { break };
            answers.remove(&oldest);
        }
        answers.len_bytes += len;
        answers.by_question.insert(question, (answer, Instant::now()));
    }

    /// Returns an answer that came no longer ago than this.
    pub(crate) fn recall(&self, question: &Question, within: Duration) -> Option<Answer> {
        let answers = self.answers();
        let (answer, at) = answers.by_question.get(question)?;
        (at.elapsed() < within).then(|| answer.clone())
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn remove(&mut self, question: &Question) {
        if let Some((answer, _)) = self.by_question.remove(question) {
            self.len_bytes -= answer.cost(question);
        }
    }
}

/// What an entry costs besides its texts.
const OF_ENTRY_BYTES: usize = 1024;

impl Answer {
    fn cost(&self, question: &Question) -> usize {
        let asked = question.path.len() + question.json.as_ref().map_or(0, Vec::len);
        self.body.len() + asked + OF_ENTRY_BYTES
    }
}
