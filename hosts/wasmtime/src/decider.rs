//! The component in the place of the linked core.

use hubstow_cache::{
    Decider,
    decider::DeciderError,
    guard::{
        broken_name, possible, possible_forecast, possible_lesson, possible_redirect,
        possible_reply, possible_resolution,
    },
};
use hubstow_core::{
    action::{Action, Decision, Lookup},
    facts::{PlaceFacts, ResolveFacts},
    hub::{Headers, Hop, Metadata, Redirect, Reply},
    learn::{Failure, Lesson},
    model::{DiskKind, End, Round},
    name::{Commit, Etag, NameError, Revision},
    policy::Methods,
    resolve::Resolution,
};

use crate::{ComponentCore, CoreError, names, wit};

/// How many decisions are asked for in one call: as many as fit well into a call's memory.
const BATCH: usize = 4096;

impl ComponentCore {
    /// Decides which content is meant.
    ///
    /// # Errors
    /// A component that fails, or decides what can't be.
    pub fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, CoreError> {
        let resolution =
            self.ask(1, |core, store| core.call_resolve(store, (*facts).into()))?.into();
        checked(possible_resolution(facts, &resolution), resolution)
    }

    /// Decides how content gets to its place.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn place(&self, facts: &PlaceFacts) -> Result<Decision, CoreError> {
        let decision = self.ask(1, |core, store| core.call_place(store, (*facts).into()))?.into();
        checked(possible(facts, &decision), decision)
    }

    /// Decides about many files, in the order of the facts.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn place_many(&self, facts: &[PlaceFacts]) -> Result<Vec<Decision>, CoreError> {
        let mut decisions = Vec::with_capacity(facts.len());
        for facts in facts.chunks(BATCH) {
            let asked: Vec<_> = facts.iter().map(|facts| (*facts).into()).collect();
            let answered =
                self.ask(asked.len(), |core, store| core.call_place_many(store, &asked))?;
            if answered.len() != facts.len() {
                let what = format!("{} decisions about {} files", answered.len(), facts.len());
                return Err(CoreError::Impossible { what });
            }
            for (facts, decision) in facts.iter().zip(answered) {
                let decision = decision.into();
                decisions.push(checked(possible(facts, &decision), decision)?);
            }
        }
        Ok(decisions)
    }

    /// Says what a failure teaches. What is known of other methods than the action's does not change by it.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn learn(
        &self,
        methods: Methods,
        action: Action,
        failure: Failure,
    ) -> Result<Lesson, CoreError> {
        let asked = (methods.into(), action.into(), failure.into());
        let lesson: Lesson =
            self.ask(1, |core, store| core.call_learn(store, asked.0, asked.1, asked.2))?.into();
        checked(possible_lesson(methods, action, failure, lesson), lesson)
    }

    /// Foretells the whole way of a file.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn forecast(
        &self,
        facts: &PlaceFacts,
        disk: DiskKind,
    ) -> Result<(Vec<Round>, End), CoreError> {
        let course =
            self.ask(1, |core, store| core.call_forecast(store, (*facts).into(), disk.into()))?;
        let rounds: Vec<Round> = course.rounds.into_iter().map(Into::into).collect();
        let end = course.end.into();
        checked(possible_forecast(facts, disk, &rounds, end), (rounds, end))
    }

    /// Reads the answer to the HEAD of a file. Every name in the reading is parsed again.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); a name that is none.
    pub fn read_head(
        &self,
        status: u16,
        headers: &Headers<'_>,
        asked: &Revision,
        lookup: Lookup,
    ) -> Result<Reply, CoreError> {
        let (sent, text) = (headers.into(), asked.as_str());
        let answered = self
            .ask(1, |core, store| core.call_read_head(store, status, &sent, text, lookup.into()))?;
        let read = names::parsed(answered)?;
        let reply = Reply {
            answer: read.answer.into(),
            commit: read.commit.as_deref().map(Commit::parse).transpose()?,
            metadata: read.metadata.map(metadata).transpose()?,
            broken: read.broken.and_then(|_| broken_name(headers)),
        };
        checked(possible_reply(status, headers, asked, lookup, &reply), reply)
    }

    /// Decides about a redirect.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, CoreError> {
        let asked = wit::Hop {
            from: hop.from.to_owned(),
            to: hop.to.to_owned(),
            endpoint: hop.endpoint.url(),
            followed: u32::try_from(hop.followed).unwrap_or(u32::MAX),
        };
        let answered = self.ask(1, |core, store| core.call_redirect(store, &asked))?;
        let rule = names::parsed(answered)?.into();
        checked(possible_redirect(hop, rule), rule)
    }
}

fn metadata(read: wit::Metadata) -> Result<Metadata, NameError> {
    Ok(Metadata {
        commit: Commit::parse(&read.commit)?,
        etag: Etag::parse(&read.etag)?,
        size: read.size,
        xet_hash: read.xet_hash,
    })
}

fn checked<T: std::fmt::Debug>(possible: bool, answer: T) -> Result<T, CoreError> {
    if possible { Ok(answer) } else { Err(CoreError::Impossible { what: format!("{answer:?}") }) }
}

impl Decider for ComponentCore {
    fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, DeciderError> {
        Ok(self.resolve(facts)?)
    }

    fn place(&self, facts: &PlaceFacts) -> Result<Decision, DeciderError> {
        Ok(self.remembered.decide(facts, || self.place(facts))?)
    }

    fn place_many(&self, facts: &[PlaceFacts]) -> Result<Vec<Decision>, DeciderError> {
        Ok(self.remembered.decide_many(facts, |questions| self.place_many(questions))?)
    }

    fn learn(
        &self,
        methods: Methods,
        action: Action,
        failure: Failure,
    ) -> Result<Lesson, DeciderError> {
        Ok(self.learn(methods, action, failure)?)
    }

    fn forecast(
        &self,
        facts: &PlaceFacts,
        disk: DiskKind,
    ) -> Result<(Vec<Round>, End), DeciderError> {
        Ok(self.forecast(facts, disk)?)
    }

    fn read_head(
        &self,
        status: u16,
        headers: &Headers<'_>,
        asked: &Revision,
        lookup: Lookup,
    ) -> Result<Reply, DeciderError> {
        Ok(self.read_head(status, headers, asked, lookup)?)
    }

    fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, DeciderError> {
        Ok(self.redirect(hop)?)
    }
}
