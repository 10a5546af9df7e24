//! Nodes that do this and that at once, over a store that fails by chance. `HUBSTOW_TIER_ROUNDS` sets how many rounds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use hubstow_core::name::Commit;
use hubstow_tier::{Begin, Confirmed, Error, ErrorKind, Sweep, Tier, decide::Word};
use object_store::{ObjectStoreExt as _, path::Path};

use crate::{
    faulty::{Fault, Faulty, Op},
    stage::{Sample, limits, main, read, repo},
};

const ROUNDS: &str = "HUBSTOW_TIER_ROUNDS";
const STEPS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(90);

/// What all nodes of a round have in common.
struct World {
    store: Arc<Faulty>,
    samples: Vec<Sample>,
    /// How often upstream was asked; its answer is this number.
    asked: AtomicU64,
    /// The newest answer that a node was told is recorded.
    told: AtomicU64,
}

fn answer(number: u64) -> Word {
    Word::At(Commit::parse(&format!("{number:040x}")).unwrap())
}

fn number(word: &Word) -> u64 {
    match word {
        Word::At(commit) => u64::from_str_radix(commit.as_str(), 16).unwrap(),
        Word::Gone => panic!("nobody has said so"),
    }
}

fn disturb(store: &Faulty, rng: &mut Rng) {
    let rows = [
        (Op::Head, Fault::Busy),
        (Op::Head, Fault::Silence),
        (Op::Get, Fault::Busy),
        (Op::Get, Fault::LostAnswer),
        (Op::Get, Fault::BreaksOff(3)),
        (Op::Get, Fault::Flipped),
        (Op::Put, Fault::Busy),
        (Op::Put, Fault::LostAnswer),
        (Op::Put, Fault::Silence),
        (Op::Put, Fault::Denied),
        (Op::Put, Fault::Late(Duration::from_secs(4))),
        (Op::Delete, Fault::LostAnswer),
        (Op::Delete, Fault::Busy),
        (Op::List, Fault::Busy),
        (Op::List, Fault::BreaksOff(1)),
        (Op::Begin, Fault::LostAnswer),
        (Op::Part, Fault::Busy),
        (Op::Complete, Fault::Busy),
        (Op::Complete, Fault::LostAnswer),
    ];
    let (op, fault) = rng.choice(rows).unwrap();
    let keys = ["objects/", "claims/", "refs/", ""];
    store.fail(op, rng.choice(keys).unwrap(), fault, rng.usize(1..4));
}

/// Gets an object as a node does, whatever it takes.
async fn obtain(world: &World, tier: &Tier, sample: &Sample, dies: bool) -> Result<(), Error> {
    match tier.begin(&sample.id, PATIENCE).await? {
        Begin::Here(_) => {
            let Some(mut content) = tier.get(&sample.id, None).await? else { return Ok(()) };
            let mut bytes = Vec::new();
            while let Some(part) = content.chunk().await? {
                bytes.extend_from_slice(&part);
            }
            if bytes != sample.bytes {
                tier.discard(&sample.id, content.object()).await?;
            }
        }
        Begin::Fill(claim) => {
            world.asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(2)).await;
            if dies {
                return Ok(());
            }
            let put = sample.put(tier).await;
            claim.release().await;
            put?;
        }
        Begin::Waited => {}
    }
    Ok(())
}

async fn confirm(world: &World, tier: &Tier) -> Result<(), Error> {
    let mut seen = tier.read_ref(&repo("org/model"), &main()).await?;
    for _ in 0..3 {
        let asked = world.asked.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(asked % 7)).await;
        seen = match tier.confirm_ref(&seen, &answer(asked)).await? {
            Confirmed::Recorded(_) => {
                world.told.fetch_max(asked, Ordering::Relaxed);
                return Ok(());
            }
            Confirmed::AskAgain(now) => now,
        };
    }
    Ok(())
}

async fn sweep(tier: &Tier, rng_bytes: u64) -> Result<(), Error> {
    let mut how = Sweep::default();
    how.max_bytes = Some(rng_bytes);
    how.min_age = Duration::ZERO;
    tier.sweep(&how).await.map(drop)
}

async fn act(world: &World, tier: &Tier, mut rng: Rng) -> Result<(), Error> {
    // The large one takes time.
    let at = if rng.u8(..32) == 0 {
        world.samples.len() - 1
    } else {
        rng.usize(..world.samples.len() - 1)
    };
    match rng.u8(..8) {
        0..=3 => obtain(world, tier, &world.samples[at], rng.u8(..4) == 0).await,
        4..=5 => confirm(world, tier).await,
        6 => world.samples[at].put(tier).await.map(drop),
        _ => sweep(tier, rng.u64(..30)).await,
    }
}

/// What must hold after every step.
async fn check(world: &World, context: &str) {
    for sample in &world.samples {
        if let Ok(got) = world.store.inner.get(&Path::from(sample.key())).await {
            let bytes = got.bytes().await.unwrap();
            assert!(bytes == sample.bytes, "{context}: wrong bytes under {}", sample.id);
        }
    }
}

async fn round(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let store = Arc::new(Faulty::default());
    let nodes: Vec<_> =
        (0..3).map(|_| Tier::with_store(Arc::<Faulty>::clone(&store), limits())).collect();
    let samples = [0, 1, 2].map(Sample::small).into_iter().chain([Sample::large()]).collect();
    let (asked, told) = (AtomicU64::new(0), AtomicU64::new(0));
    let world = World { store, samples, asked, told };
    for step in 0..STEPS {
        let context = format!("round {seed}, step {step}");
        for _ in 0..rng.usize(..3) {
            disturb(&world.store, &mut rng);
        }
        let acts = nodes.iter().map(|tier| act(&world, tier, rng.fork()));
        for end in futures_util::future::join_all(acts).await {
            let kind = end.as_ref().map_err(Error::kind).err();
            let may_be = [None, Some(ErrorKind::Unavailable), Some(ErrorKind::Denied)];
            assert!(may_be.contains(&kind), "{context}: {end:?}");
        }
        check(&world, &context).await;
        tokio::time::sleep(Duration::from_secs(rng.u64(..20))).await;
    }
    recovers(&world, &nodes, seed).await;
}

/// Once the store is well again, everything is to be had, the newest that was told stands, and a sweep leaves nothing.
async fn recovers(world: &World, nodes: &[Tier], seed: u64) {
    world.store.heal();
    tokio::time::sleep(limits().longest_pause * 2).await;
    for (tier, sample) in nodes.iter().cycle().zip(&world.samples) {
        obtain(world, tier, sample, false).await.unwrap();
        assert_eq!(read(tier, &sample.id, None).await.unwrap().unwrap(), sample.bytes);
    }
    let told = world.told.load(Ordering::Relaxed);
    let seen = nodes[0].read_ref(&repo("org/model"), &main()).await.unwrap();
    let stands = seen.word().as_ref().map_or(0, number);
    assert!(stands >= told, "round {seed}: {told} was told, {stands} stands");
    world.store.skew(48 * 3_600_000);
    nodes[1].sweep(&Sweep::default()).await.unwrap().unwrap();
    let left = world.store.keys().await;
    let is_left = |key: &&String| key.starts_with("claims/") || key.starts_with("probes/");
    assert_eq!(left.iter().find(is_left), None, "round {seed}");
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_no_wrong_byte_no_lost_update_and_nothing_is_left() {
    let rounds = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    for seed in 0..rounds {
        round(seed).await;
    }
}
