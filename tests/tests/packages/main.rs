//! The packages, as the registry will have them: packed, unpacked in a folder outside of the workspace, and built there from
//! nothing else.
//!
//! The command is installed from them, small programs on the library run against a hub that serves, and every other crate is
//! checked. It takes minutes, so `cargo verify` has a step of its own for it. Installing the command with all that it can have takes
//! minutes more: `--ignored` does that, as a release does.

#![expect(
    clippy::print_stdout,
    reason = "a test says what is wrong by failing, and what it has looked at"
)]

mod command;
mod hub;
mod manifests;
mod outside;
mod programs;

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use outside::Outside;

type Test = fn(&Outside) -> Result<()>;

const TESTS: [(&str, Test); 10] = [
    ("every-package-says-what-a-registry-shows", manifests::are_complete),
    ("every-package-has-the-licence-and-a-page-of-its-own", manifests::have_their_pages),
    ("the-page-of-the-library-shows-a-program-that-runs", manifests::page_shows_the_program),
    ("programs/blocking", programs::blocking),
    ("programs/offline", programs::offline),
    ("programs/progress", programs::progress),
    ("programs/gated", programs::gated),
    ("programs/runtimes", programs::runtimes),
    ("the-command-is-installed-and-runs", command::is_installed),
    ("every-package-builds-without-the-workspace", command::everything_builds),
];

/// What a release does besides.
const SLOW: [(&str, Test); 1] =
    [("the-command-is-installed-with-everything", command::is_installed_with_everything)];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Cargo runs once at a time here anyway.
    arguments.test_threads.get_or_insert(1);
    let outside: Arc<OnceLock<Result<Outside, String>>> = Arc::default();
    let trial = |(name, test): (&str, Test)| {
        let outside = Arc::clone(&outside);
        Trial::test(name, move || {
            let made =
                outside.get_or_init(|| Outside::make().map_err(|error| format!("{error:#}")));
            let outside = made.as_ref().map_err(Clone::clone)?;
            Ok(test(outside).map_err(|error| format!("{error:#}"))?)
        })
    };
    // Who does not ask for it need not read that it was left out.
    let is_asked = arguments.ignored || arguments.include_ignored;
    let slow = SLOW.into_iter().filter(|_| is_asked).map(trial);
    let slow = slow.map(|trial| trial.with_ignored_flag(true));
    let trials = TESTS.into_iter().map(trial).chain(slow).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
