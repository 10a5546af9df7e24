//! Ref files: what is read from them, and that they are only ever whole and true (I4, F47).

use hubstow_cache::Cache;
use hubstow_core::{facts::Force, name::Commit, policy::Policy};

use crate::{
    host,
    kind::Kind,
    rules::{self, Broken},
    sample::{OTHER, OURS, REF_FILE, SMALL},
    start::{Start, World},
    tree::{Bytes, What},
    watch::Event,
};

fn names(world: &World, commit: &str) -> bool {
    world.tree().what(REF_FILE) == Some(&What::File(Bytes::Text(commit.to_owned()), 1))
}

#[test]
fn whatever_a_ref_file_held_it_holds_the_commit_in_the_end_and_nothing_else() {
    let long = [OURS.as_bytes(), &[b' '; 1000]].concat();
    let cases: [(&[u8], Option<&str>); 9] = [
        (OURS.as_bytes(), Some(OURS)),
        (&[OURS.as_bytes(), b"\r\n"].concat(), Some(OURS)),
        (OTHER.as_bytes(), Some(OTHER)),
        (b"", None),
        (b"\n", None),
        (&OURS.as_bytes()[..39], None),
        (b"ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD", None),
        (b"\xff\xfe\x00", None),
        (&long, None),
    ];
    for (content, read) in cases {
        let (world, case) = (World::new(Start::Empty, &SMALL), String::from_utf8_lossy(content));
        world.write(REF_FILE, content);
        let (disk, target) = (world.disk(Kind::ALL_LINKS), SMALL.target());
        let commit = host::cache(&disk, Policy::Compat).commit_of(&target.layout, &target.revision);
        assert_eq!(commit.as_ref().map(Commit::as_str), read, "{case:?}");
        host::run(&disk, &SMALL, Policy::Compat, Force::Off).result.unwrap();
        assert!(names(&world, OURS), "{case:?}");
    }
}

#[test]
fn a_folder_of_the_refs_name_is_told_and_the_file_is_served() {
    let world = World::new(Start::Empty, &SMALL);
    world.write(&format!("{REF_FILE}/nested"), OTHER.as_bytes());
    let run = host::run(&world.disk(Kind::ALL_LINKS), &SMALL, Policy::Compat, Force::Off);
    run.result.unwrap();
    assert!(run.ref_trouble.is_some());
}

/// Writes a ref in some way and is killed at every change on the way.
#[track_caller]
fn check_kills(write: impl Fn(&Cache)) {
    for at in 1.. {
        let world = World::new(Start::Twin, &SMALL);
        let before = world.tree();
        let disk = world.disk_with(Kind::ALL_LINKS, at, Event::Death);
        write(&host::cache(&disk, Policy::Compat));
        let mut broken = rules::always(&before, &world.tree());
        broken.extend(rules::conduct(&disk));
        assert_eq!(broken, Broken::new(), "killed at {:?}", disk.watch().event());
        if disk.watch().event().is_none() {
            assert!(names(&world, OURS));
            return;
        }
    }
}

#[test]
fn a_ref_is_whole_and_names_a_folder_that_is_there_whenever_its_writer_is_killed() {
    let target = SMALL.target();
    // What comes of it shows in the tree.
    check_kills(|cache| drop(cache.point(&target.layout, &target.revision, &target.commit)));
}

#[test]
fn the_same_holds_where_the_commit_has_no_such_file() {
    let target = SMALL.target();
    let (revision, commit, file) = (&target.revision, &target.commit, &target.file);
    check_kills(|cache| drop(cache.mark(&target.layout, revision, commit, file)));
}
