//! Asking before something is changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use hubstow_client::{Error, ErrorKind};

use crate::{global::Format, output};

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
    /// Tells whether the user wants what a plan says, which they have seen; asks on a terminal.
    ///
    /// # Errors
    /// Nobody who could be asked, and no `--yes`.
    pub(super) fn given(&self, plan: &str, format: Format) -> Result<bool, Error> {
        wanted(
            self.yes,
            format,
            &Question {
                plan,
                asked: "Remove this?",
                undone: "nothing was removed",
                hint: "--yes removes without asking, --dry-run shows what would go",
            },
        )
    }
}

/// What is asked, about which plan, and what is said where nobody can be asked.
pub(super) struct Question<'a> {
    /// What would be done, for people.
    pub(super) plan: &'a str,
    pub(super) asked: &'a str,
    pub(super) undone: &'a str,
    pub(super) hint: &'a str,
}

/// Tells whether the user wants something; asks on a terminal, unless they have said so. Nobody is asked without having been
/// shown the plan, whatever the format of the result is.
///
/// # Errors
/// Nobody who could be asked.
pub(super) fn wanted(yes: bool, format: Format, question: &Question<'_>) -> Result<bool, Error> {
    let is_asked = !yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    if is_asked || format == Format::Human {
        output::say(question.plan);
    }
    if yes {
        return Ok(true);
    }
    if !is_asked {
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
