//! Locks: the very file of the Python client, and what is done where it can't be locked (F22, F23, A36, A39).

use std::fs::{self, File};

use hubstow_cache::cache::lock::Locked;
use hubstow_core::{
    facts::Force,
    policy::{Policy, Support},
};

use crate::{
    host,
    kind::{Kind, Locks},
    sample::{OURS, SMALL, pointer},
    start::{Start, World},
    system::{Errno, symlink},
};

fn world() -> World {
    World::new(Start::Empty, &SMALL)
}

fn try_lock(world: &World, locks: Locks) -> Locked {
    let disk = world.disk(Kind::ALL_LINKS.with_locks(locks));
    host::cache(&disk, Policy::Compat).try_lock(&SMALL.target())
}

#[test]
fn the_lock_is_the_python_clients_file() {
    let world = world();
    let held = try_lock(&world, Locks::Work);
    assert!(matches!(held, Locked::Held(_)));
    let at = world.root().join(SMALL.lock());
    assert!(File::open(&at).unwrap().try_lock().is_err(), "the Python client has to wait");
    assert!(matches!(try_lock(&world, Locks::Work), Locked::Busy));
    drop(held);
    assert!(matches!(try_lock(&world, Locks::Work), Locked::Held(_)));
    assert!(at.exists(), "the Python client leaves it, too");
}

#[test]
fn what_a_lock_file_holds_stays() {
    let world = world();
    world.write(&SMALL.lock(), b"1234");
    assert!(matches!(try_lock(&world, Locks::Work), Locked::Held(_)));
    assert_eq!(fs::read(world.root().join(SMALL.lock())).unwrap(), b"1234");
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_planted_link_is_not_followed() {
    let world = world();
    symlink(world.victim(), world.make(&SMALL.lock())).unwrap();
    is_left_alone(&world);
}

/// Sees that what is in the place of the lock is neither used nor touched, and the file is placed without a lock.
#[track_caller]
pub(crate) fn is_left_alone(world: &World) {
    let (before, outside) = (world.tree(), world.tree_outside());
    assert!(matches!(try_lock(world, Locks::Work), Locked::Unavailable));
    let run = host::run(&world.disk(Kind::ALL_LINKS), &SMALL, Policy::Compat, Force::Off);
    run.result.unwrap();
    assert_eq!(world.tree().get(&SMALL.lock()), before.get(&SMALL.lock()));
    assert_eq!(world.tree_outside(), outside);
}

#[test]
fn where_locks_are_not_to_be_had_no_lock_file_of_ours_stays() {
    for errno in [Errno::NOSYS, Errno::NOLCK, Errno::OPNOTSUPP, Errno::IO] {
        let missing = Locks::Missing(errno);
        let world = world();
        assert!(matches!(try_lock(&world, missing), Locked::Unavailable), "{errno}");
        let disk = world.disk(Kind::ALL_LINKS.with_locks(missing));
        host::run(&disk, &SMALL, Policy::Compat, Force::Off).result.unwrap();
        assert!(world.tree().serves(&pointer(OURS)), "{errno}");
        assert_eq!(world.tree().get(&SMALL.lock()), None, "{errno}");

        world.write(&SMALL.lock(), b"");
        assert!(matches!(try_lock(&world, missing), Locked::Unavailable), "{errno}");
        assert!(world.tree().get(&SMALL.lock()).is_some(), "{errno}: it is somebody else's");
    }
}

#[test]
fn a_lock_counts_as_working_only_where_it_keeps_others_out() {
    let cases = [
        (Locks::Work, Support::Works),
        (Locks::Granted, Support::Refused),
        (Locks::Missing(Errno::NOSYS), Support::Refused),
    ];
    for (locks, support) in cases {
        let world = world();
        let cache = host::cache(&world.disk(Kind::ALL_LINKS.with_locks(locks)), Policy::Compat);
        assert_eq!(cache.probe_locks().unwrap(), support, "{locks:?}");
        assert!(world.tree().shape().is_empty(), "{locks:?}: a probe leaves nothing");
    }
}
