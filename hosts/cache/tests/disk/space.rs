//! A disk that is too small, found out before a byte is fetched (F6).

use std::fs::{self, File};

use hubstow_cache::{
    Disk as _, StdDisk, Target,
    disk::failure::ErrorGroup,
    staged::{Keep, space::Shortage},
};
use hubstow_core::{facts::Force, policy::Policy};
#[cfg(unix)]
use rustix::fs::FallocateFlags;

use crate::{
    disk::taken,
    host::{self, Hub},
    kind::Kind,
    sample::{BLOBS, HUGE, LARGE, OURS, pointer},
    start::{Start, World},
    system::Errno,
    watch::{Event, Op},
};

const MIB: u64 = 1 << 20;

fn with_free(free: u64) -> Kind {
    Kind { free_bytes: Some(free), ..Kind::ALL_LINKS }
}

#[test]
fn a_file_for_which_there_is_no_space_is_refused_at_once_and_leaves_nothing() {
    let world = World::new(Start::Empty, &HUGE);
    let cache = host::cache(&world.disk(with_free(MIB)), Policy::Compat);
    let error = cache.stage(&HUGE.target()).err().unwrap();
    assert_eq!(error.group(), Some(ErrorGroup::NoSpace));
    assert!(world.tree().leftovers().is_empty());
}

#[test]
fn only_what_is_missing_is_reserved_and_a_part_is_left_for_later() {
    let missing = (HUGE.content.len() - HUGE.part_of(1).len()) as u64;
    for (free, enough) in [(missing, true), (missing - 1, false)] {
        let world = World::new(Start::Empty, &HUGE);
        world.write_long_ago(&HUGE.part(), HUGE.part_of(1));
        let run = host::run(&world.disk(with_free(free)), &HUGE, Policy::Compat, Force::Off);
        assert_eq!(run.result.is_ok(), enough, "{}", run.end());
        let left = if enough { 0 } else { HUGE.part_of(1).len() };
        assert_eq!(world.tree().longest_part(&HUGE), left);
    }
}

#[test]
fn what_is_reserved_does_not_count_as_received() {
    let world = World::new(Start::Empty, &HUGE);
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let mut staged = cache.stage(&HUGE.target()).unwrap();
    assert!(disk.watch().did(Op::Reserve));
    Hub::of(&HUGE).send(&mut staged, 1).unwrap();
    cache.abandon(staged, Keep::IfWorth);
    assert_eq!(world.tree().longest_part(&HUGE), HUGE.part_of(1).len());
    let run = host::run(&world.disk(Kind::ALL_LINKS), &HUGE, Policy::Compat, Force::Off);
    assert_eq!(run.fetched, HUGE.content.len() - HUGE.part_of(1).len());
    assert!(world.tree().serves(&pointer(OURS)));
}

#[test]
fn where_nothing_can_be_reserved_or_it_is_not_worth_it_nothing_changes() {
    let reserving = {
        let world = World::new(Start::Empty, &HUGE);
        let disk = world.disk(Kind::ALL_LINKS);
        let staged = host::cache(&disk, Policy::Compat).stage(&HUGE.target()).unwrap();
        let reserving = disk.watch().operations();
        drop(staged);
        reserving
    };
    for errno in [Errno::OPNOTSUPP, Errno::NOSYS, Errno::IO] {
        let world = World::new(Start::Empty, &HUGE);
        let disk = world.disk_with(Kind::ALL_LINKS, reserving, Event::Failure(errno));
        let cache = host::cache(&disk, Policy::Compat);
        cache.stage(&HUGE.target()).unwrap();
        assert!(disk.watch().event().unwrap().starts_with("Reserve"), "{errno}");
    }
    let world = World::new(Start::Empty, &LARGE);
    let disk = world.disk(with_free(0));
    host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
    assert!(!disk.watch().did(Op::Reserve));
}

#[test]
fn a_shortage_is_told_where_the_disk_says_what_is_free() {
    let cases = [(Some(100), 100, None), (Some(100), 101, Some(100)), (None, u64::MAX, None)];
    for (free_bytes, needed_bytes, short) in cases {
        let world = World::new(Start::Empty, &HUGE);
        let disk = world.disk(Kind { free_bytes, ..Kind::ALL_LINKS });
        let cache = host::cache(&disk, Policy::Compat);
        let target = Target { size: Some(needed_bytes), ..HUGE.target() };
        let told = cache.shortage(&[target]).unwrap();
        assert_eq!(told, short.map(|free_bytes| Shortage { free_bytes, needed_bytes }));
    }
}

/// Stages the content in a process that dies when it has received so many chunks: nothing is cut or removed.
fn killed_after(world: &World, kind: Kind, chunks: usize) {
    let cache = host::cache(&world.disk(kind), Policy::Compat);
    let mut staged = cache.stage(&HUGE.target()).unwrap();
    let at = world.root().join(staged.at().as_str());
    Hub::of(&HUGE).send(&mut staged, chunks).unwrap();
    // A second name keeps what the first has, as a kill would, while the first is given up.
    let (kept, reserved) = (world.root().join(HUGE.part()), HUGE.content.len() as u64);
    fs::rename(&at, &kept).unwrap();
    let file = File::options().write(true).open(&kept).unwrap();
    drop(staged);
    rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, reserved).unwrap();
    drop(file);
    assert!(taken(&world.root().join(BLOBS)) >= reserved, "it is reserved still");
}

#[test]
fn what_a_killed_run_has_reserved_is_there_for_the_next_one() {
    let size = HUGE.content.len() as u64;
    // The disk has space for the content, and hardly more.
    for spare in [64 << 10, size / 2] {
        for chunks in [0, 1, 2] {
            let world = World::new(Start::Empty, &HUGE);
            killed_after(&world, with_free(size + spare), chunks);
            let left = (size + spare) - taken(&world.root().join(BLOBS));
            let disk = world.disk(with_free(left));
            let cache = host::cache(&disk, Policy::Compat);
            assert_eq!(cache.shortage(&[HUGE.target()]).unwrap(), None, "{spare}, {chunks}");
            let run = host::run(&disk, &HUGE, Policy::Compat, Force::Off);
            assert!(run.result.is_ok(), "{spare}, {chunks}: {}", run.end());
            let sent = HUGE.part_of(chunks).len();
            assert_eq!(run.fetched, HUGE.content.len() - sent, "{spare}, {chunks}");
            assert!(world.tree().leftovers().is_empty(), "{spare}, {chunks}");
        }
    }
}

#[test]
fn what_another_process_has_reserved_is_not_to_be_had() {
    let (world, size) = (World::new(Start::Empty, &HUGE), HUGE.content.len() as u64);
    let cache = host::cache(&world.disk(with_free(2 * size)), Policy::Compat);
    let staged = cache.stage(&HUGE.target()).unwrap();
    let other = host::cache(&world.disk(with_free(size - 1)), Policy::Compat);
    let short = other.shortage(&[HUGE.target()]).unwrap();
    assert_eq!(short, Some(Shortage { free_bytes: size - 1, needed_bytes: size }));
    drop(staged);
    let other = host::cache(&world.disk(with_free(size)), Policy::Compat);
    assert_eq!(other.shortage(&[HUGE.target()]).unwrap(), None);
}

#[test]
fn what_is_given_up_keeps_no_more_of_the_disk_than_it_holds() {
    for chunks in [0, 1] {
        for dropped in [true, false] {
            let world = World::new(Start::Empty, &HUGE);
            let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
            let mut staged = cache.stage(&HUGE.target()).unwrap();
            let blobs = world.root().join(BLOBS);
            assert!(taken(&blobs) >= HUGE.content.len() as u64);
            Hub::of(&HUGE).send(&mut staged, chunks).unwrap();
            if dropped {
                drop(staged);
            } else {
                cache.abandon(staged, Keep::IfWorth);
            }
            let held = HUGE.part_of(chunks).len() as u64;
            assert_eq!(taken(&blobs), held, "{chunks}, {dropped}");
        }
    }
}

#[test]
fn a_cache_that_is_not_there_yet_has_the_space_of_the_disk_it_will_be_on() {
    let world = World::new(Start::Empty, &HUGE);
    let disk = StdDisk::new(world.root().join("not/made/yet"));
    let free = disk.free_bytes(&HUGE.target().layout.blobs()).unwrap();
    assert!(free.is_some_and(|free| free > 0));
}
