//! What is removed as a dead run's, and what is not: only private files of ours that nobody holds (I6).

use std::{
    fs::{self, File},
    sync::Arc,
    time::{Duration, SystemTime},
};

use hubstow_cache::{
    drive::{Next, Placing},
    staged::Keep,
};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    facts::Force,
    policy::Policy,
};

use crate::{
    host::{self, Hub},
    kind::{Kind, Locks},
    sample::{LARGE, OURS, REPO, SMALL, pointer},
    start::{Start, World},
    system::{Errno, number, symlink},
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
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
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

/// A private file of somebody whose locks tell nothing, last written to so long ago.
fn untouched_for(world: &World, path: &str, content: &[u8], time: Duration) {
    world.write(path, content);
    let file = File::options().write(true).open(world.root().join(path)).unwrap();
    file.set_modified(SystemTime::now() - time).unwrap();
}

#[test]
fn where_locks_tell_nothing_a_private_file_counts_as_dead_after_a_day() {
    const HOUR: Duration = Duration::from_secs(3600);
    for locks in [Locks::Missing(Errno::NOLCK), Locks::Granted] {
        for (hours, stays_there) in [(23, true), (25, false)] {
            let (world, path) =
                (World::new(Start::Empty, &SMALL), format!("{REPO}/.hubstow/{NAME}"));
            untouched_for(&world, &path, b"half of something", HOUR * hours);
            assert_eq!(stays(&world, &path, locks), stays_there, "{locks:?}, {hours} hours");

            let world = World::new(Start::Empty, &LARGE);
            untouched_for(&world, &LARGE.part(), LARGE.part_of(1), HOUR * hours);
            let part = number(&world.root().join(LARGE.part())).unwrap();
            let disk = world.disk(Kind::ALL_LINKS.with_locks(locks));
            let run = host::run(&disk, &LARGE, Policy::Compat, Force::Off);
            assert_eq!(run.fetched, LARGE.content.len() - LARGE.part_of(1).len());
            let placed = number(&world.placed()).unwrap();
            assert_ne!(placed, part, "its writer may write again, so it is never taken over");
            assert_eq!(!world.tree().leftovers().is_empty(), stays_there, "{locks:?}, {hours}");
        }
    }
    let (held, path) = (World::new(Start::Empty, &SMALL), format!("{REPO}/.hubstow/{NAME}"));
    untouched_for(&held, &path, b"half of something", HOUR * 1000);
    let file = File::open(held.root().join(&path)).unwrap();
    file.try_lock().unwrap();
    assert!(stays(&held, &path, Locks::Work), "its writer lives, however long it is silent");
}

#[test]
fn a_writer_whose_silent_file_was_removed_notices_and_fetches_again() {
    let kind = Kind::ALL_LINKS.with_locks(Locks::Missing(Errno::NOLCK));
    let world = World::new(Start::Empty, &LARGE);
    let disk = world.disk(kind);
    let cache = host::cache(&disk, Policy::Compat);
    let mut placing =
        Placing::new(cache.clone(), Guarded::new(Arc::new(LinkedCore)), LARGE.target(), Force::Off);
    assert!(matches!(placing.advance().unwrap(), Next::Fetch));
    let mut staged = placing.take_staged().unwrap();
    Hub::of(&LARGE).fill(&mut staged).unwrap();
    cache.sync_group(&mut [&mut staged]);
    let file = File::options().write(true).open(world.root().join(staged.at().as_str())).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(25 * 3600)).unwrap();
    drop(file);
    let other = host::cache(&world.disk(kind), Policy::Compat);
    other.abandon(other.stage(&LARGE.target()).unwrap(), Keep::Nothing);
    // Windows may keep the name until its last handle is closed.
    assert!(cfg!(windows) || world.tree().leftovers().is_empty(), "the other one took it for dead");

    placing.fetched(staged);
    let next = placing.advance().unwrap();
    if cfg!(windows) && matches!(next, Next::Done(_)) {
        // What is open is not taken away from its writer there.
        assert!(world.tree().serves(&pointer(OURS)));
        return;
    }
    assert!(matches!(next, Next::Fetch), "nothing is there to be published");
    let mut staged = placing.take_staged().unwrap();
    Hub::of(&LARGE).fill(&mut staged).unwrap();
    placing.fetched(staged);
    assert!(matches!(placing.advance().unwrap(), Next::Done(_)));
    assert!(world.tree().serves(&pointer(OURS)));
    assert_eq!(crate::rules::conduct(&disk), crate::rules::Broken::new());
}
