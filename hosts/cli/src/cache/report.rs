//! `hubstow cache report`: where the bytes of the cache are, and what each command would free.

mod facts;
mod page;
mod treemap;

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use hubstow_client::{Error, ErrorKind};

use self::facts::Facts;
use super::{WhichCache, table::table};
use crate::{
    global::{Format, Global},
    hub_args::PartsOf,
    output::{self, FAINT, TITLE, styled},
};

/// How many repos people are told of at once.
const NAMED: usize = 10;

/// Show where the bytes of the cache are, and what each command would free
///
/// Each file is counted once, whatever leads to it. With --html, the same as one page that needs nothing else: a map of all
/// repos by size, every repo with its revisions, and what each command would free. Nothing in the cache is changed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache report
  hubstow cache report --html cache.html
  hubstow cache report --json | jq '.repos[] | select(.nobody > 0) | .id'")]
pub(super) struct ReportArgs {
    /// Write a page for a browser to this file; `-` writes it to stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    which: WhichCache,
}

/// Looks, adds up and tells.
pub(super) fn run(args: &ReportArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let cache = args.which.open(parts)?;
    let facts = Facts::of(&cache)?;
    match (&args.html, global.format()) {
        (Some(file), _) if file.as_os_str() == "-" => output::write(page::of(&facts)?.as_bytes()),
        (Some(file), format) => {
            write(file, page::of(&facts)?.as_bytes())?;
            match format {
                Format::Json => output::json(&facts),
                Format::Human | Format::Quiet => output::path(file),
            }
        }
        (None, Format::Json) => output::json(&facts),
        (None, Format::Quiet) => output::line(facts.bytes),
        (None, Format::Human) => output::line(for_people(&facts)),
    }
}

/// Writes the page beside its name and renames it there, so that nobody reads half of it.
fn write(file: &Path, page: &[u8]) -> Result<(), Error> {
    let failed = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::StorageFull {
            ErrorKind::NoSpace
        } else {
            ErrorKind::Other
        };
        let what = format!("the page can't be written to `{}`", file.display());
        Error::new(kind, what).hint("--html - writes it to stdout").caused_by(error)
    };
    if file.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    publish(file, page).map_err(failed)
}

#[cfg(not(target_family = "wasm"))]
fn publish(file: &Path, page: &[u8]) -> io::Result<()> {
    use std::io::Write as _;

    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has modes"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut beside = builder.tempfile_in(folder.unwrap_or_else(|| Path::new(".")))?;
    beside.write_all(page)?;
    beside.persist(file)?;
    Ok(())
}

/// A sandbox has no private names to be had.
#[cfg(target_family = "wasm")]
fn publish(file: &Path, page: &[u8]) -> io::Result<()> {
    std::fs::write(file, page)
}

fn for_people(facts: &Facts) -> String {
    let mut text = format!(
        "{}: {} in {} repo(s) and {} revision(s)\n",
        styled(TITLE, &facts.cache),
        output::size(facts.bytes),
        facts.repos.len(),
        facts.revisions,
    );
    let mut add = |heading: &[&str], rows: &[Vec<String>]| {
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&table(heading, rows));
            text.push('\n');
        }
    };
    let needs = facts.needs().into_iter().filter(|(bytes, _)| *bytes > 0);
    let needs: Vec<Vec<String>> =
        needs.map(|(bytes, what)| vec![what.to_owned(), output::size(bytes)]).collect();
    add(&["NEEDED BY", "SIZE"], &needs);
    let repos = facts.repos.iter().take(NAMED);
    let repos: Vec<Vec<String>> = repos
        .map(|repo| {
            vec![repo.id.clone(), output::size(repo.bytes), repo.used.clone(), repo.notes()]
        })
        .collect();
    add(&["REPO", "SIZE", "LAST_ACCESSED", "NOTES"], &repos);
    let savings: Vec<Vec<String>> = facts
        .savings
        .iter()
        .map(|saving| vec![saving.command.clone(), output::size(saving.frees), saving.what.into()])
        .collect();
    add(&["COMMAND", "SIZE", "FREES"], &savings);
    if let Some(more) = facts.repos.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let what = format!("\n{more} more repo(s): --html FILE shows all, as a map");
        text.push_str(&styled(FAINT, what));
    }
    text.trim_end().to_owned()
}
