//! What a host refuses to do, whoever asks.
//!
//! INVARIANT (I25): a wrong or hostile decider can waste time but can't break I1–I3. Every decision is compared with the
//! facts it was made of before anything is touched; the linked core passes always, a component must earn it.

use hubstow_core::{
    action::{Action, Decision, Source},
    facts::{
        Answer, Blob, Cached, Demand, Force, Marker, PlaceFacts, Pointer, Reach, ResolveFacts,
        Staged, Twin,
    },
    policy::Method,
    resolve::Resolution,
};

/// Tells whether a decision is possible for the facts it was made of.
#[must_use]
pub fn possible(facts: &PlaceFacts, decision: &Decision) -> bool {
    match *decision {
        Decision::Refuse(_) => true,
        Decision::Reuse(_) => serves(facts),
        Decision::Act(action, _) => match action {
            Action::Lookup(_) | Action::Mark => false,
            Action::Probe(method) => link(method),
            Action::Fetch => facts.staged != Staged::Complete,
            Action::Seal { from, over } => {
                over == facts.blob
                    && over != Blob::Directory
                    && match from {
                        Source::Staged => facts.staged == Staged::Complete,
                        Source::Twin => facts.twin == Twin::Present,
                        Source::Blob => false,
                    }
            }
            Action::Place { by, from, over } => {
                over == facts.pointer
                    && !matches!(over, Pointer::Directory | Pointer::Alias)
                    && facts.policy.ladder().contains(&by)
                    && source_allows(facts, by, from)
            }
            Action::Point => serves(facts),
        },
    }
}

/// Tells whether a resolution is possible for the facts it was made of.
#[must_use]
pub fn possible_resolution(facts: &ResolveFacts, resolution: &Resolution) -> bool {
    match *resolution {
        Resolution::Refuse(_) => true,
        Resolution::Serve(..) => {
            facts.force == Force::Off && matches!(facts.cached, Cached::Linked | Cached::Holds)
        }
        Resolution::Proceed(_) => matches!(facts.answer, Answer::Found | Answer::NotModified),
        Resolution::Act(Action::Lookup(_), _) => facts.reach == Reach::Online,
        Resolution::Act(Action::Mark, _) => {
            facts.answer == Answer::EntryMissing && facts.marker == Marker::Absent
        }
        Resolution::Act(
            Action::Probe(_)
            | Action::Fetch
            | Action::Seal { .. }
            | Action::Place { .. }
            | Action::Point,
            _,
        ) => false,
    }
}

fn serves(facts: &PlaceFacts) -> bool {
    match facts.pointer {
        Pointer::Holds => facts.demand == Demand::Any,
        Pointer::Linked => {
            matches!(facts.blob, Blob::Existing | Blob::Borrowed) && facts.demand != Demand::Fresh
        }
        Pointer::Absent | Pointer::Stray | Pointer::Torn | Pointer::Directory | Pointer::Alias => {
            false
        }
    }
}

fn link(method: Method) -> bool {
    match method {
        Method::Symlink | Method::Hardlink | Method::Reflink => true,
        Method::Move | Method::Copy => false,
    }
}

fn source_allows(facts: &PlaceFacts, by: Method, from: Source) -> bool {
    match from {
        Source::Staged => by == Method::Move && facts.staged == Staged::Complete,
        Source::Blob => by != Method::Move && matches!(facts.blob, Blob::Existing | Blob::Borrowed),
        Source::Twin => {
            !matches!(by, Method::Move | Method::Symlink) && facts.twin == Twin::Present
        }
    }
}

#[cfg(test)]
mod tests {
    use hubstow_core::{
        facts::RefFile, place::place, policy::Methods, policy::Policy, why::Reason,
    };

    use super::*;

    #[test]
    fn the_linked_core_passes_from_every_fact() {
        let mut checked = 0_u32;
        for &policy in Policy::ALL {
            for &demand in Demand::ALL {
                for &pointer in Pointer::ALL {
                    for &blob in Blob::ALL {
                        for &staged in Staged::ALL {
                            for &twin in Twin::ALL {
                                for &ref_file in RefFile::ALL {
                                    let methods = Methods::UNTRIED;
                                    let facts = PlaceFacts {
                                        policy,
                                        demand,
                                        pointer,
                                        blob,
                                        staged,
                                        twin,
                                        methods,
                                        ref_file,
                                    };
                                    assert!(possible(&facts, &place(&facts)), "{facts:?}");
                                    checked += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(checked, 5 * 3 * 7 * 5 * 3 * 2 * 4);
    }

    #[test]
    fn what_would_break_the_cache_is_refused() {
        let mut facts = PlaceFacts::empty(Policy::Compat);
        facts.blob = Blob::Existing;
        let move_blob =
            Action::Place { by: Method::Move, from: Source::Blob, over: Pointer::Absent };
        assert!(!possible(&facts, &Decision::Act(move_blob, Reason::MethodWorks)));
        assert!(!possible(&facts, &Decision::Reuse(Reason::PointerHolds)));
        facts.staged = Staged::Partial;
        let seal = Action::Seal { from: Source::Staged, over: Blob::Existing };
        assert!(!possible(&facts, &Decision::Act(seal, Reason::MethodWorks)));
    }
}
