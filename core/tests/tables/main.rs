//! Runs every row of every decision table beside this file.
//!
//! The tables are data, so that other hosts of the core can run them too; `place.toml` describes the form they share, and
//! README.md how another language runs them. A table that no test reads, or a row D1…D44 that no table speaks of, is a
//! failing test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    reason = "a test has the standard library, and says what is wrong by failing"
)]

mod rows;
mod subject;

use rows::check_story;

/// Where the tables are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables");

/// Whether only what the component exports can be asked here.
const EXPORTED_ONLY: bool = false;

#[test]
fn pointer_fallback_moves_new_blob() {
    check_story("pointer_fallback_moves_new_blob");
}

#[test]
fn pointer_fallback_copies_existing_blob() {
    check_story("pointer_fallback_copies_existing_blob");
}

#[test]
fn cache_download_reuses_regular_snapshot_when_blob_is_absent() {
    check_story("cache_download_reuses_regular_snapshot_when_blob_is_absent");
}

#[test]
fn the_link_is_tried_first_wherever_the_policy_has_it() {
    check_story("link-first");
}

#[test]
fn the_ref_advances_on_reuse() {
    check_story("ref-advances-on-reuse");
}

#[test]
fn a_304_takes_its_commit_from_the_header() {
    check_story("commit-of-304");
}
