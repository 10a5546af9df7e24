//! The record of what is proved of a snapshot: it saves hashing and is never trusted further than that (I8).

use std::{
    fs::{self, File},
    io::Write,
    thread,
    time::Duration,
};

use hubstow_core::{
    facts::{Blob, PlaceFacts, Pointer},
    name::Commit,
    policy::Policy,
};

use crate::{
    disk::TestDisk,
    files::{FIRST, Item, files, filled, targets},
    host,
    kind::Kind,
    sample::{OTHER, OURS, REPO},
    start::World,
    watch::Op,
};

/// Observes all files as one bulk operation of a fresh process and records what it has proved; tells which are whole.
fn observe_as(world: &World, kind: Kind, files: &[Item], commit: &str) -> (TestDisk, Vec<bool>) {
    let (disk, all) = (world.disk(kind), targets(files));
    let (layout, commit) = (&all[0].layout, Commit::parse(commit).unwrap());
    let cache = host::cache(&disk, Policy::Compat).remembering(layout);
    cache.recall_proofs(layout, &commit);
    let is_whole = |facts: PlaceFacts| {
        facts.pointer == Pointer::Holds
            || (facts.pointer == Pointer::Linked && facts.blob == Blob::Existing)
    };
    let whole = cache.observe_many(&all, FIRST).map(|seen| is_whole(seen.unwrap().facts)).collect();
    cache.record_proofs(layout, &commit, &all);
    (disk, whole)
}

fn observe(world: &World, files: &[Item]) -> (TestDisk, Vec<bool>) {
    observe_as(world, Kind::ALL_LINKS, files, OURS)
}

/// How many of the files were hashed.
fn hashed(disk: &TestDisk, files: &[Item]) -> usize {
    let read = |at: &str| disk.watch().count(Op::Read, at) > 0;
    let hashed =
        |item: &&Item| read(item.target.blob().as_str()) || read(item.target.pointer().as_str());
    files.iter().filter(hashed).count()
}

fn record(commit: &str) -> String {
    format!("{REPO}/.hubstow/proved/_snapshot-{commit}")
}

#[test]
fn small_files_are_hashed_once_and_again_when_they_were_changed_in_place() {
    for count in [5, 100] {
        let files = files(count);
        let world = filled(&files);
        assert_eq!(hashed(&observe(&world, &files).0, &files), count);
        assert_eq!(hashed(&observe(&world, &files).0, &files), 0);

        // Longer than the ticks in which filesystems keep time.
        thread::sleep(Duration::from_millis(30));
        File::options().write(true).open(files[3].path(&world)).unwrap().write_all(b"!").unwrap();
        let (disk, whole) = observe(&world, &files);
        assert_eq!(hashed(&disk, &files), 1, "the record speaks of other bytes");
        assert!(!whole[3]);
    }
}

#[test]
fn it_is_written_only_where_something_new_was_proved() {
    let files = files(80);
    let world = filled(&files);
    observe(&world, &files[..70]);
    let (first, before) = (fs::read(world.root().join(record(OURS))).unwrap(), world.tree());
    let (disk, _) = observe(&world, &files[..70]);
    assert_eq!(disk.watch().changes(), []);
    assert_eq!(world.tree(), before);

    observe(&world, &files);
    let all = fs::read(world.root().join(record(OURS))).unwrap();
    assert!(all.len() > first.len());
    assert_eq!(hashed(&observe(&world, &files).0, &files), 0);
}

#[test]
fn a_run_that_is_asked_for_other_files_forgets_nothing() {
    let files = files(30);
    let world = filled(&files);
    observe(&world, &files[..10]);
    observe(&world, &files[10..]);
    assert_eq!(hashed(&observe(&world, &files).0, &files), 0);
}

#[test]
fn a_snapshot_that_was_never_completed_uses_what_is_known_of_others() {
    let files = files(10);
    let world = filled(&files);
    observe_as(&world, Kind::ALL_LINKS, &files, OTHER);
    assert_eq!(hashed(&observe(&world, &files).0, &files), 0);
}

#[test]
fn a_damaged_record_costs_reading_and_speaks_against_nobody() {
    let files = files(6);
    let world = filled(&files);
    observe(&world, &files);
    let right = fs::read_to_string(world.root().join(record(OURS))).unwrap();
    let (of, lines) = (|at: usize| files[at].target.etag.as_str(), right.lines().count());
    assert_eq!(lines, files.len());
    let swapped =
        right.replace(of(0), "x").replace(of(1), of(0)).replace("x ", &format!("{} ", of(1)));
    let half = &right[..right.len() / 2];
    let cases: [(&str, &[u8], usize); 6] = [
        ("empty", b"", 6),
        ("not text", b"\xff\xfe\n\x00 \n\n   \n", 6),
        ("half", half.as_bytes(), 3),
        ("with a line that is not text", &[b"\xff\xff 1 2 3\n", right.as_bytes()].concat(), 0),
        ("with two etags changed round", swapped.as_bytes(), 2),
        ("with long lines", &[&[b'a'; 100_000], &b"\n"[..], right.as_bytes()].concat(), 0),
    ];
    for (case, content, expected) in cases {
        world.write(&record(OURS), content);
        let (disk, whole) = observe(&world, &files);
        assert_eq!(hashed(&disk, &files), expected, "{case}");
        assert!(whole.iter().all(|whole| *whole), "{case}");
        assert_eq!(hashed(&observe(&world, &files).0, &files), 0, "{case}: it was replaced");
    }
}

#[test]
fn where_it_can_not_be_written_or_read_nothing_else_changes() {
    let files = files(70);
    let world = filled(&files);
    let before = world.tree();
    let (_, whole) = observe_as(&world, Kind::READ_ONLY, &files, OURS);
    assert!(whole.iter().all(|whole| *whole));
    assert_eq!(world.tree(), before);

    let (disk, all) = (world.disk(Kind::ALL_LINKS), targets(&files));
    let cache = host::cache(&disk, Policy::Compat).looking_only().remembering(&all[0].layout);
    assert!(
        cache.observe_many(&all, FIRST).all(|seen| seen.unwrap().facts.pointer != Pointer::Absent)
    );
    cache.record_proofs(&all[0].layout, &all[0].commit, &all);
    assert_eq!(world.tree(), before);

    fs::create_dir_all(world.root().join(record(OURS))).unwrap();
    let (_, whole) = observe(&world, &files);
    assert!(whole.iter().all(|whole| *whole));
}

#[test]
fn what_a_run_has_placed_is_not_hashed_by_the_next() {
    let files = files(8);
    let world = World::new(crate::start::Start::Empty, &crate::sample::SMALL);
    let (disk, all) = (world.disk(Kind::ALL_LINKS), targets(&files));
    let cache = host::cache(&disk, Policy::Compat).remembering(&all[0].layout);
    for item in &files {
        let staged = item.staged(&cache).unwrap();
        item.place(&cache, Some(staged)).unwrap();
    }
    cache.record_proofs(&all[0].layout, &all[0].commit, &all);
    let (disk, whole) = observe(&world, &files);
    assert_eq!(hashed(&disk, &files), 0);
    assert!(whole.iter().all(|whole| *whole));
}
