//! The tier on real S3 servers: what they do with conditions, with parts, and while they are away.

use std::time::{Duration, Instant};

use hubstow_tier::{
    Begin, Cleared, Confirmed, ErrorKind, Limits, Pin, Put, State, Sweep, Tier, decide::Word,
};

use crate::{
    servers::{Kind, S3, SECRET},
    stage::{Sample, commit, kind, limits, main, read, repo},
};

const SERVERS: [Kind; 2] = [Kind::Moto, Kind::S3s];

/// Limits under which a server that is away is noticed soon.
fn quick() -> Limits {
    let mut limits = limits();
    limits.try_time = Duration::from_secs(2);
    limits.first_wait = Duration::from_millis(10);
    limits.first_pause = Duration::from_millis(100);
    limits
}

/// Both look at `If-None-Match: *` and `If-Match` on PUT. Moto does so in one step; s3s-fs looks, and then writes, so that
/// several writers at once all succeed. The check of a tier has to notice that, which it does in 24 of 25 tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_looks_and_then_writes_is_no_place_for_a_tier() {
    if let Some(s3) = S3::start(Kind::Moto) {
        s3.tier(limits()).check().await.unwrap();
    }
    let Some(s3) = S3::start(Kind::S3s) else { return };
    for _ in 0..8 {
        if let Err(error) = s3.tier(limits()).check().await {
            assert_eq!(error.kind(), ErrorKind::Unfit, "{error}");
            assert!(error.to_string().contains("several writers"), "{error}");
            return;
        }
    }
    panic!("eight writers at once, and never two that succeed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_works_on_real_servers() {
    for server in SERVERS {
        let Some(s3) = S3::start(server) else { continue };
        check_all(&format!("{server:?}"), &|| s3.tier(limits())).await;
    }
}

/// The same on whatever store somebody names, below a prefix that must be empty: `HUBSTOW_TIER_STORE=s3://bucket/prefix`.
#[tokio::test(flavor = "multi_thread")]
async fn a_tier_works_on_the_store_that_is_named() {
    let Ok(address) = std::env::var("HUBSTOW_TIER_STORE") else {
        println!("skipped: HUBSTOW_TIER_STORE names no store");
        return;
    };
    let open = || Tier::open(&address, limits()).unwrap();
    open().check().await.unwrap();
    check_all(&address, &open).await;
}

async fn check_all(name: &str, open: &(dyn Fn() -> Tier + Sync)) {
    let tier = open();
    // Learns what time it is for the server.
    tier.sweep(&Sweep::default()).await.unwrap();
    for sample in [Sample::small(1), Sample::large(), Sample::new(Vec::new())] {
        assert_eq!(read(&tier, &sample.id, None).await.unwrap(), None);
        let begun = tier.begin(&sample.id, Duration::from_secs(5)).await.unwrap();
        let Begin::Fill(claim) = begun else { panic!("{name}: nobody else is there") };
        assert_eq!(sample.put(&tier).await.unwrap(), Put::Done);
        claim.release().await;
        assert_eq!(sample.put(&open()).await.unwrap(), Put::Already);
        assert_eq!(read(&tier, &sample.id, None).await.unwrap().unwrap(), sample.bytes);
        if sample.size() > 8 {
            let end = sample.size();
            let part = read(&tier, &sample.id, Some(end - 4..end + 9)).await.unwrap().unwrap();
            assert_eq!(part, sample.bytes[sample.bytes.len() - 4..]);
        }
    }
    // A file that is another leaves nothing, in one request or in parts.
    for sample in [Sample::small(2), Sample::new(vec![7; 11 << 20])] {
        let mut wrong = sample.bytes.clone();
        *wrong.last_mut().unwrap() ^= 1;
        std::fs::write(&sample.path, wrong).unwrap();
        assert_eq!(kind(sample.put(&tier).await), ErrorKind::Mismatch);
        assert_eq!(tier.head(&sample.id).await.unwrap(), None);
    }
    check_refs(&tier).await;
    check_sweep(name, &tier).await;
}

async fn check_refs(tier: &Tier) {
    let repo = repo("org/model");
    let branch = hubstow_core::name::Revision::parse("refs/pr/1+größe").unwrap();
    for revision in [main(), branch] {
        let (one, other) = futures_util::future::join(
            tier.read_ref(&repo, &revision),
            tier.read_ref(&repo, &revision),
        )
        .await;
        let (one, other) = (one.unwrap(), other.unwrap());
        let end = tier.confirm_ref(&one, &Word::At(commit('a'))).await.unwrap();
        let Confirmed::Recorded(known) = end else { panic!("{end:?}") };
        let end = tier.confirm_ref(&other, &Word::At(commit('b'))).await.unwrap();
        assert!(matches!(end, Confirmed::AskAgain(_)), "{end:?}");
        let end = tier.confirm_ref(&known, &Word::At(commit('c'))).await.unwrap();
        assert!(matches!(end, Confirmed::Recorded(_)), "{end:?}");
        let seen = tier.read_ref(&repo, &revision).await.unwrap();
        assert_eq!(seen.word(), Some(Word::At(commit('c'))));
        assert!(seen.age_ms().unwrap() < 60_000);
    }
    assert_eq!(tier.refs(&repo).await.unwrap().len(), 2);
}

async fn check_sweep(name: &str, tier: &Tier) {
    let pin = Pin { repo: repo("org/model"), revision: None };
    tier.pin(&pin).await.unwrap();
    assert_eq!(tier.pins().await.unwrap(), std::slice::from_ref(&pin));
    tier.unpin(&pin).await.unwrap();
    let mut sweep = Sweep::default();
    sweep.max_bytes = Some(0);
    let done = tier.sweep(&sweep).await.unwrap().unwrap();
    assert_eq!((done.objects, done.evicted), (3, 0), "what is young stays");
    // S3 tells the time in whole seconds.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    sweep.min_age = Duration::ZERO;
    let done = tier.sweep(&sweep).await.unwrap().unwrap();
    // An empty one takes no room.
    assert_eq!((done.objects, done.evicted), (3, 2), "{name}: {done:?}");
}

/// An upload that its node did not live to complete is visible to nobody, and a sweep ends it where the store lists it.
#[tokio::test(flavor = "multi_thread")]
async fn torn_uploads_are_invisible_and_swept() {
    for server in SERVERS {
        let Some(s3) = S3::start(server) else { continue };
        let tier = s3.tier(limits());
        let sample = Sample::new(vec![3; 64 << 20]);
        let torn = {
            let (tier, id, path) = (tier.clone(), sample.id.clone(), sample.path.clone());
            let size = sample.size();
            tokio::spawn(async move { tier.put(&id, size, &path).await })
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !s3.has_upload() {
            assert!(Instant::now() < deadline, "{server:?}: no upload begins");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        torn.abort();
        let cut_off = torn.await.is_err();
        assert!(cut_off, "the upload was over before it could be cut off");
        assert_eq!(tier.head(&sample.id).await.unwrap(), None);
        let done = tier.sweep(&Sweep::default()).await.unwrap().unwrap();
        let expected = match server {
            // It says of every upload that it was begun in 2010.
            Kind::Moto => Cleared::Count(1),
            // It has no list of uploads.
            Kind::S3s => Cleared::ByRule,
        };
        assert_eq!(done.uploads, expected, "{server:?}");
        assert_eq!(sample.put(&tier).await.unwrap(), Put::Done);
    }
}

/// A bucket may have other users, and a tier no prefix.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_somebody_else_is_left_alone() {
    let Some(s3) = S3::start(Kind::Moto) else { return };
    let tier = s3.tier_at("s3://bucket", limits());
    let foreign = ["backups/monday", "objects/monday", "objects/sha256/monday"];
    for key in foreign {
        assert_eq!(s3.request("POST", &format!("/bucket/{key}?uploads")), 200);
    }
    let sweep = Sweep::default();
    assert_eq!(tier.sweep(&sweep).await.unwrap().unwrap().uploads, Cleared::Count(0));
    let ours = format!("/bucket/{}?uploads", Sample::small(1).key());
    assert_eq!(s3.request("POST", &ours), 200);
    assert_eq!(tier.sweep(&sweep).await.unwrap().unwrap().uploads, Cleared::Count(1));
}

/// The server dies in the middle, is away, and comes back: callers are told at once, and nodes recover by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_noticed_and_comes_back() {
    let Some(mut s3) = S3::start(Kind::S3s) else { return };
    let tier = s3.tier(quick());
    let (sample, other) = (Sample::large(), Sample::small(1));
    sample.put(&tier).await.unwrap();
    let mut content = tier.get(&sample.id, None).await.unwrap().unwrap();
    let mut bytes = content.chunk().await.unwrap().unwrap().to_vec();
    s3.kill();
    assert_eq!(kind(other.put(&tier).await), ErrorKind::Unavailable);
    assert!(matches!(tier.state(), State::Away { .. }));
    let start = Instant::now();
    for _ in 0..50 {
        assert_eq!(kind(tier.head(&sample.id).await), ErrorKind::Unavailable);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    s3.restart();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(other.put(&tier).await.unwrap(), Put::Done);
    assert_eq!(tier.state(), State::Here);
    // A body that was cut off goes on where it was.
    while let Some(part) = content.chunk().await.unwrap() {
        bytes.extend_from_slice(&part);
    }
    assert_eq!(bytes, sample.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_allowed_in_is_told_so_and_no_secret_is_shown() {
    let Some(s3) = S3::start(Kind::S3s) else { return };
    let wrong = "another-s3cret";
    let tier = s3.tier_as(limits(), wrong, "bucket");
    let sample = Sample::small(1);
    let errors = [
        tier.check().await.unwrap_err(),
        tier.get(&sample.id, None).await.map(|_| ()).unwrap_err(),
        sample.put(&tier).await.unwrap_err(),
        tier.sweep(&Sweep::default()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        let shown = format!("{error} {error:?} {tier:?}");
        assert!(
            !shown.contains(wrong) && !shown.contains(SECRET) && !shown.contains("AKID"),
            "{shown}"
        );
    }
}

/// The other server makes the bucket by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_told_when_the_tier_is_checked() {
    let Some(s3) = S3::start(Kind::Moto) else { return };
    let error = s3.tier_as(limits(), SECRET, "nowhere").check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}
