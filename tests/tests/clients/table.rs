//! The table in the documentation.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::{clients::CLIENTS, stage::SOURCES, tools::here};

const BEGIN: &str = "<!-- The test `clients` writes and compares what follows. -->\n";
const END: &str = "<!-- It ends here. -->\n";

/// Compares the table with what was seen to work; whatever was not tried counts as the table says.
///
/// # Errors
/// The table has other clients or sources than the test.
pub(crate) fn compare(seen: &[(&str, &str)]) -> Result<()> {
    let path = here("../docs/clients.md");
    let text = fs::read_to_string(&path).context("docs/clients.md")?;
    let (before, rest) = text.split_once(BEGIN).context("docs/clients.md has no table")?;
    let (told, after) = rest.split_once(END).context("the table has no end")?;
    let is_whole = seen.len() == CLIENTS.len() * SOURCES.len();
    let table = table();
    if is_whole && std::env::var_os("BLESS").is_some() {
        return Ok(fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))?);
    }
    ensure!(told == table, "docs/clients.md has another table; BLESS=1 writes down\n{table}");
    Ok(())
}

/// Every pair is a test that fails where it does not work, so each cell says that it does.
fn table() -> String {
    let sources: Vec<&str> = SOURCES.iter().map(|source| source.name).collect();
    let rule = "|---".repeat(sources.len() + 2);
    let mut table = format!("| client | tried with | {} |\n{rule}|\n", sources.join(" | "));
    for client in &CLIENTS {
        let cells = " works |".repeat(sources.len());
        table += &format!("| {} | {} |{cells}\n", client.name, client.does);
    }
    table
}
