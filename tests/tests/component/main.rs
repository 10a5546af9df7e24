//! The component against the crate: it imports nothing, its interface is the one that is written down, every row of every
//! decision table holds of it, and it answers as the crate does to every question that can be listed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what is wrong by failing, and how much it has compared"
)]

mod artifact;
#[expect(dead_code, reason = "only the tests of the crate carry plans out on paper")]
#[path = "../../../core/tests/relink/world.rs"]
mod contents;
mod every;
#[path = "../../../core/tests/properties/odd.rs"]
mod odd;
mod plans;
#[path = "../../../core/tests/care/request.rs"]
mod request;
#[path = "../../../core/tests/tables/rows/mod.rs"]
mod rows;
mod subject;
mod texts;
/// The same functions over the crate.
#[path = "../../../core/tests/tables/subject.rs"]
mod the_crate;
#[path = "../../../core/tests/care/world.rs"]
mod world;

use rows::check_story;

/// Where the tables are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/tables");

/// Whether only what the component exports can be asked here.
const EXPORTED_ONLY: bool = true;

#[test]
fn the_stories_that_have_a_name_hold_of_the_component() {
    check_story("pointer_fallback_moves_new_blob");
    check_story("pointer_fallback_copies_existing_blob");
    check_story("cache_download_reuses_regular_snapshot_when_blob_is_absent");
}
