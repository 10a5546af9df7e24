//! Every row of every table, checked against whatever answers as `crate::subject`: the crate beside this folder, and the
//! component in `tests/tests/component`, which includes this very folder.

mod hub;
mod layout;
mod learn;
mod names;
mod place;
mod resolve;
mod row;
mod said;

use std::{collections::BTreeSet, fs};

pub(crate) use hub::{Page, Read, ReadFile};
pub(crate) use layout::Given as Place;
pub(crate) use names::{NameKind, Refused};
use row::{Checked, Row, Table};

/// Ties each table to the function that checks one of its rows, and makes one test of each.
macro_rules! tables {
    ($($test:ident: $file:literal => $check:path,)+) => {
        const TABLES: &[(&str, fn(&Row) -> Checked)] = &[$(($file, $check)),+];
        $(#[test] fn $test() { check($file, |_| true); })+
    };
}

tables! {
    every_row_of_place_holds: "place.toml" => place::one_decision,
    every_row_of_forecast_holds: "forecast.toml" => place::whole_forecast,
    every_row_of_resolve_holds: "resolve.toml" => resolve::one_decision,
    every_row_of_learn_holds: "learn.toml" => learn::one_lesson,
    every_row_of_names_holds: "names.toml" => names::one_kind_of_name,
    every_row_of_layout_holds: "layout.toml" => layout::one_set_of_paths,
    every_row_of_head_holds: "head.toml" => hub::one_answer,
    every_row_of_get_holds: "get.toml" => hub::one_body,
    every_row_of_redirect_holds: "redirect.toml" => hub::one_redirect,
    every_row_of_urls_holds: "urls.toml" => hub::one_set_of_urls,
    every_row_of_retry_holds: "retry.toml" => hub::one_retry,
}

/// Checks the rows that are chosen, names all that fail, and returns how many there were.
#[track_caller]
fn check(file: &str, chosen: impl Fn(&Row) -> bool) -> usize {
    let (_, check_row) = TABLES.iter().find(|(known, _)| *known == file).unwrap();
    let table = Table::read(file);
    let rows: Vec<_> = table.rows.iter().filter(|row| chosen(row)).collect();
    let failures: Vec<_> =
        rows.iter().filter_map(|row| Some(format!("{row}\n{}", check_row(row).err()?))).collect();
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
    rows.len()
}

/// Checks every row with this id, in whatever tables it is.
#[track_caller]
pub(crate) fn check_story(id: &str) {
    let rows: usize = TABLES.iter().map(|(file, _)| check(file, |row| row.story_id() == id)).sum();
    assert!(rows > 0, "no table has a row `{id}`");
}

#[test]
fn no_table_is_forgotten() {
    let found: BTreeSet<_> = fs::read_dir(crate::FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    let read: BTreeSet<_> = TABLES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(found, read, "tables found, and tables that a test reads");
}

#[test]
fn every_row_d1_to_d44_is_decided_or_said_not_to_be() {
    let tables: Vec<_> = TABLES.iter().map(|(file, _)| Table::read(file)).collect();
    let spoken_of: BTreeSet<_> = tables.iter().flat_map(Table::story_ids).collect();
    let rows = (1..=44).map(|row| format!("D{row}")).chain(["D43b".to_owned()]);
    let missing: Vec<_> = rows.filter(|row| !spoken_of.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "no table speaks of {missing:?}");
}
