//! Folders that are links to elsewhere: only the cache root and the repo folder may be (I15, A43).

use std::{
    fs,
    path::{Path, PathBuf},
};

use hubstow_cache::FsError;
use hubstow_core::{facts::Force, layout::CACHE_TAG, policy::Policy};

use crate::{
    host::{self, Failed, Run},
    kind::Kind,
    sample::{OURS, REF_FILE, REFS, REPO, SMALL, pointer},
    start::{Start, World},
    system::symlink,
};

/// Makes a folder of the cache a link to one outside.
fn planted(start: Start, folder: &str) -> (World, PathBuf) {
    let world = World::new(start, &SMALL);
    let (at, outside) = (world.make(folder), world.outside().join("folder"));
    if at.exists() {
        fs::rename(&at, &outside).unwrap();
    } else {
        fs::create_dir(&outside).unwrap();
    }
    symlink(&outside, &at).unwrap();
    (world, outside)
}

fn run(world: &World, policy: Policy, kind: Kind) -> Run {
    host::run(&world.disk(kind), &SMALL, policy, Force::Off)
}

fn is_link_error(run: &Run, folder: &str) -> bool {
    matches!(&run.result, Err(Failed::Disk(FsError::FolderIsLink { path })) if path == folder)
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn nothing_is_written_through_a_folder_that_is_a_link() {
    let folders = [
        format!("{REPO}/blobs"),
        format!("{REPO}/snapshots"),
        format!("{REPO}/snapshots/{OURS}"),
        format!("{REPO}/snapshots/{OURS}/weights"),
        format!("{REPO}/.hubstow"),
    ];
    for folder in folders {
        let (world, _) = planted(Start::Empty, &folder);
        let outside = world.tree_outside();
        let run = run(&world, Policy::Compat, Kind::ALL_LINKS);
        assert!(is_link_error(&run, &folder), "{folder}: {}", run.end());
        assert!(run.end().contains(&folder) && run.end().contains("link"), "{}", run.end());
        assert_eq!(world.tree_outside(), outside, "{folder}");
        assert!(world.tree().leftovers().is_empty(), "{folder}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_a_linked_folder_leads_to_is_not_served() {
    let cases = [
        (Start::BlobExisting, format!("{REPO}/blobs")),
        (Start::PointerHolds, format!("{REPO}/snapshots")),
        (Start::PointerHolds, format!("{REPO}/snapshots/{OURS}")),
        (Start::PointerHolds, format!("{REPO}/snapshots/{OURS}/weights")),
    ];
    for (start, folder) in cases {
        let (world, _) = planted(start, &folder);
        let outside = world.tree_outside();
        let run = run(&world, Policy::Compat, Kind::NO_LINKS);
        assert!(is_link_error(&run, &folder), "{start:?}, {folder}: {}", run.end());
        assert_eq!(world.tree_outside(), outside, "{start:?}, {folder}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_a_pointer_leads_to_behind_a_linked_folder_of_blobs_is_served_once_it_is_proved() {
    for (is_right, kind) in
        [(true, Kind::ALL_LINKS), (true, Kind::NO_LINKS), (false, Kind::ALL_LINKS)]
    {
        let folder = format!("{REPO}/blobs");
        let (world, elsewhere) = planted(Start::PointerLinked, &folder);
        if !is_right {
            fs::write(elsewhere.join(&SMALL.etag), &SMALL.wrong).unwrap();
        }
        let outside = world.tree_outside();
        let run = run(&world, Policy::Compat, kind);
        assert_eq!(run.result.is_ok(), is_right, "{}", run.end());
        assert_eq!(is_link_error(&run, &folder), !is_right, "{}", run.end());
        assert_eq!(run.fetched, 0);
        assert_eq!(world.tree_outside(), outside);
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_ref_is_not_written_through_a_link_and_the_file_is_served() {
    let (in_folder, _) = planted(Start::Empty, REFS);
    let as_file = World::new(Start::Empty, &SMALL);
    symlink(as_file.victim(), as_file.make(REF_FILE)).unwrap();
    for (world, told) in [(in_folder, true), (as_file, false)] {
        let outside = world.tree_outside();
        let run = run(&world, Policy::Compat, Kind::ALL_LINKS);
        run.result.unwrap();
        assert_eq!(run.ref_trouble.is_some_and(|why| why.contains(REFS)), told);
        assert!(world.tree().serves(&pointer(OURS)));
        assert_eq!(world.tree_outside(), outside);
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn locks_behind_a_link_are_gone_without() {
    let (world, _) = planted(Start::Empty, ".locks");
    let outside = world.tree_outside();
    run(&world, Policy::Compat, Kind::ALL_LINKS).result.unwrap();
    assert_eq!(world.tree_outside(), outside);
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_repo_folder_may_be_on_another_disk() {
    for (policy, kind) in [(Policy::Compat, Kind::ALL_LINKS), (Policy::Portable, Kind::NO_LINKS)] {
        let (world, elsewhere) = planted(Start::Empty, REPO);
        run(&world, policy, kind).result.unwrap();
        let inside = Path::new(&pointer(OURS)).strip_prefix(REPO).unwrap().to_owned();
        assert!(fs::read(elsewhere.join(inside)).unwrap() == SMALL.content, "{policy}");
        assert!(fs::symlink_metadata(world.root().join(REPO)).unwrap().is_symlink());
    }
}

#[test]
fn a_file_where_a_folder_should_be_is_an_error_that_names_it() {
    for folder in ["blobs", "snapshots", ".hubstow"] {
        let world = World::new(Start::Empty, &SMALL);
        let folder = format!("{REPO}/{folder}");
        world.write(&folder, b"");
        let before = world.tree();
        let run = run(&world, Policy::Compat, Kind::ALL_LINKS);
        assert!(run.end().contains(&folder), "{}", run.end());
        assert_eq!(world.tree().get(&folder), before.get(&folder));
    }
}

#[test]
fn a_tag_that_a_dead_run_has_left_empty_is_written_and_no_other_is() {
    for (there, wanted) in [(&b""[..], CACHE_TAG.as_bytes()), (b"mine", b"mine")] {
        let world = World::new(Start::Empty, &SMALL);
        world.write("CACHEDIR.TAG", there);
        let run = run(&world, Policy::Compat, Kind::ALL_LINKS);
        assert!(run.result.is_ok(), "{}", run.end());
        assert_eq!(fs::read(world.make("CACHEDIR.TAG")).unwrap(), wanted);
    }
}
