//! Who fills: one at a time, another when that one is gone, and nobody waits for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hubstow_tier::{Begin, Claim, ErrorKind, ObjectId, Tier};
use object_store::{ObjectStoreExt as _, path::Path};
use tokio::time::Instant;

use crate::{
    faulty::{Fault, Faulty, Op},
    stage::{Sample, faulty, kind, limits, read},
};

const LONG: Duration = Duration::from_secs(600);

async fn begin(tier: &Tier, id: &ObjectId) -> Begin {
    tier.begin(id, LONG).await.unwrap()
}

async fn claim(tier: &Tier, id: &ObjectId) -> Claim {
    match begin(tier, id).await {
        Begin::Fill(claim) => claim,
        other @ (Begin::Here(_) | Begin::Waited) => {
            panic!("it must be this node's turn: {other:?}")
        }
    }
}

/// Another node on the same store.
fn node(store: &Arc<Faulty>) -> Tier {
    Tier::with_store(Arc::<Faulty>::clone(store), limits())
}

/// Gets an object as a node does, and counts what it asks of upstream.
async fn obtain(tier: &Tier, sample: &Sample, asked: &AtomicUsize) {
    match tier.begin(&sample.id, LONG).await.unwrap() {
        Begin::Here(object) => {
            assert_eq!(object.size_bytes, sample.size());
            assert_eq!(read(tier, &sample.id, None).await.unwrap().unwrap(), sample.bytes);
        }
        Begin::Fill(claim) => {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(100)).await;
            sample.put(tier).await.unwrap();
            claim.release().await;
        }
        Begin::Waited => panic!("nobody waits that long here"),
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_nodes_one_fills_and_the_others_wait_for_it() {
    let (_, store) = faulty();
    let samples: Vec<_> = (0..5).map(Sample::small).collect();
    let asked = AtomicUsize::new(0);
    let nodes: Vec<_> = (0..3).map(|_| node(&store)).collect();
    // A fill takes longer than a claim holds, so it has to be renewed on the way.
    let all = nodes.iter().flat_map(|node| std::iter::repeat_n(node, 10));
    let pairs = all.flat_map(|node| samples.iter().map(move |sample| (node, sample)));
    let all = pairs.map(|(node, sample)| obtain(node, sample, &asked));
    futures_util::future::join_all(all).await;
    assert_eq!(asked.load(Ordering::Relaxed), samples.len());
    let left = store.keys().await;
    assert!(!left.iter().any(|key| key.starts_with("claims/")), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn another_node_takes_over_what_a_dead_one_has_claimed() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    drop(claim(&tier, &sample.id).await);
    let start = Instant::now();
    let next = claim(&node(&store), &sample.id).await;
    let waited = start.elapsed();
    let lives = limits().claim_time;
    assert!(waited > lives && waited < lives * 2, "{waited:?}");
    assert!(next.is_held().await);
    // Only one of those who wait may take it over.
    drop(next);
    let (one, other) = (node(&store), node(&store));
    let both = futures_util::future::join_all(
        [&one, &other].map(|tier| tier.begin(&sample.id, lives + Duration::from_secs(10))),
    );
    let ends = both.await.into_iter().map(Result::unwrap);
    let fills = ends.filter(|end| matches!(end, Begin::Fill(_))).count();
    assert_eq!(fills, 1);
}

/// A node that knows the store's clock need not watch for as long as the claim lives.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_old_by_the_clock_of_the_store_is_taken_over_at_once() {
    for skew_ms in [0, 3_600_000, -3_600_000] {
        let (tier, store) = faulty();
        store.skew(skew_ms);
        let sample = Sample::small(1);
        tier.check().await.unwrap();
        drop(claim(&tier, &sample.id).await);
        tokio::time::sleep(limits().claim_time + Duration::from_secs(2)).await;
        let start = Instant::now();
        drop(claim(&tier, &sample.id).await);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_he_wants() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    let held = claim(&tier, &sample.id).await;
    let start = Instant::now();
    let end = node(&store).begin(&sample.id, Duration::from_secs(7)).await.unwrap();
    assert!(matches!(end, Begin::Waited));
    assert!(start.elapsed() <= Duration::from_secs(7));
    held.release().await;
    assert!(matches!(begin(&tier, &sample.id).await, Begin::Fill(_)));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_renewed_for_as_long_as_it_is_held() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    let held = claim(&tier, &sample.id).await;
    for fault in [Fault::Busy, Fault::LostAnswer, Fault::Late(Duration::from_secs(3))] {
        store.fail(Op::Put, "claims/", fault, 1);
        let end = node(&store).begin(&sample.id, Duration::from_secs(100)).await.unwrap();
        assert!(matches!(end, Begin::Waited), "{end:?}");
        assert!(held.is_held().await);
    }
    // One that is taken away is noticed, and not given back in somebody else's place.
    let key = Path::from(format!("claims/{}", sample.id));
    store.inner.put(&key, "somebody else's".into()).await.unwrap();
    tokio::time::sleep(limits().claim_time).await;
    assert!(!held.is_held().await);
    held.release().await;
    assert!(store.inner.head(&key).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_given_back_while_it_is_renewed_is_gone() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    let held = claim(&tier, &sample.id).await;
    store.fail(Op::Put, "claims/", Fault::SlowAnswer(Duration::from_secs(3)), 1);
    tokio::time::sleep(limits().claim_time / 3 + Duration::from_secs(1)).await;
    held.release().await;
    assert_eq!(store.keys().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_claim_is_known_again() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    store.fail(Op::Put, "claims/", Fault::LostAnswer, 1);
    let start = Instant::now();
    claim(&tier, &sample.id).await.release().await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(store.keys().await, [""; 0]);
    // The same of one that takes another's place: the first answer that is lost is that of trying over nothing.
    drop(claim(&tier, &sample.id).await);
    let start = Instant::now();
    let another = node(&store);
    let late = async {
        tokio::time::sleep(limits().claim_time).await;
        store.fail(Op::Put, "claims/", Fault::LostAnswer, usize::MAX);
        tokio::time::sleep(Duration::from_secs(5)).await;
        store.heal();
    };
    let (taken, ()) = futures_util::future::join(claim(&another, &sample.id), late).await;
    assert!(taken.is_held().await);
    assert!(start.elapsed() < limits().claim_time * 3 / 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_cannot_be_read_holds_no_longer_than_any() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    let key = Path::from(format!("claims/{}", sample.id));
    let huge = "x".repeat(20_000);
    for body in
        ["", "x", &huge, "{\"format\":1,\"sequence\":1,\"holder\":\"h\",\"lives_ms\":9000000000}"]
    {
        store.inner.put(&key, body.to_owned().into()).await.unwrap();
        let start = Instant::now();
        claim(&tier, &sample.id).await.release().await;
        assert!(start.elapsed() < Duration::from_secs(310), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_has_finished_meanwhile_is_not_filled_again() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    // Between the first look and the claim, another node puts it.
    store.fail(Op::Put, "claims/", Fault::Late(Duration::from_secs(2)), 1);
    let (mine, other) = (begin(&tier, &sample.id), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sample.put(&node(&store)).await.unwrap();
    });
    let (end, ()) = futures_util::future::join(mine, other).await;
    assert!(matches!(end, Begin::Here(_)), "{end:?}");
    assert_eq!(store.count(Op::Delete, "claims/"), 1, "the claim is given back");
}

#[tokio::test(start_paused = true)]
async fn without_the_store_it_is_said_at_once() {
    let (tier, store) = faulty();
    store.fail(Op::Put, "claims/", Fault::Busy, 9);
    assert_eq!(kind(tier.begin(&Sample::small(1).id, LONG).await), ErrorKind::Unavailable);
    assert_eq!(kind(tier.begin(&Sample::small(2).id, LONG).await), ErrorKind::Unavailable);
    assert_eq!(store.count(Op::Head, "objects/"), 1);
}
