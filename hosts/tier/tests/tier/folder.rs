//! A folder as a tier: the same, with files.

use std::{path::Path, time::Duration};

use hubstow_core::name::Revision;
use hubstow_tier::{Cleared, Confirmed, ErrorKind, Limits, Put, State, Sweep, Tier, decide::Word};

use crate::stage::{Sample, commit, kind, limits, main, read, repo};

fn open(folder: &Path) -> Tier {
    let address = format!("file://{}", folder.display());
    Tier::open_with(&address, limits(), Vec::new()).unwrap()
}

#[tokio::test]
async fn a_folder_is_a_tier_that_several_open() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("made/here");
    let (one, other) = (open(&place), open(&place));
    one.check().await.unwrap();
    for sample in [Sample::small(1), Sample::large()] {
        assert_eq!(sample.put(&one).await.unwrap(), Put::Done);
        assert_eq!(sample.put(&other).await.unwrap(), Put::Already);
        assert_eq!(read(&other, &sample.id, None).await.unwrap().unwrap(), sample.bytes);
        assert_eq!(std::fs::read(place.join(sample.key())).unwrap(), sample.bytes);
    }
}

/// Writers that race for one ref, each on a handle of its own, lose nothing: every version is made over the one before.
#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_for_a_ref_in_a_folder_lose_nothing() {
    const WRITERS: usize = 4;
    const EACH: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    let writers = (0..WRITERS).map(|_| {
        let tier = open(folder.path());
        tokio::spawn(async move {
            let mut seen = tier.read_ref(&repo("org/model"), &main()).await.unwrap();
            let mut recorded = 0;
            while recorded < EACH {
                seen = match tier.confirm_ref(&seen, &Word::At(commit('a'))).await.unwrap() {
                    Confirmed::Recorded(now) => {
                        recorded += 1;
                        now
                    }
                    Confirmed::AskAgain(now) => now,
                };
            }
        })
    });
    futures_util::future::try_join_all(writers).await.unwrap();
    let record =
        std::fs::read_to_string(folder.path().join("refs/models/org--model/main")).unwrap();
    let expected = format!("\"sequence\":{},", WRITERS * EACH);
    assert!(record.contains(&expected), "{record}");
}

#[tokio::test]
async fn a_sweep_ends_uploads_that_are_torn() {
    let folder = tempfile::tempdir().unwrap();
    let tier = open(folder.path());
    Sample::small(1).put(&tier).await.unwrap();
    let torn = folder.path().join("objects/sha256/0123#1");
    std::fs::write(&torn, "torn").unwrap();
    let mut sweep = Sweep::default();
    assert_eq!(tier.sweep(&sweep).await.unwrap().unwrap().uploads, Cleared::Count(0));
    sweep.upload_time = Duration::ZERO;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let done = tier.sweep(&sweep).await.unwrap().unwrap();
    assert_eq!((done.uploads, done.objects), (Cleared::Count(1), 1));
    assert!(!torn.exists());
    // What lies beside the tier's own is another's, whatever its name.
    let others = ["notes#1", "mine/objects/sha256/0123#1", "objects-2/report#2026"];
    for other in others.map(|name| folder.path().join(name)) {
        std::fs::create_dir_all(other.parent().unwrap()).unwrap();
        std::fs::write(other, "another's").unwrap();
    }
    std::fs::write(folder.path().join("clock#1"), "").unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(tier.sweep(&sweep).await.unwrap().unwrap().uploads, Cleared::Count(1));
    assert!(others.iter().all(|name| folder.path().join(name).exists()));
}

#[tokio::test]
async fn a_name_that_the_disk_cannot_hold_is_refused_and_says_nothing_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let tier = open(folder.path());
    let long = Revision::parse(&"ä".repeat(100)).unwrap();
    let seen = tier.read_ref(&repo("org/model"), &long).await.unwrap();
    let word = Word::At(commit('a'));
    assert_eq!(kind(tier.confirm_ref(&seen, &word).await), ErrorKind::Refused);
    assert_eq!(kind(tier.read_ref(&repo("org/model"), &long).await), ErrorKind::Refused);
    assert_eq!(tier.state(), State::Here);
}

#[tokio::test]
async fn the_limits_are_the_defaults_where_nothing_is_said() {
    let tier = Tier::open("memory:///", Limits::default()).unwrap();
    tier.check().await.unwrap();
}
