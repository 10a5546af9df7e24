//! What a bulk operation remembers, and what happens where that has become wrong.

use std::{fs, sync::Arc};

use hubstow_cache::{
    FsError,
    drive::{Next, Placing},
    staged::Keep,
};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    facts::Force,
    name::FileName,
    policy::Policy,
};

use crate::{
    files::{FIRST, Item, files, filled, targets},
    host::{self, Hub},
    kind::Kind,
    rules::{self, Broken},
    sample::{BLOBS, LARGE, OURS, REPO, SMALL, SNAPSHOTS},
    start::{Start, World},
    system::symlink,
    watch::Op,
};

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn placing_many_links_looks_at_their_folders_once() {
    let files = files(60);
    let world = World::new(Start::Empty, &SMALL);
    for item in &files {
        world.write(item.target.blob().as_str(), &item.content);
    }
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat).remembering(&files[0].target.layout);
    for item in &files {
        assert!(matches!(item.place(&cache, None), Ok(Next::Done(_))));
        assert!(item.is_served(&world));
    }
    for folder in [BLOBS, SNAPSHOTS, &format!("{SNAPSHOTS}/{OURS}/onnx")] {
        assert!(disk.watch().count(Op::Entry, folder) < 4, "{folder}");
    }
    assert_eq!(rules::conduct(&disk), Broken::new());
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn only_the_first_link_takes_a_private_name_where_links_appear_whole() {
    let files = files(60);
    for (whole_links, renames) in [(true, 1), (false, files.len())] {
        let world = World::new(Start::Empty, &SMALL);
        for item in &files {
            world.write(item.target.blob().as_str(), &item.content);
        }
        let disk = world.disk(Kind { whole_links, ..Kind::ALL_LINKS });
        let cache = host::cache(&disk, Policy::Compat).remembering(&files[0].target.layout);
        for item in &files {
            item.place(&cache, None).unwrap();
            assert!(item.is_served(&world));
        }
        assert_eq!(disk.watch().total(Op::Rename), renames, "{whole_links}");
        assert_eq!(rules::conduct(&disk), Broken::new());
    }
}

#[test]
fn what_was_seen_is_acted_on_and_where_it_no_longer_holds_looked_at_again() {
    let files = files(70);
    let world = World::new(Start::Empty, &SMALL);
    for item in &files {
        world.write(item.target.blob().as_str(), &item.content);
    }
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat).remembering(&files[0].target.layout);
    let all = targets(&files);
    let seen: Vec<_> = cache.observe_many(&all, FIRST).collect::<Result<_, _>>().unwrap();
    // Since then, one has been placed, one holds something else, and the blob of a third is gone.
    fs::remove_file(world.root().join(files[5].target.blob().as_str())).unwrap();
    world.write(files[4].target.pointer().as_str(), b"something else");
    files[3].place(&cache, None).unwrap();
    let looks = |item: &Item| disk.watch().count(Op::Entry, item.target.blob().as_str());
    for (item, seen) in files.iter().zip(seen) {
        let (decider, target) = (Guarded::new(Arc::new(LinkedCore)), item.target.clone());
        let mut placing =
            Placing::new(cache.clone(), decider, target, Force::Off).with_observation(seen);
        let next = placing.advance().unwrap();
        if item.target == files[5].target {
            assert!(matches!(next, Next::Fetch));
        } else {
            assert!(matches!(next, Next::Done(_)) && item.is_served(&world));
        }
    }
    assert_eq!(looks(&files[0]), 1, "only after it was placed");
    assert_eq!(rules::conduct(&disk), Broken::new());
}

#[test]
fn folders_that_somebody_removes_meanwhile_are_made_again() {
    for gone in [SNAPSHOTS, &format!("{REPO}/.hubstow"), BLOBS] {
        let (world, files) = (World::new(Start::Empty, &SMALL), files(6));
        let disk = world.disk(Kind::ALL_LINKS);
        let cache = host::cache(&disk, Policy::Compat).remembering(&files[0].target.layout);
        for (number, item) in files.iter().enumerate() {
            let staged = item.staged(&cache).unwrap();
            let next = item.place(&cache, Some(staged)).unwrap();
            assert!(matches!(next, Next::Done(_)) && item.is_served(&world), "{gone}, {number}");
            // A link that is made at once needs no private folder.
            let removed = fs::remove_dir_all(world.root().join(gone));
            assert!(removed.is_ok() || gone.ends_with(".hubstow"), "{gone}, {number}");
        }
        assert_eq!(rules::conduct(&disk), Broken::new());
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_folder_swapped_for_a_link_is_noticed_by_the_next_bulk_operation() {
    let files = files(6);
    let world = filled(&files);
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let bulk = cache.remembering(&files[1].target.layout);
    files[1].place(&bulk, None).unwrap();
    let folder = world.root().join(format!("{SNAPSHOTS}/{OURS}/onnx"));
    fs::rename(&folder, world.outside().join("onnx")).unwrap();
    symlink(world.outside().join("onnx"), &folder).unwrap();
    for cache in [cache.remembering(&files[1].target.layout), cache] {
        assert!(matches!(files[1].place(&cache, None), Err(FsError::FolderIsLink { .. })));
    }
}

#[test]
fn two_files_of_the_same_content_are_fetched_once_where_links_are_refused() {
    let (world, files) = (World::new(Start::Twin, &SMALL), files(2));
    let disk = world.disk(Kind::NO_LINKS);
    let cache = host::cache(&disk, Policy::Compat).remembering(&files[0].target.layout);
    let mut target = files[0].target.clone();
    target.file = FileName::parse("copy/of.bin").unwrap();
    let copy = Item { target, content: files[0].content.clone() };
    // The search for twins has been made before either is there.
    assert!(matches!(files[1].place(&cache, None), Ok(Next::Fetch)));
    let staged = files[0].staged(&cache).unwrap();
    files[0].place(&cache, Some(staged)).unwrap();
    assert!(matches!(copy.place(&cache, None), Ok(Next::Done(_))));
    assert!(copy.is_served(&world));
}

#[test]
fn the_snapshots_are_searched_for_twins_once() {
    let (world, files) = (World::new(Start::Twin, &SMALL), files(50));
    let disk = world.disk(Kind::NO_LINKS);
    let cache = host::cache(&disk, Policy::Compat).remembering(&files[0].target.layout);
    for item in &files {
        assert!(matches!(item.place(&cache, None), Ok(Next::Fetch)));
    }
    assert_eq!(disk.watch().count(Op::Names, SNAPSHOTS), 1);
}

#[test]
fn parts_are_listed_once_and_one_that_this_run_has_left_is_continued() {
    let world = World::new(Start::Empty, &LARGE);
    let disk = world.disk(Kind::ALL_LINKS);
    let target = LARGE.target();
    let cache = host::cache(&disk, Policy::Compat).remembering(&target.layout);
    let mut staged = cache.stage(&target).unwrap();
    Hub::of(&LARGE).send(&mut staged, 1).unwrap();
    cache.abandon(staged, Keep::IfWorth);
    let staged = cache.stage(&target).unwrap();
    assert_eq!(staged.received_bytes(), LARGE.part_of(1).len() as u64);
    assert_eq!(disk.watch().count(Op::Names, BLOBS), 1);
}
