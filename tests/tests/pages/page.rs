//! The pages, and the blocks of code in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// The host author's guide.
pub(crate) const GUIDE: &str = "docs/embedding.md";
/// The first page.
pub(crate) const README: &str = "README.md";

/// Returns the root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the one block of code of a page that has these words in it.
pub(crate) fn block(page: &str, words: &str) -> Result<String> {
    let text = fs::read_to_string(workspace().join(page))?;
    let mut blocks = text.split("```").skip(1).step_by(2).filter(|block| block.contains(words));
    let block = blocks.next().with_context(|| format!("{page} has no block with `{words}`"))?;
    ensure!(blocks.next().is_none(), "{page} has several blocks with `{words}`");
    let (_language, code) = block.split_once('\n').context("an empty block")?;
    Ok(code.to_owned())
}

/// Returns the one command of a page that begins so and has these words in it, with the lines that it goes on in.
pub(crate) fn command(page: &str, begin: &str, words: &str) -> Result<String> {
    let block = block(page, words)?;
    let mut goes_on = false;
    let lines = block.lines().filter(|line| {
        let taken = goes_on || line.starts_with(begin);
        goes_on = taken && line.ends_with('\\');
        taken
    });
    let command: Vec<_> = lines.collect();
    ensure!(!command.is_empty(), "{page} has no `{begin}` beside `{words}`");
    Ok(command.join("\n"))
}
