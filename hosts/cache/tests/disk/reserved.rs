//! Space that is reserved before it is written, as only Linux lets us (F6).

use std::fs::{self, File};

use hubstow_cache::staged::{Keep, space::Shortage};
use hubstow_core::{facts::Force, policy::Policy};
use rustix::fs::FallocateFlags;

use crate::{
    disk::taken,
    host::{self, Hub},
    kind::Kind,
    sample::{BLOBS, HUGE},
    space::with_free,
    start::{Start, World},
};

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
fn what_is_given_up_with_holes_takes_no_more_of_the_disk_than_it_holds() {
    for dropped in [true, false] {
        let world = World::new(Start::Empty, &HUGE);
        let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
        let mut staged = cache.stage(&HUGE.target()).unwrap();
        let (blobs, chunk) = (world.root().join(BLOBS), HUGE.chunk);
        assert!(taken(&blobs) >= HUGE.content.len() as u64);
        staged.write_at(chunk as u64, &HUGE.content[chunk..2 * chunk]).unwrap();
        if dropped {
            drop(staged);
        } else {
            cache.abandon(staged, Keep::IfWorth);
        }
        assert_eq!(taken(&blobs), chunk as u64, "{dropped}");
        // The disk has space for the rest, and no more.
        let kind =
            Kind { free_bytes: Some((HUGE.content.len() - chunk) as u64), ..Kind::ALL_LINKS };
        let disk = world.disk(kind);
        let cache = host::cache(&disk, Policy::Compat);
        assert_eq!(cache.shortage(&[HUGE.target()]).unwrap(), None, "{dropped}");
        let mut hub = Hub::scattering(&HUGE, 1);
        let run = host::place(&cache, &HUGE.target(), Force::Off, &mut hub);
        run.result.unwrap();
        assert_eq!(run.fetched, HUGE.content.len() - chunk, "{dropped}");
    }
}
