//! What we did not write ourselves is hashed before it is trusted, once (I8, F46, A42).

use std::{
    fs::{self, File},
    io::Write,
    thread,
    time::Duration,
};

use hubstow_cache::observe::proof::RECORD_FROM_BYTES;
use hubstow_core::{facts::Force, policy::Policy};

use crate::{
    disk::TestDisk,
    host::{self, Hub, Run},
    kind::Kind,
    sample::{HUGE, OURS, REF_FILE, REPO, SMALL, Sample, pointer},
    start::{Start, World},
    system::{look, makes_links, symlink},
    watch::Op,
};

/// Longer than the ticks in which filesystems keep time.
const A_WHILE: Duration = Duration::from_millis(30);

pub(crate) fn run(world: &World, kind: Kind) -> (Run, TestDisk) {
    let disk = world.disk(kind);
    (host::run(&disk, world.sample, Policy::Compat, Force::Off), disk)
}

/// A cache that the Python client has filled, with links or, where they are refused, with files.
pub(crate) fn filled_by_python(sample: &'static Sample) -> World {
    let world = World::new(Start::Empty, sample);
    if makes_links() {
        world.write_long_ago(&sample.blob(), &sample.content);
        symlink(sample.link_text(), world.make(&pointer(OURS))).unwrap();
    } else {
        world.write_long_ago(&pointer(OURS), &sample.content);
    }
    world.write(REF_FILE, OURS.as_bytes());
    world
}

/// How often the blob was read.
pub(crate) fn reads(disk: &TestDisk) -> usize {
    disk.watch().count(Op::Read, &HUGE.blob()) + disk.watch().count(Op::Read, &pointer(OURS))
}

#[test]
fn a_blob_is_trusted_neither_by_its_name_nor_by_its_size() {
    let cases: [(&str, &[u8]); 4] = [
        ("empty", b""),
        ("shorter", SMALL.part_of(1)),
        ("longer", &[&SMALL.content[..], b"more"].concat()),
        ("of the right size", &SMALL.wrong),
    ];
    for (case, blob) in cases {
        let world = filled_by_python(&SMALL);
        fs::write(world.placed(), blob).unwrap();
        let (run, _) = run(&world, Kind::ALL_LINKS);
        run.result.unwrap();
        assert_eq!(run.fetched, SMALL.content.len(), "{case}");
        assert!(fs::read(world.placed()).unwrap() == SMALL.content, "{case}: all are healed");
    }
}

#[test]
fn a_large_file_is_hashed_once_and_again_when_it_was_changed_in_place() {
    assert!(HUGE.content.len() as u64 >= RECORD_FROM_BYTES);
    let world = filled_by_python(&HUGE);
    let (_, first) = run(&world, Kind::ALL_LINKS);
    assert!(reads(&first) > 0, "nobody has proved it yet");
    let (_, second) = run(&world, Kind::ALL_LINKS);
    assert_eq!(reads(&second), 0, "the record speaks for it");

    thread::sleep(A_WHILE);
    File::options().write(true).open(world.placed()).unwrap().write_all(b"!").unwrap();
    let (third, disk) = run(&world, Kind::ALL_LINKS);
    third.result.unwrap();
    assert!(reads(&disk) > 0, "the record speaks of other bytes");
    assert!(world.tree().serves(&pointer(OURS)));
}

#[test]
fn what_we_fetched_ourselves_is_not_read_again() {
    let world = World::new(Start::Empty, &HUGE);
    run(&world, Kind::ALL_LINKS).0.result.unwrap();
    let (_, second) = run(&world, Kind::ALL_LINKS);
    assert_eq!(reads(&second), 0);
}

#[test]
fn a_record_that_makes_no_sense_costs_one_reading() {
    let world = filled_by_python(&HUGE);
    world.write(&format!("{REPO}/.hubstow/proved/{}", HUGE.etag), b"\xff\xfe nonsense\n\n");
    let (result, disk) = run(&world, Kind::ALL_LINKS);
    result.result.unwrap();
    assert!(reads(&disk) > 0);
    assert_eq!(reads(&run(&world, Kind::ALL_LINKS).1), 0, "it was replaced");
}

/// The record of the content.
pub(crate) fn record() -> String {
    format!("{REPO}/.hubstow/proved/{}", HUGE.etag)
}

#[test]
fn what_was_changed_a_moment_ago_is_not_vouched_for_until_it_has_settled() {
    let world = filled_by_python(&HUGE);
    fs::write(world.placed(), &HUGE.content).unwrap();
    for _ in 0..2 {
        let (result, disk) = run(&world, Kind::ALL_LINKS);
        result.result.unwrap();
        assert!(reads(&disk) > 0, "it may have been changed since without showing it");
        assert!(world.tree().get(&record()).is_none());
        assert!(world.tree().leftovers().is_empty());
    }
    let later = world.disk(Kind::ALL_LINKS).later();
    host::run(&later, &HUGE, Policy::Compat, Force::Off).result.unwrap();
    assert!(reads(&later) > 0);
    assert_eq!(reads(&run(&world, Kind::ALL_LINKS).1), 0, "it was written down");
}

#[test]
fn within_one_process_what_was_changed_a_moment_ago_is_not_read_twice_at_once() {
    let world = filled_by_python(&HUGE);
    fs::write(world.placed(), &HUGE.content).unwrap();
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let place = || host::place(&cache, &HUGE.target(), Force::Off, &mut Hub::of(&HUGE));
    place().result.unwrap();
    let first = reads(&disk);
    place().result.unwrap();
    assert_eq!(reads(&disk), first);
}

#[test]
fn where_times_are_whole_seconds_even_what_we_fetched_is_read_once_more() {
    let kind = Kind { whole_seconds: true, ..Kind::ALL_LINKS };
    let world = World::new(Start::Empty, &HUGE);
    run(&world, kind).0.result.unwrap();
    assert!(world.tree().get(&record()).is_none());
    let later = world.disk(kind).later();
    host::run(&later, &HUGE, Policy::Compat, Force::Off).result.unwrap();
    assert!(reads(&later) > 0);
    assert_eq!(reads(&run(&world, kind).1), 0);
}

#[test]
fn a_record_of_the_former_format_or_of_another_disk_costs_one_reading() {
    let world = filled_by_python(&HUGE);
    run(&world, Kind::ALL_LINKS);
    let right = fs::read_to_string(world.root().join(record())).unwrap();
    let of_former_format = right.trim_start_matches(". ");
    let of_another_disk = right.replace(". ", "12345678 ");
    for content in [of_former_format, &of_another_disk] {
        assert_ne!(content, right);
        world.write(&record(), content.as_bytes());
        let (result, disk) = run(&world, Kind::ALL_LINKS);
        result.result.unwrap();
        assert!(reads(&disk) > 0, "{content}");
        assert_eq!(reads(&run(&world, Kind::ALL_LINKS).1), 0, "{content}");
    }
}

/// When a file was last changed, as a record writes it down.
fn times(file: &std::path::Path) -> String {
    let found = look(file).unwrap();
    format!("{} {}", found.modified_ns, found.changed_ns)
}

#[test]
fn a_proof_that_a_copy_refutes_is_given_up_and_the_content_is_fetched() {
    let world = filled_by_python(&HUGE);
    run(&world, Kind::ALL_LINKS).0.result.unwrap();
    let (blob, right) = (world.placed(), times(&world.placed()));
    thread::sleep(A_WHILE);
    File::options().write(true).open(&blob).unwrap().write_all(b"!").unwrap();
    let said = fs::read_to_string(world.root().join(record())).unwrap();
    let forged = said.replace(&right, &times(&blob));
    assert_ne!(forged, said);
    world.write(&record(), forged.as_bytes());
    fs::remove_file(world.root().join(pointer(OURS))).unwrap();

    let (result, _) = run(&world, Kind::NO_LINKS);
    result.result.unwrap();
    assert_eq!(result.fetched, HUGE.content.len());
    assert!(world.tree().serves(&pointer(OURS)));
}

#[test]
fn a_cache_that_can_not_be_written_serves_all_the_same() {
    for sample in [&*SMALL, &*HUGE] {
        let world = filled_by_python(sample);
        let before = world.tree();
        let (run, _) = run(&world, Kind::READ_ONLY);
        run.result.unwrap();
        assert_eq!((run.fetched, run.ref_trouble), (0, None));
        assert_eq!(world.tree(), before);
    }
}

#[test]
fn a_ref_that_can_not_be_written_is_told_and_the_file_is_served() {
    let world = filled_by_python(&SMALL);
    std::fs::remove_file(world.root().join(REF_FILE)).unwrap();
    let before = world.tree();
    let (run, _) = run(&world, Kind::READ_ONLY);
    run.result.unwrap();
    assert!(run.ref_trouble.is_some());
    assert_eq!(world.tree(), before);
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn looking_only_writes_no_record() {
    let world = filled_by_python(&HUGE);
    let (before, disk) = (world.tree(), world.disk(Kind::ALL_LINKS));
    let cache = host::cache(&disk, Policy::Compat).looking_only();
    let target = HUGE.target();
    let cached =
        cache.observe_cached(&target.layout, &target.commit, &target.file, || None).unwrap();
    assert_eq!(cached.etag.unwrap(), target.etag);
    assert_eq!(disk.watch().changes(), []);
    assert_eq!(world.tree(), before);
}
