//! Lies: names that are none, and answers that can't be for what was asked.

use hubstow_core::{
    action::{Action, Lookup},
    facts::{
        Answer, Blob, Cached, Force, Marker, PlaceFacts, Reach, ResolveFacts, RevisionKind, Staged,
        Stale, Twin,
    },
    hub::{Endpoint, Headers, Hop},
    learn::Failure,
    model::DiskKind,
    name::Revision,
    policy::{Method, Methods, Policy},
};
use hubstow_wasmtime::{CoreError, Options, wit::NameKind};

use crate::guest::hostile;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn impossible(error: &CoreError) -> bool {
    matches!(error, CoreError::Impossible { .. })
}

#[test]
fn a_name_that_is_none_is_no_name() {
    for name in ["../../etc/passwd", "/etc/passwd", "CON", "nul.txt", "a/b", "x.lock", ""] {
        let core = hostile(&format!("name={name}"), Options::default());
        let error = core.parse_name(NameKind::Etag, "an-etag").unwrap_err();
        assert!(matches!(error, CoreError::Name(_)), "{name}: {error}");
    }
    for name in ["../../etc/passwd", "/etc/passwd", "a\\b", "c:/x", "a//b"] {
        let core = hostile(&format!("name={name}"), Options::default());
        let error = core.parse_name(NameKind::FileName, "config.json").unwrap_err();
        assert!(matches!(error, CoreError::Name(_)), "{name}: {error}");
    }
}

#[test]
fn a_reading_that_says_what_was_not_received_is_refused() {
    let headers = Headers {
        repo_commit: Some(COMMIT),
        etag: Some("\"an-etag\""),
        content_length: Some("12"),
        ..Headers::default()
    };
    let asked = Revision::parse("main").unwrap();
    let read = |attack: &str| {
        let core = hostile(attack, Options::default());
        core.read_head(200, &headers, &asked, Lookup::Conditional)
    };
    assert_eq!(read("").unwrap().answer, Answer::Found);
    for attack in [
        "etag=../../etc/passwd",
        "etag=/etc/passwd",
        "etag=CON",
        "commit=../../etc/passwd",
        "commit=main",
    ] {
        let error = read(attack).unwrap_err();
        assert!(matches!(error, CoreError::Name(_)), "{attack}: {error}");
    }
    for attack in ["etag=another-etag", "size-of-its-own", "nothing-has-changed"] {
        let error = read(attack).unwrap_err();
        assert!(impossible(&error), "{attack}: {error}");
    }
}

#[test]
fn a_decision_that_the_facts_do_not_allow_is_refused() {
    let empty = PlaceFacts::empty(Policy::Compat);
    let here = PlaceFacts { blob: Blob::Existing, ..empty };
    let partial = PlaceFacts { staged: Staged::Partial, ..empty };
    let tried = Methods::UNTRIED.with(Method::Symlink, hubstow_core::policy::Support::Works);
    for (attack, facts) in [
        ("move-a-published-blob", here),
        ("move-an-unverified-file", partial),
        ("reuse-what-is-absent", empty),
        ("seal-an-unverified-file", partial),
        ("place-over-something-else", here),
        ("link-to-a-twin", PlaceFacts { twin: Twin::Present, ..empty }),
        ("point-at-nothing", empty),
        ("mark-as-missing", empty),
        ("ask-the-hub-for-ever", empty),
        ("probe-for-ever", PlaceFacts { methods: tried, ..empty }),
        ("probe-everything", empty),
        ("fetch-for-ever", PlaceFacts { staged: Staged::Complete, ..empty }),
    ] {
        let error = hostile(attack, Options::default()).place(&facts).unwrap_err();
        assert!(impossible(&error), "{attack}: {error}");
    }
}

#[test]
fn a_resolution_that_the_facts_do_not_allow_is_refused() {
    let facts = ResolveFacts {
        revision: RevisionKind::Name,
        reach: Reach::Online,
        force: Force::Off,
        stale: Stale::Unreachable,
        cached: Cached::Absent,
        marker: Marker::Absent,
        answer: Answer::Pending,
    };
    let cached = ResolveFacts { cached: Cached::Linked, ..facts };
    for (attack, facts) in [
        ("serve-what-is-not-there", facts),
        ("serve-what-is-not-there", cached),
        ("serve-without-asking", cached),
        ("go-on-without-an-answer", facts),
        ("look-up-for-ever", ResolveFacts { reach: Reach::Offline, ..facts }),
        ("look-up-for-ever", ResolveFacts { answer: Answer::Failing, ..facts }),
        ("mark-what-exists", ResolveFacts { answer: Answer::Found, ..facts }),
        ("fetch-before-asking", facts),
    ] {
        let error = hostile(attack, Options::default()).resolve(&facts).unwrap_err();
        assert!(impossible(&error), "{attack}: {error}");
    }
}

#[test]
fn a_lesson_that_no_failure_teaches_is_refused() {
    let probe = Action::Probe(Method::Symlink);
    for attack in ["unlearn-everything", "learn-nothing"] {
        let core = hostile(attack, Options::default());
        let error = core.learn(Methods::UNTRIED, probe, Failure::Unsupported).unwrap_err();
        assert!(impossible(&error), "{attack}: {error}");
    }
}

#[test]
fn a_forecast_without_end_and_a_token_for_anyone_are_refused() {
    let facts = PlaceFacts::empty(Policy::Compat);
    let core = hostile("endless-forecast", Options::default());
    let error = core.forecast(&facts, DiskKind::ALL_LINKS).unwrap_err();
    assert!(impossible(&error), "{error}");
    let endpoint = Endpoint::parse("https://hub.example").unwrap();
    let (from, to) = ("https://hub.example/a", "https://thief.example/a");
    let hop = Hop { from, to, endpoint: endpoint.origin(), followed: 0 };
    let core = hostile("token-to-anyone", Options::default());
    let error = core.redirect(&hop).unwrap_err();
    assert!(impossible(&error), "{error}");
}
