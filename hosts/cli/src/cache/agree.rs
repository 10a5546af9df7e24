//! Asking before something is carried, and what ends it.

use clap::Args;
use hubstow_client::{Error, ErrorKind, care::carry::Cancel};

use super::ask::{Question, wanted};
use crate::global::Format;

/// Whether it is asked, and whether anything is done.
#[derive(Args)]
pub(super) struct Agreement {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Agreement {
    /// Makes sure that the user wants what a plan says, which they have seen; asks on a terminal.
    ///
    /// # Errors
    /// A user who does not want it; nobody who could be asked, and no `--yes`.
    pub(super) fn given(&self, asked: &str, plan: &str, format: Format) -> Result<(), Error> {
        let question = Question {
            plan,
            asked,
            undone: "nothing was done",
            hint: "--yes does it without asking, --dry-run shows what would be done",
        };
        if wanted(self.yes, format, &question)? {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Other, question.undone))
        }
    }
}

/// From now on Ctrl-C ends the work soon, so that it leaves nothing half made. A second one ends the command at once.
#[cfg(not(target_family = "wasm"))]
pub(super) fn heed_interrupts(cancel: &Cancel) {
    const INTERRUPTED: i32 = 130;
    let told = cancel.clone();
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                told.cancel();
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        });
    };
    // Without a thread for it, Ctrl-C ends the command at once.
    let _ = std::thread::Builder::new().spawn(wait);
}

/// A sandbox hears of no signals.
#[cfg(target_family = "wasm")]
pub(super) fn heed_interrupts(_cancel: &Cancel) {}

/// Returns the error of work that has ended: where the user has ended it, that is why.
pub(super) fn ended(cancel: &Cancel, error: Error, kept: &str) -> Error {
    if cancel.is_cancelled() {
        Error::new(ErrorKind::Other, "interrupted").hint(kept)
    } else {
        error
    }
}
