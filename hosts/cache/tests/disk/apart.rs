//! A cache that is on several disks, or whose private folder is another user's: the next method is taken, and nothing is left.

use hubstow_core::{
    action::Source,
    facts::Force,
    policy::{Method, Policy},
    why::Reason,
};

use crate::{
    host,
    kind::Kind,
    sample::{OURS, REF_FILE, SMALL, pointer},
    start::{Start, World},
    system::makes_links,
};

/// Which part of a repo is a mount of its own.
const BLOBS_APART: fn(&str) -> u8 = |at| u8::from(at.contains("/blobs/"));
const SNAPSHOTS_APART: fn(&str) -> u8 = |at| u8::from(at.contains("/snapshots/"));
const REFS_APART: fn(&str) -> u8 = |at| u8::from(at.contains("/refs/"));

fn served(world: &World, kind: Kind, policy: Policy) -> (Option<(Method, Source)>, Reason) {
    let case = format!("{policy} on {}", kind.name);
    let run = host::run(&world.disk(kind), &SMALL, policy, Force::Off);
    assert_eq!(run.ref_trouble, None, "{case}");
    assert!(run.result.is_ok(), "{case}: {}", run.end());
    let outcome = run.result.unwrap();
    assert!(world.tree().serves(&pointer(OURS)), "{case}");
    assert_eq!(std::fs::read(world.root().join(REF_FILE)).unwrap(), OURS.as_bytes(), "{case}");
    assert!(world.tree().leftovers().is_empty(), "{case}: {:?}", world.tree().leftovers());
    let again = host::run(&world.disk(kind), &SMALL, policy, Force::Off);
    assert_eq!(again.fetched, 0, "{case}");
    (outcome.placed, outcome.reason)
}

#[test]
fn what_no_rename_leads_to_is_copied_and_the_reason_says_so() {
    for (mount, kind, policy, expected) in [
        (BLOBS_APART, Kind::NO_LINKS, Policy::Compat, (Method::Copy, Reason::CopiedAcross)),
        (BLOBS_APART, Kind::NO_LINKS, Policy::Portable, (Method::Copy, Reason::CopiedAcross)),
        (BLOBS_APART, Kind::ALL_LINKS, Policy::Portable, (Method::Copy, Reason::CopiedAcross)),
        (BLOBS_APART, Kind::ALL_LINKS, Policy::Compat, (Method::Symlink, Reason::MethodWorks)),
        // A probe in one folder says nothing of two disks.
        (BLOBS_APART, Kind::HARDLINKS, Policy::Nas, (Method::Copy, Reason::CopiedLinksRefused)),
        (SNAPSHOTS_APART, Kind::NO_LINKS, Policy::Compat, (Method::Copy, Reason::CopiedAcross)),
        (SNAPSHOTS_APART, Kind::ALL_LINKS, Policy::Compat, (Method::Symlink, Reason::MethodWorks)),
        (REFS_APART, Kind::NO_LINKS, Policy::Compat, (Method::Move, Reason::MovedLinksRefused)),
        (REFS_APART, Kind::ALL_LINKS, Policy::Compat, (Method::Symlink, Reason::MethodWorks)),
    ] {
        if expected.0 == Method::Symlink && !makes_links() {
            continue;
        }
        let world = World::new(Start::Empty, &SMALL);
        let (placed, reason) = served(&world, Kind { mount, ..kind }, policy);
        assert_eq!((placed.unwrap().0, reason), expected, "{policy} on {}", kind.name);
    }
}

#[test]
fn a_pointer_on_another_disk_is_replaced_by_what_was_made_beside_it() {
    let starts = [Start::PointerTorn, Start::PointerDangling, Start::Twin, Start::BlobExisting];
    for start in starts.into_iter().filter(|start| start.can_be()) {
        for kind in [Kind::NO_LINKS, Kind::ALL_LINKS] {
            let world = World::new(start, &SMALL);
            served(&world, Kind { mount: SNAPSHOTS_APART, ..kind }, Policy::Compat);
        }
    }
}

#[test]
fn whose_private_folder_is_closed_goes_without() {
    let cases = [
        (Start::Empty, Kind::ALL_LINKS, Policy::Compat),
        (Start::Empty, Kind::NO_LINKS, Policy::Compat),
        (Start::Empty, Kind::HARDLINKS, Policy::Dedup),
        (Start::PointerDangling, Kind::ALL_LINKS, Policy::Compat),
        (Start::BlobExisting, Kind::NO_LINKS, Policy::Portable),
        (Start::Part, Kind::ALL_LINKS, Policy::Compat),
    ];
    for (start, kind, policy) in cases.into_iter().filter(|(start, ..)| start.can_be()) {
        let world = World::new(start, &SMALL);
        let closed = |at: &str| at.contains(".hubstow/") || at.starts_with(".locks");
        served(&world, Kind { closed, ..kind }, policy);
    }
}
