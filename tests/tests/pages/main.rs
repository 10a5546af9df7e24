//! What the pages show works as it stands there: the programs and the commands are taken out of them, and run against a hub
//! on this machine.
//!
//! Where this machine can't run one, its test is skipped and says what is missing.

#![expect(clippy::print_stdout, reason = "a test says what was printed")]

#[path = "../scenarios/build.rs"]
mod build;
mod component;
mod hosts;
mod page;
mod records;
mod sandbox;
mod stage;

use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Trial};

/// A test; it returns what is missing.
type Run = fn() -> Result<Option<String>>;

fn main() -> ExitCode {
    let tests: [(&str, Run); 8] = [
        ("the-command-of-the-page-makes-the-component", component::the_command_makes_it),
        ("the-host-in-python-does-what-a-host-owes", hosts::in_python),
        ("the-host-in-javascript-does-what-a-host-owes", hosts::in_javascript),
        ("the-sandbox-of-the-readme-works-where-no-cache-is", sandbox::of_the_readme),
        ("the-sandbox-of-the-guide-works-where-no-cache-is", sandbox::of_the_guide),
        ("a-cache-outside-of-the-sandbox-is-found-before-the-first-request", sandbox::closed),
        ("the-sandbox-on-node-works", sandbox::on_node),
        ("records-are-what-the-guide-says", records::are_as_told),
    ];
    let trials = tests.map(|(name, run)| {
        Trial::ignorable_test(name, move || match run() {
            Ok(None) => Ok(Completion::Completed),
            Ok(Some(missing)) => Ok(Completion::ignored_with(missing)),
            Err(error) => Err(format!("{error:#}").into()),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}
