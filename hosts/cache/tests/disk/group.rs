//! Many files that reach the disk by one flush, and what becomes of them where it fails (I11, I18).

use std::sync::Arc;

use hubstow_cache::{
    Cache, Durability,
    staged::{Keep, StagedFile},
};
use hubstow_core::policy::Policy;

use crate::{
    files::{Item, files},
    host,
    kind::{Flush, Kind},
    rules::{self, Broken},
    sample::SMALL,
    start::{Start, World},
    system::{Errno, moments},
    watch::{Event, Op},
};

fn kind(flush: Flush) -> Kind {
    Kind { flush, ..Kind::ALL_LINKS }
}

/// Stages all files, brings them to the disk together and places each, as far as the disk lets it.
fn run(cache: &Cache, files: &[Item]) {
    let mut staged: Vec<_> = files.iter().filter_map(|item| item.staged(cache).ok()).collect();
    cache.sync_group(&mut staged.iter_mut().collect::<Vec<_>>());
    for staged in staged {
        let item = files.iter().find(|item| is_of(&staged, item)).unwrap();
        let _ = item.place(cache, Some(staged));
    }
}

fn is_of(staged: &StagedFile, item: &Item) -> bool {
    staged.at().base().starts_with(item.target.etag.as_str())
}

#[test]
fn one_flush_is_for_all_and_where_there_is_none_each_is_synced_by_itself() {
    let cases = [
        (Flush::Works, Durability::Safe, 1, 0),
        (Flush::Refused(Errno::IO), Durability::Safe, 1, 20),
        (Flush::Missing, Durability::Safe, 0, 20),
        (Flush::Works, Durability::Fast, 0, 0),
    ];
    let files = files(20);
    for (flush, durability, flushes, syncs) in cases {
        let world = World::new(Start::Empty, &SMALL);
        let disk = world.disk(kind(flush));
        run(&Cache::new(Arc::new(disk.clone()), Policy::Compat, durability), &files);
        let counted = (disk.watch().total(Op::SyncAll), disk.watch().total(Op::Sync));
        assert_eq!(counted, (flushes, syncs), "{flush:?}, {durability:?}");
        assert!(files.iter().all(|item| item.is_served(&world)), "{flush:?}, {durability:?}");
        let judged = durability == Durability::Safe;
        assert_eq!(rules::conduct(&disk).is_empty(), judged, "{:?}", rules::conduct(&disk));
    }
}

/// Lets something happen at each operation in turn; afterwards nothing wrong is visible, and a calm run ends it.
#[track_caller]
fn check_disturbed(flush: Flush, event: impl Fn() -> Event) {
    let files = files(3);
    let mut broken = Broken::new();
    for at in moments() {
        let world = World::new(Start::Empty, &SMALL);
        let disk = world.disk_with(kind(flush), at, event());
        run(&host::cache(&disk, Policy::Compat), &files);
        let Some(operation) = disk.watch().event() else { break };
        let wrong = files.iter().filter(|item| item.path(&world).exists());
        let wrong = wrong.filter(|item| !item.is_served(&world));
        let mut found: Broken =
            wrong.map(|item| format!("{} is wrong", item.target.file)).collect();
        found.extend(rules::conduct(&disk));
        let calm = world.disk(kind(flush));
        run(&host::cache(&calm, Policy::Compat), &files);
        found.extend(rules::conduct(&calm));
        if !files.iter().all(|item| item.is_served(&world)) {
            found.push("the next run does not end it".to_owned());
        }
        broken.extend(found.into_iter().map(|what| format!("{at}, {operation}: {what}")));
    }
    assert!(broken.is_empty(), "{flush:?}\n{}", broken.join("\n"));
}

#[test]
fn whatever_fails_nothing_is_published_that_is_not_on_the_disk() {
    for flush in [Flush::Works, Flush::Refused(Errno::IO), Flush::Missing] {
        for errno in [Errno::IO, Errno::NOSPC, Errno::NOENT] {
            check_disturbed(flush, || Event::Failure(errno));
        }
    }
}

#[test]
fn whenever_a_run_is_killed_nothing_is_visible_that_is_not_on_the_disk() {
    for flush in [Flush::Works, Flush::Refused(Errno::IO), Flush::Missing] {
        check_disturbed(flush, || Event::Death);
    }
}

#[test]
fn what_is_written_after_a_flush_is_synced_again() {
    let (world, files) = (World::new(Start::Empty, &SMALL), files(2));
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let mut staged: Vec<_> = files.iter().map(|item| item.staged(&cache).unwrap()).collect();
    cache.sync_group(&mut staged.iter_mut().collect::<Vec<_>>());
    let mut first = staged.swap_remove(0);
    first.start_over().unwrap();
    first.append(&files[0].content).unwrap();
    first.verify().unwrap().unwrap();
    files[0].place(&cache, Some(first)).unwrap();
    assert_eq!((disk.watch().total(Op::SyncAll), disk.watch().total(Op::Sync)), (1, 1));
    assert_eq!(rules::conduct(&disk), Broken::new());
}

#[test]
fn a_file_that_is_not_complete_is_not_flushed_for() {
    let (world, files) = (World::new(Start::Empty, &SMALL), files(2));
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let mut staged: Vec<_> = files.iter().map(|item| cache.stage(&item.target).unwrap()).collect();
    cache.sync_group(&mut staged.iter_mut().collect::<Vec<_>>());
    assert!(!disk.watch().did(Op::SyncAll) && !disk.watch().did(Op::Sync));
}

#[test]
fn a_large_file_begins_to_be_written_long_before_it_is_synced_in_whatever_order_it_comes() {
    const PIECE_BYTES: u64 = 4 << 20;
    let in_order: Vec<u64> = (0..17).collect();
    let from_both_ends = [0, 16, 1, 15, 2, 14, 3, 13, 4, 12, 5, 11, 6, 10, 7, 9, 8];
    for order in [in_order, from_both_ends.to_vec()] {
        for (durability, begun_bytes) in [(Durability::Safe, 64 << 20), (Durability::Fast, 0)] {
            let world = World::new(Start::Empty, &SMALL);
            let disk = world.disk(Kind::ALL_LINKS);
            let cache = Cache::new(Arc::new(disk.clone()), Policy::Compat, durability);
            let (piece, mut target) = (vec![0; PIECE_BYTES as usize], SMALL.target());
            target.size = Some(17 * PIECE_BYTES);
            let mut staged = cache.stage(&target).unwrap();
            for number in &order {
                staged.write_at(number * PIECE_BYTES, &piece).unwrap();
            }
            assert_eq!(disk.watch().begun_bytes(), begun_bytes, "{durability:?}, {order:?}");
            assert!(!disk.watch().did(Op::Sync));
            cache.abandon(staged, Keep::Nothing);
        }
    }
}
