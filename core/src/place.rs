//! How content gets to its place: reuse, or the next action.
//!
//! The table, top down; the first line that applies decides:
//!
//! | the pointer | then |
//! |---|---|
//! | is a directory, or another file's name | refuse |
//! | serves | write the ref if it is behind, else reuse |
//!
//! | the content is | then |
//! |---|---|
//! | in the blob | the first method of the ladder that is not refused; the blob is never moved |
//! | in the staged file | links work: seal it as the blob; links are refused: move it to the pointer, or copy it there from another disk |
//! | in a twin | links work: seal a copy of it; else hard link, reflink or copy it to the pointer |
//! | nowhere | know whether links work, then fetch |
//!
//! INVARIANT (I3): nothing but a complete staged file is ever moved.
//! INVARIANT (probe before seal): a staged file is sealed only where a method that needs a blob is known to work.

use crate::{
    action::{Action, Decision, Source},
    facts::{Blob, Demand, PlaceFacts, Pointer, RefFile, Staged, Twin},
    policy::{Method, Support},
    why::{Reason, Refusal},
};

/// The most actions the loop takes from any start when nothing interferes. The longest ways have 8: three probes that
/// find nothing, a fetch, a move and the ref are 6; where a probe is contradicted later, it is a probe, a fetch, a seal,
/// three links refused after all, a copy and the ref. Two more are spare.
pub const ROUND_LIMIT: usize = 10;

/// Decides what is to be done about one file whose commit, etag and size are known.
pub fn place(facts: &PlaceFacts) -> Decision {
    match facts.pointer {
        Pointer::Directory => return Decision::Refuse(Refusal::PointerIsDirectory),
        Pointer::Alias => return Decision::Refuse(Refusal::NameTaken),
        Pointer::Absent | Pointer::Linked | Pointer::Stray | Pointer::Holds | Pointer::Torn => {}
    }
    if let Some(reason) = serves(facts) {
        return match facts.ref_file {
            RefFile::Behind => Decision::Act(Action::Point, Reason::RefBehind),
            RefFile::Current | RefFile::Unwanted | RefFile::Unwritable => Decision::Reuse(reason),
        };
    }
    match source(facts) {
        Some(Source::Blob) => from_blob(facts),
        Some(Source::Staged) => from_staged(facts),
        Some(Source::Twin) => from_twin(facts),
        None => from_hub(facts),
    }
}

/// Tells why the pointer serves as it is, if it does.
fn serves(facts: &PlaceFacts) -> Option<Reason> {
    match (facts.pointer, facts.blob, facts.demand) {
        (Pointer::Linked, Blob::Existing | Blob::Borrowed, Demand::Any | Demand::FreshPointer) => {
            Some(Reason::PointerLinked)
        }
        (Pointer::Holds, _, Demand::Any) => Some(Reason::PointerHolds),
        (Pointer::Linked, _, _)
        | (Pointer::Holds, _, Demand::Fresh | Demand::FreshPointer)
        | (
            Pointer::Absent | Pointer::Stray | Pointer::Torn | Pointer::Directory | Pointer::Alias,
            _,
            _,
        ) => None,
    }
}

/// Finds the best source of the content among what is here.
fn source(facts: &PlaceFacts) -> Option<Source> {
    let blob_counts = match facts.demand {
        Demand::Any | Demand::FreshPointer => true,
        Demand::Fresh => false,
    };
    match (facts.blob, facts.staged, facts.twin) {
        (Blob::Existing | Blob::Borrowed, _, _) if blob_counts => Some(Source::Blob),
        (_, Staged::Complete | Staged::Elsewhere, _) => Some(Source::Staged),
        (_, _, Twin::Present) if facts.demand == Demand::Any => Some(Source::Twin),
        (
            Blob::Absent | Blob::Existing | Blob::Borrowed | Blob::Torn | Blob::Directory,
            Staged::Absent | Staged::Partial,
            Twin::Absent | Twin::Present,
        ) => None,
    }
}

/// Returns the first method of the ladder that nothing here has refused.
fn first_method(facts: &PlaceFacts, allowed: impl Fn(Method) -> bool) -> Option<(Method, Support)> {
    let ladder = facts.policy.ladder().iter().copied();
    ladder
        .filter(|method| allowed(*method))
        .map(|method| (method, facts.methods.support(method)))
        .find(|(_, support)| *support != Support::Refused)
}

fn needs_blob(method: Method) -> bool {
    match method {
        Method::Symlink | Method::Hardlink | Method::Reflink => true,
        Method::Move | Method::Copy => false,
    }
}

/// The blob holds the content. Others may use it, so it is linked or copied, never moved.
fn from_blob(facts: &PlaceFacts) -> Decision {
    // A second name of a link would be a second link: a borrowed blob is read through, by reflink or copy.
    let allowed = |method| match (method, facts.blob) {
        (Method::Move, _) | (Method::Hardlink, Blob::Borrowed) => false,
        (Method::Symlink | Method::Hardlink | Method::Reflink | Method::Copy, _) => true,
    };
    let Some((by, support)) = first_method(facts, allowed) else {
        return Decision::Refuse(Refusal::NoMethodLeft);
    };
    let reason = match (by, support) {
        (Method::Copy | Method::Move, _) => copied(facts),
        (_, Support::Works) => Reason::MethodWorks,
        (_, Support::Untried | Support::Refused) => Reason::MethodTried,
    };
    Decision::Act(Action::Place { by, from: Source::Blob, over: facts.pointer }, reason)
}

/// The staged file is complete and only this run knows it.
fn from_staged(facts: &PlaceFacts) -> Decision {
    let seal = |reason| seal(facts, Source::Staged, reason);
    let allowed = |method| method != Method::Move || facts.staged != Staged::Elsewhere;
    match first_method(facts, allowed) {
        None => Decision::Refuse(Refusal::NoMethodLeft),
        Some((method, Support::Untried)) => {
            Decision::Act(Action::Probe(method), Reason::MethodUntried)
        }
        // A torn blob serves other snapshots wrong content: it is replaced first, and then copied from.
        Some((Method::Move | Method::Copy, _)) if facts.blob == Blob::Torn => {
            seal(Reason::BlobTorn)
        }
        Some((by @ (Method::Move | Method::Copy), _)) => {
            let reason = if by == Method::Copy { Reason::CopiedAcross } else { moved(facts) };
            Decision::Act(Action::Place { by, from: Source::Staged, over: facts.pointer }, reason)
        }
        Some((Method::Symlink | Method::Hardlink | Method::Reflink, _)) => {
            seal(Reason::MethodWorks)
        }
    }
}

/// A regular pointer of another snapshot holds the content.
fn from_twin(facts: &PlaceFacts) -> Decision {
    match first_method(facts, |method| method != Method::Move) {
        None => Decision::Refuse(Refusal::NoMethodLeft),
        // A symlink to another snapshot would break when that one is deleted: the link needs a blob of its own.
        Some((Method::Symlink, Support::Untried | Support::Refused)) => {
            Decision::Act(Action::Probe(Method::Symlink), Reason::MethodUntried)
        }
        Some((Method::Symlink, Support::Works)) => seal(facts, Source::Twin, Reason::TwinHere),
        // A torn blob serves other snapshots wrong content: it is replaced first.
        Some(_) if facts.blob == Blob::Torn => seal(facts, Source::Twin, Reason::BlobTorn),
        Some((by, _)) => Decision::Act(
            Action::Place { by, from: Source::Twin, over: facts.pointer },
            Reason::TwinHere,
        ),
    }
}

/// Nothing here holds the content. Whether links work is found out before a byte is fetched, so that what the policy
/// can't place is refused before it costs anything.
fn from_hub(facts: &PlaceFacts) -> Decision {
    match first_method(facts, |_| true) {
        None => Decision::Refuse(Refusal::NoMethodLeft),
        Some((method, Support::Untried)) => {
            Decision::Act(Action::Probe(method), Reason::MethodUntried)
        }
        Some((method, _)) if needs_blob(method) && facts.blob == Blob::Directory => {
            Decision::Refuse(Refusal::BlobIsDirectory)
        }
        Some(_) => Decision::Act(Action::Fetch, fetched(facts)),
    }
}

fn seal(facts: &PlaceFacts, from: Source, reason: Reason) -> Decision {
    match facts.blob {
        Blob::Directory => Decision::Refuse(Refusal::BlobIsDirectory),
        Blob::Absent | Blob::Existing | Blob::Borrowed | Blob::Torn => {
            Decision::Act(Action::Seal { from, over: facts.blob }, reason)
        }
    }
}

fn fetched(facts: &PlaceFacts) -> Reason {
    match (facts.demand, facts.staged, facts.blob) {
        (Demand::Fresh | Demand::FreshPointer, _, _) => Reason::Forced,
        (Demand::Any, Staged::Partial, _) => Reason::PartHere,
        (Demand::Any, Staged::Absent | Staged::Complete | Staged::Elsewhere, Blob::Torn) => {
            Reason::BlobTorn
        }
        (
            Demand::Any,
            Staged::Absent | Staged::Complete | Staged::Elsewhere,
            Blob::Absent | Blob::Existing | Blob::Borrowed | Blob::Directory,
        ) => Reason::NothingHere,
    }
}

fn links_allowed(facts: &PlaceFacts) -> bool {
    facts.policy.ladder().iter().any(|method| needs_blob(*method))
}

fn moved(facts: &PlaceFacts) -> Reason {
    if links_allowed(facts) { Reason::MovedLinksRefused } else { Reason::MovedByPolicy }
}

fn copied(facts: &PlaceFacts) -> Reason {
    let refused = |method| facts.methods.support(method) == Support::Refused;
    let links = || facts.policy.ladder().iter().copied().filter(|method| needs_blob(*method));
    match links().next() {
        None => Reason::CopiedByPolicy,
        Some(_) if links().all(refused) => Reason::CopiedLinksRefused,
        // Hard links are not refused here, but a second name of a link would be a second link.
        Some(_) => Reason::CopiedBorrowed,
    }
}

/// Returns the reason of the decision, or `None` where it is refused.
#[must_use]
pub fn why(facts: &PlaceFacts) -> Option<Reason> {
    match place(facts) {
        Decision::Reuse(reason) | Decision::Act(_, reason) => Some(reason),
        Decision::Refuse(_) => None,
    }
}
