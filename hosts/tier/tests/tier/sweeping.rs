//! Sweeps: what goes, what stays, and what dead runs have left.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hubstow_core::name::Repo;
use hubstow_tier::{
    Begin, Cleared, Confirmed, ErrorKind, Pin, Sweep, Swept, Tier, Tree, decide::Word,
};
use object_store::{ObjectStoreExt as _, path::Path};

use crate::{
    faulty::{Fault, Faulty, Op},
    stage::{Sample, commit, faulty, kind, limits, main, read, repo, settle},
};

const HOUR_MS: i64 = 3_600_000;
const HOUR: Duration = Duration::from_secs(3600);

/// Puts objects that are all so many hours old by the store's clock.
async fn old_objects(store: &Arc<Faulty>, count: u8, hours: i64) -> Vec<Sample> {
    let tier = Tier::with_store(Arc::<Faulty>::clone(store), limits());
    let samples: Vec<_> = (0..count).map(Sample::small).collect();
    for sample in &samples {
        sample.put(&tier).await.unwrap();
    }
    age(store, hours);
    samples
}

/// Lets hours go by: what was written in real time is old by a clock that is ahead, and the clock is what sweeps ask for.
fn age(store: &Faulty, hours: i64) {
    store.skew(hours * HOUR_MS);
}

fn room_for(bytes: u64) -> Sweep {
    let mut sweep = Sweep::default();
    sweep.max_bytes = Some(bytes);
    sweep.min_age = HOUR;
    sweep
}

async fn sweep(tier: &Tier, how: &Sweep) -> Swept {
    tier.sweep(how).await.unwrap().expect("nobody else is at it")
}

async fn keep_listing(tier: &Tier, repo: &Repo, digit: char, files: &[&Sample]) {
    let files: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(at, file)| {
            let (size, etag) = (file.size(), file.id.etag());
            format!(
                r#""f{at}":{{"size":{size},"blob_id":"{}","lfs_sha256":"{etag}","lfs_size":{size}}}"#,
                "0".repeat(40)
            )
        })
        .collect();
    let text = format!(r#"{{"format_version":1,"files":{{{}}}}}"#, files.join(","));
    let tree = Tree::parse(Bytes::from(text)).unwrap();
    assert_eq!(tree.objects().len(), files.len());
    tier.put_tree(repo, &commit(digit), &tree).await.unwrap();
}

async fn point_main(tier: &Tier, repo: &Repo, digit: char) {
    let seen = tier.read_ref(repo, &main()).await.unwrap();
    let end = tier.confirm_ref(&seen, &Word::At(commit(digit))).await.unwrap();
    assert!(matches!(end, Confirmed::Recorded(_)));
}

async fn has(tier: &Tier, sample: &Sample) -> bool {
    tier.head(&sample.id).await.unwrap().is_some()
}

async fn all_there(tier: &Tier, samples: &[Sample]) -> Vec<bool> {
    futures_util::future::join_all(samples.iter().map(|sample| has(tier, sample))).await
}

#[tokio::test(start_paused = true)]
async fn the_least_recently_used_go_until_there_is_room() {
    let (tier, store) = faulty();
    let samples = old_objects(&store, 4, 10).await;
    // One of the old ones is read.
    read(&tier, &samples[2].id, None).await.unwrap();
    settle().await;
    let size = samples[0].size();
    let done = sweep(&tier, &room_for(2 * size)).await;
    assert_eq!(
        (done.objects, done.bytes, done.evicted, done.freed_bytes),
        (4, 4 * size, 2, 2 * size)
    );
    assert!(has(&tier, &samples[2]).await);
    let again = sweep(&tier, &room_for(2 * size)).await;
    assert_eq!((again.objects, again.evicted), (2, 0));
    // What was just used stays, however little room there is.
    assert_eq!(sweep(&tier, &room_for(0)).await.evicted, 1);
    assert!(has(&tier, &samples[2]).await);
    let mut unused = Sweep::default();
    unused.min_age = HOUR;
    unused.unused_for = Some(HOUR * 20);
    assert_eq!(sweep(&tier, &unused).await.evicted, 0);
    age(&store, 30);
    assert_eq!(sweep(&tier, &unused).await.evicted, 1);
    assert!(!store.keys().await.iter().any(|key| key.starts_with("used/")));
}

#[tokio::test(start_paused = true)]
async fn what_is_pinned_stays_and_what_a_pin_moves_to_stays_too() {
    let (tier, store) = faulty();
    let samples = old_objects(&store, 5, 10).await;
    let repo = repo("org/model");
    keep_listing(&tier, &repo, 'a', &[&samples[0], &samples[1]]).await;
    keep_listing(&tier, &repo, 'b', &[&samples[1], &samples[2]]).await;
    point_main(&tier, &repo, 'a').await;
    let pin = Pin { repo: repo.clone(), revision: Some(main()) };
    tier.pin(&pin).await.unwrap();
    assert_eq!(tier.pins().await.unwrap(), std::slice::from_ref(&pin));
    assert_eq!(sweep(&tier, &room_for(0)).await.evicted, 3);
    assert_eq!(all_there(&tier, &samples).await, [true, true, false, false, false]);
    // The pin goes where the branch goes.
    samples[2].put(&tier).await.unwrap();
    age(&store, 10);
    point_main(&tier, &repo, 'b').await;
    assert_eq!(sweep(&tier, &room_for(0)).await.evicted, 1);
    assert_eq!(all_there(&tier, &samples).await, [false, true, true, false, false]);

    tier.unpin(&pin).await.unwrap();
    let mut given = room_for(0);
    given.pins = vec![Pin { repo, revision: None }];
    assert_eq!(sweep(&tier, &given).await.evicted, 0, "pins of the caller count too");
    given.pins = Vec::new();
    assert_eq!(sweep(&tier, &given).await.evicted, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_used_or_pinned_after_the_plan_is_spared() {
    let (tier, store) = faulty();
    let samples = old_objects(&store, 3, 10).await;
    let repo = repo("org/model");
    keep_listing(&tier, &repo, 'a', &[&samples[1]]).await;
    let before = store.snapshot("used").await;
    read(&tier, &samples[0].id, None).await.unwrap();
    settle().await;
    // The list that the plan is made of knows nothing of that use.
    store.fail(Op::List, "used", Fault::Stale(before), 1);
    store.fail(Op::List, "pins", Fault::Stale(Vec::new()), 1);
    tier.pin(&Pin { repo, revision: Some((&commit('a')).into()) }).await.unwrap();
    let done = sweep(&tier, &room_for(0)).await;
    assert_eq!((done.evicted, done.spared), (1, 2));
    assert!(has(&tier, &samples[0]).await && has(&tier, &samples[1]).await);
}

#[tokio::test(start_paused = true)]
async fn a_pinned_root_that_cannot_be_read_holds_everything() {
    let (tier, store) = faulty();
    let samples = old_objects(&store, 2, 10).await;
    let repo = repo("org/model");
    let key = format!("trees/models/org--model/{}.json", commit('a'));
    store.inner.put(&Path::from(key), "torn".into()).await.unwrap();
    tier.pin(&Pin { repo: repo.clone(), revision: None }).await.unwrap();
    assert_eq!(kind(tier.sweep(&room_for(0)).await), ErrorKind::Corrupt);
    assert!(has(&tier, &samples[0]).await);
    // A good listing takes the place of one that can't be read.
    keep_listing(&tier, &repo, 'a', &[&samples[0]]).await;
    assert_eq!(sweep(&tier, &room_for(0)).await.evicted, 1);
    store.fail(Op::Get, "trees/", Fault::Busy, usize::MAX);
    assert_eq!(kind(tier.sweep(&room_for(0)).await), ErrorKind::Unavailable);
    tokio::time::sleep(limits().longest_pause).await;
    assert!(has(&tier, &samples[0]).await);
}

/// What a pin that leads nowhere is to hold nobody can tell.
#[tokio::test(start_paused = true)]
async fn a_pin_that_cannot_be_followed_holds_everything() {
    let (tier, store) = faulty();
    let samples = old_objects(&store, 2, 10).await;
    let repo = repo("org/model");
    let reference = Path::from("refs/models/org--model/main");
    let pin = Pin { repo: repo.clone(), revision: Some(main()) };
    tier.pin(&pin).await.unwrap();
    let all_held = async |why: &str| {
        let error = tier.sweep(&room_for(0)).await.expect_err(why);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{why}");
        assert!(error.to_string().contains("org--model"), "{why}: {error}");
        assert_eq!(all_there(&tier, &samples).await, [true, true], "{why}");
    };
    all_held("no ref").await;
    point_main(&tier, &repo, 'a').await;
    all_held("no listing").await;
    keep_listing(&tier, &repo, 'a', &[&samples[0]]).await;
    let good = store.inner.get(&reference).await.unwrap().bytes().await.unwrap();
    store.inner.put(&reference, "torn".into()).await.unwrap();
    all_held("a ref that is none").await;
    tier.unpin(&pin).await.unwrap();
    let whole = Pin { repo: repo.clone(), revision: None };
    tier.pin(&whole).await.unwrap();
    all_held("a ref that is none, in a repo that is pinned whole").await;
    store.inner.put(&reference, good.into()).await.unwrap();
    tier.pin(&pin).await.unwrap();
    let seen = tier.read_ref(&repo, &main()).await.unwrap();
    tier.confirm_ref(&seen, &Word::Gone).await.unwrap();
    all_held("upstream has it no more").await;
    tier.unpin(&pin).await.unwrap();
    assert_eq!(sweep(&tier, &room_for(0)).await.evicted, 1, "the listing is known");
    assert_eq!(all_there(&tier, &samples).await, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_behind_takes_nothing_that_is_there() {
    let (tier, store) = faulty();
    let samples = old_objects(&store, 2, 10).await;
    let before = store.snapshot("objects").await;
    // One of the list is gone, and the other was put again since.
    for sample in &samples {
        store.inner.delete(&Path::from(sample.key())).await.unwrap();
    }
    samples[1].put(&tier).await.unwrap();
    store.fail(Op::List, "objects", Fault::Stale(before), 1);
    let done = sweep(&tier, &room_for(0)).await;
    assert_eq!((done.evicted, done.spared), (0, 1));
    assert!(has(&tier, &samples[1]).await);
}

#[tokio::test(start_paused = true)]
async fn what_dead_runs_have_left_goes_and_what_lives_stays() {
    let (tier, store) = faulty();
    for left in ["claims/sha256/x", "probes/x", "used/sha256/x"] {
        store.inner.put(&Path::from(left), "".into()).await.unwrap();
    }
    let orphan = Sample::small(7);
    store.inner.put(&Path::from(format!("used/{}", orphan.id)), "".into()).await.unwrap();
    let dead = tier.begin(&Sample::small(8).id, HOUR).await.unwrap();
    drop(dead);
    age(&store, 48);
    let alive = tier.begin(&Sample::small(9).id, HOUR).await.unwrap();
    assert!(matches!(alive, Begin::Fill(_)));
    let done = sweep(&tier, &Sweep::default()).await;
    assert_eq!((done.claims, done.notes, done.uploads), (2, 2, Cleared::ByRule));
    let left = store.keys().await;
    let living = format!("claims/{}", Sample::small(9).id);
    assert_eq!(left, [living, "clock".to_owned(), "used/sha256/x".to_owned()]);
    assert_eq!(sweep(&tier, &Sweep::default()).await.claims, 0);
}

/// Whoever sweeps once and ends does not watch anybody's claim.
#[tokio::test(start_paused = true)]
async fn the_claim_of_a_sweep_that_has_died_keeps_nobody_out_for_long() {
    let (tier, store) = faulty();
    let claim = r#"{"format":1,"sequence":1,"holder":"h","lives_ms":30000}"#;
    store.inner.put(&Path::from("claims/sweep"), claim.into()).await.unwrap();
    assert_eq!(tier.sweep(&Sweep::default()).await.unwrap(), None);
    age(&store, 1);
    let other = Tier::with_store(Arc::<Faulty>::clone(&store), limits());
    assert!(other.sweep(&Sweep::default()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn of_many_that_look_now_and_then_one_sweeps_each_time() {
    let (tier, store) = faulty();
    let other = Tier::with_store(Arc::<Faulty>::clone(&store), limits());
    let how = Sweep::default();
    assert!(tier.sweep_if_due(&how, HOUR).await.unwrap().is_some());
    for node in [&tier, &other] {
        assert_eq!(node.sweep_if_due(&how, HOUR).await.unwrap(), None);
    }
    age(&store, 2);
    assert!(other.sweep_if_due(&how, HOUR).await.unwrap().is_some());
    assert_eq!(tier.sweep_if_due(&how, HOUR).await.unwrap(), None);
    // One that fails is no sweep.
    age(&store, 2);
    store.fail(Op::List, "claims", Fault::Busy, usize::MAX);
    assert_eq!(kind(tier.sweep_if_due(&how, HOUR).await), ErrorKind::Unavailable);
    store.heal();
    tokio::time::sleep(limits().longest_pause).await;
    // Its claim could not be given back.
    age(&store, 1);
    assert!(tier.sweep_if_due(&how, HOUR).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn one_node_sweeps_at_a_time_and_faults_end_it_within_bounds() {
    let (tier, store) = faulty();
    old_objects(&store, 3, 10).await;
    let other = Tier::with_store(Arc::<Faulty>::clone(&store), limits());
    let how = room_for(0);
    store.fail(Op::List, "objects", Fault::BreaksOff(1), 1);
    store.fail(Op::Delete, "objects/", Fault::LostAnswer, 1);
    let (one, two) = futures_util::future::join(tier.sweep(&how), other.sweep(&how)).await;
    let done: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].evicted, 3);
    store.fail(Op::List, "objects", Fault::Busy, usize::MAX);
    assert_eq!(kind(tier.sweep(&how).await), ErrorKind::Unavailable);
}
