//! What is removed as a dead run's, and what is not: only private files of ours that nobody holds (I6).

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
};

use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    host,
    kind::{Kind, Locks},
    sample::{REPO, SMALL},
    start::{Start, World},
};

const NAME: &str = "0123456789abcdef0123456789abcdef.tmp";

/// Lets a run act in the repo and tells whether the entry is still there.
fn stays(world: &World, path: &str, locks: Locks) -> bool {
    let disk = world.disk(Kind::ALL_LINKS.with_locks(locks));
    host::run(&disk, &SMALL, Policy::Compat, Force::Off).result.unwrap();
    world.tree().get(path).is_some()
}

#[test]
fn a_dead_runs_private_files_are_removed_and_nothing_else() {
    let cases = [
        (format!(".hubstow/{NAME}"), false),
        (format!(".hubstow/links/{NAME}"), false),
        (format!(".hubstow/links/_/{NAME}"), false),
        (format!(".hubstow/links/_/_/_/{NAME}"), false),
        (".hubstow/notes.tmp".to_owned(), true),
        (format!(".hubstow/{NAME}.bak"), true),
        (format!(".hubstow/foreign/{NAME}"), true),
        (format!("refs/{NAME}"), true),
        (format!("blobs/{NAME}"), true),
    ];
    for (path, expected) in cases {
        let (world, path) = (World::new(Start::Empty, &SMALL), format!("{REPO}/{path}"));
        world.write(&path, b"half of something");
        assert_eq!(stays(&world, &path, Locks::Work), expected, "{path}");
    }
}

#[test]
fn a_link_of_a_dead_run_is_removed_and_not_what_it_leads_to() {
    for folder in [".hubstow", ".hubstow/links/_"] {
        let (world, path) = (World::new(Start::Empty, &SMALL), format!("{REPO}/{folder}/{NAME}"));
        symlink(world.victim(), world.make(&path)).unwrap();
        let outside = world.tree_outside();
        assert!(!stays(&world, &path, Locks::Work), "{folder}");
        assert_eq!(world.tree_outside(), outside, "{folder}");
    }
}

#[test]
fn what_somebody_holds_or_may_hold_stays() {
    let path = format!("{REPO}/.hubstow/{NAME}");
    let held = World::new(Start::Empty, &SMALL);
    held.write(&path, b"half of something");
    let file = File::open(held.root().join(&path)).unwrap();
    file.try_lock().unwrap();
    assert!(stays(&held, &path, Locks::Work), "its writer lives");
    assert!(stays(&held, &path, Locks::Granted), "nobody can tell");

    let folder = World::new(Start::Empty, &SMALL);
    fs::create_dir(folder.make(&path)).unwrap();
    assert!(stays(&folder, &path, Locks::Work), "it is no file of ours");
}
