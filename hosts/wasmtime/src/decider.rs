//! The component in the place of the linked core.
//!
//! [`Component`] is its bare word, and only the guard of the core stands before it; [`ComponentCore`] asks through that
//! guard, and remembers what has passed.

use hubstow_core::{
    action::{Action, Decision, Lookup},
    decide::{Decider, DeciderError, Undecided, broken_name},
    facts::{PlaceFacts, ResolveFacts},
    hub::{Headers, Hop, Metadata, Redirect, Reply},
    learn::{Failure, Lesson},
    model::{DiskKind, End, Round},
    name::{Commit, Etag, NameError, Revision},
    policy::Methods,
    resolve::Resolution,
};

use crate::{ComponentCore, CoreError, component::Component, names, wit};

/// How many decisions are asked for in one call: as many as fit well into a call's memory.
const BATCH: usize = 4096;

impl Decider for Component {
    fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, DeciderError> {
        Ok(self.ask(1, |core, store| core.call_resolve(store, (*facts).into()))?.into())
    }

    fn place(&self, facts: &PlaceFacts) -> Result<Decision, DeciderError> {
        Ok(self.ask(1, |core, store| core.call_place(store, (*facts).into()))?.into())
    }

    fn place_many(&self, facts: &[PlaceFacts]) -> Result<Vec<Decision>, DeciderError> {
        let mut decisions = Vec::with_capacity(facts.len());
        for facts in facts.chunks(BATCH) {
            let asked: Vec<_> = facts.iter().map(|facts| (*facts).into()).collect();
            let answered =
                self.ask(asked.len(), |core, store| core.call_place_many(store, &asked))?;
            if answered.len() != facts.len() {
                let what = format!("{} decisions about {} files", answered.len(), facts.len());
                return Err(CoreError::Impossible { what }.into());
            }
            decisions.extend(answered.into_iter().map(Decision::from));
        }
        Ok(decisions)
    }

    fn learn(
        &self,
        methods: Methods,
        action: Action,
        failure: Failure,
    ) -> Result<Lesson, DeciderError> {
        let asked = (methods.into(), action.into(), failure.into());
        let call = self.ask(1, |core, store| core.call_learn(store, asked.0, asked.1, asked.2));
        Ok(call?.into())
    }

    fn forecast(
        &self,
        facts: &PlaceFacts,
        disk: DiskKind,
    ) -> Result<(Vec<Round>, End), DeciderError> {
        let course =
            self.ask(1, |core, store| core.call_forecast(store, (*facts).into(), disk.into()))?;
        Ok((course.rounds.into_iter().map(Into::into).collect(), course.end.into()))
    }

    /// Every name in the reading is parsed again.
    fn read_head(
        &self,
        status: u16,
        headers: &Headers<'_>,
        asked: &Revision,
        lookup: Lookup,
    ) -> Result<Reply, DeciderError> {
        let (sent, text) = (headers.into(), asked.as_str());
        let answered = self
            .ask(1, |core, store| core.call_read_head(store, status, &sent, text, lookup.into()))?;
        let read = names::parsed(answered)?;
        let commit = read.commit.as_deref().map(Commit::parse).transpose();
        let metadata = read.metadata.map(metadata).transpose();
        Ok(Reply {
            answer: read.answer.into(),
            commit: commit.map_err(CoreError::from)?,
            metadata: metadata.map_err(CoreError::from)?,
            broken: read.broken.and_then(|_| broken_name(headers)),
        })
    }

    fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, DeciderError> {
        let asked = wit::Hop {
            from: hop.from.to_owned(),
            to: hop.to.to_owned(),
            endpoint: hop.endpoint.url(),
            followed: u32::try_from(hop.followed).unwrap_or(u32::MAX),
        };
        let answered = self.ask(1, |core, store| core.call_redirect(store, &asked))?;
        Ok(names::parsed(answered)?.into())
    }
}

impl ComponentCore {
    /// Decides which content is meant.
    ///
    /// # Errors
    /// A component that fails, or decides what can't be.
    pub fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, CoreError> {
        Ok(self.guarded.resolve(facts)?)
    }

    /// Decides how content gets to its place.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn place(&self, facts: &PlaceFacts) -> Result<Decision, CoreError> {
        Ok(self.guarded.place(facts)?)
    }

    /// Decides about many files, in the order of the facts.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn place_many(&self, facts: &[PlaceFacts]) -> Result<Vec<Decision>, CoreError> {
        let decided = self.guarded.place_many(facts)?;
        Ok(decided.into_iter().collect::<Result<_, _>>()?)
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
        Ok(self.guarded.learn(methods, action, failure)?)
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
        Ok(self.guarded.forecast(facts, disk)?)
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
        Ok(self.guarded.read_head(status, headers, asked, lookup)?)
    }

    /// Decides about a redirect.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, CoreError> {
        Ok(self.guarded.redirect(hop)?)
    }
}

impl From<Undecided> for CoreError {
    fn from(error: Undecided) -> Self {
        match error {
            Undecided::Failed { source, .. } => match source.downcast() {
                Ok(error) => *error,
                Err(other) => Self::Impossible { what: other.to_string() },
            },
            Undecided::Impossible { decided, .. } => Self::Impossible { what: decided },
        }
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
