//! `hubstow cache verify` and `--repair` on every kind of damage: what is told, what is healed with and without the hub, and
//! that nothing is ever worse afterwards.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that panics fails the test that called it"
)]

mod habits;
mod peer;
mod rows;
mod scene;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
};

use rows::{ROWS, Row};
use scene::{Made, Scene, TINY};
use serde_json::Value;

/// What is told, as paths and kinds.
type Told = BTreeSet<(String, String)>;

/// How many files the snapshots have.
const FILES: usize = 7;
/// The kinds that harm nobody who reads.
const LITTER: [&str; 6] =
    ["leftover", "users-damaged", "repo-is-link", "repo-is-file", "names-clash", "no-snapshots"];

fn told(said: &Value) -> Told {
    let damage = said["damage"].as_array().unwrap().iter();
    damage.map(|it| (text(&it["path"]), text(&it["kind"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn expected(scene: &Scene, told: &[(&str, &str)]) -> Told {
    let whole = |path: &str| {
        let is_whole = path.starts_with("models--") || path.starts_with("blobs/ab/");
        scene.named(&if is_whole { path.to_owned() } else { format!("{TINY}/{path}") })
    };
    told.iter().map(|(path, kind)| (whole(path), (*kind).to_owned())).collect()
}

fn is_harm(told: &Told) -> bool {
    let no_snapshots = |path: &str| path.starts_with("models--acme--third");
    told.iter().any(|(path, kind)| !LITTER.contains(&kind.as_str()) && !no_snapshots(path))
}

/// Checks one kind of damage, and its repair in one way.
fn check(row: &Row, left: &[(&str, &str)], args: &[&str]) {
    let at = format!("{} {args:?}", row.name);
    let scene = Scene::new(row.made);
    (row.make)(&scene);
    let (damaged, right, proved) = (scene.everything(), scene.right(), scene.proved());

    let (code, said) = scene.verify(&["--offline"]);
    assert_eq!(told(&said), expected(&scene, row.told), "{at}: told");
    let harm = is_harm(&told(&said));
    assert_eq!(code, if harm { 6 } else { 0 }, "{at}: {said}");
    assert_eq!(said["ok"], !harm, "{at}");
    assert_eq!(scene.everything(), damaged, "{at}: looking changes nothing");

    let dry = scene.verify(&[&["--repair", "--dry-run"], args].concat()).1;
    assert_eq!(scene.everything(), damaged, "{at}: a dry run changes nothing");

    let (code, done) = scene.verify(&[&["--repair", "--yes"], args].concat());
    let (again_code, again) = scene.verify(&["--offline"]);
    let left = expected(&scene, left);
    assert_eq!(told(&again), left, "{at}: left, after {}", done["repair"]);
    let expected_code = if is_harm(&left) { 6 } else { 0 };
    assert_eq!((code, again_code), (expected_code, expected_code), "{at}: {done}");
    if harm && expected_code == 0 {
        assert_ne!(dry["repair"]["steps"], serde_json::json!([]), "{at}: the plan is shown");
    }
    assert!(scene.right().is_superset(&right), "{at}: what was right is right");
    if expected_code == 0 {
        assert_eq!(scene.right().len(), FILES, "{at}: all of it is read");
    }
    assert!(scene.proved().is_superset(&proved), "{at}: no content is lost");
}

/// Runs some rows on each processor, and fails with all that have failed.
fn each(check: impl Fn(&Row) + Sync) {
    let failed = Mutex::new(Vec::new());
    let run = |row: &Row| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(row))) {
            let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.lock().unwrap().push(format!("{}: {said}", row.name));
        }
    };
    thread::scope(|scope| {
        for half in 0..2 {
            let run = &run;
            scope.spawn(move || ROWS.iter().skip(half).step_by(2).for_each(run));
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} rows failed:\n\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn every_kind_of_damage_is_told_and_healed_from_what_is_here_or_left_as_it_is() {
    each(|row| check(row, row.offline, &["--offline"]));
}

#[test]
fn every_kind_of_damage_is_healed_with_the_hub_or_left_as_it_is() {
    each(|row| check(row, row.online, &[]));
}

#[test]
fn a_cache_of_links_is_healed_as_well_where_only_copies_are_made_now() {
    each(|row| {
        if row.made == Made::Linked && row.online.is_empty() {
            check(row, row.online, &["--placement", "portable"]);
            check(row, row.online, &["--placement", "nas"]);
        }
    });
}

#[test]
fn there_are_forty_kinds_of_damage() {
    let kinds: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(kinds.len(), ROWS.len());
    assert!(kinds.len() > 40, "{}", kinds.len());
}
