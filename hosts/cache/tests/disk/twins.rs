//! Which files of a repo count as the same content elsewhere, so that nothing is fetched (D41).

use hubstow_core::{facts::Force, name::Etag, policy::Policy};

use crate::{
    host::{self, Hub},
    kind::Kind,
    sample::{FILE, OTHER, OURS, SMALL, SNAPSHOTS, pointer},
    start::{Start, World},
    system::symlink,
};

fn fetched(world: &World) -> usize {
    let disk = world.disk(Kind::NO_LINKS);
    let run = host::run(&disk, &SMALL, Policy::Compat, Force::Off);
    run.result.unwrap();
    assert!(world.tree().serves(&pointer(OURS)));
    run.fetched
}

#[test]
fn a_regular_file_of_any_snapshot_is_a_twin_if_it_is_proved_to_hold_the_content() {
    let short = SMALL.part_of(1);
    let cases: [(String, &[u8], bool); 8] = [
        (format!("{OTHER}/{FILE}"), &SMALL.content, true),
        (format!("{OTHER}/renamed.bin"), &SMALL.content, true),
        (format!("{OTHER}/deep/er/renamed.bin"), &SMALL.content, true),
        (format!("{OURS}/copy.bin"), &SMALL.content, true),
        (format!("{OTHER}/{FILE}"), &SMALL.wrong, false),
        (format!("{OTHER}/{FILE}"), short, false),
        (format!("main/{FILE}"), &SMALL.content, false),
        (format!("{OTHER}/back\\slash.bin"), &SMALL.content, cfg!(windows)),
    ];
    for (at, content, is_twin) in cases {
        let world = World::new(Start::Empty, &SMALL);
        world.write(&format!("{SNAPSHOTS}/{at}"), content);
        assert_eq!(fetched(&world) == 0, is_twin, "{at}, {} bytes", content.len());
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_link_is_no_twin_whatever_it_leads_to() {
    let world = World::new(Start::Empty, &SMALL);
    std::fs::write(world.victim(), &SMALL.content).unwrap();
    symlink(world.victim(), world.make(&pointer(OTHER))).unwrap();
    assert_eq!(fetched(&world), SMALL.content.len());
}

#[test]
fn under_an_etag_that_proves_nothing_there_are_no_twins() {
    let world = World::new(Start::Twin, &SMALL);
    let mut target = SMALL.target();
    target.etag = Etag::parse("opaque-etag").unwrap();
    let cache = host::cache(&world.disk(Kind::NO_LINKS), Policy::Compat);
    let run = host::place(&cache, &target, Force::Off, &mut Hub::of(&SMALL));
    run.result.unwrap();
    assert_eq!(run.fetched, SMALL.content.len());
}
