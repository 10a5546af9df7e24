//! A disk that is too small, found out before a byte is fetched (F6).

use hubstow_cache::{
    Disk as _, StdDisk, Target,
    disk::failure::ErrorGroup,
    staged::{Keep, space::Shortage},
};
use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    host::{self, Hub},
    kind::Kind,
    sample::{HUGE, LARGE, OURS, pointer},
    start::{Start, World},
    system::Errno,
    watch::{Event, Op},
};

const MIB: u64 = 1 << 20;

pub(crate) fn with_free(free: u64) -> Kind {
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

#[test]
fn a_cache_that_is_not_there_yet_has_the_space_of_the_disk_it_will_be_on() {
    let world = World::new(Start::Empty, &HUGE);
    let disk = StdDisk::new(world.root().join("not/made/yet"));
    let free = disk.free_bytes(&HUGE.target().layout.blobs()).unwrap();
    assert!(free.is_some_and(|free| free > 0));
}
