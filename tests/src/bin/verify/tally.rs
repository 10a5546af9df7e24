//! The sum over everything that ran, and the end of the log.

use std::process::ExitCode;

use crate::{
    libtest,
    plan::Planned,
    step::{End, Outcome},
};

/// How many tests and steps passed and failed, and which were skipped.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    skipped: Vec<String>,
}

impl Tally {
    /// Adds a step, and the tests that it ran.
    pub(crate) fn add(&mut self, planned: &Planned, outcome: &Outcome) {
        match &outcome.end {
            End::Ok => self.passed += 1,
            End::Failed => self.failed += 1,
            End::Skipped(missing) => self.skipped.push(format!("{}: {missing}", planned.name)),
        }
        if planned.runs_tests {
            let counts = libtest::read(&outcome.output);
            self.passed += counts.passed;
            self.failed += counts.failed;
            self.skipped.extend(counts.ignored);
        }
    }

    /// Prints the end of the log and says how the whole run ended.
    pub(crate) fn finish(self) -> ExitCode {
        if !self.skipped.is_empty() {
            println!("\nskipped:");
            self.skipped.iter().for_each(|name| println!("    {name}"));
        }
        println!(
            "\n{} passed, {} failed, {} skipped",
            self.passed,
            self.failed,
            self.skipped.len()
        );
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
