use crate::{
    hub::{Endpoint, read_head},
    learn::learn,
    place::place,
    policy::{Methods, Policy},
    resolve::resolve,
    why::Reason,
};

use super::*;

/// Calls a function with every combination of the cases of some enums.
macro_rules! for_every {
    ($($name:ident: $of:ty),+ => $body:expr) => { for_every!(@ [$($name: $of),+] $body) };
    (@ [$name:ident: $of:ty $(, $rest:ident: $rest_of:ty)*] $body:expr) => {
        for &$name in <$of>::ALL { for_every!(@ [$($rest: $rest_of),*] $body); }
    };
    (@ [] $body:expr) => { $body };
}

/// Every fact about a place that the core can be given.
fn every_place(mut check: impl FnMut(&PlaceFacts)) {
    for_every!(
        policy: Policy, demand: Demand, pointer: Pointer, blob: Blob, staged: Staged, twin: Twin,
        ref_file: RefFile, symlink: Support, hardlink: Support, reflink: Support => {
            let methods = Methods { symlink, hardlink, reflink };
            check(&PlaceFacts { policy, demand, pointer, blob, staged, twin, methods, ref_file });
        }
    );
}

fn act(by: Method, from: Source, over: Pointer) -> Decision {
    Decision::Act(Action::Place { by, from, over }, Reason::MethodWorks)
}

#[test]
fn what_the_core_decides_about_a_place_is_always_possible() {
    let mut checked = 0;
    every_place(|facts| {
        assert!(possible(facts, &place(facts)), "{facts:?}");
        checked += 1;
    });
    assert_eq!(checked, 453_600);
}

#[test]
fn what_the_core_learns_is_always_possible_and_nothing_else_is() {
    for_every!(symlink: Support, hardlink: Support, reflink: Support, by: Method, failure: Failure => {
        let methods = Methods { symlink, hardlink, reflink };
        let place = Action::Place { by, from: Source::Blob, over: Pointer::Absent };
        for action in [Action::Probe(by), place, Action::Fetch, Action::Mark] {
            let lesson = learn(methods, action, failure);
            assert!(possible_lesson(methods, action, failure, lesson), "{methods:?} {action:?}");
            for_every!(first: Support, second: Support, third: Support => {
                let known = Methods { symlink: first, hardlink: second, reflink: third };
                let again = Lesson::Again(known);
                if again != lesson {
                    assert!(!possible_lesson(methods, action, failure, again), "{lesson:?} {known:?}");
                }
            });
        }
    });
}

#[test]
fn what_the_core_decides_about_a_request_is_always_possible() {
    for_every!(
        revision: RevisionKind, reach: Reach, force: Force, stale: Stale, cached: Cached, marker: Marker,
        answer: Answer => {
            let facts = ResolveFacts { revision, reach, force, stale, cached, marker, answer };
            // Nobody is asked where nobody may be, and only what is linked is asked about conditionally.
            let asked = facts.answer != Answer::Pending;
            let conditional = matches!(answer, Answer::NotModified | Answer::NotModifiedBare);
            if !(asked && reach == Reach::Offline || conditional && cached != Cached::Linked) {
                assert!(possible_resolution(&facts, &resolve(&facts)), "{facts:?}");
            }
        }
    );
}

#[test]
fn what_the_core_foretells_is_always_possible() {
    use crate::model::forecast;
    every_place(|facts| {
        for disk in [DiskKind::ALL_LINKS, DiskKind::NO_LINKS] {
            let (rounds, end) = forecast(facts, disk);
            assert!(possible_forecast(facts, disk, &rounds, end), "{facts:?}");
        }
    });
}

/// Follows a decider that always takes the action which the guard lets pass last, and counts its actions.
#[test]
fn no_decider_keeps_a_host_busy_without_end() {
    let mut longest = 0;
    every_place(|facts| {
        for disk in [DiskKind::ALL_LINKS, DiskKind::NO_LINKS] {
            let mut model = Model::foreseen(facts, disk);
            let mut actions = 0;
            while let Some(action) =
                every_action(&model.facts).filter(|a| passes(&model, *a)).last()
            {
                actions += 1;
                assert!(actions < 20, "{facts:?}");
                if !model.go_on(action) {
                    break;
                }
            }
            longest = longest.max(actions);
        }
    });
    assert!(longest > 3, "{longest}");
}

fn passes(model: &Model, action: Action) -> bool {
    possible(&model.facts, &Decision::Act(action, Reason::MethodWorks))
}

fn every_action(facts: &PlaceFacts) -> impl Iterator<Item = Action> + use<> {
    let (blob, pointer) = (facts.blob, facts.pointer);
    let places = Method::ALL.iter().flat_map(move |&by| {
        Source::ALL.iter().map(move |&from| Action::Place { by, from, over: pointer })
    });
    let seals = Source::ALL.iter().map(move |&from| Action::Seal { from, over: blob });
    let probes = Method::ALL.iter().map(|&method| Action::Probe(method));
    places.chain(seals).chain(probes).chain([Action::Fetch, Action::Point, Action::Mark])
}

#[test]
fn what_would_break_the_cache_is_refused() {
    let empty = PlaceFacts::empty(Policy::Dedup);
    let here = PlaceFacts { blob: Blob::Existing, ..empty };
    let complete = PlaceFacts { staged: Staged::Complete, ..empty };
    let fetch = Decision::Act(Action::Fetch, Reason::NothingHere);
    let seal =
        |over| Decision::Act(Action::Seal { from: Source::Staged, over }, Reason::MethodWorks);
    let (symlink, moved) = (Method::Symlink, Method::Move);
    for (facts, decision) in [
        (here, act(moved, Source::Blob, Pointer::Absent)),
        (here, Decision::Reuse(Reason::PointerHolds)),
        (here, fetch),
        (PlaceFacts { staged: Staged::Partial, ..empty }, seal(Blob::Absent)),
        (
            PlaceFacts { staged: Staged::Partial, ..empty },
            act(moved, Source::Staged, Pointer::Absent),
        ),
        (complete, seal(Blob::Existing)),
        (complete, fetch),
        (complete, Decision::Act(Action::Point, Reason::RefBehind)),
        (
            PlaceFacts { policy: Policy::Portable, ..here },
            act(symlink, Source::Blob, Pointer::Absent),
        ),
        (PlaceFacts { twin: Twin::Present, ..empty }, act(moved, Source::Twin, Pointer::Absent)),
        (PlaceFacts { twin: Twin::Present, ..empty }, act(symlink, Source::Twin, Pointer::Absent)),
        (
            PlaceFacts { pointer: Pointer::Holds, ..here },
            act(symlink, Source::Blob, Pointer::Holds),
        ),
        (
            PlaceFacts {
                methods: Methods { symlink: Support::Works, ..Methods::UNTRIED },
                ..empty
            },
            Decision::Act(Action::Probe(symlink), Reason::MethodUntried),
        ),
    ] {
        assert!(!possible(&facts, &decision), "{facts:?} {decision:?}");
    }
}

const ASKED: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "1123456789abcdef0123456789abcdef01234567";

#[test]
fn a_reading_says_no_more_than_what_was_received() {
    let headers = Headers {
        repo_commit: Some(ASKED),
        etag: Some("\"some-etag\""),
        content_length: Some("12"),
        ..Headers::default()
    };
    let (asked, lookup) = (Revision::parse("main").unwrap(), Lookup::Plain);
    let right = read_head(200, &headers, &asked, lookup);
    assert!(possible_reply(200, &headers, &asked, lookup, &right));
    let known = right.metadata.clone().unwrap();
    let commit = Commit::parse(OTHER).unwrap();
    let with = |metadata| Reply { metadata: Some(metadata), ..right.clone() };
    for wrong in [
        with(Metadata { etag: Etag::parse("other-etag").unwrap(), ..known.clone() }),
        with(Metadata { size: Some(13), ..known.clone() }),
        with(Metadata { commit: commit.clone(), ..known.clone() }),
        Reply { commit: Some(commit), ..right.clone() },
        Reply { answer: Answer::NotModified, metadata: None, ..right.clone() },
        Reply { metadata: None, ..right.clone() },
        Reply::bare(Answer::Pending),
    ] {
        assert!(!possible_reply(200, &headers, &asked, lookup, &wrong), "{wrong:?}");
    }
    let pinned = Revision::parse(OTHER).unwrap();
    assert!(!possible_reply(200, &headers, &pinned, lookup, &right));
    assert!(!possible_reply(404, &headers, &asked, lookup, &right));
}

#[test]
fn the_token_goes_nowhere_but_to_the_endpoint() {
    let endpoint = Endpoint::parse("https://hub.example").unwrap();
    let hop =
        |to| Hop { from: "https://hub.example/a", to, endpoint: endpoint.origin(), followed: 0 };
    let (with, without) = (Redirect::FollowWithToken, Redirect::FollowWithoutToken);
    for (to, rule, possible) in [
        ("https://hub.example/b", with, true),
        ("https://hub.example/b", without, true),
        ("https://store.example/b", without, true),
        ("https://store.example/b", with, false),
        ("http://store.example/b", without, false),
        ("file:///etc/passwd", without, false),
        ("file:///etc/passwd", Redirect::WrongScheme, true),
    ] {
        assert_eq!(possible_redirect(&hop(to), rule), possible, "{to} {rule}");
    }
    let endless = Hop { followed: 1_000, ..hop("https://hub.example/b") };
    assert!(!possible_redirect(&endless, with));
}
