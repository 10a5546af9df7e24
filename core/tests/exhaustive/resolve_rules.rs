//! A second, independent statement of what may be served, asked and refused, held against every fact there is.

use hubstow_core::{
    action::{Action, Lookup},
    facts::{Answer, Cached, Force, Marker, Reach, ResolveFacts, RevisionKind, Stale},
    resolve::{Resolution, Served, resolve},
    why::Refusal,
};

type Rule = (&'static str, fn(&ResolveFacts, Resolution) -> bool);

const RULES: &[Rule] = &[
    ("nothing is served but what is cached and good", |facts, resolution| {
        served(resolution).is_none() || [Cached::Linked, Cached::Holds].contains(&facts.cached)
    }),
    ("force is never served what is cached", |facts, resolution| {
        facts.force == Force::Off || served(resolution).is_none()
    }),
    ("pinned is what a commit names, before anybody is asked", |facts, resolution| {
        let pinned = facts.revision == RevisionKind::Commit
            && facts.answer == Answer::Pending
            && facts.force == Force::Off
            && [Cached::Linked, Cached::Holds].contains(&facts.cached);
        pinned == (served(resolution) == Some(Served::Pinned))
    }),
    ("offline is said of names, where the hub may not be asked", |facts, resolution| {
        served(resolution) != Some(Served::Offline)
            || facts.reach == Reach::Offline && facts.revision == RevisionKind::Name
    }),
    ("stale is served where the caller allows it, and only for a cause", |facts, resolution| {
        served(resolution) != Some(Served::Stale)
            || match facts.stale {
                Stale::Never => false,
                Stale::Unreachable => COULD_NOT_SAY.contains(&facts.answer),
                Stale::Always => {
                    COULD_NOT_SAY.contains(&facts.answer) || SAID_NO.contains(&facts.answer)
                }
            }
    }),
    ("a condition is for a name whose content is proved to be here", |facts, resolution| {
        resolution_action(resolution) != Some(Action::Lookup(Lookup::Conditional))
            || facts.cached == Cached::Linked
                && facts.force == Force::Off
                && facts.revision == RevisionKind::Name
                && facts.answer == Answer::Pending
    }),
    ("offline, nobody is asked before there is an answer", |facts, resolution| {
        facts.reach == Reach::Online
            || facts.answer != Answer::Pending
            || resolution_action(resolution).is_none()
    }),
    ("the hub is asked again only after a 304 that says nothing", |facts, resolution| {
        facts.answer == Answer::Pending
            || facts.answer == Answer::NotModifiedBare
            || !matches!(resolution_action(resolution), Some(Action::Lookup(_)))
    }),
    ("the only actions are to ask and to mark", |_, resolution| {
        matches!(resolution_action(resolution), None | Some(Action::Lookup(_) | Action::Mark))
    }),
    ("what is missing is marked once", |facts, resolution| {
        (facts.answer == Answer::EntryMissing && facts.marker == Marker::Absent)
            == (resolution_action(resolution) == Some(Action::Mark))
    }),
    ("placing goes on with an answer that names the content", |facts, resolution| {
        [Answer::Found, Answer::NotModified].contains(&facts.answer)
            == matches!(resolution, Resolution::Proceed(_))
    }),
    ("an answer that is an answer is never covered up by the cache", |facts, resolution| {
        let answers = [
            (Answer::Hostile, Refusal::AnswerHostile),
            (Answer::OtherCommit, Refusal::OtherCommit),
            (Answer::RevisionMissing, Refusal::RevisionNotFound),
            (Answer::EntryMissingBare, Refusal::EntryNotFound),
        ];
        answers.into_iter().all(|(answer, refusal)| {
            facts.answer != answer || resolution == Resolution::Refuse(refusal)
        })
    }),
    ("force and offline contradict each other", |facts, resolution| {
        let conflict = facts.force == Force::On
            && facts.reach == Reach::Offline
            && facts.answer == Answer::Pending;
        conflict == (resolution == Resolution::Refuse(Refusal::ForceOffline))
    }),
    ("a refusal tells the cause", |facts, resolution| match resolution {
        Resolution::Refuse(refusal) => causes(refusal).contains(&facts.answer),
        Resolution::Serve(..) | Resolution::Act(..) | Resolution::Proceed(_) => true,
    }),
];

/// Answers that leave it open what is meant.
const COULD_NOT_SAY: [Answer; 4] =
    [Answer::Incomplete, Answer::Failing, Answer::Unreachable, Answer::Unexpected];

/// Answers with which the hub refuses.
const SAID_NO: [Answer; 4] =
    [Answer::RepoMissing, Answer::Unauthorized, Answer::Forbidden, Answer::Throttled];

/// The answers from which a refusal may follow.
fn causes(refusal: Refusal) -> &'static [Answer] {
    match refusal {
        Refusal::ForceOffline
        | Refusal::NotCached
        | Refusal::CacheDamaged
        | Refusal::PointerIsDirectory
        | Refusal::NameTaken => &[Answer::Pending],
        Refusal::EntryNotFound => {
            &[Answer::Pending, Answer::EntryMissing, Answer::EntryMissingBare]
        }
        Refusal::RevisionNotFound => &[Answer::RevisionMissing],
        Refusal::RepoNotFound => &[Answer::RepoMissing],
        Refusal::Unauthorized => &[Answer::Unauthorized],
        Refusal::Forbidden => &[Answer::Forbidden],
        Refusal::Throttled => &[Answer::Throttled],
        Refusal::HubFailing => &[Answer::Failing],
        Refusal::HubUnreachable => &[Answer::Unreachable],
        Refusal::AnswerIncomplete => &[Answer::Incomplete],
        Refusal::AnswerHostile => &[Answer::Hostile],
        Refusal::OtherCommit => &[Answer::OtherCommit],
        Refusal::AnswerUnexpected => &[Answer::Unexpected],
        Refusal::BlobIsDirectory | Refusal::NoMethodLeft => &[],
    }
}

fn served(resolution: Resolution) -> Option<Served> {
    match resolution {
        Resolution::Serve(served, _) => Some(served),
        Resolution::Act(..) | Resolution::Proceed(_) | Resolution::Refuse(_) => None,
    }
}

fn resolution_action(resolution: Resolution) -> Option<Action> {
    match resolution {
        Resolution::Act(action, _) => Some(action),
        Resolution::Serve(..) | Resolution::Proceed(_) | Resolution::Refuse(_) => None,
    }
}

/// Calls back with every fact there is.
fn for_every_fact(mut look: impl FnMut(&ResolveFacts)) {
    for revision in RevisionKind::ALL.iter().copied() {
        for reach in Reach::ALL.iter().copied() {
            for force in Force::ALL.iter().copied() {
                for stale in Stale::ALL.iter().copied() {
                    for cached in Cached::ALL.iter().copied() {
                        for marker in Marker::ALL.iter().copied() {
                            for answer in Answer::ALL.iter().copied() {
                                look(&ResolveFacts {
                                    revision,
                                    reach,
                                    force,
                                    stale,
                                    cached,
                                    marker,
                                    answer,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_resolution_keeps_every_rule() {
    let mut count = 0_usize;
    for_every_fact(|facts| {
        count += 1;
        let resolution = resolve(facts);
        for (rule, holds) in RULES {
            assert!(holds(facts, resolution), "not so: {rule}\n{facts:#?}\n{resolution:#?}");
        }
    });
    // revisions, reaches, forces, stales, cached pointers, markers, answers
    assert_eq!(count, 2 * 2 * 2 * 3 * 6 * 2 * 17);
}
