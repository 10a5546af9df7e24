//! Who decides: the linked core, or something that stands in its place, such as the core as a component.
//!
//! Whoever it is, [`Guarded`](crate::decide::Guarded) compares every answer with what was asked before anything follows
//! from it.

use alloc::{boxed::Box, vec::Vec};
use core::error::Error;

use crate::{
    action::{Action, Decision, Lookup},
    facts::{PlaceFacts, ResolveFacts},
    hub::{Headers, Hop, Redirect, Reply, read_head, redirect},
    learn::{Failure, Lesson, learn},
    model::{DiskKind, End, Round, forecast},
    name::Revision,
    place::place,
    policy::Methods,
    resolve::{Resolution, resolve},
};

/// An error of a decider.
pub type DeciderError = Box<dyn Error + Send + Sync>;

/// Who decides: the linked core, or a component.
///
/// ```
/// use hubstow_core::{decide::{Decider, LinkedCore}, facts::PlaceFacts, policy::Policy};
///
/// fn first(decider: &dyn Decider) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(format!("{:?}", decider.place(&PlaceFacts::empty(Policy::Compat))?))
/// }
///
/// assert!(first(&LinkedCore).is_ok());
/// ```
pub trait Decider: Send + Sync {
    /// Decides which content is meant.
    ///
    /// # Errors
    /// A decider that can't answer; the linked core always can.
    fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, DeciderError>;
    /// Decides how content gets to its place.
    ///
    /// # Errors
    /// As [`Decider::resolve`].
    fn place(&self, facts: &PlaceFacts) -> Result<Decision, DeciderError>;
    /// Decides about many files, in the order of the facts; where a question costs more than its answer, this is the way
    /// to ask for a whole snapshot.
    ///
    /// # Errors
    /// As [`Decider::resolve`].
    fn place_many(&self, facts: &[PlaceFacts]) -> Result<Vec<Decision>, DeciderError> {
        facts.iter().map(|facts| self.place(facts)).collect()
    }
    /// Says what a failure teaches.
    ///
    /// # Errors
    /// As [`Decider::resolve`].
    fn learn(
        &self,
        methods: Methods,
        action: Action,
        failure: Failure,
    ) -> Result<Lesson, DeciderError>;
    /// Foretells the whole way of a file.
    ///
    /// # Errors
    /// As [`Decider::resolve`].
    fn forecast(
        &self,
        facts: &PlaceFacts,
        disk: DiskKind,
    ) -> Result<(Vec<Round>, End), DeciderError>;
    /// Reads the answer to the HEAD of a file.
    ///
    /// # Errors
    /// As [`Decider::resolve`].
    fn read_head(
        &self,
        status: u16,
        headers: &Headers<'_>,
        asked: &Revision,
        lookup: Lookup,
    ) -> Result<Reply, DeciderError>;
    /// Decides about a redirect.
    ///
    /// # Errors
    /// As [`Decider::resolve`].
    fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, DeciderError>;
}

/// The core itself, linked into this program.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use hubstow_core::{decide::{Guarded, LinkedCore}, facts::PlaceFacts, policy::Policy};
///
/// let guarded = Guarded::new(Arc::new(LinkedCore));
/// let decision = guarded.place(&PlaceFacts::empty(Policy::Compat))?;
/// println!("{decision:?}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkedCore;

impl Decider for LinkedCore {
    fn resolve(&self, facts: &ResolveFacts) -> Result<Resolution, DeciderError> {
        Ok(resolve(facts))
    }

    fn place(&self, facts: &PlaceFacts) -> Result<Decision, DeciderError> {
        Ok(place(facts))
    }

    fn learn(
        &self,
        methods: Methods,
        action: Action,
        failure: Failure,
    ) -> Result<Lesson, DeciderError> {
        Ok(learn(methods, action, failure))
    }

    fn forecast(
        &self,
        facts: &PlaceFacts,
        disk: DiskKind,
    ) -> Result<(Vec<Round>, End), DeciderError> {
        Ok(forecast(facts, disk))
    }

    fn read_head(
        &self,
        status: u16,
        headers: &Headers<'_>,
        asked: &Revision,
        lookup: Lookup,
    ) -> Result<Reply, DeciderError> {
        Ok(read_head(status, headers, asked, lookup))
    }

    fn redirect(&self, hop: &Hop<'_>) -> Result<Redirect, DeciderError> {
        Ok(redirect(hop))
    }
}
