//! Decisions that the component has made: it imports nothing, so the same facts always give the same decision (I24), and
//! a snapshot of thousands of files asks the same few questions again and again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use hubstow_core::{action::Decision, facts::PlaceFacts};

use crate::CoreError;

/// How many decisions are remembered; a run meets a few dozen.
const LIMIT: usize = 1 << 12;

/// What was decided, and passed the guard.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<HashMap<PlaceFacts, Decision>>);

impl Remembered {
    /// Answers for one file, asking where the answer is not remembered.
    ///
    /// # Errors
    /// As asking.
    pub(crate) fn decide(
        &self,
        facts: &PlaceFacts,
        ask: impl FnOnce() -> Result<Decision, CoreError>,
    ) -> Result<Decision, CoreError> {
        let known = self.decided().get(facts).copied();
        if let Some(decision) = known {
            return Ok(decision);
        }
        let decision = ask()?;
        self.remember(HashMap::from([(*facts, decision)]));
        Ok(decision)
    }

    /// Answers for all facts, in their order; what is not remembered is asked for, each question once.
    ///
    /// # Errors
    /// As asking, which gives one decision for each question.
    pub(crate) fn decide_many(
        &self,
        facts: &[PlaceFacts],
        ask: impl FnOnce(&[PlaceFacts]) -> Result<Vec<Decision>, CoreError>,
    ) -> Result<Vec<Decision>, CoreError> {
        let known = self.of(facts);
        let mut open = HashSet::new();
        let questions: Vec<_> =
            unknown(facts, &known).filter(|facts| open.insert(**facts)).copied().collect();
        if questions.is_empty() {
            return Ok(known.into_iter().flatten().collect());
        }
        let answers = ask(&questions)?;
        let new: HashMap<_, _> = questions.into_iter().zip(answers).collect();
        let decided = facts.iter().zip(known);
        let decided =
            decided.filter_map(|(facts, known)| known.or_else(|| new.get(facts).copied()));
        let decided = decided.collect();
        self.remember(new);
        Ok(decided)
    }

    fn of(&self, facts: &[PlaceFacts]) -> Vec<Option<Decision>> {
        let decided = self.decided();
        facts.iter().map(|facts| decided.get(facts).copied()).collect()
    }

    fn remember(&self, new: HashMap<PlaceFacts, Decision>) {
        let mut decided = self.decided();
        if decided.len().saturating_add(new.len()) > LIMIT {
            decided.clear();
        }
        decided.extend(new.into_iter().take(LIMIT));
    }

    fn decided(&self) -> MutexGuard<'_, HashMap<PlaceFacts, Decision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown<'a>(
    facts: &'a [PlaceFacts],
    known: &'a [Option<Decision>],
) -> impl Iterator<Item = &'a PlaceFacts> {
    facts.iter().zip(known).filter(|(_, known)| known.is_none()).map(|(facts, _)| facts)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use hubstow_core::{
        facts::{Blob, Pointer},
        place::place,
        policy::Policy,
    };

    use super::*;

    fn facts() -> [PlaceFacts; 3] {
        let absent = PlaceFacts::empty(Policy::Compat);
        let here = PlaceFacts { blob: Blob::Existing, ..absent };
        [absent, here, PlaceFacts { pointer: Pointer::Linked, ..here }]
    }

    #[test]
    fn each_question_is_asked_once_and_every_answer_is_in_its_place() {
        let (remembered, asked) = (Remembered::default(), RefCell::new(Vec::new()));
        let ask = |questions: &[PlaceFacts]| {
            asked.borrow_mut().extend_from_slice(questions);
            Ok(questions.iter().map(place).collect())
        };
        let [absent, here, linked] = facts();
        for many in [vec![here, absent, here], vec![linked, here, linked, absent], Vec::new()] {
            let decided = remembered.decide_many(&many, ask).unwrap();
            assert_eq!(decided, many.iter().map(place).collect::<Vec<_>>());
        }
        assert_eq!(*asked.borrow(), [here, absent, linked]);
        let one = remembered.decide(&here, || panic!("it is remembered"));
        assert_eq!(one.unwrap(), place(&here));
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let (remembered, [absent, ..]) = (Remembered::default(), facts());
        assert!(remembered.decide(&absent, || Err(CoreError::OutOfStack)).is_err());
        assert!(remembered.decide_many(&[absent], |_| Err(CoreError::OutOfStack)).is_err());
        assert_eq!(remembered.decide(&absent, || Ok(place(&absent))).unwrap(), place(&absent));
    }
}
