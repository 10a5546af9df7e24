//! What the packages say of themselves.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use toml::{Table, Value};

use crate::outside::Outside;

/// What the registry shows, searches and links.
const TOLD: [&str; 7] =
    ["description", "license", "repository", "documentation", "readme", "edition", "rust-version"];
/// How many keywords and categories the registry takes.
const WORDS_LIMIT: usize = 5;

pub(crate) fn are_complete(outside: &Outside) -> Result<()> {
    for name in &outside.packages {
        let text = fs::read_to_string(outside.package(name).join("Cargo.toml"))?;
        let manifest: Table = text.parse()?;
        let package = manifest.get("package").and_then(Value::as_table).context("a table")?;
        for key in TOLD {
            let value = package.get(key).and_then(Value::as_str).unwrap_or_default();
            ensure!(!value.is_empty(), "{name} says no {key}");
        }
        for key in ["keywords", "categories"] {
            let words = package.get(key).and_then(Value::as_array).map_or(0, Vec::len);
            ensure!((1..=WORDS_LIMIT).contains(&words), "{name} has {words} {key}");
        }
        ensure!(!text.contains("\npath = \".."), "{name} depends on a folder:\n{text}");
    }
    println!("{} packages", outside.packages.len());
    Ok(())
}

pub(crate) fn have_their_pages(outside: &Outside) -> Result<()> {
    let licence = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../LICENSE"))?;
    for name in &outside.packages {
        let package = outside.package(name);
        ensure!(fs::read(package.join("LICENSE"))? == licence, "{name} has another licence");
        let page = fs::read_to_string(package.join("README.md"))?;
        ensure!(page.starts_with(&format!("# {name}\n")), "the page of {name} begins otherwise");
        // In the registry a page stands alone.
        let relative =
            page.lines().find(|line| line.contains("](") && !line.contains("](https://"));
        ensure!(relative.is_none(), "{name}: {relative:?} leads nowhere");
    }
    Ok(())
}

pub(crate) fn page_shows_the_program(outside: &Outside) -> Result<()> {
    let program = fs::read_to_string(outside.path().join("src/bin/blocking.rs"))?;
    let (_, program) = program.split_once("\n\n").context("a heading")?;
    let page = fs::read_to_string(outside.package("hubstow-native").join("README.md"))?;
    ensure!(page.contains(program), "the page shows another program than {program}");
    Ok(())
}
