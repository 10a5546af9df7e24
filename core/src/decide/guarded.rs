//! The only way to a decider: every answer is compared with what was asked.

use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use core::{
    error::Error,
    fmt::{self, Debug, Display},
};

use super::{
    decider::{Decider, DeciderError},
    guard::{
        possible, possible_forecast, possible_lesson, possible_redirect, possible_reply,
        possible_resolution,
    },
};
use crate::{
    action::{Action, Decision, Lookup},
    facts::{PlaceFacts, ResolveFacts},
    hub::{Headers, Hop, Redirect, Reply},
    learn::{Failure, Lesson},
    model::{DiskKind, End, Round},
    name::Revision,
    policy::Methods,
    resolve::Resolution,
};

/// A decider whose every answer is compared with what was asked (invariant I25). Cloning is cheap.
#[derive(Clone)]
pub struct Guarded(Arc<dyn Decider>);

/// What a decider was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which content is meant.
    Resolve,
    /// How content gets to its place.
    Place,
    /// What a failure teaches.
    Learn,
    /// The whole way of a file.
    Forecast,
    /// What the answer to a HEAD says.
    ReadHead,
    /// Whether a redirect is followed.
    Redirect,
}

/// There is no decision, or none that is possible. Nothing follows from it.
#[derive(Debug)]
pub enum Undecided {
    /// The decider failed.
    Failed {
        /// What it was asked.
        question: Question,
        /// Its error.
        source: DeciderError,
    },
    /// What it decided is not possible for what it was asked.
    Impossible {
        /// What it was asked.
        question: Question,
        /// Its answer, as text.
        decided: String,
    },
}

impl Undecided {
    fn failed(question: Question) -> impl FnOnce(DeciderError) -> Self {
        move |source| Self::Failed { question, source }
    }
}

impl Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { question, .. } => f.write_str(match question {
                Question::Resolve | Question::Place => "the decision could not be made",
                Question::Learn => "what a failure teaches could not be said",
                Question::Forecast => "nothing could be foretold",
                Question::ReadHead => "what the hub answered could not be read",
                Question::Redirect => "whether the redirect is followed could not be decided",
            }),
            Self::Impossible { question, decided } => match question {
                Question::Resolve => {
                    write!(f, "the decision `{decided}` is not possible for what is known")
                }
                Question::Place | Question::Learn => write!(
                    f,
                    "the decision `{decided}` is not possible for what is there; nothing was changed"
                ),
                Question::Forecast => f.write_str("the forecast is not possible for what is there"),
                Question::ReadHead => {
                    write!(f, "the reading `{decided}` is not possible for what the hub answered")
                }
                Question::Redirect => {
                    write!(f, "the decision `{decided}` is not possible for a redirect")
                }
            },
        }
    }
}

impl Error for Undecided {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(&**source),
            Self::Impossible { .. } => None,
        }
    }
}

/// Lets an answer pass where it is possible.
fn passed<T: Debug>(question: Question, is_possible: bool, answer: T) -> Result<T, Undecided> {
    if is_possible {
        Ok(answer)
    } else {
        Err(Undecided::Impossible { question, decided: format!("{answer:?}") })
    }
}

impl Guarded {
    /// Puts the guard before a decider.
    #[must_use]
    pub fn new(decider: Arc<dyn Decider>) -> Self {
        Self(decider)
    }

    /// Decides which content is meant.
    ///
    /// # Errors
    /// See [`Undecided`].
    pub fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, Undecided> {
        let asked = Question::Resolve;
        let resolution = self.0.resolve(facts).map_err(Undecided::failed(asked))?;
        passed(asked, possible_resolution(facts, &resolution), resolution)
    }

    /// Decides how content gets to its place.
    ///
    /// # Errors
    /// See [`Undecided`].
    pub fn place(&self, facts: &PlaceFacts) -> Result<Decision, Undecided> {
        let asked = Question::Place;
        let decision = self.0.place(facts).map_err(Undecided::failed(asked))?;
        passed(asked, possible(facts, &decision), decision)
    }

    /// Decides about many files, in the order of the facts; each that is not possible says so by itself.
    ///
    /// # Errors
    /// A decider that fails, or does not answer each question once.
    pub fn place_many(
        &self,
        facts: &[PlaceFacts],
    ) -> Result<Vec<Result<Decision, Undecided>>, Undecided> {
        let question = Question::Place;
        let decisions = self.0.place_many(facts).map_err(Undecided::failed(question))?;
        if decisions.len() != facts.len() {
            let decided = format!("{} decisions about {} files", decisions.len(), facts.len());
            return Err(Undecided::Impossible { question, decided });
        }
        let each = facts.iter().zip(decisions);
        let passed =
            each.map(|(facts, decision)| passed(question, possible(facts, &decision), decision));
        Ok(passed.collect())
    }

    /// Says what a failure teaches.
    ///
    /// # Errors
    /// See [`Undecided`].
    pub fn learn(
        &self,
        methods: Methods,
        action: Action,
        failure: Failure,
    ) -> Result<Lesson, Undecided> {
        let asked = Question::Learn;
        let lesson = self.0.learn(methods, action, failure).map_err(Undecided::failed(asked))?;
        passed(asked, possible_lesson(methods, action, failure, lesson), lesson)
    }

    /// Foretells the whole way of a file.
    ///
    /// # Errors
    /// See [`Undecided`].
    pub fn forecast(
        &self,
        facts: &PlaceFacts,
        disk: DiskKind,
    ) -> Result<(Vec<Round>, End), Undecided> {
        let asked = Question::Forecast;
        let (rounds, end) = self.0.forecast(facts, disk).map_err(Undecided::failed(asked))?;
        passed(asked, possible_forecast(facts, disk, &rounds, end), (rounds, end))
    }

    /// Reads the answer to the HEAD of a file.
    ///
    /// # Errors
    /// See [`Undecided`].
    pub fn read_head(
        &self,
        status: u16,
        headers: &Headers<'_>,
        asked: &Revision,
        lookup: Lookup,
    ) -> Result<Reply, Undecided> {
        let question = Question::ReadHead;
        let read = self.0.read_head(status, headers, asked, lookup);
        let reply = read.map_err(Undecided::failed(question))?;
        passed(question, possible_reply(status, headers, asked, lookup, &reply), reply)
    }

    /// Decides about a redirect.
    ///
    /// # Errors
    /// See [`Undecided`].
    pub fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, Undecided> {
        let question = Question::Redirect;
        let rule = self.0.redirect(hop).map_err(Undecided::failed(question))?;
        if possible_redirect(hop, rule) {
            Ok(rule)
        } else {
            Err(Undecided::Impossible { question, decided: rule.to_string() })
        }
    }
}

impl Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded")
    }
}

#[cfg(test)]
mod tests;
