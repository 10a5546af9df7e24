//! Objects: what is put is whole and right, what is lost on the way is asked for again, and what a failure means is said.

use std::time::Duration;

use hubstow_core::name::Etag;
use hubstow_tier::{ErrorKind, ObjectId, Put, State, Tier};
use object_store::{ObjectStoreExt as _, path::Path};

use crate::{
    faulty::{Fault, Op},
    stage::{Sample, faulty, kind, limits, read, settle},
};

#[tokio::test(start_paused = true)]
async fn what_is_put_is_read_whole_and_in_ranges() {
    for sample in [Sample::small(1), Sample::large(), Sample::new(Vec::new())] {
        let (tier, store) = faulty();
        assert_eq!(tier.head(&sample.id).await.unwrap(), None);
        assert_eq!(read(&tier, &sample.id, None).await.unwrap(), None);
        assert_eq!(sample.put(&tier).await.unwrap(), Put::Done);
        assert_eq!(sample.put(&tier).await.unwrap(), Put::Already);
        assert_eq!(tier.head(&sample.id).await.unwrap().unwrap().size_bytes, sample.size());
        assert_eq!(read(&tier, &sample.id, None).await.unwrap().unwrap(), sample.bytes);
        if sample.size() > 8 {
            let range = read(&tier, &sample.id, Some(2..7)).await.unwrap();
            assert_eq!(range.unwrap(), sample.bytes[2..7]);
            let beyond = read(&tier, &sample.id, Some(5..u64::MAX)).await.unwrap();
            assert_eq!(beyond.unwrap(), sample.bytes[5..]);
        }
        settle().await;
        assert_eq!(store.keys().await, [sample.key(), format!("used/{}", sample.id)]);
    }
}

#[tokio::test(start_paused = true)]
async fn git_blobs_lie_under_the_hash_that_git_gives_them() {
    let (tier, store) = faulty();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hello");
    std::fs::write(&path, "hello").unwrap();
    let etag = Etag::parse("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0").unwrap();
    let id = ObjectId::of(&etag).unwrap();
    tier.put(&id, 5, &path).await.unwrap();
    assert_eq!(store.keys().await, [format!("objects/git-sha1/{etag}")]);
}

#[tokio::test(start_paused = true)]
async fn nothing_wrong_is_ever_put() {
    for sample in [Sample::small(1), Sample::large()] {
        let (tier, store) = faulty();
        let size = sample.size();
        let mut wrong = sample.bytes.clone();
        *wrong.last_mut().unwrap() ^= 1;
        std::fs::write(&sample.path, &wrong).unwrap();
        assert_eq!(kind(sample.put(&tier).await), ErrorKind::Mismatch);
        for cut in
            [&sample.bytes[..sample.bytes.len() - 1], &[sample.bytes.clone(), vec![0]].concat()]
        {
            std::fs::write(&sample.path, cut).unwrap();
            assert_eq!(kind(sample.put(&tier).await), ErrorKind::Mismatch);
        }
        assert_eq!(kind(tier.put(&sample.id, size + 1, &sample.path).await), ErrorKind::Mismatch);
        std::fs::remove_file(&sample.path).unwrap();
        assert_eq!(kind(sample.put(&tier).await), ErrorKind::Source);
        assert_eq!(store.keys().await, [""; 0]);
        assert_eq!(tier.state(), State::Here);
    }
}

/// Puts content under faults, and says how that has ended. What is visible then is the whole of it, or nothing.
#[track_caller]
fn put_under(
    sample: &Sample,
    faults: &[(Op, Fault, usize)],
) -> impl Future<Output = (Result<Put, ErrorKind>, bool)> {
    let (tier, store) = faulty();
    for (op, fault, times) in faults {
        store.fail(*op, "objects/", fault.clone(), *times);
    }
    async move {
        let end = sample.put(&tier).await.map_err(|error| error.kind());
        let found = store.inner.get(&Path::from(sample.key())).await;
        let visible = match found {
            Ok(got) => {
                assert_eq!(got.bytes().await.unwrap(), sample.bytes, "wrong bytes are visible");
                true
            }
            Err(_) => false,
        };
        (end, visible)
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_outlives_faults_and_gives_up_within_bounds() {
    let (small, large) = (Sample::small(1), Sample::large());
    let busy = || Fault::Busy;
    let lost = || Fault::LostAnswer;
    // After the second look, at which whoever asks again has given up.
    let soon = Duration::from_millis(110);
    let unavailable = (Err(ErrorKind::Unavailable), false);
    type Row<'a> = (&'a Sample, Vec<(Op, Fault, usize)>, (Result<Put, ErrorKind>, bool));
    let rows: Vec<Row<'_>> = vec![
        (&small, vec![(Op::Put, busy(), 1)], (Ok(Put::Done), true)),
        (&small, vec![(Op::Head, busy(), 2), (Op::Put, busy(), 2)], (Ok(Put::Done), true)),
        (&small, vec![(Op::Put, busy(), 3)], unavailable),
        (&small, vec![(Op::Put, Fault::Silence, 1)], (Ok(Put::Done), true)),
        (&small, vec![(Op::Put, Fault::Silence, 9)], unavailable),
        // The write that nobody heard of is found by the next try.
        (&small, vec![(Op::Put, lost(), 1)], (Ok(Put::Already), true)),
        (&small, vec![(Op::Put, lost(), 3)], (Ok(Put::Already), true)),
        (&small, vec![(Op::Put, Fault::Denied, 1)], (Err(ErrorKind::Denied), false)),
        (&small, vec![(Op::Head, Fault::Denied, 1)], (Err(ErrorKind::Denied), false)),
        (&large, vec![(Op::Begin, busy(), 2)], (Ok(Put::Done), true)),
        (&large, vec![(Op::Begin, lost(), 1)], (Ok(Put::Done), true)),
        (&large, vec![(Op::Part, busy(), 1)], unavailable),
        (&large, vec![(Op::Part, Fault::Denied, 1)], (Err(ErrorKind::Denied), false)),
        (&large, vec![(Op::Part, Fault::Silence, 1)], unavailable),
        (&large, vec![(Op::Part, Fault::Late(Duration::from_secs(9)), 3)], (Ok(Put::Done), true)),
        (&large, vec![(Op::Complete, busy(), 1)], unavailable),
        (&large, vec![(Op::Complete, lost(), 1)], (Ok(Put::Done), true)),
        (&large, vec![(Op::Complete, Fault::Overheard(soon), 1)], (Ok(Put::Done), true)),
        (&large, vec![(Op::Complete, Fault::Silence, 1)], unavailable),
    ];
    for (number, (sample, faults, expected)) in rows.into_iter().enumerate() {
        assert_eq!(put_under(sample, &faults).await, expected, "row {number}: {faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_the_wrong_size_is_written_over() {
    for sample in [Sample::small(1), Sample::large()] {
        let (tier, store) = faulty();
        store.inner.put(&Path::from(sample.key()), "torn".into()).await.unwrap();
        assert_eq!(sample.put(&tier).await.unwrap(), Put::Done);
        assert_eq!(read(&tier, &sample.id, None).await.unwrap().unwrap(), sample.bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_read_on() {
    let (tier, store) = faulty();
    let sample = Sample::large();
    sample.put(&tier).await.unwrap();
    for (at, after) in [0, 1, 1000, 5 << 20].into_iter().enumerate() {
        store.fail(Op::Get, "objects/", Fault::BreaksOff(after), 1);
        let range = Some(at as u64..sample.size());
        assert_eq!(read(&tier, &sample.id, range).await.unwrap().unwrap(), sample.bytes[at..]);
    }
    // One that brings nothing again and again is given up, one that brings something each time is not.
    store.fail(Op::Get, "objects/", Fault::BreaksOff(1 << 20), 9);
    assert!(read(&tier, &sample.id, None).await.unwrap().is_some());
    store.fail(Op::Get, "objects/", Fault::BreaksOff(0), 9);
    assert_eq!(kind(read(&tier, &sample.id, None).await), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_taken_away_meanwhile_is_told() {
    let (tier, store) = faulty();
    let sample = Sample::large();
    sample.put(&tier).await.unwrap();
    store.fail(Op::Get, "objects/", Fault::BreaksOff(7), 1);
    let mut content = tier.get(&sample.id, None).await.unwrap().unwrap();
    assert_eq!(content.chunk().await.unwrap().unwrap().len(), 7);
    store.inner.delete(&Path::from(sample.key())).await.unwrap();
    let error = content.chunk().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("taken away"), "{error}");
    // It is a miss for the next reader, and the next fill brings it back.
    assert_eq!(read(&tier, &sample.id, None).await.unwrap(), None);
    assert_eq!(sample.put(&tier).await.unwrap(), Put::Done);
}

#[tokio::test(start_paused = true)]
async fn wrong_bytes_are_discarded_by_who_has_read_them_and_nobody_later() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    sample.put(&tier).await.unwrap();
    store.fail(Op::Get, "objects/", Fault::Flipped, 1);
    let mut content = tier.get(&sample.id, None).await.unwrap().unwrap();
    assert_ne!(content.chunk().await.unwrap().unwrap(), sample.bytes);
    let seen = content.object().clone();
    tier.discard(&sample.id, &seen).await.unwrap();
    assert_eq!(tier.head(&sample.id).await.unwrap(), None);
    sample.put(&tier).await.unwrap();
    tier.discard(&sample.id, &seen).await.unwrap();
    assert_eq!(tier.head(&sample.id).await.unwrap().unwrap().size_bytes, sample.size());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_costs_one_look_and_comes_back_by_itself() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    sample.put(&tier).await.unwrap();
    store.fail(Op::Head, "", Fault::Busy, usize::MAX);
    assert_eq!(kind(tier.head(&sample.id).await), ErrorKind::Unavailable);
    assert!(matches!(tier.state(), State::Away { .. }));
    let asked = store.count(Op::Head, "");
    for _ in 0..100 {
        let error = tier.head(&sample.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.retry_after().is_some());
    }
    assert_eq!(store.count(Op::Head, ""), asked, "a store that is away is left alone");
    store.heal();
    tokio::time::sleep(limits().first_pause).await;
    assert!(tier.head(&sample.id).await.unwrap().is_some());
    assert_eq!(tier.state(), State::Here);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_open_than_allowed() {
    let mut few = limits();
    few.requests = 2;
    let store = std::sync::Arc::new(crate::faulty::Faulty::default());
    let tier = Tier::with_store(std::sync::Arc::<crate::faulty::Faulty>::clone(&store), few);
    store.fail(Op::Head, "", Fault::Late(Duration::from_secs(1)), 10);
    let sample = Sample::small(1);
    let start = tokio::time::Instant::now();
    let all = (0..10).map(|_| tier.head(&sample.id));
    futures_util::future::join_all(all).await;
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn errors_name_the_key_and_no_secret() {
    let (tier, store) = faulty();
    let sample = Sample::small(1);
    store.fail(Op::Head, "", Fault::Denied, 1);
    let error = tier.head(&sample.id).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains(&sample.key()) && !shown.contains("s3cret"), "{shown}");
}
