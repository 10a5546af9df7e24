//! The packages, as the registry will have them: packed, unpacked in a folder outside of the workspace, and built there from
//! nothing else.
//!
//! The command is installed from them, small programs on the library run against a hub that serves, and every other crate is
//! checked. It takes minutes, so `cargo verify` has a step of its own for it.

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

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Cargo runs once at a time here anyway.
    arguments.test_threads.get_or_insert(1);
    let outside: Arc<OnceLock<Result<Outside, String>>> = Arc::default();
    let trials = TESTS.map(|(name, test)| {
        let outside = Arc::clone(&outside);
        Trial::test(name, move || {
            let made =
                outside.get_or_init(|| Outside::make().map_err(|error| format!("{error:#}")));
            let outside = made.as_ref().map_err(Clone::clone)?;
            Ok(test(outside).map_err(|error| format!("{error:#}"))?)
        })
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}
