//! Refs: a newer confirmation is never replaced by an older one, and what was lost on the way is known again.

use std::time::Duration;

use hubstow_tier::{Confirmed, ErrorKind, RefSeen, Tier, decide::Word};
use object_store::{ObjectStoreExt as _, path::Path};

use crate::{
    faulty::{Fault, Op},
    stage::{commit, faulty, kind, main, repo},
};

const KEY: &str = "refs/models/org--model/main";

async fn seen(tier: &Tier) -> RefSeen {
    tier.read_ref(&repo("org/model"), &main()).await.unwrap()
}

fn at(digit: char) -> Word {
    Word::At(commit(digit))
}

#[track_caller]
fn recorded(end: Confirmed) -> RefSeen {
    match end {
        Confirmed::Recorded(seen) => seen,
        Confirmed::AskAgain(seen) => panic!("it must be recorded over {seen:?}"),
    }
}

#[track_caller]
fn ask_again(end: Confirmed) -> RefSeen {
    match end {
        Confirmed::AskAgain(seen) => seen,
        Confirmed::Recorded(seen) => panic!("it must not be recorded: {seen:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ref_is_what_was_last_confirmed() {
    let (tier, _) = faulty();
    let first = seen(&tier).await;
    assert_eq!(first.word(), None);
    let second = recorded(tier.confirm_ref(&first, &at('a')).await.unwrap());
    assert_eq!(seen(&tier).await.word(), Some(at('a')));
    let third = recorded(tier.confirm_ref(&second, &at('b')).await.unwrap());
    recorded(tier.confirm_ref(&third, &Word::Gone).await.unwrap());
    assert_eq!(seen(&tier).await.word(), Some(Word::Gone));
    assert_eq!(tier.refs(&repo("org/model")).await.unwrap(), [main()]);
    assert_eq!(tier.refs(&repo("org/other")).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_race_the_second_asks_again() {
    let (tier, _) = faulty();
    // Both have read that there is nothing, and both have asked upstream.
    let (one, other) = (seen(&tier).await, seen(&tier).await);
    recorded(tier.confirm_ref(&one, &at('a')).await.unwrap());
    let now = ask_again(tier.confirm_ref(&other, &at('b')).await.unwrap());
    assert_eq!(now.word(), Some(at('a')));
    recorded(tier.confirm_ref(&now, &at('c')).await.unwrap());
    // The same word is a confirmation of its own: who has read before it asks again too.
    let (one, other) = (seen(&tier).await, seen(&tier).await);
    recorded(tier.confirm_ref(&one, &at('c')).await.unwrap());
    ask_again(tier.confirm_ref(&other, &at('c')).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_known_again() {
    let (tier, store) = faulty();
    let mut known = seen(&tier).await;
    for digit in ['a', 'b', 'c'] {
        store.fail(Op::Put, KEY, Fault::LostAnswer, 1);
        known = recorded(tier.confirm_ref(&known, &at(digit)).await.unwrap());
        assert_eq!(seen(&tier).await.word(), Some(at(digit)));
    }
    store.fail(Op::Put, KEY, Fault::Busy, 9);
    assert_eq!(kind(tier.confirm_ref(&known, &at('d')).await), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_ref_that_cannot_be_read_is_unknown_and_the_next_confirmation_mends_it() {
    for broken in ["", "no record", "{\"format\":2}", &"x".repeat(20_000)] {
        let (tier, store) = faulty();
        store.inner.put(&Path::parse(KEY).unwrap(), broken.to_owned().into()).await.unwrap();
        let found = seen(&tier).await;
        assert_eq!(found.word(), None);
        recorded(tier.confirm_ref(&found, &at('a')).await.unwrap());
        assert_eq!(seen(&tier).await.word(), Some(at('a')));
    }
}

/// A day ahead and a day behind change nothing: ages are by the store's clock on both sides.
#[tokio::test(start_paused = true)]
async fn the_age_of_a_confirmation_is_by_the_clock_of_the_store() {
    for skew_ms in [0, 86_400_000, -86_400_000] {
        let (tier, store) = faulty();
        store.skew(skew_ms);
        assert_eq!(seen(&tier).await.age_ms(), None);
        let known = seen(&tier).await;
        recorded(tier.confirm_ref(&known, &at('a')).await.unwrap());
        assert_eq!(seen(&tier).await.age_ms(), None, "nobody has asked what time it is");
        tier.check().await.unwrap();
        tokio::time::sleep(Duration::from_secs(40)).await;
        let age = seen(&tier).await.age_ms().unwrap();
        assert!((39_000..42_000).contains(&age), "{age} with a skew of {skew_ms}");
    }
}
