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
        ask(self.yes, "Remove this?", "removed", "shows what would go")
    }
}

/// Tells whether the user wants what was shown; asks on a terminal, unless the answer was given.
///
/// # Errors
/// Nobody who could be asked.
pub(super) fn ask(yes: bool, question: &str, done: &str, dry_run: &str) -> Result<bool, Error> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let what = format!("nobody is there to be asked, so nothing was {done}");
        return Err(Error::new(ErrorKind::Usage, what)
            .hint(format!("--yes goes on without asking, --dry-run {dry_run}")));
    }
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
