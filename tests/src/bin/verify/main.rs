//! `cargo verify`: the one test command.
//!
//! It runs every test of the project from an empty clone, with nothing but rustup, a C compiler and Python. What the
//! tests need besides is installed first; where that is not possible, the tests that need it are skipped, and named at
//! the end. The log has one line a step; the full output is shown of what fails, and is kept for the rest. Each failed
//! test is told once more at the end. The last
//! line is `N passed, N failed, N skipped`, over all tests and steps.
//!
//! ```text
//! cargo verify [--list] [--fast] [--only TEXT]…
//!   --list       name the steps and stop
//!   --fast       leave out the steps that build for other systems or for release
//!   --only TEXT  run only the steps whose name contains TEXT
//! ```

mod install;
mod libtest;
mod plan;
mod step;
mod tally;
mod tested;
mod wine;

use std::process::ExitCode;

use install::Workshop;
use step::Outcome;
use tally::Tally;

/// What the user asked for.
#[derive(Default)]
struct Options {
    list: bool,
    fast: bool,
    only: Vec<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => options.list = true,
                "--fast" => options.fast = true,
                "--only" => options.only.push(arguments.next().ok_or("--only needs a text")?),
                _ => return Err(format!("`{argument}` is not --list, --fast or --only TEXT")),
            }
        }
        Ok(options)
    }

    fn wants(&self, step: &plan::Planned) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|text| step.name.contains(text));
        named && !(self.fast && step.slow)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("verify: {error}");
            return ExitCode::from(2);
        }
    };
    let steps = || plan::steps().into_iter().filter(|step| options.wants(step));
    if options.list {
        steps().for_each(|step| println!("{}", step.name));
        return ExitCode::SUCCESS;
    }
    match verify(steps().collect()) {
        Ok(tally) => tally.finish(),
        Err(error) => {
            eprintln!("verify: {error}");
            ExitCode::FAILURE
        }
    }
}

fn verify(steps: Vec<plan::Planned>) -> Result<Tally, String> {
    let workshop = Workshop::open().map_err(|error| format!("no place for the logs: {error}"))?;
    let mut tally = Tally::default();
    install::everything(&workshop, &steps);
    for planned in steps {
        let outcome = match (planned.missing)(&workshop) {
            Some(what) => Outcome::skipped(&planned.name, &what),
            None => step::run(&planned.name, (planned.command)(&workshop), &workshop.logs),
        };
        outcome.show();
        tally.add(&planned, &outcome);
    }
    Ok(tally)
}
