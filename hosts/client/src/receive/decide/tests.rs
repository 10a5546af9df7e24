use std::io;

use http::StatusCode;
use hubstow_cache::staged::Mismatch;
use hubstow_core::{
    decide::{Question, Undecided},
    hub::Redirect,
    why::Refusal,
};

use super::*;
use crate::{
    api::detail::HubAnswer,
    http::{
        address::NoAnswer,
        transport::{TransportError, TransportErrorKind},
        xet::XetStoreError,
    },
    receive::verdict::Cause,
};

const MIB: u64 = 1 << 20;
const BACKOFF: Backoff = Backoff { first_ms: 100, limit_ms: 400, retries: 3 };
const ASKED: Duration = Duration::from_secs(7);

fn standing() -> Standing {
    Standing::new(ContentSource::Hub, At::Named, 16, BACKOFF)
}

fn from_store() -> Standing {
    Standing { source: ContentSource::XetStore, ..standing() }
}

fn at_pinned() -> Standing {
    Standing { at: At::Pinned, ..standing() }
}

fn broke() -> Verdict {
    Verdict::Broke(Cause::Silent(10))
}

fn failing(wait: Option<Duration>) -> Verdict {
    Verdict::Failing { cause: Cause::Status(StatusCode::BAD_GATEWAY), wait }
}

/// What the gate has waited for in vain.
fn busy(status: StatusCode) -> Verdict {
    Verdict::Failing { cause: Cause::Status(status), wait: Some(ASKED) }
}

fn crowded(wait: Option<Duration>) -> Verdict {
    Verdict::Crowded { cause: Cause::ShortRange, wait }
}

fn no_range() -> Verdict {
    Verdict::NoRange(Cause::RangeRefused)
}

fn wrong() -> Verdict {
    Verdict::Wrong(Mismatch::Size { expected: 2, received: 1 })
}

fn refused(refusal: Refusal) -> Cause {
    Cause::Refused { refusal, said: Box::new(HubAnswer::new(403, None, None)) }
}

fn expired() -> Verdict {
    Verdict::Expired(refused(Refusal::Forbidden))
}

fn gone() -> Verdict {
    Verdict::Gone(refused(Refusal::EntryNotFound))
}

fn undecided() -> Verdict {
    let (question, decided) = (Question::Redirect, "nothing".to_owned());
    let impossible = Undecided::Impossible { question, decided };
    Verdict::Undecided(NoAnswer::Undecided { from: "hub".to_owned(), source: impossible })
}

fn passing() -> Verdict {
    Verdict::Store(StoreFailure::Slow)
}

fn lasting() -> Verdict {
    Verdict::Store(StoreFailure::Store(XetStoreError::Lasting("not there".into())))
}

/// What follows, without the wait's chance: its first one is from 50 to 100 ms.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Next(Next),
    Again,
}

fn rounded(next: Next) -> Expected {
    let is_own = |after: Duration| (50..=100).contains(&after.as_millis());
    if matches!(next, Next::Again { after } if is_own(after)) {
        Expected::Again
    } else {
        Expected::Next(next)
    }
}

#[test]
fn each_way_to_end_has_its_consequence() {
    let at_once = Duration::ZERO;
    let next = Expected::Next;
    let (named, pinned) = (At::Named, At::Pinned);
    let (hub, store) = (ContentSource::Hub, ContentSource::XetStore);
    let redirected = || {
        let from = "hub".to_owned();
        let error = NoAnswer::Redirected { to: from.clone(), from, rule: Redirect::Downgrade };
        Verdict::from(error)
    };
    for (what, before, ended, expected, after) in [
        ("right", standing(), Verdict::Verified, next(Next::Done), (hub, named, 16)),
        ("all came", standing(), Verdict::Received, next(Next::Verify), (hub, named, 16)),
        ("broken", standing(), broke(), Expected::Again, (hub, named, 16)),
        ("failing", standing(), failing(None), Expected::Again, (hub, named, 16)),
        (
            "asked to wait",
            standing(),
            failing(Some(ASKED)),
            next(Next::Again { after: ASKED }),
            (hub, named, 16),
        ),
        (
            "throttled for too long",
            standing(),
            busy(StatusCode::TOO_MANY_REQUESTS),
            next(Next::GiveUp),
            (hub, named, 16),
        ),
        (
            "busy for too long",
            standing(),
            busy(StatusCode::SERVICE_UNAVAILABLE),
            next(Next::GiveUp),
            (hub, named, 16),
        ),
        (
            "no ranges ahead",
            standing(),
            Verdict::NotSplit(Cause::All),
            next(Next::Again { after: at_once }),
            (hub, named, 1),
        ),
        ("too many at once", standing(), crowded(None), Expected::Again, (hub, named, 8)),
        (
            "one is too many",
            Standing { connections: 1, ..standing() },
            crowded(Some(ASKED)),
            next(Next::Again { after: ASKED }),
            (hub, named, 1),
        ),
        (
            "no range",
            standing(),
            no_range(),
            next(Next::StartOver { after: at_once }),
            (hub, named, 16),
        ),
        ("wrong", standing(), wrong(), next(Next::Anew), (hub, pinned, 1)),
        ("wrong from the store", from_store(), wrong(), next(Next::Anew), (hub, pinned, 1)),
        ("expired", standing(), expired(), next(Next::FromPinned), (hub, pinned, 16)),
        ("gone", standing(), gone(), next(Next::FromPinned), (hub, pinned, 16)),
        ("redirected", standing(), redirected(), next(Next::FromPinned), (hub, pinned, 16)),
        ("expired, pinned", at_pinned(), expired(), next(Next::GiveUp), (hub, pinned, 16)),
        ("gone, pinned", at_pinned(), gone(), next(Next::AskAgain), (hub, pinned, 16)),
        ("redirected, pinned", at_pinned(), redirected(), next(Next::GiveUp), (hub, pinned, 16)),
        (
            "other content",
            standing(),
            Verdict::OtherContent,
            next(Next::AskAgain),
            (hub, named, 16),
        ),
        (
            "encoded",
            standing(),
            Verdict::Unusable(Cause::Encoded("gzip".to_owned())),
            next(Next::GiveUp),
            (hub, named, 16),
        ),
        (
            "the disk",
            standing(),
            Verdict::Disk(io::ErrorKind::StorageFull.into()),
            next(Next::GiveUp),
            (hub, named, 16),
        ),
        ("undecided", standing(), undecided(), next(Next::GiveUp), (hub, named, 16)),
        ("the store fails", from_store(), passing(), Expected::Again, (store, named, 16)),
        ("the store has nothing", from_store(), lasting(), next(Next::FromHub), (hub, named, 16)),
    ] {
        let mut standing = before;
        assert_eq!(rounded(standing.next(&ended, 0, Others::None)), expected, "{what}");
        assert_eq!((standing.source, standing.at, standing.connections), after, "{what}");
    }
}

/// Plays verdicts with the bytes that are here then, and returns what the last one leads to.
fn play(mut standing: Standing, endings: &[(Verdict, u64)]) -> (Next, u32) {
    let mut last = Next::Verify;
    for (ended, received_bytes) in endings {
        last = standing.next(ended, *received_bytes, Others::None);
    }
    (last, standing.retries())
}

#[test]
fn what_does_not_get_on_is_given_up_after_as_many_retries_as_there_are() {
    let (few, mib) = (10, MIB);
    let is_again = |next| matches!(next, Next::Again { .. });
    let is_over = |next| matches!(next, Next::StartOver { .. });
    let is_given_up = |next| next == Next::GiveUp;
    type Is = fn(Next) -> bool;
    for (what, endings, expected, retries) in [
        (
            "three retries",
            vec![(broke(), 0), (failing(Some(ASKED)), few), (broke(), few)],
            is_again as Is,
            3,
        ),
        (
            "and no more",
            vec![(broke(), 0), (broke(), few), (broke(), few), (broke(), few)],
            is_given_up,
            3,
        ),
        (
            "asking to wait does not count less",
            vec![(failing(Some(ASKED)), 0), (broke(), 0), (broke(), 0), (failing(Some(ASKED)), 0)],
            is_given_up,
            3,
        ),
        (
            "progress counts anew",
            vec![(broke(), 0), (broke(), 0), (broke(), 0), (broke(), mib), (broke(), mib)],
            is_again,
            2,
        ),
        (
            "starting over counts",
            vec![(no_range(), mib), (no_range(), mib), (no_range(), mib)],
            is_over,
            3,
        ),
        (
            "and is no progress",
            vec![(broke(), mib), (no_range(), mib), (broke(), mib), (broke(), mib)],
            is_given_up,
            3,
        ),
        (
            "one connection after many",
            vec![
                (crowded(None), 0),
                (Verdict::NotSplit(Cause::All), 0),
                (broke(), 0),
                (Verdict::NotSplit(Cause::All), 0),
            ],
            is_given_up,
            3,
        ),
    ] {
        let (last, counted) = play(standing(), &endings);
        assert!(expected(last), "{what}: {last:?}");
        assert_eq!(counted, retries, "{what}");
    }
}

#[test]
fn wrong_content_is_fetched_once_more_and_an_address_is_left_once() {
    for (what, endings, expected) in [
        ("wrong", vec![(wrong(), 0)], Next::Anew),
        ("wrong twice", vec![(wrong(), 0), (wrong(), 0)], Next::AskAgain),
        (
            "wrong, however much came",
            vec![(wrong(), 0), (broke(), MIB), (wrong(), 0)],
            Next::AskAgain,
        ),
        ("expired after it was wrong", vec![(wrong(), 0), (expired(), 0)], Next::GiveUp),
        ("gone after it was wrong", vec![(wrong(), 0), (gone(), 0)], Next::AskAgain),
        ("expired twice", vec![(expired(), 0), (expired(), 0)], Next::GiveUp),
        ("gone after it has expired", vec![(expired(), 0), (gone(), 0)], Next::AskAgain),
        ("wrong after it has expired", vec![(expired(), 0), (wrong(), 0)], Next::Anew),
    ] {
        assert_eq!(play(standing(), &endings).0, expected, "{what}");
    }
}

#[test]
fn the_store_is_asked_twice_and_the_hub_counts_from_the_beginning() {
    for (what, endings, expected, retries) in [
        ("twice", vec![(passing(), 0), (passing(), 0)], Next::FromHub, 0),
        ("what will not pass, once", vec![(lasting(), MIB)], Next::FromHub, 0),
        ("lasting after passing", vec![(passing(), 0), (lasting(), 0)], Next::FromHub, 0),
        (
            "two after progress",
            vec![(passing(), 0), (passing(), MIB), (passing(), MIB)],
            Next::FromHub,
            0,
        ),
    ] {
        assert_eq!(play(from_store(), &endings), (expected, retries), "{what}");
    }
    let progress = [(passing(), 0), (passing(), MIB)];
    let (next, retries) = play(from_store(), &progress);
    assert!(matches!(next, Next::Again { .. }), "{next:?}");
    assert_eq!(retries, 1);
}

#[test]
fn another_endpoint_is_asked_after_an_outage_and_after_nothing_else() {
    let away = || {
        let source = TransportError::of(TransportErrorKind::Connect);
        Verdict::Broke(NoAnswer::Transport { url: String::new(), source }.into())
    };
    use Leads::{Again, Alike, Elsewhere};
    for (what, endings, expected) in [
        ("away", vec![(away(), 0)], Elsewhere),
        ("broken once", vec![(broke(), 0)], Again),
        ("broken twice", vec![(broke(), 0), (broke(), 0)], Elsewhere),
        ("broken, and then away", vec![(broke(), 0), (away(), 0)], Elsewhere),
        ("broken after progress", vec![(broke(), 0), (broke(), MIB)], Again),
        ("failing twice", vec![(failing(None), 0), (failing(None), 0)], Elsewhere),
        ("busy for too long", vec![(busy(StatusCode::SERVICE_UNAVAILABLE), 0)], Elsewhere),
        ("a limited rate", vec![(busy(StatusCode::TOO_MANY_REQUESTS), 0)], Alike),
        ("wrong twice", vec![(wrong(), 0), (wrong(), 0)], Alike),
        ("other content", vec![(Verdict::OtherContent, 0)], Alike),
        ("gone twice", vec![(gone(), 0), (gone(), 0)], Alike),
        ("expired twice", vec![(expired(), 0), (expired(), 0)], Alike),
        ("no range, again and again", (0..4).map(|_| (no_range(), 0)).collect(), Alike),
    ] {
        let (mut alone, mut others) = (standing(), standing());
        let mut last = (Next::Verify, Next::Verify);
        for (ended, received_bytes) in &endings {
            last = (
                others.next(ended, *received_bytes, Others::Left),
                alone.next(ended, *received_bytes, Others::None),
            );
        }
        match expected {
            Elsewhere => {
                assert_eq!(last.0, Next::Elsewhere, "{what}");
                assert_eq!((others.at, others.retries()), (At::Pinned, 0), "{what}");
            }
            Again => assert!(matches!(last.0, Next::Again { .. }), "{what}: {last:?}"),
            Alike => assert_eq!(rounded(last.0), rounded(last.1), "{what}"),
        }
    }
}

/// What an ending leads to where another endpoint is left.
#[derive(Clone, Copy)]
enum Leads {
    Elsewhere,
    Again,
    /// To the same as where there is none.
    Alike,
}
