//! A second, independent statement of how content may get to its place, held against every fact there is.

use hubstow_core::{
    action::{Action, Decision, Source},
    facts::{Blob, Demand, PlaceFacts, Pointer, RefFile, Staged, Twin},
    place::place,
    policy::{Method, Methods, Policy, Support},
    why::{Reason, Refusal},
};

type Rule = (&'static str, fn(&PlaceFacts, Decision) -> bool);

const RULES: &[Rule] = &[
    ("a folder at the pointer is refused by its name", |facts, decision| {
        (facts.pointer == Pointer::Directory)
            == (decision == Decision::Refuse(Refusal::PointerIsDirectory))
    }),
    ("an alias at the pointer is refused by its name", |facts, decision| {
        (facts.pointer == Pointer::Alias) == (decision == Decision::Refuse(Refusal::NameTaken))
    }),
    ("what serves is reused or gets its ref, and nothing else is or does", |facts, decision| {
        serves(facts) == rests(decision)
    }),
    ("the ref is written where it is behind", |facts, decision| {
        !rests(decision)
            || (acted(decision) == Some(Action::Point)) == (facts.ref_file == RefFile::Behind)
    }),
    (
        "the staged file is moved or copied from another disk, and nothing else is",
        |facts, decision| {
            placed(decision).is_none_or(|(by, from)| match from {
                Source::Staged if facts.staged == Staged::Elsewhere => by == Method::Copy,
                Source::Staged => by == Method::Move,
                Source::Blob | Source::Twin => by != Method::Move,
            })
        },
    ),
    ("a symlink leads to the blob, and to nothing else", |_, decision| {
        placed(decision).is_none_or(|(by, from)| by != Method::Symlink || from == Source::Blob)
    }),
    ("a source is used only where it is here, may serve, and none is better", |facts, decision| {
        source(decision).is_none_or(|from| best_source(facts) == Some(from))
    }),
    ("an action says what it was decided over", |facts, decision| match decision {
        Decision::Act(Action::Place { over, .. }, _) => over == facts.pointer,
        Decision::Act(Action::Seal { over, .. }, _) => over == facts.blob,
        Decision::Act(..) | Decision::Reuse(_) | Decision::Refuse(_) => true,
    }),
    ("a seal is for a link that works, or heals a torn blob", |facts, decision| {
        !sealed(decision) || facts.blob == Blob::Torn || link_works(facts)
    }),
    ("a seal is not made of the blob itself, nor over a folder", |facts, decision| {
        !sealed(decision) || source(decision) != Some(Source::Blob) && facts.blob != Blob::Directory
    }),
    ("strict neither copies nor moves", |facts, decision| {
        facts.policy != Policy::Strict
            || placed(decision).is_none_or(|(by, _)| by == Method::Symlink)
    }),
    ("a method is the first of the ladder that is neither refused nor unfit", |facts, decision| {
        placed(decision).is_none_or(|(by, from)| {
            let fit = |method: &Method| !refused(facts, *method) && fits(facts, *method, from);
            ladder(facts.policy).iter().copied().find(fit) == Some(by)
        })
    }),
    ("a probe is of the first open link, while nobody has tried it", |facts, decision| {
        let untried = |method| facts.methods.support(method) == Support::Untried;
        match decision {
            Decision::Act(Action::Probe(method), _) => {
                first_open(facts) == Some(method) && LINKS.contains(&method) && untried(method)
            }
            Decision::Act(..) | Decision::Reuse(_) | Decision::Refuse(_) => true,
        }
    }),
    ("a fetch is for what is nowhere here, once its method is known", |facts, decision| {
        acted(decision) != Some(Action::Fetch)
            || best_source(facts).is_none()
                && first_open(facts).is_some_and(|m| facts.methods.support(m) == Support::Works)
    }),
    ("all methods are refused under strict only", |facts, decision| {
        decision != Decision::Refuse(Refusal::NoMethodLeft)
            || facts.policy == Policy::Strict && refused(facts, Method::Symlink)
    }),
    ("a folder at the blob is refused where a link needs the blob", |facts, decision| {
        decision != Decision::Refuse(Refusal::BlobIsDirectory)
            || facts.blob == Blob::Directory && link_works(facts)
    }),
    ("nothing else is refused", |_, decision| match decision {
        Decision::Refuse(refusal) => [
            Refusal::PointerIsDirectory,
            Refusal::NameTaken,
            Refusal::NoMethodLeft,
            Refusal::BlobIsDirectory,
        ]
        .contains(&refusal),
        Decision::Reuse(_) | Decision::Act(..) => true,
    }),
    ("placing asks no hub and marks nothing", |_, decision| {
        !matches!(acted(decision), Some(Action::Lookup(_) | Action::Mark))
    }),
    ("what is known of methods off the ladder changes nothing", |facts, decision| {
        let off = LINKS.into_iter().filter(|method| !ladder(facts.policy).contains(method));
        off.flat_map(|method| Support::ALL.iter().map(move |support| (method, *support))).all(
            |(method, support)| {
                let methods = facts.methods.with(method, support);
                place(&PlaceFacts { methods, ..*facts }) == decision
            },
        )
    }),
    ("the ref changes nothing but whether it is written", |facts, decision| {
        RefFile::ALL.iter().all(|ref_file| {
            let other = place(&PlaceFacts { ref_file: *ref_file, ..*facts });
            other == decision || rests(other) && rests(decision)
        })
    }),
    ("a reason tells the truth", |facts, decision| match decision {
        Decision::Reuse(reason) => {
            (reason == Reason::PointerLinked) == (facts.pointer == Pointer::Linked)
        }
        Decision::Act(action, reason) => reason_is_true(facts, action, reason),
        Decision::Refuse(_) => true,
    }),
];

const LINKS: [Method; 3] = [Method::Symlink, Method::Hardlink, Method::Reflink];

/// The ladders, as the design's table of policies has them.
fn ladder(policy: Policy) -> &'static [Method] {
    use Method::{Copy, Hardlink, Move, Reflink, Symlink};
    match policy {
        Policy::Compat => &[Symlink, Move, Copy],
        Policy::Dedup => &[Symlink, Hardlink, Reflink, Move, Copy],
        Policy::Nas => &[Hardlink, Reflink, Move, Copy],
        Policy::Portable => &[Move, Copy],
        Policy::Strict => &[Symlink],
    }
}

fn serves(facts: &PlaceFacts) -> bool {
    match facts.pointer {
        Pointer::Linked => blob_holds(facts) && facts.demand != Demand::Fresh,
        Pointer::Holds => facts.demand == Demand::Any,
        Pointer::Absent | Pointer::Stray | Pointer::Torn | Pointer::Directory | Pointer::Alias => {
            false
        }
    }
}

fn blob_holds(facts: &PlaceFacts) -> bool {
    [Blob::Existing, Blob::Borrowed].contains(&facts.blob)
}

/// Blob before staged file before twin; under force, only what this run has brought.
fn best_source(facts: &PlaceFacts) -> Option<Source> {
    if blob_holds(facts) && facts.demand != Demand::Fresh {
        Some(Source::Blob)
    } else if [Staged::Complete, Staged::Elsewhere].contains(&facts.staged) {
        Some(Source::Staged)
    } else if facts.twin == Twin::Present && facts.demand == Demand::Any {
        Some(Source::Twin)
    } else {
        None
    }
}

/// Tells whether a method could bring this source to the pointer, if the disk did it.
fn fits(facts: &PlaceFacts, method: Method, source: Source) -> bool {
    match source {
        Source::Blob => {
            // A second name of a link is a second link.
            method != Method::Move && (method != Method::Hardlink || facts.blob == Blob::Existing)
        }
        Source::Staged => method != Method::Move || facts.staged == Staged::Complete,
        Source::Twin => method != Method::Move,
    }
}

fn refused(facts: &PlaceFacts, method: Method) -> bool {
    facts.methods.support(method) == Support::Refused
}

fn first_open(facts: &PlaceFacts) -> Option<Method> {
    ladder(facts.policy).iter().copied().find(|method| !refused(facts, *method))
}

fn link_works(facts: &PlaceFacts) -> bool {
    first_open(facts).is_some_and(|method| {
        LINKS.contains(&method) && facts.methods.support(method) == Support::Works
    })
}

fn acted(decision: Decision) -> Option<Action> {
    match decision {
        Decision::Act(action, _) => Some(action),
        Decision::Reuse(_) | Decision::Refuse(_) => None,
    }
}

fn placed(decision: Decision) -> Option<(Method, Source)> {
    if let Action::Place { by, from, .. } = acted(decision)? { Some((by, from)) } else { None }
}

fn sealed(decision: Decision) -> bool {
    matches!(acted(decision), Some(Action::Seal { .. }))
}

fn source(decision: Decision) -> Option<Source> {
    if let Action::Place { from, .. } | Action::Seal { from, .. } = acted(decision)? {
        Some(from)
    } else {
        None
    }
}

/// Tells whether all that remains to be done is nothing, or the ref.
fn rests(decision: Decision) -> bool {
    matches!(decision, Decision::Reuse(_) | Decision::Act(Action::Point, _))
}

fn reason_is_true(facts: &PlaceFacts, action: Action, reason: Reason) -> bool {
    let fetch = action == Action::Fetch;
    let linkless = facts.policy == Policy::Portable;
    let links_refused =
        !linkless && ladder(facts.policy).iter().all(|m| !LINKS.contains(m) || refused(facts, *m));
    let by_copy = matches!(action, Action::Place { by: Method::Copy, from: Source::Blob, .. });
    let by_move = matches!(action, Action::Place { by: Method::Move, .. });
    match reason {
        Reason::RefBehind => action == Action::Point,
        Reason::MethodUntried => matches!(action, Action::Probe(_)),
        Reason::NothingHere => fetch && facts.staged == Staged::Absent && !blob_holds(facts),
        Reason::PartHere => fetch && facts.staged == Staged::Partial,
        Reason::Forced => fetch && facts.demand != Demand::Any,
        Reason::MethodWorks => match action {
            Action::Seal { .. } => link_works(facts),
            Action::Place { .. } => by_link_that(facts, action, Support::Works),
            Action::Lookup(_) | Action::Mark | Action::Probe(_) | Action::Fetch | Action::Point => {
                false
            }
        },
        Reason::MethodTried => by_link_that(facts, action, Support::Untried),
        Reason::MovedLinksRefused => by_move && links_refused,
        Reason::MovedByPolicy => by_move && linkless,
        Reason::CopiedLinksRefused => by_copy && links_refused,
        // A borrowed blob can't be hard-linked: there is a link that is not refused and yet unfit.
        Reason::CopiedBorrowed => {
            by_copy && !links_refused && !linkless && facts.blob == Blob::Borrowed
        }
        Reason::CopiedByPolicy => by_copy && linkless,
        Reason::CopiedAcross => {
            facts.staged == Staged::Elsewhere
                && matches!(action, Action::Place { by: Method::Copy, from: Source::Staged, .. })
        }
        Reason::TwinHere => facts.twin == Twin::Present,
        Reason::BlobTorn => facts.blob == Blob::Torn,
        Reason::PointerLinked
        | Reason::PointerHolds
        | Reason::Pinned
        | Reason::Offline
        | Reason::StaleAllowed
        | Reason::ContentKnown
        | Reason::RevisionUnknown
        | Reason::AnswerBare
        | Reason::AnswerFound
        | Reason::EntryMissing => false,
    }
}

fn by_link_that(facts: &PlaceFacts, action: Action, support: Support) -> bool {
    if let Action::Place { by, from: Source::Blob, .. } = action {
        LINKS.contains(&by) && facts.methods.support(by) == support
    } else {
        false
    }
}

/// Calls back with every fact there is.
fn for_every_fact(mut look: impl FnMut(&PlaceFacts)) {
    for policy in Policy::ALL.iter().copied() {
        for_every_method(|methods| {
            for demand in Demand::ALL.iter().copied() {
                for pointer in Pointer::ALL.iter().copied() {
                    for blob in Blob::ALL.iter().copied() {
                        for staged in Staged::ALL.iter().copied() {
                            for twin in Twin::ALL.iter().copied() {
                                for ref_file in RefFile::ALL.iter().copied() {
                                    look(&PlaceFacts {
                                        policy,
                                        demand,
                                        pointer,
                                        blob,
                                        staged,
                                        twin,
                                        methods,
                                        ref_file,
                                    });
                                }
                            }
                        }
                    }
                }
            }
        });
    }
}

fn for_every_method(mut look: impl FnMut(Methods)) {
    for symlink in Support::ALL.iter().copied() {
        for hardlink in Support::ALL.iter().copied() {
            for reflink in Support::ALL.iter().copied() {
                look(Methods { symlink, hardlink, reflink });
            }
        }
    }
}

#[test]
fn every_placing_keeps_every_rule() {
    let mut count = 0_usize;
    for_every_fact(|facts| {
        count += 1;
        let decision = place(facts);
        for (rule, holds) in RULES {
            assert!(holds(facts, decision), "not so: {rule}\n{facts:#?}\n{decision:#?}");
        }
    });
    // policies, methods, demands, pointers, blobs, staged files, twins, refs
    assert_eq!(count, 5 * 27 * 3 * 7 * 5 * 4 * 2 * 4);
}

#[test]
fn the_ladders_are_those_of_the_design() {
    for policy in Policy::ALL {
        assert_eq!(policy.ladder(), ladder(*policy), "{policy}");
    }
}
