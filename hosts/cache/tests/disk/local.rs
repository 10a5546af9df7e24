//! Local folders, and names that a disk may not store.

use std::{fs, sync::Arc};

use hubstow_cache::{Cache, Durability, FsError, Target};
use hubstow_core::{facts::Force, layout::RepoLayout, name::FileName, why::Refusal};

use crate::{
    host::{self, Failed, Hub},
    kind::Kind,
    sample::{FILE, OURS, REF_FILE, SMALL},
    start::{Start, World},
    system::Errno,
    watch::Op,
};

const RECORD: &str = ".cache/huggingface/download/weights/model.bin.metadata";

fn world() -> (World, Cache, Target) {
    let world = World::new(Start::Empty, &SMALL);
    let cache = Cache::local(Arc::new(world.disk(Kind::ALL_LINKS)), Durability::Fast);
    (world, cache, Target { layout: RepoLayout::local(), ..SMALL.target() })
}

#[test]
fn a_local_folder_gets_a_regular_file_and_the_python_clients_record_of_it() {
    let (world, cache, target) = world();
    host::place(&cache, &target, Force::Off, &mut Hub::of(&SMALL)).result.unwrap();
    cache.record_local(&target).unwrap();
    assert!(fs::read(world.root().join(FILE)).unwrap() == SMALL.content);
    let record = fs::read_to_string(world.root().join(RECORD)).unwrap();
    let lines: Vec<_> = record.lines().collect();
    assert_eq!(lines[..2], [OURS, &SMALL.etag]);
    assert!(lines[2].parse::<f64>().is_ok());
    assert_eq!(cache.local_record(&target.file).unwrap().etag, target.etag);
    assert_eq!(world.tree().get(REF_FILE), None, "a local folder is no cache");

    let before = world.tree();
    let again = host::place(&cache, &target, Force::Off, &mut Hub::of(&SMALL));
    cache.record_local(&target).unwrap();
    assert_eq!((again.fetched, world.tree()), (0, before));
}

#[test]
fn a_record_speaks_only_of_the_file_as_it_was() {
    let cases = [
        ("right", format!("{OURS}\n{}\n4000000000.5\n", SMALL.etag), true),
        ("older than the file", format!("{OURS}\n{}\n1000000000.5\n", SMALL.etag), false),
        ("without a time", format!("{OURS}\n{}\n", SMALL.etag), false),
        ("with a time that is none", format!("{OURS}\n{}\nNaN\n", SMALL.etag), false),
        ("with a commit that is none", format!("main\n{}\n4000000000.5\n", SMALL.etag), false),
        ("with an etag that is none", format!("{OURS}\n../x\n4000000000.5\n"), false),
        ("empty", String::new(), false),
        ("endless", format!("{OURS}\n{}\n4000000000.5\n{}", SMALL.etag, "\n".repeat(5000)), false),
    ];
    for (case, record, counts) in cases {
        let (world, cache, target) = world();
        world.write(FILE, &SMALL.content);
        world.write(RECORD, record.as_bytes());
        assert_eq!(cache.local_record(&target.file).is_some(), counts, "a record {case}");
    }
}

#[test]
fn names_that_the_disk_does_not_store_are_refused_before_a_byte_is_fetched() {
    let stores_all: fn(Op) -> Option<Errno> = |_| None;
    let no_such_names: fn(Op) -> Option<Errno> = |op| (op == Op::Create).then_some(Errno::INVAL);
    let full: fn(Op) -> Option<Errno> = |op| (op == Op::Create).then_some(Errno::NOSPC);
    // On Windows the rules are known, and nothing is tried.
    let cases = [
        ("plain.bin", no_such_names, Some(true)),
        ("aux.txt", stores_all, Some(cfg!(unix))),
        ("aux.txt", no_such_names, Some(false)),
        ("ends with a dot.", no_such_names, Some(false)),
        ("größe/日本.bin", stores_all, Some(true)),
        ("größe/日本.bin", no_such_names, Some(cfg!(windows))),
        ("größe/日本.bin", full, cfg!(windows).then_some(true)),
    ];
    for (name, refuses, stored) in cases {
        let world = World::new(Start::Empty, &SMALL);
        let disk = world.disk(Kind { refuses, ..Kind::ALL_LINKS });
        let target = Target { file: FileName::parse(name).unwrap(), ..SMALL.target() };
        let found = host::cache(&disk, hubstow_core::policy::Policy::Compat).storable(&target);
        assert_eq!(found.ok().map(|stored| stored.is_ok()), stored, "{name}");
        assert_eq!(disk.watch().misconduct(), [""; 0], "{name}");
        assert!(world.tree().below("models--org--name").next().is_none(), "{name}: a trial stays");
    }
}

/// A user's folder answers to other names as well, in another case or by a short name that no rule leads to; what a repo writes
/// below such a name would be in it, and another program may obey that.
#[test]
fn nothing_is_written_into_a_folder_that_answers_to_another_name() {
    /// What the disk takes for what, what is there, what comes, and whether that is refused.
    type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str, bool);
    let cases: [Case; 6] = [
        (&[("SHORT~1", ".git")], ".git/HEAD", "SHORT~1/config", true),
        (&[("SHORT~1", ".git")], ".git/config", "SHORT~1/config", true),
        (&[("SHORT~1", ".git")], ".git/hooks/x", "SHORT~1/hooks/post-checkout", true),
        (&[("sub/SHORT~1", "sub/.git")], "sub/.git/HEAD", "sub/SHORT~1/config", true),
        (&[("DATA", "data")], "data/mine", "DATA/model.bin", true),
        (&[("DATA", "data")], "data/mine", "data/model.bin", false),
    ];
    for (aliases, has, name, refused) in cases {
        let world = World::new(Start::Empty, &SMALL);
        world.write(has, b"a user's own");
        let disk = world.disk(Kind { aliases, ..Kind::ALL_LINKS });
        let cache = Cache::local(Arc::new(disk), Durability::Fast);
        let file = FileName::parse(name).unwrap();
        let target = Target { layout: RepoLayout::local(), file, ..SMALL.target() };
        let run = host::place(&cache, &target, Force::Off, &mut Hub::of(&SMALL));
        let is_refused = matches!(
            run.result,
            Err(Failed::Disk(FsError::Refused { refusal: Refusal::NameTaken }))
        );
        assert_eq!(is_refused, refused, "{has}, {name}: {}", run.end());
        assert_eq!(run.fetched == 0, refused, "{has}, {name}");
        assert_eq!(world.root().join(name).exists(), !refused, "{has}, {name}");
        assert_eq!(fs::read(world.root().join(has)).unwrap(), b"a user's own", "{has}, {name}");
    }
}
