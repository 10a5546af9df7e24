use std::time::Duration;

use hubstow_cache::{Cache, Durability, StdDisk, Target, staged::StagedFile};
use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, RepoId, RepoKind, Revision},
    policy::Policy,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

const LEN: usize = 300_000;
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A staged file on a real disk, and the feed that is told of it.
struct Stage {
    content: Vec<u8>,
    staged: StagedFile,
    feed: Arc<Feed>,
    sent: Arc<Sent>,
    cache: Cache,
    target: Target,
    _folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let content: Vec<u8> = (0..LEN).map(|at| (at / 7) as u8).collect();
        let hash: String = Sha256::digest(&content).iter().map(|b| format!("{b:02x}")).collect();
        let repo = Repo::new(RepoKind::Model, RepoId::parse("org/name").unwrap());
        let etag = Etag::parse(&hash).unwrap();
        let target = Target {
            layout: RepoLayout::new(&repo),
            revision: Revision::parse("main").unwrap(),
            commit: Commit::parse(COMMIT).unwrap(),
            file: FileName::parse("model.bin").unwrap(),
            etag: etag.clone(),
            size: Some(LEN as u64),
        };
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(StdDisk::new(folder.path()));
        let cache = Cache::new(disk, Policy::Compat, Durability::Fast);
        let sent = Arc::<Sent>::default();
        let feed = Feed::new((repo, etag), Some(LEN as u64), &sent);
        let mut staged = cache.stage(&target).unwrap();
        staged.told_to(Arc::clone(&feed) as Arc<_>);
        Self { content, staged, feed, sent, cache, target, _folder: folder }
    }

    fn is_spoilt(&self) -> bool {
        self.sent.is_spoilt(&self.feed.key)
    }

    fn reading(&self) -> Arc<Reading> {
        Reading::of(self.feed.attend())
    }

    /// Reads what can be had from an offset; `None` where that has to be waited for.
    async fn read(&self, reading: &Arc<Reading>, at: usize) -> Option<io::Result<Bytes>> {
        let read = Arc::clone(reading).read(at as u64, u64::MAX);
        tokio::time::timeout(Duration::from_millis(100), read).await.ok()
    }
}

#[tokio::test]
async fn all_but_the_last_piece_is_had_before_the_proof_and_that_after_it() {
    let mut stage = Stage::new();
    let reading = stage.reading();
    assert!(stage.read(&reading, 0).await.is_none(), "nothing has come");
    stage.staged.append(&stage.content[..100_000]).unwrap();
    stage.staged.write_at(200_000, &stage.content[200_000..]).unwrap();
    let first = stage.read(&reading, 0).await.unwrap().unwrap();
    assert!(first == stage.content[..100_000], "{}", first.len());
    let before_last = LEN - WITHHELD_BYTES as usize;
    let behind = stage.read(&stage.reading(), 200_000).await.unwrap().unwrap();
    assert!(behind == stage.content[200_000..before_last]);
    for at in [100_000, 150_000, before_last, LEN - 1] {
        assert!(stage.read(&reading, at).await.is_none(), "{at} must be waited for");
    }
    stage.staged.write_at(100_000, &stage.content[100_000..200_000]).unwrap();
    assert!(stage.read(&reading, before_last).await.is_none(), "nothing is proved");
    stage.staged.verify().unwrap().unwrap();
    let last = stage.read(&reading, before_last).await.unwrap().unwrap();
    assert!(last == stage.content[before_last..] && !stage.is_spoilt());
}

#[tokio::test]
async fn nobody_reads_on_after_a_start_over_and_what_was_sent_is_remembered() {
    let mut stage = Stage::new();
    let (reading, idle) = (stage.reading(), stage.reading());
    stage.staged.append(&vec![1; LEN]).unwrap();
    assert!(stage.staged.verify().unwrap().is_err());
    stage.staged.start_over().unwrap();
    assert!(!stage.is_spoilt(), "nothing was sent");
    stage.staged.append(&vec![2; LEN]).unwrap();
    for old in [&reading, &idle] {
        assert!(stage.read(old, 0).await.unwrap().is_err(), "it began with something else");
    }
    let second = stage.reading();
    assert!(stage.read(&second, 0).await.unwrap().is_ok());
    stage.staged.start_over().unwrap();
    assert!(stage.is_spoilt());
    assert!(stage.read(&second, 1).await.unwrap().is_err());
}

#[tokio::test]
async fn what_was_right_spoils_nothing_when_it_is_fetched_again_and_is_proved_anew() {
    let mut stage = Stage::new();
    let reading = stage.reading();
    stage.staged.append(&stage.content).unwrap();
    stage.staged.verify().unwrap().unwrap();
    assert!(stage.read(&reading, 0).await.unwrap().is_ok());
    let mut other = stage.cache.stage(&stage.target).unwrap();
    other.told_to(Arc::clone(&stage.feed) as Arc<_>);
    assert!(!stage.is_spoilt());
    assert!(stage.read(&reading, 1).await.unwrap().is_err());
    assert_eq!(other.received_bytes(), LEN as u64, "it begins with a copy");
    let again = stage.reading();
    assert!(stage.read(&again, LEN - 1).await.is_none(), "the new one is not proved");
    other.verify().unwrap().unwrap();
    assert!(stage.read(&again, LEN - 1).await.unwrap().is_ok());
}

#[tokio::test]
async fn what_an_earlier_run_has_left_may_have_been_sent() {
    let mut stage = Stage::new();
    stage.staged.append(&vec![3; 100_000]).unwrap();
    let feed = Feed::new(stage.feed.key.clone(), Some(LEN as u64), &stage.sent);
    stage.staged.told_to(feed);
    stage.staged.start_over().unwrap();
    assert!(stage.is_spoilt());
}

/// Ends what a stage fetches before its proof, and begins another fetch of the same.
async fn again(stage: &mut Stage, sent: usize, left: usize) -> Stage {
    stage.staged.append(&vec![4; left]).unwrap();
    let reading = stage.reading();
    let mut read = 0;
    while read < sent {
        read += stage.read(&reading, read).await.unwrap().unwrap().len();
    }
    stage.feed.failed(Refusal::new(503, "no more"));
    assert!(stage.read(&reading, 0).await.unwrap().is_err(), "nothing is sent after the end");
    let mut next = Stage::new();
    next.sent = Arc::clone(&stage.sent);
    next.feed = Feed::new(stage.feed.key.clone(), Some(LEN as u64), &next.sent);
    next
}

#[tokio::test]
async fn what_was_sent_of_a_fetch_that_is_thrown_away_spoils_the_next() {
    let mut stage = Stage::new();
    let mut next = again(&mut stage, 50_000, 50_000).await;
    assert!(!next.is_spoilt(), "it may still be gone on with");
    next.staged.told_to(Arc::clone(&next.feed) as Arc<_>);
    assert!(next.is_spoilt());
    let reading = next.reading();
    next.staged.append(&next.content).unwrap();
    next.staged.verify().unwrap().unwrap();
    assert!(next.read(&reading, LEN - 1).await.unwrap().is_ok() && next.is_spoilt());
}

#[tokio::test]
async fn what_is_gone_on_with_is_right_when_all_of_it_is() {
    let mut stage = Stage::new();
    let mut next = again(&mut stage, 100_000, 100_000).await;
    next.staged.append(&next.content[..100_000]).unwrap();
    next.staged.told_to(Arc::clone(&next.feed) as Arc<_>);
    next.staged.append(&next.content[100_000..]).unwrap();
    assert!(next.feed.is_unproved());
    next.staged.verify().unwrap().unwrap();
    assert!(!next.is_spoilt() && !next.feed.is_unproved());
    assert!(next.sent.unproved(&next.feed.key).is_empty());
}

#[tokio::test]
async fn what_comes_in_another_way_proves_nothing_of_what_was_sent() {
    let mut stage = Stage::new();
    let next = again(&mut stage, 100_000, 100_000).await;
    next.feed.placed(tempfile::tempfile().unwrap());
    assert!(next.is_spoilt());
}

#[test]
fn what_was_sent_in_too_many_pieces_counts_as_sent_up_to_its_end() {
    let mut sent = Intervals::default();
    (0..1000).for_each(|at| note(&mut sent, at * 10..at * 10 + 5));
    assert!(sent.is_prefix() || sent.iter().count() <= crate::limits::SENT_RANGES + 1);
    assert!(sent.contains(&(9990..9995)) && sent.contains(&(0..5)));
}
