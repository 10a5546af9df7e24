//! Which content is meant: serve what is cached, ask the hub, go on with its answer, or refuse.
//!
//! Rows D3–D6, D18–D31 and D36. The values themselves (commit, etag, size) stay with the host; here only their kinds
//! matter.

use crate::{
    action::{Action, Lookup},
    cases,
    facts::{Answer, Cached, Force, Marker, Reach, ResolveFacts, RevisionKind, Stale},
    why::{Reason, Refusal},
};

cases! {
    /// How sure it is that a cached pointer is what the revision means.
    pub enum Served {
        /// It is: the commit was asked for.
        Pinned = "pinned",
        /// It was, when the hub was last asked; the caller wants no more.
        Offline = "offline",
        /// It was; the hub was asked in vain, and the reason is to be reported.
        Stale = "stale",
    }
}

/// What is to be done to find out which content is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[must_use = "a decision does nothing by itself"]
pub enum Resolution {
    /// Serve the cached pointer; nothing is written.
    Serve(Served, Reason),
    /// One action (`Lookup` or `Mark`); then look again.
    Act(Action, Reason),
    /// Go on to placing, with the commit, etag and size that the hub answered.
    Proceed(Reason),
    /// Nothing right can be done.
    Refuse(Refusal),
}

/// Decides what is to be done to find out which content is meant.
pub fn resolve(facts: &ResolveFacts) -> Resolution {
    if facts.answer == Answer::Pending { before_asking(facts) } else { after_asking(facts) }
}

fn usable(cached: Cached) -> bool {
    match cached {
        Cached::Linked | Cached::Holds => true,
        Cached::Absent | Cached::Damaged | Cached::Directory | Cached::Alias => false,
    }
}

fn before_asking(facts: &ResolveFacts) -> Resolution {
    match (facts.reach, facts.force, facts.revision) {
        (Reach::Offline, Force::On, _) => Resolution::Refuse(Refusal::ForceOffline),
        (_, Force::Off, RevisionKind::Commit) if usable(facts.cached) => {
            Resolution::Serve(Served::Pinned, Reason::Pinned)
        }
        (Reach::Offline, Force::Off, _) => offline(facts),
        (Reach::Online, Force::On, _) => plain(Reason::Forced),
        (Reach::Online, Force::Off, RevisionKind::Name) if facts.cached == Cached::Linked => {
            Resolution::Act(Action::Lookup(Lookup::Conditional), Reason::ContentKnown)
        }
        (Reach::Online, Force::Off, RevisionKind::Name | RevisionKind::Commit) => {
            plain(Reason::RevisionUnknown)
        }
    }
}

fn plain(reason: Reason) -> Resolution {
    Resolution::Act(Action::Lookup(Lookup::Plain), reason)
}

fn offline(facts: &ResolveFacts) -> Resolution {
    match (facts.cached, facts.marker) {
        (Cached::Linked | Cached::Holds, _) => Resolution::Serve(Served::Offline, Reason::Offline),
        (Cached::Damaged, _) => Resolution::Refuse(Refusal::CacheDamaged),
        (Cached::Directory, _) => Resolution::Refuse(Refusal::PointerIsDirectory),
        (Cached::Alias, _) => Resolution::Refuse(Refusal::NameTaken),
        (Cached::Absent, Marker::Present) => Resolution::Refuse(Refusal::EntryNotFound),
        (Cached::Absent, Marker::Absent) => Resolution::Refuse(Refusal::NotCached),
    }
}

fn after_asking(facts: &ResolveFacts) -> Resolution {
    match facts.answer {
        Answer::Pending => before_asking(facts),
        Answer::Found | Answer::NotModified => Resolution::Proceed(Reason::AnswerFound),
        Answer::NotModifiedBare => plain(Reason::AnswerBare),
        Answer::EntryMissing => match facts.marker {
            Marker::Absent => Resolution::Act(Action::Mark, Reason::EntryMissing),
            Marker::Present => Resolution::Refuse(Refusal::EntryNotFound),
        },
        Answer::EntryMissingBare => Resolution::Refuse(Refusal::EntryNotFound),
        Answer::RevisionMissing => Resolution::Refuse(Refusal::RevisionNotFound),
        Answer::Hostile => Resolution::Refuse(Refusal::AnswerHostile),
        Answer::OtherCommit => Resolution::Refuse(Refusal::OtherCommit),
        Answer::Incomplete => unconfirmed(facts, Refusal::AnswerIncomplete),
        Answer::Failing => unconfirmed(facts, Refusal::HubFailing),
        Answer::Unreachable => unconfirmed(facts, Refusal::HubUnreachable),
        Answer::Unexpected => unconfirmed(facts, Refusal::AnswerUnexpected),
        Answer::RepoMissing => denied(facts, Refusal::RepoNotFound),
        Answer::Unauthorized => denied(facts, Refusal::Unauthorized),
        Answer::Forbidden => denied(facts, Refusal::Forbidden),
        Answer::Throttled => denied(facts, Refusal::Throttled),
    }
}

/// The hub could not say: the cached file serves unless the caller wants certainty (rows D28, D30).
fn unconfirmed(facts: &ResolveFacts, refusal: Refusal) -> Resolution {
    match facts.stale {
        Stale::Unreachable | Stale::Always => stale(facts, refusal),
        Stale::Never => Resolution::Refuse(refusal),
    }
}

/// The hub said no: the cached file serves only if the caller allows it (row D26).
fn denied(facts: &ResolveFacts, refusal: Refusal) -> Resolution {
    match facts.stale {
        Stale::Always => stale(facts, refusal),
        Stale::Never | Stale::Unreachable => Resolution::Refuse(refusal),
    }
}

fn stale(facts: &ResolveFacts, refusal: Refusal) -> Resolution {
    match (facts.force, usable(facts.cached)) {
        (Force::Off, true) => Resolution::Serve(Served::Stale, Reason::StaleAllowed),
        (Force::On, _) | (Force::Off, false) => Resolution::Refuse(refusal),
    }
}
