//! What only Unix has: modes that say who may read and write, and pipes.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    sync::Arc,
};

use hubstow_cache::{StdDisk, cache::lock::Locked};
use hubstow_core::{facts::Force, policy::Policy};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{
    files::{FIRST, Item, files, filled, targets},
    host::{self, Hub},
    kind::Kind,
    locks::is_left_alone,
    proofs::{filled_by_python, reads, record, run},
    sample::{HUGE, REPO, SMALL},
    start::{Start, World},
    watch::Op,
};

/// Somebody else.
const STRANGER: u32 = 4321;

#[test]
fn what_others_can_have_written_proves_nothing() {
    let folder = format!("{REPO}/.hubstow/proved");
    for (at, mode) in [(folder.as_str(), 0o777), (record().as_str(), 0o666), (&folder, 0o775)] {
        let world = filled_by_python(&HUGE);
        run(&world, Kind::ALL_LINKS).0.result.unwrap();
        let is_own = |at: &str| {
            let mode = fs::metadata(world.root().join(at)).unwrap().mode();
            mode & 0o022 == 0
        };
        assert!(is_own(&folder) && is_own(&record()), "it is made so");
        fs::set_permissions(world.root().join(at), fs::Permissions::from_mode(mode)).unwrap();
        let (result, disk) = run(&world, Kind::ALL_LINKS);
        result.result.unwrap();
        assert!(reads(&disk) > 0, "{at} {mode:o}");
    }
}

#[test]
fn what_another_user_owns_proves_nothing() {
    let folder = format!("{REPO}/.hubstow/proved");
    for at in [record(), folder] {
        let world = filled_by_python(&HUGE);
        run(&world, Kind::ALL_LINKS).0.result.unwrap();
        assert_eq!(reads(&run(&world, Kind::ALL_LINKS).1), 0, "it is our own");
        if chown(world.root().join(&at), Some(STRANGER), None).is_err() {
            println!("skipped: nobody but root can give something away");
            return;
        }
        let (result, disk) = run(&world, Kind::ALL_LINKS);
        result.result.unwrap();
        assert!(reads(&disk) > 0, "{at}");
    }
}

#[test]
fn where_no_record_counts_in_the_cache_it_is_kept_in_a_place_of_the_users_own() {
    let world = filled_by_python(&HUGE);
    let folder = format!("{REPO}/.hubstow/proved");
    let own = tempfile::tempdir().unwrap();
    fs::create_dir_all(world.root().join(&folder)).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(world.root().join(&folder), open).unwrap();
    for expected in [true, false] {
        let disk = world.disk(Kind::ALL_LINKS);
        let cache =
            host::cache(&disk, Policy::Compat).with_own_records(Arc::new(StdDisk::new(own.path())));
        host::place(&cache, &HUGE.target(), Force::Off, &mut Hub::of(&HUGE)).result.unwrap();
        assert_eq!(reads(&disk) > 0, expected);
    }
    assert!(world.tree().get(&record()).is_none());
}

#[test]
fn a_file_whose_mode_does_not_let_all_read_it_is_opened() {
    let files = files(70);
    let (world, all) = (filled(&files), targets(&files));
    for item in &files {
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(world.root().join(item.target.blob().as_str()), mode).unwrap();
    }
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    assert!(cache.observe_many(&all, FIRST).all(|seen| seen.is_ok()));
    let opened = |item: &&Item| disk.watch().count(Op::Open, item.target.pointer().as_str()) > 0;
    assert_eq!(files.iter().filter(opened).count(), files.len());
}

#[test]
fn a_lock_that_is_made_may_be_written_by_its_group_as_the_python_clients() {
    let world = World::new(Start::Empty, &SMALL);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    assert!(matches!(cache.try_lock(&SMALL.target()), Locked::Held(_)));
    let mode = fs::metadata(world.root().join(SMALL.lock())).unwrap().mode();
    assert_eq!(mode & 0o777, 0o664);
}

#[test]
fn a_pipe_in_the_place_of_a_lock_is_not_waited_for() {
    let world = World::new(Start::Empty, &SMALL);
    let (at, mode) = (world.make(&SMALL.lock()), Mode::from_raw_mode(0o666));
    mknodat(CWD, at, FileType::Fifo, mode, 0).unwrap();
    is_left_alone(&world);
}
