//! Continuing what an earlier run has fetched: in place where its writer is dead, as a copy where that is not sure, and
//! never without proof (I19, A40, A41, A45).

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    sync::Arc,
};

use hubstow_cache::{
    drive::{Next, Placing},
    staged::{Keep, Mismatch},
};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    facts::{Force, Staged},
    name::Etag,
    policy::Policy,
};

use crate::{
    host::{self, Hub, Run},
    kind::{Kind, Locks},
    sample::{LARGE, OURS, pointer},
    start::{Start, World},
    system::{Errno, number},
    watch::{Event, Op},
};

fn run(world: &World, kind: Kind) -> Run {
    let run = host::run(&world.disk(kind), &LARGE, Policy::Compat, Force::Off);
    run.result.as_ref().unwrap();
    assert!(world.tree().serves(&pointer(OURS)));
    run
}

fn world_with(parts: &[(&str, &[u8])]) -> World {
    let world = World::new(Start::Empty, &LARGE);
    for (name, content) in parts {
        world.write(&format!("{}.{name}", LARGE.blob()), content);
    }
    world
}

const A: &str = "0000000000000000000000000000000a.incomplete";
const B: &str = "0000000000000000000000000000000b.incomplete";

#[test]
fn the_longest_part_of_a_dead_run_is_continued_in_place_once_it_has_been_quiet() {
    for quiet in [true, false] {
        let world = world_with(&[(A, LARGE.part_of(2)), (B, LARGE.part_of(1))]);
        let at = format!("{}.{A}", LARGE.blob());
        if quiet {
            world.write_long_ago(&at, LARGE.part_of(2));
        }
        let part = number(&world.root().join(at)).unwrap();
        let run = run(&world, Kind::ALL_LINKS);
        assert_eq!(run.fetched, LARGE.content.len() - LARGE.part_of(2).len());
        let placed = number(&world.placed()).unwrap();
        assert_eq!(placed == part, quiet, "continued in place");
        assert!(world.tree().leftovers().is_empty());
    }
}

#[test]
fn a_part_that_is_being_written_is_copied_and_its_writer_can_not_reach_what_we_publish() {
    let world = world_with(&[(A, LARGE.part_of(2))]);
    let at = world.root().join(format!("{}.{A}", LARGE.blob()));
    let mut writer = File::options().read(true).write(true).open(&at).unwrap();
    writer.try_lock().unwrap();
    let run = run(&world, Kind::ALL_LINKS);
    assert_eq!(run.fetched, LARGE.content.len() - LARGE.part_of(2).len());
    writer.seek(SeekFrom::Start(0)).unwrap();
    writer.write_all(b"something else").unwrap();
    assert!(world.tree().serves(&pointer(OURS)));
    assert_eq!(world.tree().leftovers(), [format!("{}.{A}", LARGE.blob())], "its writer needs it");
}

#[test]
fn where_a_dead_writer_can_not_be_told_the_part_is_copied() {
    for locks in [Locks::Missing(Errno::NOLCK), Locks::Granted] {
        let world = world_with(&[(A, LARGE.part_of(1))]);
        let run = run(&world, Kind::ALL_LINKS.with_locks(locks));
        assert_eq!(run.fetched, LARGE.content.len() - LARGE.part_of(1).len(), "{locks:?}");
        assert_eq!(world.tree().leftovers().len(), 1, "{locks:?}: it may be alive");
    }
}

#[test]
fn a_part_that_is_a_second_name_of_another_file_is_copied() {
    let world = World::new(Start::Empty, &LARGE);
    fs::write(world.victim(), LARGE.part_of(1)).unwrap();
    let at = world.make(&format!("{}.{A}", LARGE.blob()));
    fs::hard_link(world.victim(), at).unwrap();
    run(&world, Kind::ALL_LINKS);
    assert!(fs::read(world.victim()).unwrap() == LARGE.part_of(1));
}

#[test]
fn what_can_not_be_continued_is_fetched_whole_and_what_is_wrong_is_found_out() {
    let (whole, chunk) = (LARGE.content.len(), LARGE.chunk);
    let longer = [&LARGE.content[..], b"more"].concat();
    let cases: [(&str, &[u8], usize); 5] = [
        ("empty", b"", whole),
        ("too short to be worth it", &LARGE.content[..chunk - 1], whole),
        ("longer than the content", &longer, whole),
        ("of other content", &LARGE.wrong[..chunk], whole - chunk + whole),
        ("of other content, and complete", &LARGE.wrong, whole),
    ];
    for (case, part, fetched) in cases {
        let world = world_with(&[(A, part)]);
        assert_eq!(run(&world, Kind::ALL_LINKS).fetched, fetched, "{case}");
        assert!(world.tree().leftovers().is_empty(), "{case}");
    }
}

#[test]
fn a_part_by_a_name_that_is_not_ours_is_neither_used_nor_touched() {
    for name in ["incomplete", "d41d8cd9.incomplete", "tmp", "part"] {
        let world = world_with(&[(name, &LARGE.wrong)]);
        let before = world.tree();
        let at = format!("{}.{name}", LARGE.blob());
        assert_eq!(run(&world, Kind::ALL_LINKS).fetched, LARGE.content.len(), "{name}");
        assert_eq!(world.tree().get(&at), before.get(&at), "{name}");
    }
}

#[test]
fn under_an_etag_that_proves_nothing_no_part_is_continued() {
    let world = World::new(Start::Empty, &LARGE);
    world.write(&format!("{}/opaque-etag.{A}", crate::sample::BLOBS), &LARGE.wrong[..LARGE.chunk]);
    let mut target = LARGE.target();
    target.etag = Etag::parse("opaque-etag").unwrap();
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let run = host::place(&cache, &target, Force::Off, &mut Hub::of(&LARGE));
    run.result.unwrap();
    assert_eq!(run.fetched, LARGE.content.len());
    assert!(world.tree().serves(&pointer(OURS)));
    assert!(world.tree().leftovers().is_empty());
}

#[test]
fn content_that_does_not_match_is_never_placed() {
    let world = world_with(&[(A, &LARGE.wrong)]);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let mut placing =
        Placing::new(cache, Guarded::new(Arc::new(LinkedCore)), LARGE.target(), Force::Off);
    assert!(matches!(placing.advance().unwrap(), Next::Fetch));
    let mut staged = placing.take_staged().unwrap();
    assert!(matches!(staged.verify().unwrap(), Err(Mismatch::Hash { .. })));
    assert_eq!(staged.state(), Staged::Partial);
    placing.fetched(staged);
    assert!(matches!(placing.advance().unwrap(), Next::Fetch), "it is not taken for complete");
    drop(placing);
    assert_eq!(world.tree().pointers().count(), 0);
}

#[test]
fn more_than_was_promised_is_not_written() {
    let world = World::new(Start::Empty, &LARGE);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    staged.append(&LARGE.content).unwrap();
    assert!(staged.append(b"x").is_err());
    assert_eq!(world.tree().longest_part(&LARGE), LARGE.content.len());
    assert!(staged.verify().unwrap().is_ok(), "what was promised is there");
    cache.abandon(staged, Keep::Nothing);
    assert!(world.tree().leftovers().is_empty());
}

#[test]
fn a_write_that_fails_half_way_does_not_shift_what_comes_after_it() {
    let calm = World::new(Start::Empty, &LARGE);
    let disk = calm.disk(Kind::ALL_LINKS);
    host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
    let before_first_write = disk.watch().operations();

    let world = World::new(Start::Empty, &LARGE);
    let event = Event::Failure(Errno::NOSPC);
    let disk = world.disk_with(Kind::ALL_LINKS, before_first_write + 1, event);
    let cache = host::cache(&disk, Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    assert!(staged.append(LARGE.part_of(1)).is_err());
    let mut hub = Hub::of(&LARGE);
    hub.fill(&mut staged).unwrap();
    assert_eq!(hub.sent, LARGE.content.len(), "nothing has to be sent twice");
    assert!(fs::read(world.root().join(staged.at().as_str())).unwrap() == LARGE.content);
}

#[test]
fn a_write_that_fails_is_told_as_it_failed_and_what_can_not_be_cut_then_is_given_up() {
    for cut in [true, false] {
        let refuses: fn(Op) -> Option<Errno> =
            if cut { |_| None } else { |op| (op == Op::SetLen).then_some(Errno::IO) };
        let kind = Kind { refuses, ..Kind::ALL_LINKS };
        let calm = World::new(Start::Empty, &LARGE);
        let disk = calm.disk(kind);
        let mut staged = host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
        staged.append(LARGE.part_of(1)).unwrap();
        let before = disk.watch().operations();

        let world = World::new(Start::Empty, &LARGE);
        let disk = world.disk_with(kind, before + 1, Event::Failure(Errno::NOSPC));
        let cache = host::cache(&disk, Policy::Compat);
        let mut staged = cache.stage(&LARGE.target()).unwrap();
        let (first, second) = LARGE.content.split_at(LARGE.chunk);
        staged.append(first).unwrap();
        let error = staged.append(second).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "cut: {cut}, {error}");
        assert_eq!(staged.append(second).is_ok(), cut);
        assert_eq!(staged.verify().is_ok_and(|verified| verified.is_ok()), cut);
        cache.abandon(staged, Keep::IfWorth);
        assert_eq!(world.tree().leftovers().len(), usize::from(cut));
    }
}

#[test]
fn a_staged_file_that_holds_more_than_passed_is_not_complete() {
    let world = World::new(Start::Empty, &LARGE);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    staged.append(&LARGE.content).unwrap();
    let at = world.root().join(staged.at().as_str());
    File::options().append(true).open(at).unwrap().write_all(b"more").unwrap();
    assert!(matches!(staged.verify().unwrap(), Err(Mismatch::Size { .. })));
    assert_eq!(staged.state(), Staged::Partial);
}
