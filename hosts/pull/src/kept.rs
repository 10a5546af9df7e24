//! Answers of upstream in JSON that are kept for a while: those about a commit, which never change, and of all others the last,
//! for when upstream can't be reached.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    /// `None` where it is about none, as lists are.
    pub(crate) repo: Option<Repo>,
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
    by_question: HashMap<Arc<Question>, Dated>,
    /// In the order in which they came.
    by_age: BTreeMap<u64, Arc<Question>>,
    next: u64,
    len_bytes: usize,
}

/// An answer, and when it came.
#[derive(Debug)]
struct Dated {
    answer: Answer,
    at: Instant,
    number: u64,
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
            let Some((_, oldest)) = answers.by_age.pop_first() else { break };
            answers.remove(&oldest);
        }
        answers.add(Arc::new(question), answer, len);
    }

    /// Returns an answer that came no longer ago than this.
    pub(crate) fn recall(&self, question: &Question, within: Duration) -> Option<Answer> {
        let answers = self.answers();
        let Dated { answer, at, .. } = answers.by_question.get(question)?;
        (at.elapsed() < within).then(|| answer.clone())
    }

    pub(crate) fn forget(&self, question: &Question) {
        self.answers().remove(question);
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn add(&mut self, question: Arc<Question>, answer: Answer, len_bytes: usize) {
        let number = self.next;
        self.next += 1;
        self.len_bytes += len_bytes;
        self.by_age.insert(number, Arc::clone(&question));
        self.by_question.insert(question, Dated { answer, at: Instant::now(), number });
    }

    fn remove(&mut self, question: &Question) {
        if let Some(Dated { answer, number, .. }) = self.by_question.remove(question) {
            self.by_age.remove(&number);
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

#[cfg(test)]
mod tests {
    use hubstow_core::name::{RepoId, RepoKind};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn question(number: usize) -> Question {
        let repo = Repo::new(RepoKind::Model, RepoId::parse("org/name").unwrap());
        Question { caller: None, repo: Some(repo), path: format!("/{number:05}"), json: None }
    }

    fn answer(len: usize) -> Answer {
        let body = Bytes::from(vec![0; len]);
        Answer { headers: HeaderMap::new(), next_page: None, body }
    }

    #[test]
    fn the_oldest_answers_go_where_all_together_are_too_long() {
        let (kept, each) = (Kept::default(), KEPT_ANSWER_BYTES / 2);
        let fit = KEPT_ANSWERS_BYTES / (each + OF_ENTRY_BYTES + 6);
        (0..fit).for_each(|number| kept.keep(question(number), answer(each)));
        // What is asked again is the newest.
        kept.keep(question(0), answer(each));
        kept.keep(question(fit), answer(each));
        let here = |number| kept.recall(&question(number), DAY).is_some();
        assert_eq!([0, 1, 2, fit].map(here), [true, false, true, true]);
        kept.keep(question(fit + 1), answer(KEPT_ANSWER_BYTES));
        assert!(!here(fit + 1), "it would take the place of too many");
        (0..=fit).for_each(|number| kept.keep(question(number), answer(0)));
        let answers = kept.answers();
        assert_eq!(answers.by_age.len(), answers.by_question.len());
        assert_eq!(answers.len_bytes, (fit + 1) * (OF_ENTRY_BYTES + 6));
    }
}
