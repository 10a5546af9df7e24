//! Observing many files at once gives the facts that looking at each gives, with far fewer looks.

use std::fs;

use hubstow_cache::{
    Cache,
    observe::{Observed, OwnFacts},
};
use hubstow_core::{
    facts::{Blob, Demand, Pointer},
    layout::RepoLayout,
    name::Commit,
    policy::Policy,
};

use crate::{
    files::{FIRST, Item, files, filled, targets},
    host,
    kind::Kind,
    sample::{OTHER, OURS, SMALL, SNAPSHOTS, noise},
    start::{Start, World},
    system::symlink,
    watch::Op,
};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn wrong(content: &[u8]) -> Vec<u8> {
    content.iter().map(|byte| byte ^ 1).collect()
}

/// Puts a file into one of the states that a cache may have it in.
fn scatter(world: &World, item: &Item, dice: &mut Dice) {
    let (blob, pointer) = (item.target.blob(), item.target.pointer());
    let (blob, pointer) = (blob.as_str(), pointer.as_str());
    match dice.below(9) {
        0 | 1 => {}
        2 => world.write(blob, &wrong(&item.content)),
        3 => world.write(blob, &item.content[..9]),
        4 => fs::create_dir(world.make(blob)).unwrap(),
        5 => {
            let store = format!("blobs/ab/ab{:062}", dice.below(1 << 30));
            world.write(&store, &item.content);
            symlink(format!("../../{store}"), world.make(blob)).unwrap();
        }
        6 => symlink(world.victim(), world.make(blob)).unwrap(),
        _ => world.write(blob, &item.content),
    }
    let at = || world.make(pointer);
    let text = RepoLayout::link_text(&item.target.file, &item.target.etag);
    match dice.below(9) {
        0 | 1 => {}
        2 => world.write(pointer, &item.content),
        3 => world.write(pointer, &wrong(&item.content)),
        4 => world.write(pointer, &item.content[..9]),
        5 => fs::create_dir(at()).unwrap(),
        6 => symlink(world.victim(), at()).unwrap(),
        _ => symlink(text, at()).unwrap(),
    }
    if dice.below(5) == 0 {
        let name = if dice.below(2) == 0 { item.target.file.as_str() } else { "elsewhere.bin" };
        world.write(&format!("{SNAPSHOTS}/{OTHER}/{name}"), &item.content);
    }
}

/// Puts a link, a file or nothing in the place of a folder.
fn spoil_a_folder(world: &World, dice: &mut Dice) {
    let folder = ["onnx/deep", "onnx", ""][usize::try_from(dice.below(3)).unwrap()];
    let at = world.root().join(format!("{SNAPSHOTS}/{OURS}/{folder}"));
    let aside = world.outside().join("aside");
    if dice.below(4) > 0 || fs::rename(&at, &aside).is_err() {
        return;
    }
    let at = at.components().as_path();
    match dice.below(3) {
        0 => symlink(&aside, at).unwrap(),
        1 => fs::write(at, "no folder").unwrap(),
        _ => {}
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn many_are_observed_as_each_is() {
    let (mut dice, files) = (Dice(7), files(90));
    let all = targets(&files);
    for round in 0..60 {
        let world = World::new(Start::Empty, &SMALL);
        for item in &files {
            scatter(&world, item, &mut dice);
        }
        spoil_a_folder(&world, &mut dice);
        let cache = |bulk: bool| -> Cache {
            let kind = Kind { folds: round % 3 == 0, ..Kind::ALL_LINKS };
            let cache = host::cache(&world.disk(kind), Policy::Compat);
            if bulk { cache.remembering(&all[0].layout) } else { cache }
        };
        for demand in [Demand::Any, Demand::Fresh] {
            let own = OwnFacts { demand, ..FIRST };
            let (each, bulk) = (cache(false), cache(true));
            let many = cache(round % 2 == 0);
            for (target, seen) in all.iter().zip(many.observe_many(&all, own)) {
                let expected = each.observe(target, own).map_err(|e| e.to_string());
                let remembered = bulk.observe(target, own).map_err(|e| e.to_string());
                assert_eq!(remembered, expected, "round {round}, {}, one by one", target.file);
                let size = seen.as_ref().ok().and_then(|seen| seen.size);
                let seen = seen
                    .map(|seen| Observed { facts: seen.facts, twin: seen.twin })
                    .map_err(|e| e.to_string());
                assert_eq!(seen, expected, "round {round}, {}", target.file);
                let leads = matches!(expected, Ok(Observed { facts, .. }) if facts.pointer == Pointer::Holds
                    || (facts.pointer == Pointer::Linked && facts.blob == Blob::Existing));
                assert!(!leads || size == target.size, "round {round}, {}", target.file);
            }
        }
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_snapshot_that_is_in_place_takes_two_looks_at_each_file_and_no_reading() {
    let files = files(120);
    let (world, all) = (filled(&files), targets(&files));
    let commit = Commit::parse(OURS).unwrap();
    let layout = &all[0].layout;
    let run = || {
        let disk = world.disk(Kind::ALL_LINKS);
        let cache = host::cache(&disk, Policy::Compat).remembering(layout);
        cache.recall_proofs(layout, &commit);
        for (seen, target) in cache.observe_many(&all, FIRST).zip(&all) {
            let seen = seen.unwrap();
            assert_eq!((seen.facts.pointer, seen.facts.blob), (Pointer::Linked, Blob::Existing));
            assert_eq!(seen.size, target.size);
        }
        cache.record_proofs(layout, &commit, &all);
        disk
    };
    let first = run();
    assert!(first.watch().did(Op::Read), "nobody has proved them yet");
    let before = world.tree();
    let second = run();
    let total = |op| second.watch().total(op);
    assert_eq!((total(Op::LinkText), total(Op::Through)), (files.len(), files.len()));
    // The record is the one file that is opened; it is read to its end.
    assert_eq!((total(Op::Open), total(Op::Kinds)), (1, 4));
    assert!(
        total(Op::Entry) < 12 && total(Op::Read) < 32,
        "{} {}",
        total(Op::Entry),
        total(Op::Read)
    );
    assert_eq!(second.watch().changes(), []);
    assert_eq!(world.tree(), before);
}

#[test]
fn names_that_are_not_there_cost_nothing_each() {
    let (world, all) = (World::new(Start::Empty, &SMALL), targets(&files(200)));
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    for seen in cache.observe_many(&all, FIRST) {
        assert_eq!(seen.unwrap().facts.pointer, Pointer::Absent);
    }
    assert!(disk.watch().operations() < 40, "{}", disk.watch().operations());
}

#[test]
fn a_few_are_not_worth_listing_a_folder_for() {
    let files = files(5);
    let (world, all) = (filled(&files), targets(&files));
    world.write(&format!("{SNAPSHOTS}/{OURS}/more"), &noise(9));
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    assert!(cache.observe_many(&all, FIRST).all(|seen| seen.is_ok()));
    assert!(!disk.watch().did(Op::Kinds));
}
