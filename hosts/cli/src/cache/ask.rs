//! Asking before something is removed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use hubstow_client::{Error, ErrorKind};

/// Whether it is asked, and whether anything is done.
#[derive(Args)]
pub(super) struct Consent {
    /// Show what would go, and remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Consent {
    /// Tells whether the user wants it; asks on a terminal.
    ///
    /// # Errors
    /// Nobody who could be asked, and no `--yes`.
    pub(super) fn given(&self) -> Result<bool, Error> {
        wanted(
            self.yes,
            &Question {
                asked: "Remove this?",
                undone: "nothing was removed",
                hint: "--yes removes without asking, --dry-run shows what would go",
            },
        )
    }
}

/// What is asked, and what is said where nobody can be.
pub(super) struct Question<'a> {
    pub(super) asked: &'a str,
    pub(super) undone: &'a str,
    pub(super) hint: &'a str,
}

/// Tells whether the user wants something; asks on a terminal, unless they have said so.
///
/// # Errors
/// Nobody who could be asked.
pub(super) fn wanted(yes: bool, question: &Question<'_>) -> Result<bool, Error> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let what = format!("nobody is there to be asked, so {}", question.undone);
        return Err(Error::new(ErrorKind::Usage, what).hint(question.hint));
    }
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{} [y/N] ", question.asked);
    let _ = stderr.flush();
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
