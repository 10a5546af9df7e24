//! Records of what a staged file holds that are damaged, of another file, of another boot, or left alone: each costs a fetch
//! at most, and never gives a wrong file (I19).

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use hubstow_cache::{Cache, Durability, staged::Keep};
use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    disk::TestDisk,
    holes::{killed_after, quieten},
    host::{self, Hub, Run},
    kind::{Kind, Locks},
    rules,
    sample::{BLOBS, LARGE, OURS, REPO, SMALL, pointer},
    start::{Start, World},
    system::Errno,
    watch::{Event, Op},
};

const PIECES: usize = 5;

/// How much the pieces are together.
fn held() -> usize {
    PIECES * (LARGE.chunk / 4)
}

fn private(world: &World) -> PathBuf {
    world.root().join(REPO).join(".hubstow")
}

/// The one record in a world.
fn map(world: &World) -> PathBuf {
    let entries = fs::read_dir(private(world)).unwrap().map(|entry| entry.unwrap().path());
    let mut maps = entries.filter(|path| path.extension().is_some_and(|ending| ending == "map"));
    let map = maps.next().unwrap();
    assert_eq!(maps.next(), None);
    map
}

/// A world with a file that has holes, left by a process that was killed.
fn killed() -> World {
    let world = World::new(Start::Empty, &LARGE);
    assert_eq!(killed_after(&world, PIECES, 1), held());
    world
}

/// Fetches what is missing, and sees that what comes of it is right and that nothing is left.
#[track_caller]
fn ends_right(world: &World, disk: &TestDisk) -> Run {
    let cache = host::cache(disk, Policy::Compat);
    let run = host::place(&cache, &LARGE.target(), Force::Off, &mut Hub::scattering(&LARGE, 2));
    run.result.as_ref().unwrap();
    let tree = world.tree();
    assert!(tree.serves(&pointer(OURS)));
    assert_eq!(tree.leftovers(), Vec::<&str>::new());
    assert_eq!(rules::conduct(disk), rules::Broken::new());
    run
}

#[track_caller]
fn fetched(world: &World) -> usize {
    ends_right(world, &world.disk(Kind::ALL_LINKS)).fetched
}

#[test]
fn a_record_with_flipped_bits_costs_a_fetch_at_most() {
    let len = fs::read(map(&killed())).unwrap().len();
    for at in (0..len).step_by(7) {
        let world = killed();
        let mut content = fs::read(map(&world)).unwrap();
        content[at] ^= 1 << (at % 8);
        fs::write(map(&world), content).unwrap();
        let fetched = fetched(&world);
        assert!(fetched > LARGE.content.len() - held() && fetched <= LARGE.content.len(), "{at}");
    }
}

#[test]
fn a_record_that_is_torn_counts_up_to_there_and_one_that_was_not_begun_leaves_the_length() {
    let whole = fs::read(map(&killed())).unwrap();
    for len in (0..=whole.len()).step_by(5) {
        let world = killed();
        fs::write(map(&world), &whole[..len]).unwrap();
        assert!(fetched(&world) <= 2 * LARGE.content.len(), "{len}");
    }
    let world = World::new(Start::Part, &LARGE);
    world.write(&format!("{REPO}/.hubstow/{:032x}.map", 7), b"hubstow-map 1 ");
    assert_eq!(fetched(&world), LARGE.content.len() - LARGE.part_of(2).len());
}

#[test]
fn a_record_of_another_file_says_nothing() {
    let other = killed();
    let strange = fs::read(map(&other)).unwrap();
    let world = killed();
    fs::write(map(&world), strange).unwrap();
    assert_eq!(fetched(&world), LARGE.content.len(), "it has another nonce");
}

#[test]
fn a_record_that_lies_and_one_that_is_gone_are_found_out_by_the_hash() {
    let world = killed();
    fs::remove_file(map(&world)).unwrap();
    let fetched = fetched(&world);
    assert!(fetched <= 2 * LARGE.content.len());

    let world = killed();
    let blobs = world.root().join(BLOBS);
    let staged = fs::read_dir(blobs).unwrap().next().unwrap().unwrap().path();
    let mut content = fs::read(&staged).unwrap();
    content.iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(&staged, content).unwrap();
    assert_eq!(self::fetched(&world), LARGE.content.len() - held() + LARGE.content.len());
}

#[test]
fn after_a_restart_of_the_system_only_what_was_synced_counts() {
    let whole = LARGE.content.len();
    let (killed, abandoned) = (true, false);
    for (durability, is_killed, boot, missing) in [
        (Durability::Safe, killed, Some("first"), whole - held()),
        (Durability::Safe, killed, Some("second"), whole),
        (Durability::Safe, killed, None, whole),
        (Durability::Safe, abandoned, Some("second"), whole - held()),
        (Durability::Safe, abandoned, None, whole - held()),
        (Durability::Fast, abandoned, Some("first"), whole - held()),
        (Durability::Fast, abandoned, Some("second"), whole),
    ] {
        let world = World::new(Start::Empty, &LARGE);
        let disk = world.disk(Kind::ALL_LINKS);
        let cache = Cache::new(Arc::new(disk.clone()), Policy::Compat, durability);
        let mut staged = cache.stage(&LARGE.target()).unwrap();
        Hub::scattering(&LARGE, 1).send(&mut staged, PIECES).unwrap();
        if is_killed {
            disk.watch().kill();
            drop(staged);
        } else {
            cache.abandon(staged, Keep::IfWorth);
        }
        let run = ends_right(&world, &world.disk(Kind::ALL_LINKS).in_boot(boot));
        assert_eq!(run.fetched, missing, "{durability:?}, killed: {is_killed}, {boot:?}");
    }
}

#[test]
fn where_the_system_does_not_name_its_boot_what_is_recorded_counts() {
    let world = World::new(Start::Empty, &LARGE);
    let disk = world.disk(Kind::ALL_LINKS).in_boot(None);
    let mut staged = host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
    Hub::scattering(&LARGE, 1).send(&mut staged, PIECES).unwrap();
    disk.watch().kill();
    drop(staged);
    let run = ends_right(&world, &world.disk(Kind::ALL_LINKS).in_boot(None));
    assert_eq!(run.fetched, LARGE.content.len() - held());
}

#[test]
fn what_was_synced_stays_so_by_whatever_names_it_is_continued() {
    let world = World::new(Start::Empty, &LARGE);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    Hub::scattering(&LARGE, 1).send(&mut staged, PIECES).unwrap();
    cache.abandon(staged, Keep::IfWorth);
    for boot in [Some("second"), Some("third")] {
        quieten(&world);
        let disk = world.disk(Kind::ALL_LINKS).in_boot(boot);
        let mut staged = host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
        assert_eq!(staged.received_bytes(), held() as u64, "{boot:?}");
        Hub::scattering(&LARGE, 2).send(&mut staged, 1).unwrap();
        disk.watch().kill();
    }
}

#[test]
fn what_could_not_be_synced_is_not_left() {
    let calm = {
        let world = World::new(Start::Empty, &LARGE);
        let disk = world.disk(Kind::ALL_LINKS);
        let cache = host::cache(&disk, Policy::Compat);
        let mut staged = cache.stage(&LARGE.target()).unwrap();
        Hub::scattering(&LARGE, 1).send(&mut staged, PIECES).unwrap();
        cache.abandon(staged, Keep::IfWorth);
        disk.watch().operations()
    };
    let synced = (1..=calm).filter(|at| {
        let world = World::new(Start::Empty, &LARGE);
        let disk = world.disk_with(Kind::ALL_LINKS, *at, Event::Failure(Errno::IO));
        let cache = host::cache(&disk, Policy::Compat);
        let Ok(mut staged) = cache.stage(&LARGE.target()) else { return false };
        if Hub::scattering(&LARGE, 1).send(&mut staged, PIECES).is_err() {
            return false;
        }
        let name = staged.at().as_str().to_owned();
        cache.abandon(staged, Keep::IfWorth);
        let of_file = disk.watch().event() == Some(format!("Sync {name}"));
        assert!(!of_file || world.tree().leftovers().is_empty());
        of_file
    });
    assert_eq!(synced.count(), 1);
}

#[test]
fn a_record_without_its_file_is_swept_and_one_with_it_is_not() {
    let run = |world: &World, locks| {
        let disk = world.disk(Kind::ALL_LINKS.with_locks(locks));
        host::run(&disk, &SMALL, Policy::Compat, Force::Off).result.unwrap();
    };
    let name = format!("{REPO}/.hubstow/{:032x}.map", 9);
    let world = World::new(Start::Empty, &SMALL);
    world.write(&name, b"anything");
    run(&world, Locks::Work);
    assert!(world.tree().get(&name).is_none());

    for (hours, stays) in [(23, true), (25, false)] {
        let world = World::new(Start::Empty, &SMALL);
        world.write(&name, b"anything");
        let file = fs::File::options().write(true).open(world.root().join(&name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        drop(file);
        run(&world, Locks::Missing(Errno::NOLCK));
        assert_eq!(world.tree().get(&name).is_some(), stays, "{hours} hours");
    }

    let world = World::new(Start::Empty, &SMALL);
    world.write(&name, b"anything");
    let etag = &LARGE.etag;
    world.write(&format!("{REPO}/blobs/{etag}.{:032x}.incomplete", 9), LARGE.part_of(1));
    run(&world, Locks::Work);
    assert!(world.tree().get(&name).is_some(), "its file is there, and is not this run's");
}

#[test]
fn where_no_record_can_be_made_a_file_is_written_out_of_order_all_the_same() {
    let kind =
        Kind { refuses: |op| (op == Op::MakeFolder).then_some(Errno::ACCESS), ..Kind::ALL_LINKS };
    let world = World::new(Start::Empty, &LARGE);
    fs::create_dir_all(world.root().join(REPO).join("blobs")).unwrap();
    let cache = host::cache(&world.disk(kind), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    let at = world.root().join(staged.at().as_str());
    staged.append(LARGE.part_of(1)).unwrap();
    staged.write_at(2 * LARGE.chunk as u64, &LARGE.content[2 * LARGE.chunk..]).unwrap();
    assert!(!private(&world).exists());
    cache.abandon(staged, Keep::IfWorth);
    assert_eq!(fs::metadata(&at).unwrap().len(), LARGE.chunk as u64, "its length says the truth");

    let mut staged = cache.stage(&LARGE.target()).unwrap();
    Hub::scattering(&LARGE, 1).fill(&mut staged).unwrap();
}
