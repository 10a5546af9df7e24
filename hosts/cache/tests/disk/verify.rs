//! Reading a whole cache: each file once, whatever fails on the way, and nothing but proofs is written.

use std::{
    fs,
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

use hubstow_cache::{
    Cache, FsError,
    care::{
        damage::Flaw,
        verify::{Reading, Scope, Verified, listed::Listings},
    },
    disk::cancel::Cancelled,
};
use hubstow_core::policy::Policy;

use crate::{
    host,
    kind::Kind,
    sample::{OTHER, OURS, REPO, SMALL, sha256},
    start::{Start, World},
    system::{Errno, makes_links, symlink},
    watch::{Event, Op},
};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// Two contents: one with four names, one that lies in a snapshot of which nothing tells.
fn world() -> World {
    let world = World::new(Start::Empty, &SMALL);
    let content = b"some content";
    let blob = format!("{REPO}/blobs/{}", sha256(content));
    world.write(&blob, content);
    for name in ["a.bin", "b.bin"] {
        let pointer = world.make(&format!("{REPO}/snapshots/{OURS}/{name}"));
        fs::hard_link(world.root().join(&blob), pointer).unwrap();
    }
    let link = world.make(&format!("{REPO}/snapshots/{OTHER}/a.bin"));
    if makes_links() {
        symlink(format!("../../blobs/{}", sha256(content)), link).unwrap();
    } else {
        fs::hard_link(world.root().join(&blob), link).unwrap();
    }
    world.write(&format!("{REPO}/snapshots/{OTHER}/own.txt"), b"a user's own");
    world.write(&format!("{REPO}/refs/main"), OURS.as_bytes());
    world
}

fn verify(cache: &Cache) -> Result<Verified, FsError> {
    let inventory = cache.inventory()?;
    cache.verify(&inventory, &Scope::All, &Listings::new(), None, &|_| GO_ON)
}

fn is_content(op: Op, path: &str) -> bool {
    op == Op::Open && (path.contains("/blobs/") || path.contains("/snapshots/"))
}

#[test]
#[cfg_attr(
    windows,
    ignore = "Wine has no numbers for volumes, by which files with several names are known"
)]
fn a_file_is_read_once_however_many_names_it_has() {
    let world = world();
    let disk = world.disk(Kind::ALL_LINKS);
    let verified = verify(&host::cache(&disk, Policy::Compat)).unwrap();
    assert_eq!((verified.files, verified.proved, verified.untold.len()), (2, 1, 1));
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    assert_eq!(disk.watch().matching(is_content), 2);
}

#[test]
#[cfg_attr(
    windows,
    ignore = "Wine has no numbers for volumes, by which files with several names are known"
)]
fn who_only_looks_writes_nothing_and_what_is_wrong_is_no_proof() {
    let world = world();
    let before = world.tree();
    let disk = world.disk(Kind::ALL_LINKS);
    verify(&host::cache(&disk, Policy::Compat).looking_only()).unwrap();
    assert_eq!(disk.watch().changes(), []);
    assert_eq!(world.tree(), before);
    fs::write(world.root().join(format!("{REPO}/snapshots/{OURS}/a.bin")), "other").unwrap();
    let wrong = verify(&host::cache(&disk, Policy::Compat)).unwrap();
    let flaws: Vec<Flaw> = wrong.faults.iter().map(|fault| fault.damage.flaw).collect();
    assert_eq!(flaws, [Flaw::WrongHash; 3], "each of its names is told");
    assert_eq!(wrong.proved, 0);
}

#[test]
#[cfg_attr(
    windows,
    ignore = "Wine has no numbers for volumes, by which files with several names are known"
)]
fn an_operation_that_fails_is_told_and_hides_nothing_else() {
    for errno in [Errno::IO, Errno::ACCESS, Errno::NOENT] {
        let mut failed = 0;
        for at in 1.. {
            let world = world();
            let before = world.tree();
            let disk = world.disk_with(Kind::ALL_LINKS, at, Event::Failure(errno));
            let verified = verify(&host::cache(&disk, Policy::Compat).looking_only());
            let Some(operation) = disk.watch().event() else { break };
            failed += 1;
            let where_at = format!("{errno} at {operation}");
            assert_eq!(world.tree(), before, "{where_at}");
            // A cache that can't be listed is an error; anything else is told, or said to be untold.
            let Ok(verified) = verified else { continue };
            let is_told = !verified.faults.is_empty() || verified.untold.len() > 1;
            let is_whole = verified.files == 2 && !operation.contains("Read");
            // What is gone when it is looked at was never there.
            let is_gone = errno == Errno::NOENT && verified.files < 2;
            assert!(is_told || is_whole || is_gone, "{where_at}: {verified:?}");
            assert!(verified.proved <= 1, "{where_at}");
        }
        assert!(failed > 20, "{errno}: {failed}");
    }
}

#[test]
#[cfg_attr(
    windows,
    ignore = "Wine has no numbers for volumes, by which files with several names are known"
)]
fn who_is_told_how_far_it_has_come_can_end_it() {
    let world = world();
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let inventory = cache.inventory().unwrap();
    let told = AtomicU64::new(0);
    let run = |end: bool| {
        cache.verify(&inventory, &Scope::All, &Listings::new(), None, &|reading| {
            match reading {
                Reading::Begins { files, bytes } => assert_eq!((files, bytes), (2, 24)),
                Reading::Read { bytes } => {
                    told.fetch_add(bytes, Ordering::Relaxed);
                }
            }
            if end { ControlFlow::Break(()) } else { GO_ON }
        })
    };
    run(false).unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 24);
    match run(true) {
        Err(FsError::Io { source, .. }) => assert!(Cancelled::caused(&source)),
        other => panic!("{other:?}"),
    }
}
